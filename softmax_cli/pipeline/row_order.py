"""Rows in and rows out, counted on both sides of a kernel: none is lost, doubled or out of place.

What this finds is a fault of the program, and no answer is better than one that lacks a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Chunk, Source
from softmax_cli.formats.model.sinks import Sink


def check_row_order(source: Source) -> Source:
    """Return the source with every block checked to hold the rows whose turn it is."""

    def chunks() -> Iterator[Chunk]:
        start = source.first
        for chunk in source.chunks():
            yield chunk.map(partial(_checked, source.place, start, chunk.rows))
            start += chunk.rows

    return replace(source, chunks=chunks)


def _checked(place: str, start: int, rows: int, block: Block) -> Block:
    if (block.start, len(block.values)) != (start, rows):
        came = f"{len(block.values)} rows from row {block.start} on"
        raise _fault(f"{came} came where {rows} from row {start} on were to come", place)
    return block


class Lines:
    """The lines of results, which are written in their order."""

    def __init__(self, place: str, first: int) -> None:
        """Count from the first line on."""
        self._place, self._first, self._written = place, first, 0

    def prepare(self, result: Block, sink: Sink) -> Callable[[], None]:
        """Prepare a result for the sink, in any thread; return what writes and counts it."""
        return partial(self._write, result.start, len(result.values), sink.prepare(result))

    def _write(self, start: int, lines: int, commit: Callable[[], None]) -> None:
        if start != self._first + self._written:
            raise _fault(f"line {start} came after {self._written} lines", self._place)
        self._written += lines
        commit()

    def end(self, rows: int, lines_of_a_row: int) -> None:
        """Compare the lines with the rows that they are of."""
        if self._written != rows * lines_of_a_row:
            raise _fault(f"{self._written} lines were written of {rows} rows", self._place)


def _fault(problem: str, place: str) -> SoftmaxCliError:
    return SoftmaxCliError(problem, "this is a fault of the program: please report it", place)
