"""Source -> portions -> kernel -> sink: threads, order, rows without a softmax, progress.

The main thread begins to read each portion and ends each write, in order; between the two, threads
finish the reading, run the kernel and prepare the writing. No more portions are under way than
keep the threads busy, so that memory does not grow with the input.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from softmax_cli.core.softmax import has_no_softmax, laid_out
from softmax_cli.errors import InputError, SoftmaxCliError, say
from softmax_cli.formats.blocks import (
    Block,
    OnBadRow,
    Portion,
    Portions,
    Sink,
    Source,
    WriteOptions,
    itself,
    ready,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kernel = Callable[[Block], Block]
Split = Callable[[Block], Iterator[Block]]
Commit = Callable[[], None]
T = TypeVar("T")

_LARGEST_KEPT = 24 << 20


@dataclass
class Counts:
    """What happened to the rows of a run."""

    read: int = 0
    bad: int = 0
    first_bad: int = -1
    first_bad_place: str = ""
    first_bad_problem: str = ""
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)


def run(
    source: Source,
    kernel: Kernel,
    sink: Sink,
    on_bad_row: OnBadRow,
    options: WriteOptions,
    split: Split | None = None,
) -> Counts:
    """Send every row of the source through the kernel into the sink.

    A kernel whose results are large needs a `split`, which cuts a block into smaller ones.
    """
    counts = Counts()
    portions = good_rows(source.changed(_laid_out), on_bad_row, counts)

    def hopeless() -> bool:
        """Tell whether nothing more is computed, only counted, for an error to name it all."""
        return counts.bad > 0 and on_bad_row == "error"

    def done(portions: list[Portion]) -> list[tuple[int, Commit | None]]:
        results = []
        for portion in portions:
            block = portion.read()
            results.append((portion.rows, None if hopeless() else sink.prepare(kernel(block))))
        return results

    def jobs() -> Iterator[Callable[[], list[tuple[int, Commit | None]]]]:
        left = portions() if split is None else _in_parts(portions(), split)
        for portion in left:
            yield partial(done, [portion, *islice(left, portion.at_once - 1)])

    with (
        progress(source, options) as advance,
        closing(in_order(jobs(), thread_count(options))) as results,
    ):
        for rows, commit in chain.from_iterable(results):
            if commit is not None and not hopeless():
                commit()
            counts.read += rows
            advance(counts.read)
    conclude(source, on_bad_row, counts, options)
    return counts


def _in_parts(portions: Iterator[Portion], split: Split) -> Iterator[Portion]:
    """Return the portions cut into smaller ones; rows count with the first that has them."""
    for portion in portions:
        block = portion.read()
        for part in split(block):
            is_first = part.lines is None or part.lines.start == 0
            yield Portion(len(part.values) if is_first else 0, partial(itself, part), at_once=2)


def in_order(jobs: Iterator[Callable[[], T]], threads: int) -> Generator[T, None, None]:
    """Yield the results of the jobs in their order; a single job starts no thread."""
    first = list(islice(jobs, 2))
    jobs = chain(first, jobs)
    if threads == 1 or len(first) < 2:
        for job in jobs:
            yield job()
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    _keep_freed_memory()
    pool = ThreadPoolExecutor(threads)
    under_way: deque[Future[T]] = deque()

    def next_result() -> T:
        # A wait without an end cannot be interrupted on every platform.
        while not under_way[0].done():
            with suppress(TimeoutError):
                under_way[0].exception(timeout=0.2)
        return under_way.popleft().result()

    try:
        for job in jobs:
            under_way.append(pool.submit(job))
            if len(under_way) > 2 * threads:
                yield next_result()
        while under_way:
            yield next_result()
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_freed_memory() -> None:
    """Let the blocks that threads free be used for the next ones, not given back to the system.

    The GNU C library learns from the largest piece that was freed; what it gives back page by page
    costs as much time as the arithmetic. Elsewhere this does nothing.
    """
    import numpy as np

    np.empty(_LARGEST_KEPT, np.uint8)


def thread_count(options: WriteOptions) -> int:
    """Return how many threads work: `--threads`, or the cores that this process may use."""
    if options.threads is not None:
        return options.threads
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def good_rows(source: Source, on_bad_row: OnBadRow, counts: Counts) -> Portions:
    """Return the portions of the source with their bad rows treated as `--on-bad-row` says.

    error  they are counted, and the first is named when all rows are read
    skip   they are left out
    nan    they go on as NaN; so do those of `zero`, whose results are then set to 0
    """
    if on_bad_row == "skip":
        return ready(partial(_without_bad_rows, source, counts))

    def masked(block: Block) -> Block:
        bad = _counted(block, counts)
        if on_bad_row == "error" or not bad.any():
            return block
        values = block.values.copy(order="K")
        values[bad] = float("nan")
        return block.with_values(values)

    return source.changed(masked).portions


def good_blocks(
    source: Source, on_bad_row: OnBadRow, options: WriteOptions
) -> Iterator[tuple[Block, int]]:
    """Yield the blocks of the source as good_rows treats them, and how many rows were read.

    One after the other, for what is no kernel; at the end comes what run would say.
    """
    counts = Counts()
    for portion in good_rows(source, on_bad_row, counts)():
        block = portion.read()
        counts.read += portion.rows
        if not (counts.bad and on_bad_row == "error"):
            yield block, counts.read
    conclude(source, on_bad_row, counts, options)


def _laid_out(block: Block) -> Block:
    return block.with_values(laid_out(block.values))


def _without_bad_rows(source: Source, counts: Counts) -> Iterator[Block]:
    start = 0
    for block in source.blocks():
        bad = _counted(block, counts)
        good = block.rows((~bad).nonzero()[0], start) if bad.any() else replace(block, start=start)
        counts.read += len(block.values) - len(good.values)
        start += len(good.values)
        yield good


def _counted(block: Block, counts: Counts) -> NDArray[np.bool_]:
    """Return which rows of a block are bad, and add them to the counts, in any thread."""
    bad = has_no_softmax(block.values)
    if bad.any():
        first = int(bad.argmax())
        with counts.lock:
            counts.bad += int(bad.sum())
            if counts.first_bad < 0 or block.start + first < counts.first_bad:
                counts.first_bad = block.start + first
                counts.first_bad_place = block.place(first)
                counts.first_bad_problem = _why_bad(block.values[first])
    return bad


def zero_bad_rows(kernel: Kernel, on_bad_row: OnBadRow) -> Kernel:
    """Return a kernel whose results are 0, not NaN, for the rows that have no softmax."""
    if on_bad_row != "zero":
        return kernel

    def zeroed(block: Block) -> Block:
        has_bad = bool((block.values != block.values).any())
        result = kernel(block)
        if has_bad:
            values = result.values.copy()
            values[(values != values).all(axis=-1)] = 0
            result = result.with_values(values)
        return result

    return zeroed


def _why_bad(row: NDArray[Any]) -> str:
    held = "NaN" if (row != row).any() else "+inf" if (row > 0).any() else "nothing but -inf"
    return f"has no softmax: it holds {held}"


def conclude(source: Source, on_bad_row: OnBadRow, counts: Counts, options: WriteOptions) -> None:
    """Say what became of the rows once all are read; without a remedy, bad rows are an error."""
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
    portions = source.portions()
    first: list[Portion] = []
    while sum(portion.rows for portion in first) < 2 and (portion := next(portions, None)):
        first.append(portion)
    single = sum(portion.rows for portion in first) == 1
    return replace(source, portions=lambda: chain(first, portions)), single


def paired(source: Source, other: Source, *, every_row: bool = False) -> Source:
    """Return the source with the other's rows beside its own.

    With `every_row`, an other of one single row goes with every row of the source.
    """
    import numpy as np

    other, single = peeked(other)
    several = other.rows is not None and not (single and every_row)
    if several and source.rows is not None and other.rows != source.rows:
        remedy = "a row goes with a row"
        if other.classes == 1 and other.rows == source.rows * source.classes:
            remedy = "labels are one number a row, and --targets takes one-hot rows"
        problem = f"has {other.rows} rows, and {source.place} has {source.rows}"
        raise InputError(problem, remedy, other.place)

    def portions() -> Iterator[Portion]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if single and every_row else None
        for portion in source.portions():
            if row is not None:
                partner = np.broadcast_to(row, (portion.rows, other.classes))
            else:
                partner = reader.take(portion.rows, source.place)
            yield portion.then(partial(_beside, partner))
        reader.finish(source.place)

    return replace(source, portions=portions, paths=(*source.paths, *other.paths))


def _beside(partner: NDArray[Any], block: Block) -> Block:
    return replace(block, partner=partner)


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
