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

from softmax_cli.core.exact.rows import laid_out
from softmax_cli.formats.model.blocks import Block, Portion, Source, itself
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
Done = tuple[Portion, Callable[[], None] | None]


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
    portions = good_rows(source.changed(_laid_out), on_bad_row, counts)

    def hopeless() -> bool:
        """Tell whether nothing more is computed, only counted, for an error to name it all."""
        return counts.bad > 0 and on_bad_row == "error"

    def done(portions: list[Portion]) -> list[Done]:
        results: list[Done] = []
        for portion in portions:
            block = portion.read()
            results.append((portion, None if hopeless() else lines.prepare(kernel(block), sink)))
        return results

    def jobs() -> Iterator[Callable[[], list[Done]]]:
        left = portions() if split is None else _in_parts(portions(), split)
        for portion in left:
            yield partial(done, [portion, *islice(left, portion.at_once - 1)])

    with (
        progress(source, options) as advance,
        closing(in_order(jobs(), thread_count(options))) as results,
    ):
        size = 0
        for portion, commit in chain.from_iterable(results):
            if commit is not None and not hopeless():
                commit()
            counts.read += portion.rows
            size += portion.size
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


def _in_parts(portions: Iterator[Portion], split: Split) -> Iterator[Portion]:
    """Return the portions cut into smaller ones; rows count with the first that has them."""
    for portion in portions:
        block = portion.read()
        for part in split(block):
            is_first = part.lines is None or part.lines.start == 0
            rows = len(part.values) if is_first else 0
            each = portion.size // max(1, portion.rows)
            yield Portion(rows, partial(itself, part), at_once=2, size=rows * each)


def _laid_out(block: Block) -> Block:
    return block.with_values(laid_out(block.values))
