"""Commands that convert each of many files into an output of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from typing import Any

from softmax_cli.commands.many_files.run import Run
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import PartOptions, ReadOptions, WriteOptions
from softmax_cli.formats.registry import named_format, suffix_format
from softmax_cli.shards.plan import Shard, output_paths, plan_shards, stem, with_partners
from softmax_cli.storage.filesystem import path_of
from softmax_cli.storage.open_target import SharedPart


def convert_files(
    command: str,
    convert: Callable[..., int],
    values: Sequence[str] | None,
    command_options: Any,
    partners: Sequence[str],
    options: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Run a command that writes one output for each input file.

    convert   convert(values, command_options, read=, write=, rows=) returns the number of rows
    partners  the command options that name a further input
    """
    if write.output is not None:
        raise UsageError("is one file, but each input has its own", "leave it out", "--output")
    if write.save is not None:
        raise UsageError("is a picture of one table", "leave it out", "--save")
    options = options.for_workers()
    if options.output_dir is None:
        problem = "each file needs its own output"
        raise UsageError(problem, "add --output-dir DIR", "--scheduler")
    shards = plan_shards([options.worker_path(token) for token in values or ["-"]], "arguments")
    settings = asdict(command_options)
    for option in partners:
        if (token := settings.pop(option)) is not None:
            token = options.worker_path(token)
            shards = with_partners(shards, f"--{option}", token, shared=True)
    shards = with_outputs(shards, "converted", options.output_dir, read, write.format)
    run = Run(command, shards, (), read, write, options)
    with run.started():
        run.open_manifest(settings | {"format": write.format, "precision": write.precision})

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], int]:
            to = output_options(run, shard.outputs["converted"], rows)
            own = replace(command_options, **shard.partners)
            return partial(convert, [shard.path], own, read=read, write=to, rows=rows)

        for shard, counts in run.process(call):
            run.add(shard, rows=sum(counts))
    return 0


def output_options(run: Run, output: str, rows: RowRange | None) -> WriteOptions:
    """Return the options for a task of a run that writes an output, or some rows of it."""
    whole = replace(run.write, output=output, format=None)
    if rows is None:
        return whole
    name = path_of(output).name()
    tag = blake2b(output.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    shared = path_of(path_of(output).parent()).join(f".{name[:40]}.{run.id}.{tag}.tmp")
    return PartOptions(**vars(whole), part=SharedPart(shared, is_last=rows.start == rows.stop))


def with_outputs(
    shards: Sequence[Shard], kind: str, directory: str, read: ReadOptions, form: str | None = None
) -> list[Shard]:
    """Return the shards, each with an output in a directory: in its own format, or a given one."""
    suffixes = None if form is None else named_format(form, "--format").suffixes
    if suffixes == ():
        raise UsageError("a table is for people", "name a format of files", "--format")

    def name_of(shard: Shard) -> str:
        if suffixes:
            return stem(shard.name) + suffixes[0]
        own = suffix_format(shard.name)
        if own is not None:
            return shard.name if own.text else stem(shard.name) + own.suffixes[0]
        if read.input_format is None:
            remedy = "name the format of the outputs with --format"
            raise UsageError("no format has this suffix", remedy, shard.path)
        typed = named_format(read.input_format, "--input-format", reads=True)
        return shard.name + typed.suffixes[0]

    return [
        replace(shard, outputs={**shard.outputs, kind: path})
        for shard, path in zip(shards, output_paths(shards, directory, name_of), strict=True)
    ]
