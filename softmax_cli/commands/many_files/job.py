"""A command over many files: each is done as one alone would be, by this machine or a cluster."""

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
from softmax_cli.storage.filesystem import is_remote, path_of, shown
from softmax_cli.storage.identity import identity
from softmax_cli.storage.input import content
from softmax_cli.storage.open_target import SharedPart, open_target

# Formats whose rows have a place in the file that does not depend on those before.
_OF_FIXED_SIZE = ("npy", "safetensors")


@dataclass(frozen=True)
class ShardJob:
    """What a command does with many files.

    outputs   of each shard, the files of its rows, which tasks write
    reports   of each shard, the report that is written of what its tasks found
    common    files that all shards need
    read      how they are read
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
    def begun(self, write: WriteOptions) -> Iterator[tuple[Run, WriteOptions]]:
        """Begin the run, and return it with the options of its tasks; whatever ends it is noted.

        What is not whole of it, or of one before it that was killed, is taken away.
        """
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
        """Refuse to write onto what is read: a second run could not tell what is done."""
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

    def remember(self, run: Run, settings: dict[str, Any]) -> None:
        """Let a run with these settings know what is done, if there is a directory of outputs.

        The settings are all that the outputs depend on beside the files.
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
        # Whoever comes after one that is killed can then take away what it left.
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
        """Take away what a run left that is not whole."""
        for directory in self._directories():
            pattern = path_of(path_of(directory).literal()).join(f".*.{run}.*.tmp")
            for path in path_of(pattern).files():
                path_of(path).remove()

    def _written(self) -> dict[str, list[str]]:
        """Return all files that are written of each shard."""
        return {
            shard.path: [
                *self.outputs.get(shard.path, ()),
                *([self.reports[shard.path]] if shard.path in self.reports else []),
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

    def state_of(self, shard: Shard) -> dict[str, Any]:
        """Return the sums that stand in the report of a shard.

        Numbers that are not finite are strings in it, which float() takes.
        """
        path = self.reports[shard.path]
        try:
            state = json.loads(content(path).decode("utf-8", "backslashreplace"))["sums"]
            if isinstance(state, dict):
                return state
        except (ValueError, KeyError, TypeError):
            pass
        raise InputError("is no report of this program, or is damaged", manifest.REMEDY, path)

    def _ranges(self) -> dict[str, list[RowRange]]:
        """Return the ranges of rows of each shard that is large enough for several tasks."""
        found = {}
        for shard in self.shards:
            status = path_of(shard.path).status()
            most = self.options.task_bytes
            if status is None or status["size"] <= most or not self._can_be_cut(shard):
                continue
            # What is wrong with it its task will tell.
            with suppress(SoftmaxCliError), open_source([shard.path], self.read) as source:
                rows = source.rows
                if rows is not None and rows > 1:
                    count = min(rows, -(-status["size"] // most))
                    edges = [rows * number // count for number in range(count + 1)]
                    found[shard.path] = [RowRange(*edge, rows) for edge in pairwise(edges)]
        return found

    def _can_be_cut(self, shard: Shard) -> bool:
        """Tell whether ranges of its rows can be read and written apart from each other."""
        if self.read.on_bad_row == "skip" or self.read.axis != -1:
            return False
        if shard.path.lower().endswith(COMPRESSIONS):
            return False
        # Several processes cannot write a file of an object store.
        if any(is_remote(path) for path in self.outputs.get(shard.path, ())):
            return False
        forms = [suffix_format(path) for path in self.outputs.get(shard.path, ())]
        return all(form is not None and form.name in _OF_FIXED_SIZE for form in forms)

    def written(self, write: WriteOptions, output: str, rows: RowRange | None) -> WriteOptions:
        """Return the options with which a task writes an output, or a part of it."""
        if rows is None:
            return replace(write, output=output, format=None)
        name = path_of(output).name()
        tag = blake2b(output.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        shared = path_of(path_of(output).parent()).join(f".{name[:40]}.{self.run}.{tag}.tmp")
        given = {**vars(write), "output": output, "format": None}
        return PartOptions(**given, part=SharedPart(shared, is_last=rows.start == rows.stop))


def converted(
    command: str,
    job: Callable[..., int],
    values: Sequence[str] | None,
    partners: Mapping[str, str | None],
    settings: dict[str, Any],
    options: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Write the rows of one file for the rows of each file that the values stand for.

    job       does one: job(values, **partners, read=, write=, rows=), and returns how many rows
    partners  by option, without its dashes: what goes with the rows
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
    with work.begun(write) as (run, of_task):
        work.remember(run, settings)

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
    """Return the file in a directory for the rows of each shard, by its path.

    It has the format of the input, if no other is asked for.
    """
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


def write_report(path: str, report: dict[str, object], state: dict[str, Any]) -> None:
    """Write the report of a shard, with the sums as they are to be put together with others."""
    with open_target(path) as target:
        text = json_report(report | {"sums": state}) + "\n"
        target.write(text.encode("utf-8", "backslashreplace"))
