"""Standard streams: all three are open, and none changes the exit code.

The interpreter flushes standard output and standard error when it ends; if that fails, it exits
with 120, whatever the program returned.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class _Lossy(io.FileIO):
    """Standard output or standard error that drops what it cannot write."""

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        try:
            written = super().write(data)
        except OSError:
            return size
        # None: the stream does not block, and its reader is slow.
        return size if written is None else written


def open_standard_streams() -> None:
    """Open the standard streams that are closed, and ignore errors of standard error.

    Otherwise a file could get the descriptor of a closed stream, and messages would damage it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The system gives out the lowest free number.
            os.open(os.devnull, os.O_RDWR)
    # A replacement, as in a test, stays.
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lossy(2, sys.stderr)


def ignore_output_errors() -> None:
    """Ignore errors of standard output from now on: the results are written."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _lossy(1, sys.stdout)


def silence_standard_output() -> None:
    """Discard buffered output, which the interpreter would flush when it ends."""
    # A replacement may have no descriptor.
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
