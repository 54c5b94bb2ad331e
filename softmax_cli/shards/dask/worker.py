"""Performs tasks on a Dask worker, and stops those of a run that was given up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from functools import cache
from time import monotonic

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.shards.tasks import Outcome, Task, perform

# How often a task reports its progress.
_REPORT_SECONDS = 0.5
# Parameters of the GNU C library: freed memory beyond these sizes goes back to the system at once.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_KEPT_BYTES = 1 << 25

# The runs that were stopped, and how many tasks of each run this worker is performing.
_stopped: set[str] = set()
_running: Counter[str] = Counter()
_lock = threading.Lock()


class _Stopped(BaseException):
    """The run was given up; no task catches this."""


def build() -> tuple[str, str]:
    """Return the version and the kernel of this program on the worker."""
    from softmax_cli import __version__
    from softmax_cli.core.kernel.choice import name

    return __version__, name()


async def stop(run: str, patience: float) -> None:
    """Stop the tasks of a run at their next block, and wait until they have ended."""
    _stopped.add(run)
    end = monotonic() + patience
    while _running[run] and monotonic() < end:
        await asyncio.sleep(0.1)


@cache
def _keep_freed_memory() -> None:
    """Let this worker use freed memory again: getting it back costs as much as the arithmetic."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT_BYTES)


def run_on_worker(task: Task, run: str) -> Outcome:
    """Perform a task, and report its progress to the scheduler."""
    from distributed import get_worker

    worker, reported = get_worker(), 0.0

    def report(name: str, rows: int | None, size: int) -> None:
        nonlocal reported
        if run in _stopped:
            raise _Stopped
        if rows is None or monotonic() - reported > _REPORT_SECONDS:
            reported = monotonic()
            worker.log_event(f"softmax-cli-{run}", (name, rows, size))

    with _lock:
        _running[run] += 1
    _keep_freed_memory()
    try:
        return perform(task, run, report)
    except _Stopped:
        return Outcome(task)
    except MemoryError:
        return Outcome(task, error=SoftmaxCliError("out of memory", place=task.name))
    except OSError as error:
        problem = str(error.strerror or error)
        return Outcome(task, error=SoftmaxCliError(problem, place=error.filename or task.name))
    finally:
        with _lock:
            _running[run] -= 1
