"""What standard error shows while rows are processed: a progress bar, and notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple

from softmax_cli.errors import print_message
from softmax_cli.formats.model.blocks import Source, opening_pipe
from softmax_cli.formats.model.options import WriteOptions

Advance = Callable[[int, int], None]
DELAY_SECONDS = 1.0
_REFRESH_SECONDS = 0.1


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
    return progress_bar(source.place, source.rows, source.size, options, source.arrived)


@contextmanager
def progress_bar(
    place: str,
    rows: int | None,
    size: int | None,
    options: WriteOptions,
    arrived: Callable[[], int] | None = None,
) -> Iterator[Callable[..., None]]:
    """Show a bar at a terminal for work that lasts longer than a second.

    Yields a function to call with the rows and bytes done, the name of the work, and more text.
    `arrived` returns how many bytes have arrived through a pipe.
    """
    if options.quiet or options.no_progress or sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    started, ended = monotonic(), Event()
    latest: tuple[int, int, str | None, str] = (0, 0, None, "")

    def advance(done: int, read: int, name: str | None = None, extra: str = "") -> None:
        nonlocal latest
        latest = done, read, name, extra

    def show() -> None:
        # In a thread of its own: a slow pipe may keep the others waiting.
        if ended.wait(DELAY_SECONDS):
            return
        from softmax_cli.display.rich.progress import ProgressBar

        with suppress(OSError, ValueError):
            bar = ProgressBar(place, rows, size, started)
            is_over = False
            while not is_over:
                done, read, name, extra = latest
                bar.update(done, read if arrived is None else arrived(), name, extra)
                is_over = ended.wait(_REFRESH_SECONDS)
            bar.stop()

    shown = Thread(target=show, daemon=True)
    shown.start()
    try:
        yield advance
    finally:
        ended.set()
        shown.join()


@contextmanager
def progress_of_opening(options: WriteOptions) -> Iterator[None]:
    """Show how many bytes have arrived while a pipe is opened, which may wait for its writer."""

    def show(place: str, arrived: Callable[[], int]) -> AbstractContextManager[object]:
        return progress_bar(place, None, None, options, arrived)

    token = opening_pipe.set(show)
    try:
        yield
    finally:
        opening_pipe.reset(token)


def note(message: str, options: WriteOptions) -> None:
    """Print a note on standard error, or send it to the listener, unless `--quiet` is given."""
    if options.quiet:
        return
    if (listener := _listener.get()) is not None:
        listener.note(message)
    else:
        print_message(message)
