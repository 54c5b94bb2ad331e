"""A Dask cluster does the tasks: those of other machines, or processes of this one."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from queue import Empty, Queue
from time import monotonic, sleep
from typing import Any

from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.pipeline.threads import thread_count
from softmax_cli.shards.dask.local import processes
from softmax_cli.shards.dask.scheduler import find_scheduler
from softmax_cli.shards.dask.worker import run_on_worker, running_tasks, stop, version
from softmax_cli.shards.tasks import Engine, Outcome, Task, Watcher

LOCAL = "local"
# How long a scheduler has to answer, a worker to appear, and tasks to stop.
_PATIENCE_SECONDS = 10
_STOP_SECONDS = 5
# How often a wait is interrupted to look around, and workers are counted.
_WAIT_SECONDS = 0.2
_SLOTS_SECONDS = 1.0
# So many tasks are under way for each that can be done at a time.
_AHEAD = 3
# What workers are to be like: a key that interrupts is not theirs, and nobody looks a hundred
# times a second at what their threads do.
_WORKERS = {
    "distributed.worker.preload": ["import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"],
    "distributed.worker.profile.enabled": False,
}


@contextmanager
def cluster(scheduler: str, run: str, *, workers: int | None) -> Iterator[Cluster]:
    """Connect to a scheduler, or start processes of this machine if it is `local`."""
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        remedy = "install this program with its extra `dask`, see docs/cluster.md"
        raise SoftmaxCliError(f"needs {error.name}", remedy, "--scheduler") from error
    cores = thread_count(WriteOptions())
    with ExitStack() as stack:
        stack.enter_context(_without_logs())
        settings = {
            "distributed.scheduler.allowed-failures": 2,
            **_WORKERS,
            "distributed.comm.timeouts.connect": _PATIENCE_SECONDS,
            "logging": {"distributed": "CRITICAL"},
        }
        stack.enter_context(dask.config.set(settings))
        if scheduler == LOCAL:
            slots = workers or cores
            threads = max(1, cores // slots)
            address = stack.enter_context(processes(distributed, slots))
        else:
            threads = 1
            address = find_scheduler(scheduler, _PATIENCE_SECONDS)
        client: Any = distributed.Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
        stack.callback(_close, client)
        engine = Cluster(client, scheduler, run, threads)
        # Whatever ends the run: a generator that was not closed would do it too late.
        stack.callback(engine.give_up)
        engine.check_workers()
        yield engine


@contextmanager
def _without_logs() -> Iterator[None]:
    """Log nothing: what goes wrong is told by the errors of this program."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"distributed\.")
            yield
    finally:
        logging.disable(before)


def _close(client: Any) -> None:
    with suppress(Exception):
        client.close(timeout=1)


class Cluster(Engine):
    """Sends tasks to the workers of a scheduler; what it is told meanwhile comes by a queue."""

    def __init__(self, client: Any, address: str, run: str, threads: int) -> None:
        """Keep the connection."""
        self._client, self._address, self._run = client, address, run
        self.threads = threads
        self._told: Queue[Callable[[Watcher], Outcome | None]] = Queue()
        self._under_way: dict[Any, Task] = {}
        # Tasks whose worker died each time, though another's may have been at fault.
        self._suspects: deque[Task] = deque()
        self._alone = ""
        self._count = self._slots = 0
        self._slots_until = 0.0

    @property
    def slots(self) -> int:
        """How many tasks can be done at a time, as of a moment ago: workers come and go."""
        if monotonic() > self._slots_until:
            with self._connected():
                self._slots = sum(self._client.nthreads().values())
            self._slots_until = monotonic() + _SLOTS_SECONDS
        return self._slots

    def check_workers(self) -> None:
        """Refuse a cluster without workers, or with others than this program needs."""
        from softmax_cli import __version__

        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
            versions = self._client.run(version)
        except TimeoutError as error:
            remedy = "start some with 'dask worker ADDRESS'"
            raise SoftmaxCliError("has no workers", remedy, self._address) from error
        except (OSError, ImportError, AttributeError, pickle.PickleError) as error:
            problem = f"a worker cannot run softmax-cli: {error}"
            remedy = f"install version {__version__} of this program there"
            raise SoftmaxCliError(problem, remedy, self._address) from error
        for worker, found in versions.items():
            if found != __version__:
                problem = f"has softmax-cli {found}, and this is {__version__}"
                raise SoftmaxCliError(problem, "the same is needed everywhere", worker)

    def outcomes(self, tasks: Iterable[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
        """Do the tasks, a few more under way than can be done at a time."""
        rest = iter(tasks)
        topic = f"softmax-cli-{self._run}"
        with self._connected():
            self._client.subscribe_topic(topic, self._event)
        try:
            while True:
                room = _AHEAD * self.slots - len(self._under_way)
                # All workers may be gone for a moment; what is sent waits for new ones.
                self._send(islice(rest, max(room, 0 if self._under_way else 1)))
                if not self._under_way:
                    # Each alone: whose worker dies now is at fault.
                    if not self._suspects:
                        return
                    self._send([self._suspects.popleft()], is_alone=True)
                outcome = self._next(watcher)
                if outcome is not None:
                    watcher.finished(outcome)
                    yield outcome
        finally:
            self.give_up()
            with suppress(Exception):
                self._client.unsubscribe_topic(topic)

    def _send(self, tasks: Iterable[Task], *, is_alone: bool = False) -> None:
        for task in tasks:
            self._count += 1
            with self._connected():
                future = self._client.submit(
                    run_on_worker,
                    task,
                    self._run,
                    key=f"softmax-cli-{self._run}-{self._count}",
                    pure=False,
                )
            self._under_way[future] = task
            future.add_done_callback(lambda done: self._told.put(lambda _: self._ended(done)))
            if is_alone:
                self._alone = task.name

    def _next(self, watcher: Watcher) -> Outcome | None:
        """Wait a moment for what comes next, which need not be an outcome."""
        try:
            told = self._told.get(timeout=_WAIT_SECONDS)
        except Empty:
            if self._client.status != "running":
                raise self._gone() from None
            return None
        return told(watcher)

    def _event(self, event: tuple[float, dict[str, Any]]) -> None:
        """Keep what a worker tells for the thread that waits; this is one of Dask's."""
        _, told = event
        name, rows, size = told["name"], told["rows"], told["size"]

        def tell(watcher: Watcher) -> None:
            if rows is None:
                watcher.started(name)
            else:
                watcher.advanced(name, rows, size)

        self._told.put(tell)

    def _ended(self, future: Any) -> Outcome | None:
        """Return what came of a task; None if it is to be done once more."""
        task = self._under_way.pop(future, None)
        if task is None:
            return None
        from distributed.scheduler import KilledWorker

        try:
            with self._connected():
                # Of a worker that died since, it is found anew, by another.
                outcome: Outcome = future.result()
        except KilledWorker:
            if self._alone != task.name:
                self._suspects.append(task)
                return None
            problem = "every worker that it was given to died"
            error = InputError(problem, "it is damaged, or they are short of memory", task.name)
            return Outcome(task, error=error)
        except SoftmaxCliError:
            raise
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise SoftmaxCliError(problem, "it is no fault of the file", task.name) from error
        return outcome

    def _gone(self) -> SoftmaxCliError:
        return SoftmaxCliError(
            "the scheduler went away", "run again once it is back", self._address
        )

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Let a connection that is lost be an error that says so."""
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        try:
            yield
        except (CommClosedError, FutureCancelledError, ConnectionError) as error:
            raise self._gone() from error
        except RuntimeError as error:
            if self._client.status == "running":
                raise
            raise self._gone() from error

    def give_up(self) -> None:
        """Cancel what is under way, and let what workers are doing stop at its next block."""
        if not self._under_way or self._client.status != "running":
            return
        with suppress(Exception):
            self._client.cancel(list(self._under_way), force=True)
            # One that dies meanwhile keeps no other from being told.
            self._client.run(stop, self._run, on_error="ignore")
            end = monotonic() + _STOP_SECONDS
            while monotonic() < end and self._is_running():
                sleep(_WAIT_SECONDS / 2)
        self._under_way.clear()

    def _is_running(self) -> bool:
        return any(self._client.run(running_tasks, self._run, on_error="ignore").values())
