"""Jobs for threads, their results in order."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TypeVar

from softmax_cli.formats.model.options import WriteOptions

T = TypeVar("T")

_LARGEST_KEPT = 24 << 20
# More threads wait for memory and for the disk, and each of them holds blocks.
_MOST_THREADS = 16


def in_order(jobs: Iterator[Callable[[], T]], threads: int) -> Generator[T, None, None]:
    """Yield the results of the jobs in their order; a single job starts no thread."""
    jobs = _with_error(jobs)
    first = list(islice(jobs, 2))
    jobs = chain(first, jobs)
    if len(first) > 1:
        import numpy as np

        # Getting memory from the system takes as long as the arithmetic. The GNU C library learns
        # from the largest freed piece how much to keep for the next blocks.
        np.empty(_LARGEST_KEPT, np.uint8)
    if threads == 1 or len(first) < 2:
        for job in jobs:
            yield job()
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads)
    under_way: deque[Future[T]] = deque()

    def next_result() -> T:
        # An endless wait cannot be interrupted on every platform.
        while not under_way[0].done():
            with suppress(TimeoutError):
                under_way[0].exception(timeout=0.2)
        return under_way.popleft().result()

    try:
        for job in jobs:
            under_way.append(pool.submit(job))
            if len(under_way) > threads:
                yield next_result()
        while under_way:
            yield next_result()
    finally:
        pool.shutdown(cancel_futures=True)


def _with_error(jobs: Iterator[Callable[[], T]]) -> Iterator[Callable[[], T]]:
    """Yield the jobs; an error that ends them is raised by a last job, after those before it."""
    try:
        yield from jobs
    except Exception as error:
        last = error

        def fail() -> T:
            raise last

        yield fail


def thread_count(options: WriteOptions) -> int:
    """Return how many threads work: `--threads`, or one for each core, up to 16."""
    return min(cores(), _MOST_THREADS) if options.threads is None else options.threads


def cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
