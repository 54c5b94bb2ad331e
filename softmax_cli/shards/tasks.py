"""Tasks, and what comes of them: the terms that one machine and a cluster share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from softmax_cli.errors import DomainError, InputError, ShapeError, SoftmaxCliError
from softmax_cli.pipeline.reporting import Listener, report_to
from softmax_cli.storage.open_target import tag_temporary_files


@dataclass(frozen=True)
class Task:
    """A piece of work that any process can do: a shard, or a range of its rows.

    name  how the bar and errors name it, unlike every other's of the run
    call  does the work, and returns what can be pickled; so can the call itself
    size  bytes of the input that it reads, if that is known
    """

    name: str
    call: Callable[[], Any]
    size: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of a task: its result, or the error that it ended with; and what was said.

    rows  how many went by
    """

    task: Task
    result: Any = None
    error: SoftmaxCliError | None = None
    rows: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_bad_shard(self) -> bool:
        """Whether what was read is at fault, and other shards may be as they should."""
        return isinstance(self.error, InputError | ShapeError | DomainError)


class Watcher:
    """Is told how the tasks of a run get on; this one does nothing with it."""

    def started(self, name: str) -> None:
        """A task began; if it had begun before, it is tried again."""

    def advanced(self, name: str, rows: int, size: int) -> None:
        """So many rows, and bytes of the input, of a task have been done so far."""

    def finished(self, outcome: Outcome) -> None:
        """A task is over."""


class Engine(ABC):
    """Does tasks.

    threads  how many each task should use, unless others are asked for; None for all cores
    """

    threads: int | None = None

    @abstractmethod
    def outcomes(self, tasks: Iterable[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
        """Do the tasks, and yield what comes of each as it ends, in any order.

        Closing the iterator gives the rest up. An error that is no task's own is raised.
        """


class OneMachine(Engine):
    """Does one task after the other in this process, whose threads share the work of each."""

    def __init__(self, run: str) -> None:
        """Keep the name of the run."""
        self._run = run

    def outcomes(self, tasks: Iterable[Task], watcher: Watcher) -> Generator[Outcome, None, None]:
        """Do the tasks, in order."""
        for task in tasks:
            watcher.started(task.name)
            outcome = perform(task, self._run, partial(watcher.advanced, task.name))
            watcher.finished(outcome)
            yield outcome


def perform(task: Task, run: str, advance: Callable[[int, int], None]) -> Outcome:
    """Do a task of a run in this process; what it says and how it gets on is listened to."""
    notes: list[str] = []
    done = 0

    def advanced(rows: int, size: int) -> None:
        nonlocal done
        done = rows
        advance(rows, size)

    try:
        with tag_temporary_files(run), report_to(Listener(advanced, notes.append)):
            return Outcome(task, task.call(), rows=done, notes=notes)
    except SoftmaxCliError as error:
        return Outcome(task, error=error, rows=done, notes=notes)
