"""One run over many files: its tasks, what is done already, and what went wrong."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import InputError, OutputError, SoftmaxCliError, UsageError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.pipeline.pairing import bug
from softmax_cli.pipeline.reporting import note, progress_bar
from softmax_cli.shards.manifest import REMEDY, Manifest, open_manifest
from softmax_cli.shards.plan import Shard, is_file, row_ranges
from softmax_cli.shards.tasks import Engine, OneMachine, Outcome, Progress, Task
from softmax_cli.storage.filesystem import Status, identity, path_of, refuse_the_same, relative
from softmax_cli.storage.input import content
from softmax_cli.storage.open_target import open_target, tag_temporary_files

# How many notes of tasks are shown.
_SHOWN_NOTES = 10

# Returns the call that processes a shard, or a range of its rows, in any process.
Calls = Callable[[Shard, RowRange | None], Callable[[], Any]]
State = dict[str, Any]


@dataclass
class Run:
    """A command over many files.

    common   files that all shards need
    bad      by shard, the error of each damaged shard
    facts    results of all shards together, for the manifest
    """

    command: str
    shards: Sequence[Shard]
    common: Sequence[str]
    read: ReadOptions
    write: WriteOptions
    options: ShardOptions
    id: str = field(default_factory=lambda: os.urandom(6).hex())
    bad: dict[str, SoftmaxCliError] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    _engine: Engine = field(init=False)
    _manifest: Manifest | None = None
    _done: int = 0
    _skipped: int = 0
    _notes: int = 0

    @contextmanager
    def started(self) -> Iterator[None]:
        """Start the engine; at the end report what was done, and clean up."""
        self._check_outputs()
        engine: AbstractContextManager[Engine] = nullcontext(OneMachine(self.id))
        if self.options.scheduler is not None:
            from softmax_cli.shards.dask.cluster import cluster

            engine = cluster(self.options.scheduler, self.id, workers=self.options.workers)
        created = [path for each in self._directories() for path in path_of(each).make_directory()]
        # The next run finds the temporary files of this one by its id.
        with tag_temporary_files(self.id):
            try:
                with engine as self._engine:
                    threads = self.write.threads or self._engine.threads
                    self.write = replace(self.write, threads=threads)
                    yield
                    if self._manifest is not None:
                        self._manifest.ended = True
                    self._report()
            finally:
                with suppress(OSError):
                    self._remove_temporary_files(self.id)
                self._save_manifest()
                for path in created:
                    with suppress(OSError):
                        Path(path).rmdir()

    @cached_property
    def _statuses(self) -> dict[str, list[Status]]:
        """By shard, the statuses of its files before they are read: later changes count."""
        statuses = {s.path: [path_of(path).status() for path in s.files] for s in self.shards}
        return {path: [each for each in found if each] for path, found in statuses.items()}

    @cached_property
    def _ranges(self) -> dict[str, list[RowRange]]:
        """By shard, the ranges of rows that its tasks process; none if it is one task."""
        if self.options.scheduler is None:
            return {}
        size = self.options.task_bytes
        return {shard.path: row_ranges(shard, self.read, size) for shard in self.shards}

    @property
    def inputs(self) -> list[str]:
        """All files that are read."""
        return [*(path for shard in self.shards for path in shard.files), *self.common]

    @property
    def good(self) -> list[Shard]:
        """The shards that are not known to be bad."""
        return [shard for shard in self.shards if shard.path not in self.bad]

    @property
    def place(self) -> str:
        """The name of all shards together in errors."""
        first, more = relative(self.shards[0].path), len(self.shards) - 1
        return f"{first} and {more} more" if more else first

    def every_shard_is_bad(self) -> InputError:
        """Return the error of a run without a good shard."""
        return InputError("every file was left out", "give a valid file", self.place)

    def open_manifest(self, settings: dict[str, Any]) -> None:
        """Open the manifest of --output-dir, with the shards done earlier with these settings."""
        from softmax_cli import __version__
        from softmax_cli.core.kernel.choice import name

        if (directory := self.options.output_dir) is None:
            return
        partners = self.shards[0].partners.items()
        settings = {
            "version": __version__,
            "kernel": name(),
            **settings,
            "precision": self.write.precision,
            "output_header": self.write.output_header,
            "read": asdict(self.read),
            "partners": {name: None if is_file(token) else token for name, token in partners},
            "files": [path_of(path).status() for path in self.common],
        }
        fresh, sync = self.options.fresh, not self.write.no_sync
        self._manifest, unfinished = open_manifest(
            directory, self.id, self.command, settings, fresh=fresh, sync=sync
        )
        if unfinished is not None:
            self._remove_temporary_files(unfinished)
        # If this run is killed, the next one knows which files to remove.
        self._manifest.write()

    def sweep(
        self, calls: Calls, shards: Sequence[Shard] | None = None
    ) -> Iterator[tuple[Shard, list[Any]]]:
        """Perform the tasks of these shards, by default of all good ones.

        Yields each shard with the results of its tasks, in the order of rows; the shards come in
        any order, and bad ones not at all.
        """
        by_path = {shard.path: shard for shard in (self.good if shards is None else shards)}
        tasks: list[Task] = []
        for path, shard in by_path.items():
            ranges: Sequence[RowRange | None] = self._ranges.get(path) or [None]
            size = sum(status["size"] for status in self._statuses[path]) // len(ranges)
            tasks += [Task(path, calls(shard, rows), size, rows) for rows in ranges]
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        place, total = f"{len(by_path)} shards", sum(task.size for task in tasks)
        with progress_bar(place, None, total or None, self.write) as show:
            progress = Progress(tasks, show)
            for outcome in self._engine.outcomes(tasks, progress.advance):
                is_complete, path = progress.finish(outcome), outcome.task.shard
                for line in outcome.notes:
                    if self._notes < _SHOWN_NOTES:
                        note(relative(line), self.write)
                    self._notes += 1
                if (error := outcome.error) is not None:
                    error.place = relative(error.place)
                    if outcome.is_bad_shard:
                        self.bad.setdefault(path, error)
                    if not outcome.is_bad_shard or self.options.on_bad_shard == "error":
                        raise error
                outcomes[path].append(outcome)
                if is_complete:
                    parts = sorted(outcomes.pop(path), key=lambda part: part.task.rows or ())
                    yield by_path[path], [part.result for part in parts]
            if progress.unfinished:
                raise bug("a task did not come back", progress.unfinished[0])

    def process(self, calls: Calls) -> Iterator[tuple[Shard, list[Any]]]:
        """Sweep the shards that are missing or have changed, and publish their outputs."""
        changed, manifest, statuses = self.good, self._manifest, self._statuses
        if manifest is not None:
            changed = [s for s in changed if not manifest.has(s.path, statuses[s.path], s.written)]
        self._skipped = len(self.good) - len(changed)
        for shard, results in self.sweep(calls, changed):
            if shard.outputs and (ranges := self._ranges.get(shard.path)):
                # An empty range at the end publishes what was written in ranges.
                rows = ranges[0].of
                calls(shard, RowRange(rows, rows, rows))()
            yield shard, results

    def states(
        self, calls: Calls, merge: Callable[[Shard, list[Any]], tuple[State, State, State]]
    ) -> Iterator[tuple[Shard, State]]:
        """Process the shards, and yield the merged state of each good one, in their order.

        The states of unchanged shards are read from their reports.

        merge  merge(shard, results) returns the state of a shard, its report, and its record in
               the manifest
        """
        states: dict[str, State] = {}
        for shard, results in self.process(calls):
            state, report, record = merge(shard, results)
            if shard.report is None:
                states[shard.path] = state
                continue
            with open_target(shard.report, sync=not self.write.no_sync) as target:
                text = json_report(report | {"sums": state}) + "\n"
                target.write(text.encode("utf-8", "backslashreplace"))
            self.add(shard, **record)
        for shard in self.good:
            yield shard, states[shard.path] if shard.report is None else _saved_state(shard.report)

    def add(self, shard: Shard, **record: Any) -> None:
        """Record in the manifest that a shard is done."""
        assert self._manifest is not None
        self._done += 1
        outputs = [path_of(path).status() for path in shard.written]
        files = {"inputs": self._statuses[shard.path], "outputs": outputs}
        self._manifest.add(shard.path, record | files)

    def _check_outputs(self) -> None:
        """Refuse to overwrite inputs: a second run could not tell which shards are done."""
        if self.write.in_place and any(shard.outputs for shard in self.shards):
            problem = "a second run could not tell which files are done"
            raise UsageError(problem, "write into another directory", "--in-place")
        written = [path for shard in self.shards for path in shard.written]
        named = [("--output-dir", path) for path in written]
        remedy = "give --losses and --grad their own directories"
        refuse_the_same(named, "{path} would be written twice", remedy)
        inputs = {identity(path) for path in self.inputs} - {None}
        for path in written:
            if identity(path) in inputs:
                problem = "is also an input, and is left as it is"
                raise OutputError(problem, "name another directory", relative(path))

    def _directories(self) -> set[str]:
        paths = (path for shard in self.shards for path in shard.written)
        directory = self.options.output_dir
        return {path_of(path).parent() for path in paths} | ({directory} if directory else set())

    def _remove_temporary_files(self, run: str) -> None:
        for directory in self._directories():
            pattern = path_of(path_of(directory).literal()).join(f".*.{run}.*.tmp")
            for path in path_of(pattern).files():
                path_of(path).remove()

    def _save_manifest(self) -> None:
        if (manifest := self._manifest) is None:
            return
        manifest.facts = self.facts
        manifest.bad = {relative(path): str(error) for path, error in self.bad.items()}
        for path in manifest.bad:
            manifest.shards.pop(path, None)
        if not (manifest.shards or manifest.ended):
            manifest.restore()
            return
        manifest.write()
        if not manifest.ended:
            done = f"{self._done + self._skipped} of {_shards(len(self.shards))} done"
            note(f"{done}; run the same command to finish", self.write)

    def _report(self) -> None:
        """Print how many shards were done, and the error of each that was left out."""
        if self._notes > _SHOWN_NOTES:
            note(f"{self._notes - _SHOWN_NOTES} more such notes", self.write)
        if self._manifest is not None:
            parts = [f"{_shards(self._done)} done"]
            if self._skipped:
                parts.append(f"{self._skipped} skipped (done before, unchanged)")
            if self.bad:
                parts.append(f"{len(self.bad)} left out")
            note(", ".join(parts), self.write)
        for error in self.bad.values():
            note(f"left out: {error}", replace(self.write, quiet=False))
        if len(self.bad) == len(self.shards):
            raise SoftmaxCliError("every file was left out")


def _saved_state(report: str) -> State:
    """Return the state in the report of a shard; infinities and NaN are strings for float()."""
    with suppress(ValueError, KeyError, TypeError):
        state = json.loads(content(report).decode("utf-8", "backslashreplace"))["sums"]
        if isinstance(state, dict):
            return state
    raise InputError("is not a report of this program, or is damaged", REMEDY, report)


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
