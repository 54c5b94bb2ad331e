"""One bar for a run of many tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.pipeline.reporting import progress_bar
from softmax_cli.shards.tasks import Outcome, Watcher


@contextmanager
def watch_tasks(parts: Mapping[str, str], size: int, options: WriteOptions) -> Iterator[Watcher]:
    """Watch tasks, with a bar at a terminal for what lasts longer than a second.

    parts  of which shard each task is, by its name
    size   bytes of the input that all of them read
    """
    place = f"{len(set(parts.values()))} shards"
    with progress_bar(place, None, size or None, options) as show:
        yield ProgressWatcher(parts, show)


class ProgressWatcher(Watcher):
    """Counts and shows shards, rows and bytes; a retried task starts again at 0.

    >>> lines = []
    >>> shards = {"a": "a", "b 0": "b", "b 1": "b"}
    >>> watcher = ProgressWatcher(shards, lambda *shown: lines.append(shown))
    >>> for event in (watcher.started, watcher.started):
    ...     event("a")
    >>> watcher.advanced("a", 10, 400)
    >>> watcher.advanced("b 0", 5, 200)
    >>> lines[-2:]
    [(10, 400, '0 of 2 shards', ', 1 retried'), (15, 600, '0 of 2 shards', ', 1 retried')]
    """

    def __init__(
        self, parts: Mapping[str, str], show: Callable[[int, int, str, str], None]
    ) -> None:
        """Start with nothing done."""
        self._parts, self._show = parts, show
        self._left = Counter(parts.values())
        self._all = len(self._left)
        self._known: dict[str, tuple[int, int]] = {}
        self._rows = self._size = self._retried = self._done = 0
        self._failed: set[str] = set()

    def started(self, name: str) -> None:
        """Note a task that began, or began again."""
        self._retried += name in self._known
        self._note(name, 0, 0)

    def advanced(self, name: str, rows: int, size: int) -> None:
        """Note how far a task is."""
        self._note(name, rows, size)

    def finished(self, outcome: Outcome) -> None:
        """Note that a task is over; a shard is done when all its tasks are."""
        name = outcome.task.name
        shard = self._parts[name]
        if outcome.error is not None:
            self._failed.add(shard)
        self._left[shard] -= 1
        self._done += not self._left[shard] and shard not in self._failed
        self._note(name, outcome.rows, outcome.task.size)

    def _note(self, name: str, rows: int, size: int) -> None:
        rows_before, size_before = self._known.get(name, (0, 0))
        self._known[name] = rows, size
        self._rows += rows - rows_before
        self._size += size - size_before
        beside = f", {len(self._failed)} failed" if self._failed else ""
        beside += f", {self._retried} retried" if self._retried else ""
        self._show(self._rows, self._size, f"{self._done} of {self._all} shards", beside)
