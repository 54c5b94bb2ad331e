"""`softmax-cli softmax`: logits into probabilities."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from softmax_cli.commands.options.explain import Explain, explained, explanation, is_alone
from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import Base, ReadOptions, Temperature, Values, WriteOptions
from softmax_cli.errors import UsageError

if TYPE_CHECKING:
    from softmax_cli.display.steps import Step
    from softmax_cli.explain.row import Row
    from softmax_cli.formats.model.blocks import Block, RowRange, Source
    from softmax_cli.pipeline.bad_rows import Kernel

DESCRIPTION = """S_j = exp(a_j / T) / sum_k exp(a_k / T) for every row of logits a."""

EXAMPLES = (
    "softmax-cli softmax 1 2 3",
    "softmax-cli softmax -1 -2.5 -inf --temperature 2",
    "softmax-cli softmax 1,2,3 4,5,6 --log --base 2",
    "softmax-cli softmax 1000 1001 --explain",
    "softmax-cli softmax samples/iris.csv --id-columns label --top-k 1",
    "softmax-cli softmax samples/digits_logits.npy -o probabilities.npy",
    "softmax-cli softmax 'samples/digits_shards/logits/*.npy' --output-dir probabilities --quiet",
)


def command(
    *,
    values: Values = None,
    temperature: Temperature = 1.0,
    log: Annotated[bool, Flag("Log-probabilities instead.")] = False,
    base: Base = "e",
    top_k: Annotated[
        int | None, Flag("Only the K most likely classes per row.", "K", short="-k", min=1)
    ] = None,
    append: Annotated[bool, Flag("Keep the input's columns and add the new ones.")] = False,
    explain: Explain = False,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Write the softmax of each row, for one input or many files."""
    if explain:
        write = explanation(write, shards)
    if base != "e" and not log:
        raise UsageError("applies only to logarithms", "add --log", "--base")
    if top_k is not None and read.axis != -1:
        raise UsageError("works only along the last axis", "leave out --axis", "--top-k")
    settings: dict[str, Any] = {"temperature": temperature, "log": log, "base": base}
    settings |= {"top_k": top_k, "append": append}
    if shards.are_given:
        from softmax_cli.commands.many_files.job import convert_files

        job = partial(write_softmax, **settings)
        return convert_files("softmax", job, values, {}, settings, shards, read, write)
    write_softmax(values, read=read, write=write, explain=explain, **settings)
    return 0


def write_softmax(
    values: list[str] | None,
    *,
    temperature: float,
    log: bool,
    base: str,
    top_k: int | None,
    append: bool,
    read: ReadOptions,
    write: WriteOptions,
    rows: RowRange | None = None,
    explain: bool = False,
) -> int:
    """Write the softmax of all rows, or of a range; return how many were read."""
    from softmax_cli.commands.inputs.values import opened
    from softmax_cli.core.loss.log_bases import BASES
    from softmax_cli.formats.model.blocks import identity
    from softmax_cli.formats.model.options import ColumnRequest
    from softmax_cli.formats.model.sinks import Result
    from softmax_cli.formats.opening.sink import open_sink
    from softmax_cli.pipeline.bad_rows import zero_bad_rows
    from softmax_cli.pipeline.run import run

    with opened(values, read, ColumnRequest(every_column=append)) as source:
        source = source.slice_rows(rows)
        if top_k is not None:
            top_k = min(top_k, source.classes)
        result = Result.of(
            source,
            "softmax",
            "log_probabilities" if log else "probabilities",
            columns=top_k or source.classes,
            column_names=_column_names(source, log=log, top_k=top_k, append=append),
            facts={"classes": source.classes, "temperature": temperature, "log": log},
            text_columns=(
                "class names beside their probabilities"
                if top_k
                else "the columns that --append keeps"
                if append
                else ""
            ),
        )
        if log:
            result = replace(result, facts={**result.facts, "base": base})
        if explain:
            steps_of = partial(_steps, log=log, base=base, top_k=top_k)
            source, result = explained(
                source, result, temperature, read.on_bad_row, write, steps_of
            )
        kernel = _kernel(source, temperature, BASES[base] if log else None, top_k)
        if explain and is_alone(write):
            kernel = identity
        kernel = zero_bad_rows(kernel, read.on_bad_row)
        with open_sink(result, write, source.paths) as sink:
            return run(source, kernel, sink, read.on_bad_row, write).read


def _steps(row: Row, _: Block, *, log: bool, base: str, top_k: int | None) -> list[Step]:
    from softmax_cli.core.loss.log_bases import BASES
    from softmax_cli.explain import softmax

    steps = softmax.softmax_steps(row)
    if not row.has_softmax:
        return steps
    if log:
        steps.append(softmax.log_step(row, base, BASES[base]))
    if top_k is not None:
        steps.append(softmax.top_step(row, top_k))
    return [*steps, softmax.derivative_pointer(row)]


def _column_names(
    source: Source, *, log: bool, top_k: int | None, append: bool
) -> tuple[str, ...] | None:
    if source.class_names is None:
        return None
    what = "log_probability" if log else "probability"
    if top_k is not None:
        return tuple(
            name for rank in range(1, top_k + 1) for name in (f"class_{rank}", f"{what}_{rank}")
        )
    return tuple(f"{what}_{name}" if append else name for name in source.class_names)


def _kernel(
    source: Source, temperature: float, log_base: float | None, top_k: int | None
) -> Kernel:
    import numpy as np

    from softmax_cli.core.exact.arrays import narrowed, unrounded
    from softmax_cli.core.softmax.softmax import softmax, write_log_probabilities

    def kernel(block: Block) -> Block:
        logits = block.values
        if log_base is not None:
            values = np.empty_like(logits, unrounded(source.dtype))
            write_log_probabilities(logits, temperature, values, log_base)
        else:
            in_place = logits.dtype == source.dtype and top_k is None
            out = logits if in_place else np.empty_like(logits, unrounded(source.dtype))
            values = softmax(logits, temperature=temperature, out=out)
        values = narrowed(values, source.dtype)
        if top_k is None:
            return block.with_values(values)
        # Stable: among equal logits the lower class comes first.
        likeliest = np.argsort(-logits, axis=-1, kind="stable")[:, :top_k]
        chosen = np.take_along_axis(values, likeliest, axis=-1)
        return replace(block, values=chosen, classes=likeliest)

    return kernel
