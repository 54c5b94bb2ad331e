"""`softmax-cli softmax`: logits into probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import Base, Explain, Temperature, Values, explanation
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions

if TYPE_CHECKING:
    from softmax_cli.display.parts import Step
    from softmax_cli.explain.rows import Row
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


@dataclass(frozen=True)
class SoftmaxOptions:
    """What is written of each row."""

    temperature: Temperature = 1.0
    log: Annotated[bool, Flag("Log-probabilities instead.")] = False
    base: Base = "e"
    top_k: Annotated[
        int | None, Flag("Only the K most likely classes per row.", "K", short="-k", min=1)
    ] = None
    append: Annotated[bool, Flag("Keep the input's columns and add the new ones.")] = False

    @property
    def log_base(self) -> float | None:
        """The base of the logarithms, if they are written."""
        if not self.log:
            return None
        from softmax_cli.core.loss.log_bases import BASES

        return BASES[self.base]


def command(
    *,
    values: Values = None,
    options: SoftmaxOptions,
    explain: Explain = False,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Write the softmax of each row, for one input or many files."""
    if explain:
        write = explanation(write, shards)
    if options.base != "e" and not options.log:
        raise UsageError("applies only to logarithms", "add --log", "--base")
    if options.top_k is not None and read.axis != -1:
        raise UsageError("works only along the last axis", "leave out --axis", "--top-k")
    if shards.are_given:
        from softmax_cli.commands.many_files.shards import convert_files

        return convert_files("softmax", write_softmax, values, options, (), shards, read, write)
    write_softmax(values, options, read=read, write=write, explain=explain)
    return 0


def write_softmax(
    values: list[str] | None,
    options: SoftmaxOptions,
    *,
    read: ReadOptions,
    write: WriteOptions,
    rows: RowRange | None = None,
    explain: bool = False,
) -> int:
    """Write the softmax of all rows, or of a range; return how many were read."""
    from softmax_cli.commands.inputs.values import opened
    from softmax_cli.commands.row_results import write_rows
    from softmax_cli.formats.model.sinks import Result
    from softmax_cli.formats.opening.source import refuse_lost_arrays

    if write.in_place:
        refuse_lost_arrays(values or [], read.key, [write.output])
    log, T = options.log, options.temperature
    with opened(values, read, ColumnRequest(every_column=options.append)) as source:
        source = source.slice_rows(rows)
        facts = {"classes": source.classes, "temperature": T, "log": log}
        if options.top_k is not None:
            options = replace(options, top_k=min(options.top_k, source.classes))
        text_columns = "the columns that --append keeps" if options.append else ""
        names, is_top_k = _column_names(source, options), options.top_k is not None
        is_named = source.class_names or (source.column is not None and source.column.names)
        has_names = is_named or (is_top_k and source.list_name is not None)
        result = Result.of(
            source,
            "softmax",
            "log_probabilities" if log else "probabilities",
            columns=options.top_k or source.classes,
            list_name=_list_name(source, options),
            column_names=names if has_names else None,
            new_names=names,
            facts=facts | {"base": options.base} if log else facts,
            text_columns="class names with their probabilities" if options.top_k else text_columns,
        )
        steps = partial(_steps, options=options) if explain else None
        return write_rows(source, result, _kernel(source, options), read, write, steps)


def _steps(row: Row, _: Block, options: SoftmaxOptions) -> list[Step]:
    from softmax_cli.explain import softmax

    steps = softmax.softmax_steps(row)
    if not row.has_softmax:
        return steps
    if options.log_base is not None:
        steps.append(softmax.log_step(row, options.base, options.log_base))
    if options.top_k is not None:
        steps.append(softmax.top_step(row, options.top_k))
    return [*steps, softmax.derivative_pointer(row)]


def _list_name(source: Source, options: SoftmaxOptions) -> str | None:
    if source.list_name is None or options.top_k is not None:
        return None
    return f"{_singular(options)}_{source.list_name}" if options.append else source.list_name


def _singular(options: SoftmaxOptions) -> str:
    return "log_probability" if options.log else "probability"


def _column_names(source: Source, options: SoftmaxOptions) -> tuple[str, ...]:
    what = _singular(options)
    if options.top_k is not None:
        ranks = range(1, options.top_k + 1)
        return tuple(name for rank in ranks for name in (f"class_{rank}", f"{what}_{rank}"))
    names = source.class_names or tuple(map("class_{}".format, range(source.classes)))
    return tuple(f"{what}_{name}" if options.append else name for name in names)


def _kernel(source: Source, options: SoftmaxOptions) -> Kernel:
    import numpy as np

    from softmax_cli.core.exact.arrays import narrowed, unrounded
    from softmax_cli.core.exact.rows import most_likely
    from softmax_cli.core.softmax.softmax import softmax, write_log_probabilities

    T, log_base, top_k = options.temperature, options.log_base, options.top_k

    def kernel(block: Block) -> Block:
        logits = block.values
        in_place = logits.dtype == source.dtype and top_k is None and log_base is None
        out = logits if in_place else np.empty_like(logits, unrounded(source.dtype))
        if log_base is not None:
            write_log_probabilities(logits, T, out, log_base)
        else:
            out = softmax(logits, temperature=T, out=out)
        values = narrowed(out, source.dtype)
        if top_k is None:
            return block.with_values(values)
        classes = most_likely(logits, top_k)
        return replace(block, values=np.take_along_axis(values, classes, -1), classes=classes)

    return kernel
