"""What is said on standard error while rows go by: a bar, and notes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, NamedTuple

from softmax_cli.errors import print_message
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import WriteOptions

Advance = Callable[[int, int], None]


class Listener(NamedTuple):
    """Whom a run tells how it gets on, if it is one of many: they share a bar, and a voice."""

    advance: Advance
    note: Callable[[str], None]


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let what runs in this thread tell a listener, and nobody else."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress(source: Source, options: WriteOptions) -> Iterator[Advance]:
    """Show a bar of the rows of a source, or tell whoever listens.

    What it yields is told how many rows, and how many bytes of the input, have been done so far.
    """
    if (listener := _listener.get()) is not None:
        yield listener.advance
        return
    with bar(source.place, source.rows, source.size, options) as advance:
        yield advance


@contextmanager
def bar(
    place: str, rows: int | None, size: int | None, options: WriteOptions
) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error for work that lasts longer than a second, at a terminal.

    What it yields is told how many rows and bytes have been done so far, and what to call that.
    """
    if options.quiet or options.no_progress or sys.stderr is None or not sys.stderr.isatty():
        yield lambda rows, size, name=None, beside="": None  # noqa: ARG005
        return
    begun = monotonic()
    shown: Any = None

    def advance(done: int, read: int, name: str | None = None, beside: str = "") -> None:
        nonlocal shown
        if shown is None and monotonic() - begun > 1:
            from softmax_cli.display.rich.progress import ProgressBar

            shown = ProgressBar(place, rows, size, begun)
        if shown is not None:
            shown.update(done, read, name, beside)

    try:
        yield advance
    finally:
        if shown is not None:
            shown.stop()


def note(message: str, options: WriteOptions) -> None:
    """Say something that is no error on standard error, unless `--quiet` is given."""
    if options.quiet:
        return
    if (listener := _listener.get()) is not None:
        listener.note(message)
    else:
        print_message(message)
