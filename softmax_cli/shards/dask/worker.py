"""Runs tasks on a Dask worker, and knows which runs were stopped."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache
from time import monotonic

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.shards.tasks import Outcome, Task, perform

# How often a task reports its progress.
_EVENT_SECONDS = 0.5
# Of the GNU C library: from which size on, and how much at the top, memory is given back at once.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_KEPT_BYTES = 1 << 25

# The runs that were stopped, and the number of running tasks by run.
_stopped: set[str] = set()
_doing: dict[str, int] = {}
_lock = threading.Lock()


class _Stopped(BaseException):
    """The run was given up: nothing catches it on its way out of a task."""


def version() -> str:
    """Return the version of this program that a worker has."""
    from softmax_cli import __version__

    return __version__


def stop(run: str) -> None:
    """Stop the tasks of a run at their next block."""
    _stopped.add(run)


def running_tasks(run: str) -> int:
    """Return the number of tasks of a run that this worker is performing."""
    return _doing.get(run, 0)


@cache
def _keep_freed_memory() -> None:
    """Let the blocks that were freed be used for the next ones, once for this worker.

    Dask lets its workers give back all of it, and to get it again costs as much as the arithmetic.
    """
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT_BYTES)


def run_on_worker(task: Task, run: str) -> Outcome:
    """Perform a task on a worker, and report its progress to the scheduler."""
    from distributed import get_worker

    worker, topic = get_worker(), f"softmax-cli-{run}"
    told = 0.0

    def advance(rows: int | None, size: int) -> None:
        nonlocal told
        if run in _stopped:
            raise _Stopped
        if rows is None or monotonic() - told > _EVENT_SECONDS:
            told = monotonic()
            worker.log_event(topic, {"name": task.name, "rows": rows, "size": size})

    with _lock:
        _doing[run] = _doing.get(run, 0) + 1
    _keep_freed_memory()
    try:
        advance(None, 0)
        return perform(task, run, advance)
    except _Stopped:
        return Outcome(task)
    except MemoryError:
        return Outcome(task, error=SoftmaxCliError("out of memory", place=task.name))
    except OSError as error:
        problem = str(error.strerror or error)
        return Outcome(task, error=SoftmaxCliError(problem, place=error.filename or task.name))
    finally:
        with _lock:
            _doing[run] -= 1
