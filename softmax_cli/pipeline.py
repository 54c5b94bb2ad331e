"""Source -> blocks -> kernel -> sink: order, rows without a softmax, row counts, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from softmax_cli.core.softmax import has_no_softmax
from softmax_cli.errors import InputError, SoftmaxCliError, say
from softmax_cli.formats.blocks import Block, OnBadRow, Sink, Source, WriteOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kernel = Callable[[Block], Iterator[Block]]


@dataclass
class Counts:
    """What happened to the rows of a run."""

    read: int = 0
    bad: int = 0
    first_bad_place: str = ""
    first_bad_problem: str = ""


def run(
    source: Source, kernel: Kernel, sink: Sink, on_bad_row: OnBadRow, options: WriteOptions
) -> Counts:
    """Send every row of the source through the kernel into the sink.

    A kernel yields one block for a block, or several smaller ones where a result is large.
    """
    counts = Counts()
    with progress(source, options) as advance:
        for block in good_rows(source, on_bad_row, counts, options):
            for result in kernel(block):
                sink.write(result)
            advance(counts.read)
    return counts


def good_rows(
    source: Source, on_bad_row: OnBadRow, counts: Counts, options: WriteOptions
) -> Iterator[Block]:
    """Yield the blocks of the source with its bad rows treated as `--on-bad-row` says.

    error  the first is named and the others are counted, once all are read
    skip   they are left out
    nan    they go on as NaN; so do those of `zero`, whose results are then set to 0
    """
    written = 0
    for block in source.blocks():
        counts.read += len(block.values)
        bad = has_no_softmax(block.values)
        if bad.any():
            first = int(bad.argmax())
            if not counts.bad:
                counts.first_bad_place = block.place(first)
                counts.first_bad_problem = _why_bad(block.values[first])
            counts.bad += int(bad.sum())
            if on_bad_row == "skip":
                block = block.rows((~bad).nonzero()[0], written)
            elif on_bad_row != "error":
                block = block.with_values(_masked(block.values, bad))
        elif on_bad_row == "skip":
            block = replace(block, start=written)
        written += len(block.values)
        # After a bad row nothing more is computed, only counted.
        if not (counts.bad and on_bad_row == "error"):
            yield block
    _conclude(source, on_bad_row, counts, options)


def zero_bad_rows(kernel: Kernel, on_bad_row: OnBadRow) -> Kernel:
    """Return a kernel whose results are 0, not NaN, for the rows that have no softmax."""
    if on_bad_row != "zero":
        return kernel

    def zeroed(block: Block) -> Iterator[Block]:
        if not (block.values != block.values).any():
            yield from kernel(block)
            return
        for result in kernel(block):
            values = result.values.copy()
            values[(values != values).all(axis=-1)] = 0
            yield result.with_values(values)

    return zeroed


def _masked(values: NDArray[Any], bad: NDArray[np.bool_]) -> NDArray[Any]:
    masked = values.copy()
    masked[bad] = float("nan")
    return masked


def _why_bad(row: NDArray[Any]) -> str:
    held = "NaN" if (row != row).any() else "+inf" if (row > 0).any() else "nothing but -inf"
    return f"has no softmax: it holds {held}"


def _conclude(source: Source, on_bad_row: OnBadRow, counts: Counts, options: WriteOptions) -> None:
    if source.rows is not None and counts.read != source.rows:
        raise SoftmaxCliError(f"{counts.read} of {source.rows} rows were read", place=source.place)
    place = counts.first_bad_place
    if counts.bad and on_bad_row == "error":
        more = counts.bad - 1
        others = f", and {more} more row{'s have' if more > 1 else ' has'} none" if more else ""
        remedy = "--on-bad-row nan, zero or skip goes on without it"
        raise InputError(counts.first_bad_problem + others, remedy, place)
    if source.caution:
        note(f"{source.place}: {source.caution}", options)
    if not counts.read and source.rows is None:
        note(f"{source.place}: a header and no rows", options)
    if source.classes == 1 and counts.read > 1:
        note(
            f"{source.place}: every row has one class, and so the probability 1; "
            "--axis 0 takes the column as one vector",
            options,
        )
    if not counts.bad:
        return
    done = {"skip": "left out", "nan": "set to NaN", "zero": "set to 0"}[on_bad_row]
    rows = "1 row" if counts.bad == 1 else f"{counts.bad} rows"
    note(f"{source.place}: {rows} without a softmax {done}; the first: {place}", options)


def note(message: str, options: WriteOptions) -> None:
    """Say something that is no error on standard error, unless `--quiet` is given."""
    if not options.quiet:
        say(message)


def peeked(source: Source) -> tuple[Source, bool]:
    """Return the source, and whether it has a single row, found out by reading the first ones."""
    if source.rows is not None:
        return source, source.rows == 1
    blocks = source.blocks()
    first: list[Block] = []
    while sum(len(block.values) for block in first) < 2 and (block := next(blocks, None)):
        first.append(block)
    single = sum(len(block.values) for block in first) == 1
    return replace(source, blocks=lambda: chain(first, blocks)), single


def paired(source: Source, other: Source, *, every_row: bool = False) -> Source:
    """Return the source with the other's rows beside its own.

    With `every_row`, an other of one single row goes with every row of the source.
    """
    other, single = peeked(other)
    several = other.rows is not None and not (single and every_row)
    if several and source.rows is not None and other.rows != source.rows:
        remedy = "a row goes with a row"
        if other.classes == 1 and other.rows == source.rows * source.classes:
            remedy = "labels are one number a row, and --targets takes one-hot rows"
        problem = f"has {other.rows} rows, and {source.place} has {source.rows}"
        raise InputError(problem, remedy, other.place)

    def blocks() -> Iterator[Block]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if single and every_row else None
        for block in source.blocks():
            if row is not None:
                yield replace(block, partner=row.repeat(len(block.values), axis=0))
            else:
                yield replace(block, partner=reader.take(len(block.values), source.place))
        reader.finish(source.place)

    return replace(source, blocks=blocks, paths=(*source.paths, *other.paths))


class RowReader:
    """Reads rows of a source in portions of the caller's size, to pair them with another's."""

    def __init__(self, source: Source) -> None:
        """Read nothing yet."""
        self._source = source
        self._blocks = source.blocks()
        self._rest: NDArray[Any] | None = None

    def take(self, count: int, partner: str) -> NDArray[Any]:
        """Return the next `count` rows; a source that ends before them is an error."""
        rows = self.up_to(count)
        if count and (rows is None or len(rows) < count):
            raise InputError(
                f"has fewer rows than {partner}", "a row goes with a row", self._source.place
            )
        if rows is None:
            import numpy as np

            return np.empty((0, self._source.classes), self._source.dtype)
        return rows

    def up_to(self, count: int) -> NDArray[Any] | None:
        """Return the next rows, at most `count`; None if there are no more."""
        import numpy as np

        parts: list[NDArray[Any]] = []
        missing = count
        while missing:
            if self._rest is None or not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block.values
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else None

    def finish(self, partner: str) -> None:
        """Raise an error if rows are left."""
        left = self._rest is not None and len(self._rest)
        if left or any(len(block.values) for block in self._blocks):
            raise InputError(
                f"has more rows than {partner}", "a row goes with a row", self._source.place
            )


@contextmanager
def progress(source: Source, options: WriteOptions) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error for work that lasts longer than a second, at a terminal."""
    if options.quiet or options.no_progress or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    begun = monotonic()
    bar: Any = None

    def advance(done: int) -> None:
        nonlocal bar
        if bar is None and monotonic() - begun > 1:
            from softmax_cli.formats.table import progress_bar

            bar = progress_bar(source.place, source.rows)
            bar.start()
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()
