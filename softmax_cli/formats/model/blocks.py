"""Blocks of rows, and the sources that yield them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from operator import itemgetter, methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from softmax_cli.errors import InputError, SoftmaxCliError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_cli.formats.columns.layout import Layout
    from softmax_cli.formats.columns.suspects import SuspectColumns
    from softmax_cli.formats.model.id_columns import IdColumns

T = TypeVar("T")
BLOCK_BYTES = 1 << 21
# The fields of a block that have an entry per row.
_PER_ROW = (
    *("values", "ids", "labels", "classes", "partner", "weights", "claimed", "numbers"),
    "likeliest",
)


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows, on their way from a source through a kernel to a sink.

    start      number of the first row, from 0
    place      names the row at a position of the block, for errors
    ids        columns that pass through, with the types of the input
    classes    (rows, k) class numbers of the values, for the top k classes
    partner    (rows, ...) labels, targets or vectors from a second input
    weights    (rows, 1) weights of the rows in a sum
    claimed    (rows, ...) gradients to check
    numbers    numbers of the rows in the input, if rows before them were skipped
    lines      which lines of the rows' matrices to compute; None for all
    likeliest  (rows,) the class of the largest value, if known
    """

    start: int
    values: NDArray[Any]
    place: Callable[[int], str]
    ids: IdColumns | None = None
    labels: list[str] | None = None
    classes: NDArray[np.intp] | None = None
    partner: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    claimed: NDArray[Any] | None = None
    numbers: NDArray[np.intp] | None = None
    lines: range | None = None
    likeliest: NDArray[np.intp] | None = None

    def number(self, row: int) -> int:
        """Return the number in the input of the row at a position of the block."""
        return self.start + row if self.numbers is None else int(self.numbers[row])

    def with_values(self, values: NDArray[Any]) -> Block:
        return replace(self, values=values, likeliest=None)

    def part(self, start: int, stop: int) -> Block:
        """Return the rows from position `start` to before `stop`, without a copy."""
        take = itemgetter(slice(start, stop))
        return self._take(take, self.start + start, lambda row: self.place(start + row))

    def rows(self, chosen: NDArray[np.intp], start: int) -> Block:
        """Return a copy of the chosen rows, numbered from `start`."""

        def take(entries: Any) -> Any:
            if isinstance(entries, list):
                return [entries[row] for row in chosen]
            return entries[chosen]

        numbered = replace(self, numbers=self._numbers())
        return numbered._take(take, start, lambda row: self.place(int(chosen[row])))

    def renumbered(self, start: int) -> Block:
        """Return the block numbered from `start`; its rows keep their numbers in the input."""
        return self if start == self.start else replace(self, start=start, numbers=self._numbers())

    def _numbers(self) -> NDArray[np.intp]:
        import numpy as np

        return self.start + np.arange(len(self.values)) if self.numbers is None else self.numbers

    def _take(self, take: Callable[[Any], Any], start: int, place: Callable[[int], str]) -> Block:
        """Return the block with `take` applied to each field that has an entry per row."""
        fields = {name: getattr(self, name) for name in _PER_ROW}
        taken = {name: take(found) for name, found in fields.items() if found is not None}
        return replace(self, start=start, place=place, **taken)


class Chunk(NamedTuple):
    """The next rows of a source; the sequential part of the read is done.

    read     does the rest, in any thread; the caller may change the values
    at_once  how many such chunks are worth handing to a thread together
    size     bytes of the input that the rows take, if the source knows its size
    """

    rows: int
    read: Callable[[], Block]
    at_once: int = 1
    size: int = 0

    def map(self, change: Callable[[Block], Block]) -> Chunk:
        """Return the chunk with a change applied to its block once it is read."""
        return self._replace(read=lambda: change(self.read()))


class RowRange(NamedTuple):
    """The rows from `start` to before `stop`, of a total of `of` rows."""

    start: int
    stop: int
    of: int

    def times(self, lines: int) -> RowRange:
        """Return the range of lines, given the number of lines per row."""
        return RowRange(self.start * lines, self.stop * lines, self.of * lines)


class OneColumn(NamedTuple):
    """The single column that --binary makes two classes of.

    names    its name, if it has one
    is_flat  whether it came as an array of one dimension
    """

    names: tuple[str, ...] | None
    table: Layout | None
    is_flat: bool

    def cell(self, row: str) -> str:
        """Return how errors name the cell of a row, given the place of the row."""
        return row if self.table is None else self.table.cell(row, 0)


def from_blocks(blocks: Callable[[], Iterator[Block]]) -> Callable[[], Iterator[Chunk]]:
    """Return a function that yields blocks as chunks that are already read."""
    return lambda: (Chunk(len(block.values), partial(identity, block)) for block in blocks())


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield the items in batches; an InputError is raised after the items before it."""
    while True:
        batch: list[T] = []
        try:
            batch.extend(islice(items, size))
        except InputError:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


def identity(block: Block) -> Block:
    """Return the block."""
    return block


# Takes a pipe's name and a function that returns how many bytes have arrived. Returns a context to
# enter while the pipe is opened, which waits for its first bytes.
Opening = Callable[[str, Callable[[], int]], AbstractContextManager[object]]
opening_pipe: ContextVar[Opening] = ContextVar("opening_pipe", default=lambda *_: nullcontext())


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of numbers that can be read once, a block at a time.

    place     its name in errors
    dtype     of the blocks, and the default dtype of the result
    chunks    starts reading, in order
    rows      number of rows, if known before they are read
    leading   dimensions to restore on output, if the rows came from an array
    id_names  names of the pass-through columns; empty strings where there is no header
    files     first row and name of each file that was opened so far, if there are any
    axis      axis of the classes in the input, counted from the end
    size      bytes of the input, if known before it is read
    arrived   returns how many bytes have arrived through a pipe
    within    the range of the input's rows that is read, if not all are
    column    of --binary: what the two classes were made of
    suspects  columns that may be no classes, known once the first row is read
    warnings  return warnings to print once all rows are read
    stored    dtype of the numbers in the file, if it is not `dtype`
    if_one_more  the remedy where it has one row more than its partner: the first may be a header
    close     closes the file; leaving the source's `with` block calls it
    """

    place: str
    classes: int
    dtype: np.dtype[Any]
    chunks: Callable[[], Iterator[Chunk]]
    rows: int | None = None
    leading: tuple[int, ...] | None = None
    class_names: tuple[str, ...] | None = None
    id_names: tuple[str, ...] = ()
    paths: tuple[Path | str, ...] = ()
    files: Sequence[tuple[int, str]] = ()
    axis: int = -1
    size: int | None = None
    arrived: Callable[[], int] | None = None
    within: RowRange | None = None
    table: Layout | None = None
    column: OneColumn | None = None
    suspects: SuspectColumns | None = None
    warnings: tuple[Callable[[], list[str]], ...] = ()
    stored: np.dtype[Any] | None = None
    if_one_more: str = ""
    close: Callable[[], None] = lambda: None

    @property
    def list_name(self) -> str | None:
        """The name of the column of lists, if its entries are the classes."""
        return None if self.table is None else self.table.list_name

    @property
    def first(self) -> int:
        """The number of the first row."""
        return 0 if self.within is None else self.within.start

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The dtypes that the numbers were rounded to: in the file, then in the blocks."""
        return (self.dtype,) if self.stored is None else (self.stored, self.dtype)

    def blocks(self) -> Iterator[Block]:
        """Read the blocks, in order."""
        return (chunk.read() for chunk in self.chunks())

    def map(self, change: Callable[[Block], Block], **fields: Any) -> Source:
        """Return the source with a change applied to each block, and with other fields."""
        chunks = self.chunks
        return replace(self, chunks=lambda: (chunk.map(change) for chunk in chunks()), **fields)

    def slice_rows(self, rows: RowRange | None) -> Source:
        """Return the source limited to a range of its rows, which keep their numbers.

        A range that ends with the last row keeps any surplus rows: they are an error later.
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
                    size = chunk.size * (last - first) // chunk.rows
                    part = chunk.map(methodcaller("part", first, last))
                    yield part._replace(rows=last - first, size=size)
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
            # An error raised within the block matters more.
            if error is None:
                raise


def rows_per_block(classes: int, itemsize: int) -> int:
    """Return how many rows make a block that fits in a cache.

    Powers of two are avoided: columns of such a length share cache lines.

    >>> rows_per_block(classes=1000, itemsize=4), rows_per_block(10**9, 8), rows_per_block(16, 4)
    (524, 1, 31760)
    """
    rows = max(1, BLOCK_BYTES // (classes * itemsize))
    return rows if rows < 2048 else rows - rows % 1024 - 1008
