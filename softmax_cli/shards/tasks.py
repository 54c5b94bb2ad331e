"""Tasks, their outcomes and their progress, and the engine that performs them in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from softmax_cli.errors import DomainError, InputError, ShapeError, SoftmaxCliError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.pipeline.reporting import Listener, report_to
from softmax_cli.storage.open_target import tag_temporary_files

# Called with the name of a task, and the rows and bytes it has read so far. When a task starts, or
# starts again, the rows are None.
OnProgress = Callable[[str, int | None, int], None]


@dataclass(frozen=True)
class Task:
    """Work that any process can do: a shard, or a range of its rows.

    shard  the path of the shard
    call   does the work; the call and its result can be pickled
    size   bytes of the input that it reads, if known
    """

    shard: str
    call: Callable[[], Any]
    size: int = 0
    rows: RowRange | None = None

    @property
    def name(self) -> str:
        """Its name in errors, unique in a run."""
        return self.shard if self.rows is None else f"{self.shard} from row {self.rows.start} on"


@dataclass(frozen=True)
class Outcome:
    """The result of a task, or its error; the number of rows it read, and its notes."""

    task: Task
    result: Any = None
    error: SoftmaxCliError | None = None
    rows: int = 0
    notes: Sequence[str] = ()

    @property
    def is_bad_shard(self) -> bool:
        """Whether this shard's data caused the error; other shards may be good."""
        return isinstance(self.error, InputError | ShapeError | DomainError)


class Engine(ABC):
    """Performs tasks; `threads` is how many each should use by default, None for all cores."""

    threads: int | None = None

    @abstractmethod
    def outcomes(self, tasks: Iterable[Task], on_progress: OnProgress) -> Iterator[Outcome]:
        """Perform the tasks; yield the outcome of each when it ends, in any order."""


@dataclass
class OneMachine(Engine):
    """Performs one task after the other in this process; its threads share the rows of each."""

    run: str

    def outcomes(self, tasks: Iterable[Task], on_progress: OnProgress) -> Iterator[Outcome]:
        """Perform the tasks, in order."""
        for task in tasks:
            yield perform(task, self.run, on_progress)


def perform(task: Task, run: str, on_progress: OnProgress) -> Outcome:
    """Perform a task in this process; pass its progress on, and keep its notes."""
    notes: list[str] = []
    done = 0

    def advance(rows: int, size: int) -> None:
        nonlocal done
        done = rows
        on_progress(task.name, rows, size)

    on_progress(task.name, None, 0)
    try:
        with tag_temporary_files(run), report_to(Listener(advance, notes.append)):
            return Outcome(task, task.call(), rows=done, notes=notes)
    except SoftmaxCliError as error:
        return Outcome(task, error=error, rows=done, notes=notes)


class Progress:
    """Counts and shows shards, rows and bytes; a retried task starts again at 0.

    >>> shown = []
    >>> tasks = [Task("a", print), Task("b", print)]
    >>> progress = Progress(tasks, lambda *line: shown.append(line))
    >>> for event in (("a", None, 0), ("a", None, 0), ("a", 10, 400), ("b", 5, 200)):
    ...     progress.advance(*event)
    >>> shown[-2:]
    [(10, 400, '0 of 2 shards', ', 1 retried'), (15, 600, '0 of 2 shards', ', 1 retried')]
    """

    def __init__(self, tasks: Sequence[Task], show: Callable[[int, int, str, str], None]) -> None:
        """Start with no task done."""
        self._show = show
        self._left = Counter(task.shard for task in tasks)
        self._failed: set[str] = set()
        self._known: dict[str, tuple[int, int]] = {}
        self._rows = self._size = self._retried = self._done = 0

    @property
    def unfinished(self) -> list[str]:
        """The shards with tasks that have not ended."""
        return [shard for shard, left in self._left.items() if left]

    def advance(self, name: str, rows: int | None, size: int) -> None:
        """Note the rows and bytes that a task has read so far."""
        self._retried += rows is None and name in self._known
        rows_before, size_before = self._known.get(name, (0, 0))
        self._known[name] = rows or 0, size
        self._rows += (rows or 0) - rows_before
        self._size += size - size_before
        extra = f", {len(self._failed)} failed" if self._failed else ""
        extra += f", {self._retried} retried" if self._retried else ""
        self._show(self._rows, self._size, f"{self._done} of {len(self._left)} shards", extra)

    def finish(self, outcome: Outcome) -> bool:
        """Note that a task ended; return whether this completes its shard, without any error."""
        shard = outcome.task.shard
        if outcome.error is not None:
            self._failed.add(shard)
        self._left[shard] -= 1
        is_complete = not self._left[shard] and shard not in self._failed
        self._done += is_complete
        self.advance(outcome.task.name, outcome.rows, outcome.task.size)
        return is_complete
