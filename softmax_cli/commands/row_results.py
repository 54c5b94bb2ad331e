"""Writes a result for each row, or for each of its entries, and explains the first rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from softmax_cli.formats.model.blocks import Block, Source, identity
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.registry import output_format
from softmax_cli.pipeline.bad_rows import Kernel, zero_bad_rows
from softmax_cli.pipeline.run import Split, run

if TYPE_CHECKING:
    from softmax_cli.display.parts import Step
    from softmax_cli.explain.rows import Row


def write_rows(
    source: Source,
    result: Result,
    kernel: Kernel,
    read: ReadOptions,
    write: WriteOptions,
    explain: Callable[[Row, Block], list[Step]] | None = None,
    split: Split | None = None,
) -> int:
    """Write what the kernel makes of each row, and return how many rows were read.

    explain  returns the steps that explain a row; a table shows them alone
    """
    rows = source
    if explain is not None:
        from softmax_cli.commands.options.shared import class_name
        from softmax_cli.core.exact.arrays import wide
        from softmax_cli.display.alignment import DEFAULT_PRECISION
        from softmax_cli.explain.rows import Digits, Row, keep_first_rows

        digits = Digits(write.precision or DEFAULT_PRECISION)
        name, T = class_name(source.class_names), float(str(result.facts["temperature"]))

        def steps(block: Block) -> list[Step]:
            logits = wide(block.values[0])
            return explain(Row(logits, source.dtype, T, name, digits, read.on_bad_row), block)

        rows, steps_of_first = keep_first_rows(source, steps)
        result = result._replace(steps=steps_of_first)
        if output_format(write).name == "table":
            kernel, split, result = identity, None, result._replace(matrix=False)
    if read.on_bad_row != "skip":
        result = result._replace(rows=source.rows)
    kernel = zero_bad_rows(kernel, read.on_bad_row)
    with open_sink(result, write, source.paths) as sink:
        return run(rows, kernel, sink.prepare, read.on_bad_row, write, split).read
