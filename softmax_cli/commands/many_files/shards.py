"""The shards of a command: their inputs and outputs; and commands that convert each shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from typing import Any

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.many_files.run import Run
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.opening.file_key import file_of
from softmax_cli.formats.registry import named_format, suffix_format
from softmax_cli.shards.plan import Shard, is_file, output_paths, plan_shards, stem, with_partners
from softmax_cli.storage.filesystem import path_of
from softmax_cli.storage.open_target import SharedPart

# Options whose file, or typed row, may be the partner of all shards.
_SHARED = ("--vjp", "--jvp", "--upstream")


def _planned(
    values: Sequence[str], place: str, partners: Mapping[str, str | None], options: ShardOptions
) -> list[Shard]:
    """Return the shards of the values, with partners by option."""
    shards = plan_shards([options.worker_path(token) for token in values], place)
    for option, token in partners.items():
        if token is not None:
            path = options.worker_path(token)
            shards = with_partners(shards, option, path, shared=option in _SHARED)
    return shards


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
    settings = asdict(command_options)
    tokens = {f"--{option}": settings.pop(option) for option in partners}
    shards = _planned(values or ["-"], "arguments", tokens, options)
    shards = with_outputs(shards, "converted", options.output_dir, read, write.format)
    common, read = shared_names(read, options)
    run = Run(command, shards, common, read, write, options)
    with run.started():
        run.open_manifest(settings | {"format": write.format})

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], int]:
            to = output_options(run, shard.outputs["converted"], rows)
            own = replace(command_options, **shard.partners)
            return partial(convert, [shard.path], own, read=read, write=to, rows=rows)

        for shard, counts in run.process(call):
            run.add(shard, rows=sum(counts))
    return 0


@dataclass(frozen=True)
class PartOptions(WriteOptions):
    """Options for a task that writes one part of a file."""

    part: SharedPart | None = None


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


def inputs_for_workers(inputs: LossInputs, options: ShardOptions) -> LossInputs:
    """Return the inputs, with the file that all shards need where workers find it."""
    weights = inputs.options.class_weights
    path = weights and options.worker_path(weights)
    _, read = shared_names(inputs.read, options)
    return inputs._replace(options=replace(inputs.options, class_weights=path), read=read)


def shared_names(read: ReadOptions, options: ShardOptions) -> tuple[list[str], ReadOptions]:
    """Return the file of --class-names, if it is one, and the options with it for workers."""
    names = read.class_names
    if names is None or not is_file(names):
        return [], read
    path = options.worker_path(names)
    return [file_of(path)], replace(read, class_names=path)


def loss_run(
    command: str,
    inputs: LossInputs,
    partners: Mapping[str, str | None],
    write: WriteOptions,
    options: ShardOptions,
) -> Run:
    """Return a run; its shards have the inputs of the loss, other partners, and a report."""
    loss = inputs.options
    tokens = {"--p": inputs.p, "--labels": loss.labels, "--targets": loss.targets}
    tokens |= {"--sample-weights": loss.sample_weights, **partners}
    place, values = "arguments", inputs.values or ["-"]
    if inputs.q is not None:
        place, values = "--q", [inputs.q]
    shards = _planned(values, place, tokens, options)
    if options.output_dir is not None:
        reports = output_paths(shards, options.output_dir, lambda shard: stem(shard.name) + ".json")
        pairs = zip(shards, reports, strict=True)
        shards = [replace(shard, report=report) for shard, report in pairs]
    weights = loss.class_weights
    common, _ = shared_names(inputs.read, options)
    common += [file_of(weights)] if weights is not None and is_file(weights) else []
    return Run(command, shards, common, inputs.read, write, options)


def common_options(inputs: LossInputs) -> dict[str, Any]:
    """Return the options of the loss, without the files of each shard."""
    return asdict(replace(inputs.options, labels=None, targets=None, sample_weights=None))


def shard_inputs(inputs: LossInputs, shard: Shard, rows: RowRange | None) -> LossInputs:
    """Return the inputs of one shard, or of a range of its rows."""
    partners = shard.partners
    options = replace(
        inputs.options,
        labels=partners.get("labels"),
        targets=partners.get("targets"),
        sample_weights=partners.get("sample-weights"),
    )
    if inputs.p is not None:
        return inputs._replace(p=partners["p"], q=shard.path, options=options, rows=rows)
    return inputs._replace(values=[shard.path], options=options, rows=rows)


def gradient_divisor(run: Run, inputs: LossInputs, write: WriteOptions) -> Fraction | float:
    """Return the divisor of the gradients, from the rows of all shards."""
    if inputs.options.reduction in ("sum", "none"):
        return 1.0
    whole = ReducedLoss()
    for weights in weigh_shards(run, inputs, LossInputs.weighed, write):
        whole.merge(weights)
    return inputs.divided_by(whole, run.place)


def weigh_shards(
    run: Run, inputs: LossInputs, weigh: Callable[..., Any], write: WriteOptions
) -> Iterator[Any]:
    """Yield weigh(inputs, source, settings, write) for the rows of each task, in any order."""
    for _, parts in run.sweep(
        lambda shard, rows: partial(_weigh, shard_inputs(inputs, shard, rows), weigh, write)
    ):
        yield from parts


def _weigh(inputs: LossInputs, weigh: Callable[..., Any], write: WriteOptions) -> Any:
    with ExitStack() as stack:
        return weigh(inputs, *inputs.opened(stack), write)
