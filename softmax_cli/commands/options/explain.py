"""The option --explain: what goes with it, and how the rows that are explained are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import WriteOptions
from softmax_cli.errors import UsageError

if TYPE_CHECKING:
    from softmax_cli.display.steps import Step
    from softmax_cli.explain.row import Row
    from softmax_cli.formats.model.blocks import Block, Source
    from softmax_cli.formats.model.options import OnBadRow
    from softmax_cli.formats.model.sinks import Result

Explain = Annotated[
    bool,
    Flag("--explain", help="Derive the result step by step, on the numbers of the first rows."),
]

FORMS = ("table", "json")


def explanation(write: WriteOptions, shards: ShardOptions) -> WriteOptions:
    """Return the options with a form that an explanation has: a table unless JSON is asked for."""
    from softmax_cli.formats.registry import output_format

    if shards.output_dir is not None or shards.scheduler is not None:
        problem = "explains the first rows of one input"
        raise UsageError(problem, "leave out --output-dir and --scheduler", "--explain")
    if write.format is None and write.output in (None, "-"):
        return replace(write, format="table")
    form = output_format(write).name
    if form == "txt" and write.format is None:
        return replace(write, format="table")
    if form not in FORMS:
        place = "--format" if write.format is not None else str(write.output)
        problem = f"an explanation has no form in {form}"
        raise UsageError(problem, "a table (or a file .txt), or json", place)
    return write


def is_alone(write: WriteOptions) -> bool:
    """Tell whether the explanation is all that is written: the result of no row is needed then."""
    from softmax_cli.formats.registry import output_format

    return output_format(write).name == "table"


def explained(
    source: Source,
    result: Result,
    temperature: float,
    on_bad_row: OnBadRow,
    write: WriteOptions,
    steps_of: Callable[[Row, Block], list[Step]],
) -> tuple[Source, Result]:
    """Return the source, whose first rows are kept, and the result, which explains them."""
    from softmax_cli.core.exact.arrays import wide
    from softmax_cli.display.alignment import DEFAULT_PRECISION
    from softmax_cli.explain.row import Digits, Row
    from softmax_cli.explain.rows import FirstRows

    digits = Digits(write.precision or DEFAULT_PRECISION)

    def steps(block: Block) -> list[Step]:
        logits = wide(block.values[0])
        names = source.class_names
        row = Row(
            block.number(0),
            logits,
            source.dtype,
            temperature,
            names,
            digits,
            on_bad_row=on_bad_row,
        )
        return steps_of(row, block)

    first = FirstRows(steps)
    return source.map(first.add), replace(result, steps=first.steps)
