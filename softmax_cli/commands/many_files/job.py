"""Runs a command over many files, each by itself, on this machine or a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import InputError, OutputError, SoftmaxCliError, UsageError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import PartOptions, ReadOptions, WriteOptions
from softmax_cli.formats.opening.source import open_source
from softmax_cli.formats.registry import named_format, suffix_format
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.shards import manifest
from softmax_cli.shards.plan import Shard, is_file, outputs, planned, suffix_of, with_partners
from softmax_cli.shards.run import Run, new_run
from softmax_cli.shards.tasks import Engine, OneMachine
from softmax_cli.storage.compression import COMPRESSIONS
from softmax_cli.storage.filesystem import identity, is_remote, path_of, shown
from softmax_cli.storage.input import content
from softmax_cli.storage.open_target import SharedPart, open_target

# Formats in which the position of a row does not depend on the rows before it.
_OF_FIXED_SIZE = ("npy", "safetensors")


@dataclass(frozen=True)
class ShardJob:
    """A command, its shards and their outputs.

    outputs   by shard, the files of its rows, which tasks write
    reports   by shard, its report, written when its tasks are done
    common    files that all shards need
    """

    command: str
    shards: Sequence[Shard]
    outputs: Mapping[str, Sequence[str]]
    common: Sequence[str]
    read: ReadOptions
    options: ShardOptions
    reports: Mapping[str, str] = field(default_factory=dict)
    run: str = field(default_factory=new_run)

    @contextmanager
    def started(self, write: WriteOptions) -> Iterator[tuple[Run, WriteOptions]]:
        """Start the run and yield it with the options of its tasks; clean up however it ends."""
        run: Run | None = None
        self._check_outputs(write)
        made = [path for each in self._directories() for path in path_of(each).make_directory()]
        try:
            with self._engine() as engine:
                ranges = {} if self.options.scheduler is None else self._ranges()
                run = Run(
                    self.shards,
                    engine,
                    write,
                    self.options.on_bad_shard,
                    ranges=ranges,
                    outputs=self._written(),
                )
                yield run, replace(write, threads=write.threads or engine.threads)
                run.ended()
        finally:
            with suppress(OSError):
                self._tidy(self.run)
            if run is not None:
                run.write_down()
            for path in made:
                with suppress(OSError):
                    Path(path).rmdir()

    def _check_outputs(self, write: WriteOptions) -> None:
        """Refuse to overwrite inputs: a second run could not tell what is done."""
        if write.in_place and self.outputs:
            remedy = "write into another directory"
            raise UsageError("a second run could not tell what is done", remedy, "--in-place")
        inputs = {identity(path) for path in self.inputs} - {None}
        for path in [path for paths in self._written().values() for path in paths]:
            if identity(path) in inputs:
                problem = "is also an input, and is left as it is"
                raise OutputError(problem, "name another directory", shown(path))

    @property
    def inputs(self) -> list[str]:
        """All files that are read."""
        return [*(path for shard in self.shards for path in shard.files), *self.common]

    def open_manifest(self, run: Run, settings: dict[str, Any]) -> None:
        """Open the manifest of --output-dir, which has the shards done with these settings.

        The settings are everything but the files that the outputs depend on.
        """
        from softmax_cli import __version__

        directory = self.options.output_dir
        if directory is None:
            return
        statuses = [path_of(path).status() for path in self.common]
        settings = {"version": __version__, **settings, "files": statuses}
        run.manifest, unfinished = manifest.opened(
            directory, self.run, self.command, settings, fresh=self.options.fresh
        )
        if unfinished is not None:
            self._tidy(unfinished)
        # If this run is killed, the next one knows what to remove.
        run.manifest.write()

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        options = self.options
        if options.scheduler is None:
            yield OneMachine(self.run)
            return
        from softmax_cli.shards.dask.cluster import cluster

        with cluster(options.scheduler, self.run, workers=options.workers) as engine:
            yield engine

    def _tidy(self, run: str) -> None:
        """Remove the unfinished files of a run."""
        for directory in self._directories():
            pattern = path_of(path_of(directory).literal()).join(f".*.{run}.*.tmp")
            for path in path_of(pattern).files():
                path_of(path).remove()

    def _written(self) -> dict[str, list[str]]:
        """Return all outputs of each shard."""
        return {
            shard.path: [
                path
                for path in (*self.outputs.get(shard.path, ()), self.reports.get(shard.path))
                if path is not None
            ]
            for shard in self.shards
        }

    def _directories(self) -> set[str]:
        directories = {
            path_of(path).parent() for paths in self._written().values() for path in paths
        }
        if self.options.output_dir is not None:
            directories.add(self.options.output_dir)
        return directories

    def saved_state(self, shard: Shard) -> dict[str, Any]:
        """Return the sums in the report of a shard; infinities and NaN are strings for float()."""
        path = self.reports[shard.path]
        try:
            state = json.loads(content(path).decode("utf-8", "backslashreplace"))["sums"]
            if isinstance(state, dict):
                return state
        except (ValueError, KeyError, TypeError):
            pass
        raise InputError("is no report of this program, or is damaged", manifest.REMEDY, path)

    def _ranges(self) -> dict[str, list[RowRange]]:
        """Return row ranges of each shard that is large enough for several tasks."""
        found = {}
        for shard in self.shards:
            status = path_of(shard.path).status()
            most = self.options.task_bytes
            if status is None or status["size"] <= most or not self._can_be_cut(shard):
                continue
            # Errors are left to the task of the shard.
            with suppress(SoftmaxCliError), open_source([shard.path], self.read) as source:
                rows = source.rows
                if rows is not None and rows > 1:
                    count = min(rows, -(-status["size"] // most))
                    edges = [rows * number // count for number in range(count + 1)]
                    found[shard.path] = [RowRange(*edge, rows) for edge in pairwise(edges)]
        return found

    def _can_be_cut(self, shard: Shard) -> bool:
        """Return true if ranges of its rows can be read and written independently."""
        if self.read.on_bad_row == "skip" or self.read.axis != -1:
            return False
        if shard.path.lower().endswith(COMPRESSIONS):
            return False
        # Several processes cannot write one file of an object store.
        if any(is_remote(path) for path in self.outputs.get(shard.path, ())):
            return False
        forms = [suffix_format(path) for path in self.outputs.get(shard.path, ())]
        return all(form is not None and form.name in _OF_FIXED_SIZE for form in forms)

    def written(self, write: WriteOptions, output: str, rows: RowRange | None) -> WriteOptions:
        """Return the options for a task that writes an output, or a part of it."""
        if rows is None:
            return replace(write, output=output, format=None)
        name = path_of(output).name()
        tag = blake2b(output.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        shared = path_of(path_of(output).parent()).join(f".{name[:40]}.{self.run}.{tag}.tmp")
        given = {**vars(write), "output": output, "format": None}
        return PartOptions(**given, part=SharedPart(shared, is_last=rows.start == rows.stop))


def convert_files(
    command: str,
    job: Callable[..., int],
    values: Sequence[str] | None,
    partners: Mapping[str, str | None],
    settings: dict[str, Any],
    options: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Run a command that writes one output for each input file.

    job       job(values, **partners, read=, write=, rows=) converts one, and returns its row count
    partners  further inputs by option name without dashes
    """
    if write.output is not None:
        raise UsageError("is one file, and each input has its own", "leave it out", "--output")
    if write.save is not None:
        raise UsageError("is a picture of one table", "leave it out", "--save")
    options = options.placed()
    if options.output_dir is None:
        problem = "each file needs an output of its own"
        raise UsageError(problem, "add --output-dir DIR", "--scheduler")
    shards = planned([options.reached(token) for token in values or ["-"]], "arguments")
    for option, token in partners.items():
        if token is not None:
            shards = with_partners(shards, f"--{option}", options.reached(token), shared=True)
    named = row_files(shards, options.output_dir, read, write)
    settings |= {"read": asdict(read), "format": write.format, "precision": write.precision}
    settings["with"] = [name for name in partners if partners[name]]
    typed = [token for shard in shards for token in shard.partners.values() if not is_file(token)]
    settings["typed"] = sorted(set(typed))
    files = {path: [name] for path, name in named.items()}
    work = ShardJob(command, shards, files, (), read, options)
    with work.started(write) as (run, of_task):
        work.open_manifest(run, settings)

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], int]:
            to = work.written(of_task, named[shard.path], rows)
            return partial(job, [shard.path], **shard.partners, read=read, write=to, rows=rows)

        for shard, rows in run.sweep(call, run.changed()):
            run.complete(shard, call)
            run.done(shard, rows=sum(rows))
    return 0


def row_files(
    shards: Sequence[Shard], directory: str, read: ReadOptions, write: WriteOptions
) -> dict[str, str]:
    """Return the output of each shard by its path, in the format of --format or of the shard."""
    if write.format is not None:
        suffix = suffix_of(named_format(write.format, "--format").name)
        if suffix is None:
            raise UsageError("a table is for people", "name a format of files", "--format")
        return outputs(shards, directory, suffix)
    named = []
    for shard in shards:
        form = suffix_format(shard.name)
        if form is None and read.input_format is not None:
            named.append(shard.name + (suffix_of(read.input_format) or ""))
        elif form is None:
            remedy = "--format says which it has, and its output too"
            raise UsageError("no format has this suffix", remedy, shard.path)
        else:
            named.append(shard.name if form.text else shard.stem + form.suffixes[0])
    renamed = [replace(each, name=name) for each, name in zip(shards, named, strict=True)]
    return outputs(renamed, directory, None)


def report_files(shards: Sequence[Shard], options: ShardOptions) -> dict[str, str]:
    """Return the report of each shard by its path; none without --output-dir."""
    return {} if options.output_dir is None else outputs(shards, options.output_dir, ".json")


def every_shard_is_bad(run: Run) -> InputError:
    """Return the error of a run without a good shard."""
    return InputError("every file was left out", "give one that is whole", run.place)


def write_report(path: str, report: dict[str, object], state: dict[str, Any]) -> None:
    """Write the report of a shard, with the sums for merging it with others."""
    with open_target(path) as target:
        text = json_report(report | {"sums": state}) + "\n"
        target.write(text.encode("utf-8", "backslashreplace"))
