"""The option --explain, and which rows it explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

Explain = Annotated[bool, Flag("Show the working, step by step, on the first rows.")]


def explanation(write: WriteOptions, shards: ShardOptions) -> WriteOptions:
    """Return the options with a format for explanations: a table unless JSON is asked for."""
    from softmax_cli.formats.registry import output_format

    if shards.output_dir is not None or shards.scheduler is not None:
        problem = "explains the first rows of one input"
        raise UsageError(problem, "leave out --output-dir and --scheduler", "--explain")
    is_standard_output = write.output in (None, "-")
    form = "txt" if write.format is None and is_standard_output else output_format(write).name
    if form == "txt" and write.format is None:
        return replace(write, format="table")
    if form not in ("table", "json"):
        place = "--format" if write.format is not None else str(write.output)
        problem = f"an explanation cannot be written as {form}"
        raise UsageError(problem, "a table (or a file .txt), or json", place)
    return write


def is_alone(write: WriteOptions) -> bool:
    """Return true if only the explanation is written, and no row needs a result."""
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
    """Return the source and a result with steps that explain the first rows."""
    from softmax_cli.core.exact.arrays import wide
    from softmax_cli.display.alignment import DEFAULT_PRECISION
    from softmax_cli.explain.row import Digits, Row
    from softmax_cli.explain.rows import FirstRows

    name, digits = class_name(source.class_names), Digits(write.precision or DEFAULT_PRECISION)

    def steps(block: Block) -> list[Step]:
        number, logits = block.number(0), wide(block.values[0])
        row = Row(number, logits, source.dtype, temperature, name, digits, on_bad_row)
        return steps_of(row, block)

    first = FirstRows(steps)
    return source.map(first.add), replace(result, steps=first.steps)


def class_name(names: Sequence[str] | None) -> Callable[[int], str]:
    """Return a function from a class to its name, or its number, short enough for a line."""
    from softmax_cli.display.rich.names import cut_name

    return lambda place: cut_name(str(place if names is None else names[place]))
