"""A run of many shards: what is done before is skipped, and what goes wrong is told at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.pipeline.reporting import note
from softmax_cli.shards.manifest import Manifest
from softmax_cli.shards.plan import Shard
from softmax_cli.shards.progress import watch_tasks
from softmax_cli.shards.tasks import Engine, Outcome, Task
from softmax_cli.storage.change_check import Status
from softmax_cli.storage.filesystem import path_of, shown

# How many notes of shards are shown.
_SHOWN_NOTES = 10

OnBadShard = Literal["error", "skip"]
# Does a shard, or a range of its rows, in any process.
Call = Callable[[], Any]
Calls = Callable[[Shard, RowRange | None], Call]


def new_run() -> str:
    """Return a name for a run, unlike every other's."""
    return os.urandom(6).hex()


@dataclass
class Run:
    """Some shards, who does them, and what has become of them.

    ranges    of each shard that several tasks do, the rows of each
    outputs   of each shard, the files that are written of it
    bad       the error of each shard that was left out
    facts     what is known of all shards together, for the manifest
    """

    shards: Sequence[Shard]
    engine: Engine
    write: WriteOptions
    on_bad_shard: OnBadShard = "error"
    manifest: Manifest | None = None
    ranges: Mapping[str, Sequence[RowRange]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bad: dict[str, SoftmaxCliError] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    _skipped: int = 0
    _done: int = 0
    _inputs: dict[str, list[Status]] = field(default_factory=dict)
    _notes: int = 0

    @property
    def good(self) -> list[Shard]:
        """The shards that were not left out."""
        return [shard for shard in self.shards if shard.path not in self.bad]

    @property
    def place(self) -> str:
        """How errors name all shards together."""
        first, *others = self.shards
        return f"{first.shown} and {len(others)} more" if others else first.shown

    def sweep(
        self, calls: Calls, shards: Sequence[Shard] | None = None
    ) -> Iterator[tuple[Shard, list[Any]]]:
        """Do the shards that are not bad, and yield each with what came of it, in any order.

        What came of a shard is a list: of a shard in ranges, in the order of its rows.
        """
        good = [s for s in (self.shards if shards is None else shards) if s.path not in self.bad]
        tasks: list[Task] = []
        of: dict[str, tuple[Shard, int]] = {}
        results: dict[str, list[Any]] = {}
        for shard in good:
            ranges = self.ranges.get(shard.path, [None])
            results[shard.path] = [None] * len(ranges)
            size = self._size(shard) // len(ranges)
            for number, rows in enumerate(ranges):
                name = shard.path if rows is None else f"{shard.path} from row {rows.start} on"
                tasks.append(Task(name, calls(shard, rows), size))
                of[name] = shard, number
        left = {path: len(parts) for path, parts in results.items()}
        done = 0
        parts = {name: shard.path for name, (shard, _) in of.items()}
        with watch_tasks(parts, sum(task.size for task in tasks), self.write) as watcher:
            for outcome in self.engine.outcomes(tasks, watcher):
                shard, number = of[outcome.task.name]
                self._say(outcome)
                done += 1
                if outcome.error is not None:
                    self._failed(shard, outcome)
                    continue
                results[shard.path][number] = outcome.result
                left[shard.path] -= 1
                if not left[shard.path] and shard.path not in self.bad:
                    yield shard, results.pop(shard.path)
        if done != len(tasks):
            problem = f"{done} of {len(tasks)} tasks were done"
            raise SoftmaxCliError(problem, "this is a fault of the program: please report it")

    def changed(self) -> list[Shard]:
        """Return the shards that are to be done: those that the manifest does not know so."""
        manifest = self.manifest
        if manifest is None:
            return list(self.shards)
        todo = []
        for shard in self.shards:
            outputs = self.outputs[shard.path]
            if manifest.unchanged(self._statuses(shard), shard.shown, outputs) is None:
                todo.append(shard)
        self._skipped = len(self.shards) - len(todo)
        return todo

    def _statuses(self, shard: Shard) -> list[Status]:
        """Return what the files of a shard were like when they were first looked at.

        That was before they were read: what is written to meanwhile is not done.
        """
        if shard.path not in self._inputs:
            found = (path_of(path).status() for path in shard.files)
            self._inputs[shard.path] = [status for status in found if status is not None]
        return self._inputs[shard.path]

    def complete(self, shard: Shard, calls: Calls) -> None:
        """Let the files of a shard that was done in ranges appear, as an empty range does."""
        if (ranges := self.ranges.get(shard.path)) is not None:
            rows = ranges[0].of
            calls(shard, RowRange(rows, rows, rows))()

    def done(self, shard: Shard, **known: Any) -> None:
        """Write down that a shard is done, and what is known of it."""
        self._done += 1
        if self.manifest is not None:
            inputs = self._statuses(shard)
            outputs = [path_of(path).status() for path in self.outputs[shard.path]]
            self.manifest.done(shard.shown, {**known, "inputs": inputs, "outputs": outputs})

    def _size(self, shard: Shard) -> int:
        return sum(found["size"] for found in self._statuses(shard))

    def _failed(self, shard: Shard, outcome: Outcome) -> None:
        error = outcome.error
        assert error is not None
        error.place = shown(error.place)
        if not outcome.is_bad_shard:
            raise error
        self.bad.setdefault(shard.path, error)
        if self.on_bad_shard == "error":
            raise error

    def ended(self) -> None:
        """Say what was done, what was not, and why."""
        if self.manifest is not None:
            self.manifest.ended = True
        self._tell()

    def write_down(self) -> None:
        """Write the manifest, whatever became of the run."""
        manifest = self.manifest
        if manifest is None:
            return
        for path in map(shown, self.bad):
            manifest.shards.pop(path, None)
        manifest.facts = self.facts
        manifest.bad = {shown(path): str(error) for path, error in self.bad.items()}
        if not (manifest.shards or manifest.ended):
            manifest.put_back()
            return
        manifest.write()
        if not manifest.ended:
            done = f"{self._done + self._skipped} of {_shards(len(self.shards))} done"
            note(f"{done}; the same command does the rest", self.write)

    def _say(self, outcome: Outcome) -> None:
        for line in outcome.notes:
            if self._notes < _SHOWN_NOTES:
                note(shown(line), self.write)
            self._notes += 1

    def _tell(self) -> None:
        if self._notes > _SHOWN_NOTES:
            note(f"{self._notes - _SHOWN_NOTES} more such notes", self.write)
        if self.manifest is not None:
            parts = [f"{_shards(self._done)} done"]
            if self._skipped:
                parts.append(f"{self._skipped} skipped (done before, and unchanged)")
            if self.bad:
                parts.append(f"{len(self.bad)} left out")
            note(", ".join(parts), self.write)
        for error in self.bad.values():
            note(f"left out: {error}", replace(self.write, quiet=False))
        if len(self.bad) == len(self.shards):
            raise SoftmaxCliError("every file was left out")


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
