"""Source -> chunks -> kernel -> sink: the page to read first.

The main thread begins to read each chunk and finishes each write, in order. In between, threads
finish reading, run the kernel and prepare the output. Only as many chunks are in flight as keep
the threads busy, which bounds memory whatever the length of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from softmax_cli.core.exact.rows import to_kernel_layout
from softmax_cli.formats.model.blocks import Block, Chunk, Source
from softmax_cli.formats.model.options import OnBadRow, WriteOptions
from softmax_cli.formats.model.sinks import Sink
from softmax_cli.pipeline.bad_rows import BadRows, Counts, Kernel, conclude, treat_bad_rows
from softmax_cli.pipeline.reporting import progress
from softmax_cli.pipeline.row_order import LineOrder, check_row_order
from softmax_cli.pipeline.threads import in_order, thread_count

T = TypeVar("T")
Split = Callable[[Block], Iterator[Block]]
Read = Callable[[], tuple[Block, BadRows]]


class Piece(NamedTuple):
    """What one call of the kernel takes: how to read it, and the rows and bytes it counts for."""

    read: Read
    rows: int
    size: int
    at_once: int


class Finished(NamedTuple):
    """A piece that only has to be written; `commit` is None if the run ends in an error."""

    piece: Piece
    bad: BadRows
    first_line: int = 0
    lines: int = 0
    commit: Callable[[], None] | None = None


def run(
    source: Source,
    kernel: Kernel,
    sink: Sink,
    on_bad_row: OnBadRow,
    options: WriteOptions,
    split: Split | None = None,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> Counts:
    """Send every row of the source through the kernel into the sink, and return the counts.

    split       cuts a block into smaller ones, for kernels that make a matrix of each row
    needed_for  what cannot be computed from zero rows, if that is an error
    check       called once all rows are read, with the source's name; may raise an error
    """
    counts = Counts()
    line_order = LineOrder(source.place, source.first, 1 if split is None else source.classes)

    def read(chunk: Chunk, start: int) -> tuple[Block, BadRows]:
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        block = block.with_values(to_kernel_layout(block.values))
        return treat_bad_rows(block, on_bad_row, source.table)

    def finish(piece: Piece) -> Finished:
        block, bad = piece.read()
        if on_bad_row == "error" and (bad.rows or counts.bad):
            # Rows are only counted from here on, for an error that names them all.
            return Finished(piece, bad)
        result = kernel(block)
        return Finished(piece, bad, result.start, len(result.values), sink.prepare(result))

    def jobs() -> Iterator[Callable[[], list[Finished]]]:
        pieces = _pieces(source, read, split, in_sequence=on_bad_row == "skip")
        for piece in pieces:
            batch = [piece, *islice(pieces, piece.at_once - 1)]
            yield partial(_finish_all, finish, batch)

    with (
        progress(source, options) as advance,
        closing(in_order(jobs(), thread_count(options))) as batches,
    ):
        size = 0
        for piece, bad, first_line, lines, commit in chain.from_iterable(batches):
            counts.add(piece.rows, bad)
            if commit is not None and not (counts.bad and on_bad_row == "error"):
                line_order.count(first_line, lines)
                commit()
            size += piece.size
            advance(counts.read, size)
    conclude(source, on_bad_row, counts, options, needed_for, check)
    line_order.check_complete(counts.kept(on_bad_row))
    return counts


def _finish_all(finish: Callable[[Piece], Finished], batch: list[Piece]) -> list[Finished]:
    return [finish(piece) for piece in batch]


def _pieces(
    source: Source,
    read: Callable[[Chunk, int], tuple[Block, BadRows]],
    split: Split | None,
    *,
    in_sequence: bool,
) -> Iterator[Piece]:
    """Yield the pieces of the source.

    They are read here, `in_sequence`, if rows are left out and those after them renumbered, or if
    a block is split.
    """
    start = kept = source.first
    for chunk in source.chunks():
        read_chunk = partial(read, chunk, start)
        start += chunk.rows
        if split is None and not in_sequence:
            yield Piece(read_chunk, chunk.rows, chunk.size, chunk.at_once)
            continue
        block, bad = read_chunk()
        block = block.renumbered(kept)
        kept += len(block.values)
        if split is None:
            yield Piece(_already_read(block, bad), chunk.rows, chunk.size, chunk.at_once)
        elif not len(block.values):
            yield Piece(_already_read(block, bad), chunk.rows, chunk.size, 2)
        else:
            bytes_of_row = chunk.size // max(1, chunk.rows)
            left_out = chunk.rows - len(block.values)
            for part in split(block):
                # The rows count with the first lines of their matrices.
                is_first = part.lines is None or part.lines.start == 0
                rows = left_out + (len(part.values) if is_first else 0)
                yield Piece(_already_read(part, bad), rows, rows * bytes_of_row, 2)
                left_out, bad = 0, BadRows()


def _already_read(block: Block, bad: BadRows) -> Read:
    return lambda: (block, bad)


def good_blocks(
    source: Source, on_bad_row: OnBadRow, options: WriteOptions
) -> Iterator[tuple[Block, int]]:
    """Yield the blocks of the source and how many rows were read so far, without a kernel.

    Bad rows are treated, counted and reported as in `run`.
    """
    counts = Counts()

    def read(chunk: Chunk, start: int) -> tuple[Block, BadRows]:
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        return treat_bad_rows(block, on_bad_row, source.table)

    for piece in _pieces(source, read, None, in_sequence=True):
        block, bad = piece.read()
        counts.add(piece.rows, bad)
        if not (counts.bad and on_bad_row == "error"):
            yield block, counts.read
    conclude(source, on_bad_row, counts, options)


def each_block(
    source: Source,
    of: Callable[[Block], T],
    merge: Callable[[T], None],
    on_bad_row: OnBadRow,
    options: WriteOptions,
) -> None:
    """Call `of` with every block, in any thread, and `merge` with each result, in order.

    Nothing is written or reported; `merge` is called by the main thread alone.
    """
    sink = _MergeSink(of, merge)
    run(source, lambda block: block, sink, on_bad_row, replace(options, quiet=True))


class _MergeSink(Sink):
    def __init__(self, of: Callable[[Block], T], merge: Callable[[T], None]) -> None:
        self._of, self._merge = of, merge

    def prepare(self, block: Block) -> Callable[[], None]:
        return partial(self._merge, self._of(block))
