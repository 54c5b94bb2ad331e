"""What standard error shows while rows are processed: a progress bar, and notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import monotonic
from typing import Any, NamedTuple

from softmax_cli.errors import print_message
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import WriteOptions

Advance = Callable[[int, int], None]


class Listener(NamedTuple):
    """Receives the progress and the notes of a run that is one of many."""

    advance: Advance
    note: Callable[[str], None]


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def report_to(listener: Listener) -> Iterator[None]:
    """Let runs in this thread report to a listener, not to standard error."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def progress(source: Source, options: WriteOptions) -> AbstractContextManager[Advance]:
    """Yield a function to call with the rows and bytes done: for a bar, or for the listener."""
    if (listener := _listener.get()) is not None:
        return nullcontext(listener.advance)
    return progress_bar(source.place, source.rows, source.size, options)


@contextmanager
def progress_bar(
    place: str, rows: int | None, size: int | None, options: WriteOptions
) -> Iterator[Callable[..., None]]:
    """Show a bar at a terminal for work that lasts longer than a second.

    Yields a function to call with the rows and bytes done, the name of the work, and more text.
    """
    if options.quiet or options.no_progress or sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    started = monotonic()
    bar: Any = None

    def advance(done: int, read: int, name: str | None = None, extra: str = "") -> None:
        nonlocal bar
        if bar is None and monotonic() - started > 1:
            from softmax_cli.display.rich.progress import ProgressBar

            bar = ProgressBar(place, rows, size, started)
        if bar is not None:
            bar.update(done, read, name, extra)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def note(message: str, options: WriteOptions) -> None:
    """Print a note on standard error, or send it to the listener, unless `--quiet` is given."""
    if options.quiet:
        return
    if (listener := _listener.get()) is not None:
        listener.note(message)
    else:
        print_message(message)
