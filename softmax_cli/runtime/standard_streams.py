"""The standard streams of the program: all three exist, and none of them changes the exit code.

When the interpreter ends, it flushes standard output and standard error; where that fails, it ends
with 120, whatever the program returned.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Lossy(io.FileIO):
    """Standard output or standard error that drops what it cannot write."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the bytes if that is possible, and count them as written."""
        size = memoryview(data).nbytes
        try:
            written = super().write(data)
        except OSError:
            return size
        # None: whoever reads it is slow, and the stream does not wait.
        return size if written is None else written


def open_standard_streams() -> None:
    """Open what is closed of standard input, output and error, and let standard error never fail.

    A file must not get the number of a standard stream that is closed: what is sent there, such as
    the messages of Polars, would be lost, or would damage the file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The system gives out the lowest free number.
            os.open(os.devnull, os.O_RDWR)
    # What stands in for it, as in a test, is left alone.
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lossy(2, sys.stderr)


def drop_what_cannot_be_written() -> None:
    """Let standard output never fail: the results are written, and what follows is not ours.

    A function of the user's may have asked to print when the interpreter ends.
    """
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _lossy(1, sys.stdout)


def silence_standard_output() -> None:
    """Keep the interpreter from sending what is left, or complaining about it, when it ends."""
    # Some that stand in for it have no number.
    with suppress(OSError, ValueError, AttributeError):
        number = sys.stdout.fileno()
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, number)
        os.close(devnull)


def _lossy(number: int, old: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Lossy(number, "wb", closefd=False)),
        encoding="utf-8" if old is None else old.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
