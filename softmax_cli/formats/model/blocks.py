"""Blocks of rows, and the sources that they come from: the terms all formats share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from softmax_cli.errors import SoftmaxCliError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_cli.formats.columns.layout import Layout
    from softmax_cli.formats.columns.suspects import SuspectColumns

BLOCK_BYTES = 1 << 21


@dataclass(frozen=True, eq=False)
class Block:
    """Some consecutive rows, on their way from a source through a kernel to a sink.

    start    number of the first row, from 0
    values   (rows, ...) numbers
    place    how an error names the row at this position of the block
    ids      cells that pass through untouched, as the bytes of the input, a tuple a row
    labels   cells of the label column
    classes  (rows, k) class numbers that go with the values, for the likeliest classes alone
    partner  (rows, ...) what a second input holds for these rows: labels, targets or vectors
    weights  (rows, 1) what these rows count in a sum
    numbers  (rows,) their numbers in the input, if rows before them were left out
    lines    which lines of these rows' matrices are wanted, if not all are
    """

    start: int
    values: NDArray[Any]
    place: Callable[[int], str]
    ids: list[tuple[bytes, ...]] | None = None
    labels: list[str] | None = None
    classes: NDArray[np.intp] | None = None
    partner: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    numbers: NDArray[np.intp] | None = None
    lines: range | None = None

    def number(self, row: int) -> int:
        """Return the number in the input of the row at this position of the block."""
        return self.start + row if self.numbers is None else int(self.numbers[row])

    def with_values(self, values: NDArray[Any]) -> Block:
        """Return the block with other numbers in it."""
        return replace(self, values=values)

    def part(self, start: int, stop: int) -> Block:
        """Return the rows between two positions, as views of the numbers."""
        rows = slice(start, stop)
        return replace(
            self,
            start=self.start + start,
            values=self.values[rows],
            place=lambda row: self.place(start + row),
            ids=None if self.ids is None else self.ids[rows],
            labels=None if self.labels is None else self.labels[rows],
            classes=None if self.classes is None else self.classes[rows],
            partner=None if self.partner is None else self.partner[rows],
            weights=None if self.weights is None else self.weights[rows],
            numbers=None if self.numbers is None else self.numbers[rows],
        )

    def renumbered(self, start: int) -> Block:
        """Return the block numbered from `start`; its rows keep their numbers in the input."""
        if start == self.start:
            return self
        import numpy as np

        return self.rows(np.arange(len(self.values)), start)

    def rows(self, chosen: NDArray[np.intp], start: int) -> Block:
        """Return the chosen rows alone, numbered from `start`."""
        return Block(
            start,
            self.values[chosen],
            lambda row: self.place(int(chosen[row])),
            None if self.ids is None else [self.ids[row] for row in chosen],
            None if self.labels is None else [self.labels[row] for row in chosen],
            None if self.classes is None else self.classes[chosen],
            None if self.partner is None else self.partner[chosen],
            None if self.weights is None else self.weights[chosen],
            self.start + chosen if self.numbers is None else self.numbers[chosen],
        )


@dataclass(frozen=True, eq=False)
class Chunk:
    """The next rows of a source: what of reading them must be done in order has been done.

    rows     how many they are
    read     does the rest, in any thread; the values are then the caller's to change
    at_once  how many portions like this are worth handing to a thread
    size     bytes of the input that they take, if the source knows its own size
    """

    rows: int
    read: Callable[[], Block]
    at_once: int = 1
    size: int = 0

    def map(self, change: Callable[[Block], Block]) -> Chunk:
        """Return the portion with its block changed once it is read."""
        return replace(self, read=lambda: change(self.read()))


class RowRange(NamedTuple):
    """The rows from `start` to before `stop`, of so many."""

    start: int
    stop: int
    of: int

    def times(self, lines: int) -> RowRange:
        """Return the range of the lines, if each row has so many."""
        return RowRange(self.start * lines, self.stop * lines, self.of * lines)


def _part_of(chunk: Chunk, first: int, last: int) -> Block:
    return chunk.read().part(first, last)


Chunks = Callable[[], Iterator[Chunk]]


def from_blocks(blocks: Callable[[], Iterator[Block]]) -> Chunks:
    """Return blocks as portions that are read already."""

    def chunks() -> Iterator[Chunk]:
        for block in blocks():
            yield Chunk(len(block.values), partial(identity, block))

    return chunks


def identity(block: Block) -> Block:
    """Return the block."""
    return block


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of numbers that can be read once, a block at a time.

    place        how errors name it
    classes      columns of numbers
    dtype        of the blocks, and of the result if nothing else is asked for
    portions     begins to read, in order
    rows         how many there are, if that is known before they are read
    leading      dimensions to restore on output, if the rows came from an array
    class_names  names of the columns, if the input names them
    id_names     names of the pass-through columns; empty strings where there is no header
    paths        the files behind it
    axis         where the classes lay in the input, counted from the end
    size         bytes of the input, if they are known before they are read
    within       which of the input's rows these are, if not all
    table        its columns, if it is a table
    suspects     the columns that look like none of the classes, known once the first row is read
    warnings     what to print once all rows are read
    stored       dtype of the numbers in the file, if they are taken for another
    close        lets go of the file; leaving the source's `with` block calls it
    """

    place: str
    classes: int
    dtype: np.dtype[Any]
    chunks: Chunks
    rows: int | None = None
    leading: tuple[int, ...] | None = None
    class_names: tuple[str, ...] | None = None
    id_names: tuple[str, ...] = ()
    paths: tuple[Path | str, ...] = ()
    axis: int = -1
    size: int | None = None
    within: RowRange | None = None
    table: Layout | None = None
    suspects: SuspectColumns | None = None
    warnings: tuple[Callable[[], list[str]], ...] = ()
    stored: np.dtype[Any] | None = None
    close: Callable[[], None] = lambda: None

    @property
    def first(self) -> int:
        """The number of the first row."""
        return 0 if self.within is None else self.within.start

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The dtypes that the numbers were rounded to: in the file, and as they are taken."""
        return (self.dtype,) if self.stored is None else (self.stored, self.dtype)

    def blocks(self) -> Iterator[Block]:
        """Read the blocks, in order."""
        for chunk in self.chunks():
            yield chunk.read()

    def map(self, change: Callable[[Block], Block], **fields: Any) -> Source:
        """Return the source with every block changed as it is read, and with other fields."""

        def chunks() -> Iterator[Chunk]:
            for chunk in self.chunks():
                yield chunk.map(change)

        return replace(self, chunks=chunks, **fields)

    def slice_rows(self, rows: RowRange | None) -> Source:
        """Return the source with these of its rows alone, which keep their numbers.

        Behind the last of all there may be more where there should be none: they are kept.
        """
        if rows is None:
            return self
        end = rows.stop if rows.stop < rows.of else sys.maxsize

        def chunks() -> Iterator[Chunk]:
            start = 0
            for chunk in self.chunks():
                stop = start + chunk.rows
                first, last = max(rows.start, start) - start, min(end, stop) - start
                if last - first == chunk.rows:
                    yield chunk
                elif first < last:
                    part = partial(_part_of, chunk, first, last)
                    size = chunk.size * (last - first) // chunk.rows
                    yield replace(chunk, rows=last - first, read=part, size=size)
                start = stop
                if start >= end:
                    return

        known = None if self.rows is None else min(end, self.rows) - rows.start
        return replace(self, chunks=chunks, rows=known, within=rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            self.close()
        except SoftmaxCliError:
            # The error that is under way is the one to tell.
            if error is None:
                raise


def rows_per_block(classes: int, itemsize: int) -> int:
    """Return how many rows make a block that stays in a cache.

    A power of two is avoided: columns of that length fall on the same lines of the cache.

    >>> rows_per_block(classes=1000, itemsize=4), rows_per_block(10**9, 8), rows_per_block(16, 4)
    (524, 1, 31760)
    """
    rows = max(1, BLOCK_BYTES // (classes * itemsize))
    return rows if rows < 2048 else rows - rows % 1024 - 1008
