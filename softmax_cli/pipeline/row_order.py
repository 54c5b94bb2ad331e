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
        raise _bug(f"read {came}, expected {rows} from row {start} on", place)


def blocks_in_order(source: Source) -> Iterator[Block]:
    """Yield the blocks of the source, each checked to hold the rows that come next."""
    start = source.first
    for chunk in source.chunks():
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        start += chunk.rows
        yield block


class LineOrder:
    """Counts the lines of results: they are written in order, and as many as their rows need."""

    def __init__(self, place: str, first_row: int, lines_per_row: int) -> None:
        """Start counting at the first line of the first row."""
        self._place, self._lines_per_row = place, lines_per_row
        self._first, self._written = first_row * lines_per_row, 0

    def count(self, start: int, lines: int) -> None:
        """Count lines that are about to be written, the first of them number `start`."""
        if start != self._first + self._written:
            raise _bug(f"line {start} came after {self._written} lines", self._place)
        self._written += lines

    def check_complete(self, rows: int) -> None:
        """Raise SoftmaxCliError unless the lines of exactly this many rows were written."""
        if self._written != rows * self._lines_per_row:
            raise _bug(f"{self._written} lines were written for {rows} rows", self._place)


def _bug(problem: str, place: str) -> SoftmaxCliError:
    return SoftmaxCliError(problem, "this is a bug in the program: please report it", place)
