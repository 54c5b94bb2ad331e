"""What is said on standard error while rows go by: a bar, and notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from softmax_cli.errors import say
from softmax_cli.formats.blocks import Source, WriteOptions

Advance = Callable[[int, int], None]


@contextmanager
def progress(source: Source, options: WriteOptions) -> Iterator[Advance]:
    """Show a bar on standard error for work that lasts longer than a second, at a terminal.

    What it yields is told how many rows, and how many bytes of the input, have been done so far.
    """
    if options.quiet or options.no_progress or sys.stderr is None or not sys.stderr.isatty():
        yield lambda rows, size: None  # noqa: ARG005
        return
    begun = monotonic()
    bar: Any = None

    def advance(rows: int, size: int) -> None:
        nonlocal bar
        if bar is None and monotonic() - begun > 1:
            from softmax_cli.formats.table import ProgressBar

            bar = ProgressBar(source.place, source.rows, source.size, begun)
        if bar is not None:
            bar.update(rows, size)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def note(message: str, options: WriteOptions) -> None:
    """Say something that is no error on standard error, unless `--quiet` is given."""
    if not options.quiet:
        say(message)
