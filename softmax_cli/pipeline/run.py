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
from softmax_cli.formats.model.blocks import Block, Chunk, Source, identity
from softmax_cli.formats.model.options import OnBadRow, WriteOptions
from softmax_cli.pipeline.bad_rows import Counts, Kernel, conclude, treat_bad_rows
from softmax_cli.pipeline.pairing import blocks_in_order, bug, check_row_order
from softmax_cli.pipeline.reporting import progress
from softmax_cli.pipeline.threads import in_order, thread_count

T = TypeVar("T")
Commit = Callable[[], object]
Split = Callable[[Block], Iterator[Block]]
Read = Callable[[Chunk, int], tuple[Block, Counts]]


class Piece(NamedTuple):
    """The input of one call of the kernel, its bytes, and how many are done together."""

    read: Callable[[], tuple[Block, Counts]]
    size: int
    at_once: int


class Finished(NamedTuple):
    """A piece that only has to be written; `commit` is None if the run ends in an error."""

    counts: Counts
    size: int
    lines: range = range(0)
    commit: Commit | None = None


def run(
    source: Source,
    kernel: Kernel,
    prepare: Callable[[Block], Commit],
    on_bad_row: OnBadRow,
    options: WriteOptions,
    split: Split | None = None,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> Counts:
    """Send every row of the source through the kernel to an output, and return the counts.

    prepare     a sink's: prepares a block in any thread, and returns what writes it in order
    split       cuts a block into smaller ones, for kernels that make a matrix of each row
    needed_for  what cannot be computed from zero rows, if that is an error
    check       called once all rows are read, with the source's name; may raise an error
    """
    counts, size, lines_written = Counts(), 0, 0
    lines_per_row = 1 if split is None else source.classes

    def read(chunk: Chunk, start: int) -> tuple[Block, Counts]:
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        block = block.with_values(to_kernel_layout(block.values))
        return treat_bad_rows(block, on_bad_row, source)

    def finish(piece: Piece) -> Finished:
        block, found = piece.read()
        if on_bad_row == "error" and (found.bad or counts.bad):
            # Rows are only counted from here on, for an error that names them all.
            return Finished(found, piece.size)
        result = kernel(block)
        lines = range(result.start, result.start + len(result.values))
        return Finished(found, piece.size, lines, prepare(result))

    def jobs() -> Iterator[Callable[[], list[Finished]]]:
        pieces = _pieces(source, read, split, skips=on_bad_row == "skip")
        for piece in pieces:
            batch = [piece, *islice(pieces, piece.at_once - 1)]
            yield partial(list, map(finish, batch))

    with (
        progress(source, options) as advance,
        closing(in_order(jobs(), thread_count(options))) as batches,
    ):
        for finished in chain.from_iterable(batches):
            counts = counts.and_later(finished.counts)
            size += finished.size
            if finished.commit is not None and not (counts.bad and on_bad_row == "error"):
                start = finished.lines.start
                if start != source.first * lines_per_row + lines_written:
                    raise bug(f"line {start} came after {lines_written} lines", source.place)
                lines_written += len(finished.lines)
                finished.commit()
            advance(counts.read, size)
    conclude(source, on_bad_row, counts, options, needed_for, check)
    rows = counts.kept(on_bad_row)
    if lines_written != rows * lines_per_row:
        raise bug(f"{lines_written} lines were written for {rows} rows", source.place)
    return counts


def _pieces(source: Source, read: Read, split: Split | None, *, skips: bool) -> Iterator[Piece]:
    """Yield the pieces; read them here, in order, if rows are renumbered or blocks are split."""
    start = kept = source.first
    for chunk in source.chunks():
        read_chunk = partial(read, chunk, start)
        start += chunk.rows
        if split is None and not skips:
            yield Piece(read_chunk, chunk.size, chunk.at_once)
            continue
        block, found = read_chunk()
        block = block.renumbered(kept)
        kept += len(block.values)
        skipped = chunk.rows - len(block.values)
        for part in [block] if split is None or not len(block.values) else split(block):
            # A row counts with the first lines of its matrix, a skipped one with the first piece.
            is_first = part.lines is None or part.lines.start == 0
            found = found._replace(read=skipped + (len(part.values) if is_first else 0))
            size = chunk.size * found.read // max(1, chunk.rows)
            yield Piece(partial(_as_read, part, found), size, 2 if split else chunk.at_once)
            skipped, found = 0, Counts()


def _as_read(block: Block, counts: Counts) -> tuple[Block, Counts]:
    return block, counts


def good_blocks(
    source: Source, on_bad_row: OnBadRow, options: WriteOptions
) -> Iterator[tuple[Block, int]]:
    """Yield the blocks, with bad rows treated as in `run`, and how many rows were read so far."""
    counts = Counts()
    for read in blocks_in_order(source):
        block, found = treat_bad_rows(read, on_bad_row, source)
        block = block.renumbered(source.first + counts.kept(on_bad_row))
        counts = counts.and_later(found)
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
    """Call `of` with each block in any thread, and `merge` with the results here, in order."""
    quiet = replace(options, quiet=True)
    run(source, identity, lambda block: partial(merge, of(block)), on_bad_row, quiet)
