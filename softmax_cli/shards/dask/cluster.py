"""A Dask cluster as an engine: workers on other machines, or processes of this one."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from queue import Empty, Queue
from time import monotonic
from typing import Any

from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.pipeline.threads import cores
from softmax_cli.shards.dask.scheduler import find_scheduler, local_scheduler
from softmax_cli.shards.dask.worker import build, run_on_worker, stop
from softmax_cli.shards.tasks import Engine, OnProgress, Outcome, Task

# How long a scheduler may take to answer, a worker to appear, and tasks to stop.
_PATIENCE_SECONDS = 10
_STOP_SECONDS = 5
# How often the connection is checked, and the workers are counted.
_CHECK_SECONDS = 0.2
_COUNT_SECONDS = 1.0
# How many tasks are under way for each that can run at a time.
_AHEAD = 3
_IGNORE_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"


@contextmanager
def cluster(scheduler: str, run: str, *, workers: int | None) -> Iterator[Cluster]:
    """Connect to a scheduler, or start processes of this machine if it is `local`."""
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        remedy = "install this program with its extra `dask`, see docs/cluster.md"
        raise SoftmaxCliError(f"needs {error.name}", remedy, "--scheduler") from error
    settings = {
        "distributed.scheduler.allowed-failures": 2,
        "distributed.worker.preload": [_IGNORE_INTERRUPTS],
        # It would sample what threads do a hundred times a second.
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": _PATIENCE_SECONDS,
        "logging": {"distributed": "CRITICAL"},
    }
    with ExitStack() as stack:
        # Errors are reported by this program; Dask logs nothing.
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"distributed\.")
        stack.enter_context(dask.config.set(settings))
        threads = 1
        if scheduler == "local":
            workers = workers or cores()
            threads = max(1, cores() // workers)
            address = stack.enter_context(local_scheduler(workers))
        else:
            address = find_scheduler(scheduler, _PATIENCE_SECONDS)
        client: Any = distributed.Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
        stack.callback(_close, client)
        engine = Cluster(client, scheduler, run, threads)
        stack.callback(engine.give_up)
        engine.check_workers()
        yield engine


def _close(client: Any) -> None:
    with suppress(Exception):
        client.close(timeout=1)


class Cluster(Engine):
    """Sends tasks to the workers of a scheduler."""

    def __init__(self, client: Any, address: str, run: str, threads: int) -> None:
        """Keep the connection."""
        self._client, self._address, self._run = client, address, run
        self.threads = threads
        # The futures of tasks that ended, and the progress that workers report.
        self._events: Queue[Any] = Queue()
        self._under_way: dict[Any, Task] = {}
        self._slots, self._slots_until = 0, 0.0

    @property
    def slots(self) -> int:
        """How many tasks can run at a time, as of a moment ago: workers come and go."""
        if monotonic() > self._slots_until:
            with self._connected():
                self._slots = sum(self._client.nthreads().values())
            self._slots_until = monotonic() + _COUNT_SECONDS
        return self._slots

    def check_workers(self) -> None:
        """Refuse a cluster without workers, or with another version or kernel of this program."""
        from softmax_cli import __version__
        from softmax_cli.core.kernel.choice import name

        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
            builds = self._client.run(build)
        except TimeoutError as error:
            remedy = "start some with 'dask worker ADDRESS'"
            raise SoftmaxCliError("has no workers", remedy, self._address) from error
        except SoftmaxCliError as error:
            error.place = f"a worker: {error.place}"
            raise
        except (OSError, ImportError, AttributeError, pickle.PickleError) as error:
            problem = f"a worker cannot run softmax-cli: {error}"
            remedy = f"install version {__version__} there"
            raise SoftmaxCliError(problem, remedy, self._address) from error
        for worker, (version, kernel) in builds.items():
            if (version, kernel) == (__version__, name()):
                continue
            problem = f"has softmax-cli {version} ({kernel}), but this is {__version__} ({name()})"
            remedy = "install the same version everywhere"
            if version == __version__:
                remedy = "install it with a C compiler everywhere, or set SOFTMAX_CLI_KERNELS=numpy"
            raise SoftmaxCliError(problem, remedy, worker)

    def outcomes(self, tasks: Iterable[Task], on_progress: OnProgress) -> Iterator[Outcome]:
        """Perform the tasks; keep a few more under way than can run at a time."""
        waiting = iter(tasks)
        # Tasks whose worker died each time, though another task there may have killed it.
        suspects: deque[Task] = deque()
        alone: Task | None = None
        with self._connected():
            topic = f"softmax-cli-{self._run}"
            self._client.subscribe_topic(topic, lambda event: self._events.put(tuple(event[1])))
        while True:
            room = _AHEAD * self.slots - len(self._under_way)
            # While there are no workers, one task waits for new ones.
            ready = list(islice(waiting, max(room, 0 if self._under_way else 1)))
            if not ready and not self._under_way:
                if not suspects:
                    return
                # If its worker dies now, no other task can be the cause.
                alone = suspects.popleft()
                ready = [alone]
            for task in ready:
                with self._connected():
                    future = self._client.submit(run_on_worker, task, self._run, pure=False)
                self._under_way[future] = task
                future.add_done_callback(self._events.put)
            try:
                event = self._events.get(timeout=_CHECK_SECONDS)
            except Empty:
                if self._client.status != "running":
                    raise self._connection_lost() from None
                continue
            if isinstance(event, tuple):
                on_progress(*event)
            elif event in self._under_way:
                task = self._under_way.pop(event)
                outcome = self._outcome(event, task, is_alone=task is alone)
                if outcome is None:
                    suspects.append(task)
                else:
                    yield outcome

    def _outcome(self, future: Any, task: Task, *, is_alone: bool) -> Outcome | None:
        """Return the outcome of a task; None if it may have crashed its worker."""
        from distributed.scheduler import KilledWorker

        try:
            with self._connected():
                # If the worker has died since, Dask lets another perform the task again.
                outcome: Outcome = future.result()
        except KilledWorker:
            if not is_alone:
                return None
            problem, remedy = "crashes every worker that opens it", "check it, and their memory"
            return Outcome(task, error=InputError(problem, remedy, task.name))
        except SoftmaxCliError:
            raise
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise SoftmaxCliError(problem, "the file is not the cause", task.name) from error
        return outcome

    def _connection_lost(self) -> SoftmaxCliError:
        remedy = "run again once it is back"
        return SoftmaxCliError("the scheduler went away", remedy, self._address)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Report a lost connection as an error of this program."""
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        try:
            yield
        except (CommClosedError, FutureCancelledError, ConnectionError) as error:
            raise self._connection_lost() from error
        except RuntimeError as error:
            if self._client.status == "running":
                raise
            raise self._connection_lost() from error

    def give_up(self) -> None:
        """Cancel what is under way; running tasks stop at their next block."""
        if self._under_way and self._client.status == "running":
            with suppress(Exception):
                self._client.cancel(list(self._under_way), force=True)
                # A worker that dies meanwhile must not keep the others from stopping.
                self._client.run(stop, self._run, _STOP_SECONDS, on_error="ignore")
        self._under_way.clear()
