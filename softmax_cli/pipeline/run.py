"""Source -> portions -> kernel -> sink: threads, order, rows without a softmax, progress.

The main thread begins to read each portion and ends each write, in order; between the two, threads
finish the reading, run the kernel and prepare the writing. No more portions are under way than
keep the threads busy, so that memory does not grow with the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain, islice

from softmax_cli.core.exact.rows import to_kernel_layout
from softmax_cli.formats.model.blocks import Block, Chunk, Source, identity
from softmax_cli.formats.model.options import OnBadRow, WriteOptions
from softmax_cli.formats.model.sinks import Sink
from softmax_cli.pipeline.bad_rows import (
    Counts,
    Kernel,
    conclude,
    good_rows,
)
from softmax_cli.pipeline.reporting import progress
from softmax_cli.pipeline.row_order import Lines
from softmax_cli.pipeline.threads import in_order, thread_count

Split = Callable[[Block], Iterator[Block]]
Done = tuple[Chunk, Callable[[], None] | None]


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
    """Send every row of the source through the kernel into the sink.

    A kernel that makes a matrix of each row needs a `split`, which cuts a block into smaller ones.
    What rows are `needed_for` is an error if there are none, and so is what a `check` of all of
    them raises, which is given the source's name.
    """
    lines_of_row = 1 if split is None else source.classes
    counts, lines = Counts(), Lines(source.place, source.first * lines_of_row)
    chunks = good_rows(source.map(_to_kernel_layout), on_bad_row, counts)

    def hopeless() -> bool:
        """Tell whether nothing more is computed, only counted, for an error to name it all."""
        return counts.bad > 0 and on_bad_row == "error"

    def done(chunks: list[Chunk]) -> list[Done]:
        results: list[Done] = []
        for chunk in chunks:
            block = chunk.read()
            results.append((chunk, None if hopeless() else lines.prepare(kernel(block), sink)))
        return results

    def jobs() -> Iterator[Callable[[], list[Done]]]:
        left = chunks() if split is None else _in_parts(chunks(), split)
        for chunk in left:
            yield partial(done, [chunk, *islice(left, chunk.at_once - 1)])

    with (
        progress(source, options) as advance,
        closing(in_order(jobs(), thread_count(options))) as results,
    ):
        size = 0
        for chunk, commit in chain.from_iterable(results):
            if commit is not None and not hopeless():
                commit()
            counts.read += chunk.rows
            size += chunk.size
            advance(counts.read, size)
    conclude(source, on_bad_row, counts, options, needed_for, check)
    kept = counts.read - (counts.bad if on_bad_row == "skip" else 0)
    lines.end(kept, lines_of_row)
    return counts


def each_block(
    source: Source, function: Callable[[Block], object], on_bad_row: OnBadRow, options: WriteOptions
) -> None:
    """Call a function with every block, in any thread; nothing is written, and little is said."""

    def kernel(block: Block) -> Block:
        function(block)
        return block

    run(source, kernel, _Nowhere(), on_bad_row, replace(options, quiet=True))


class _Nowhere(Sink):
    def write(self, block: Block) -> None:
        """Let the rows go."""

    def finish(self) -> None:
        """Nothing follows."""


def _in_parts(chunks: Iterator[Chunk], split: Split) -> Iterator[Chunk]:
    """Return the portions cut into smaller ones; rows count with the first that has them."""
    for chunk in chunks:
        block = chunk.read()
        for part in split(block):
            is_first = part.lines is None or part.lines.start == 0
            rows = len(part.values) if is_first else 0
            each = chunk.size // max(1, chunk.rows)
            yield Chunk(rows, partial(identity, part), at_once=2, size=rows * each)


def _to_kernel_layout(block: Block) -> Block:
    return block.with_values(to_kernel_layout(block.values))
