"""Row order: every row that goes in comes out once, in its place.

A failed check is a bug in the program; no result is better than one that lacks a row.
"""

from __future__ import annotations

from collections.abc import Iterator

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Source


def check_row_order(block: Block, start: int, rows: int, place: str) -> None:
    """Raise SoftmaxCliError unless the block holds this many rows, from row `start` on."""
    if (block.start, len(block.values)) != (start, rows):
        came = f"{len(block.values)} rows from row {block.start} on"
        raise bug(f"read {came}, expected {rows} from row {start} on", place)


def blocks_in_order(source: Source) -> Iterator[Block]:
    """Yield the blocks of the source, each checked to hold the rows that come next."""
    start = source.first
    for chunk in source.chunks():
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        start += chunk.rows
        yield block


def bug(problem: str, place: str) -> SoftmaxCliError:
    """Return the error for a bug of this program."""
    return SoftmaxCliError(problem, "this is a bug in the program: please report it", place)
