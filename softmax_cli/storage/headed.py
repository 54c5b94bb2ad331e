"""A stream whose first bytes have been looked at already."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

from softmax_cli.storage.change_check import nothing

# Enough to tell a format by, and a first line of thousands of numbers.
HEAD_BYTES = 1 << 16


def prepend(head: bytes, rest: BinaryIO, check: Callable[[], None] = nothing) -> io.BufferedReader:
    """Return bytes that were read already with the rest of their stream behind them.

    A `check` is made after each reading of the rest.
    """
    return io.BufferedReader(_Headed(head, rest, check), HEAD_BYTES)


class _Headed(io.RawIOBase):
    """Bytes that were read already, then the rest of the stream that they came from."""

    def __init__(self, head: bytes, rest: BinaryIO, check: Callable[[], None]) -> None:
        self._head, self._rest, self._check = memoryview(head), rest, check

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes | memoryview
        if not self._head:
            data = self._rest.read(len(buffer))
            self._check()
        else:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
