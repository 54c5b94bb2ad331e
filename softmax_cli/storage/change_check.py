"""Whether a file changed while it was read: its parts would not belong together."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from softmax_cli.errors import InputError

_COMPARED = ("st_dev", "st_ino", "st_size", "st_mtime_ns")
_READER = Lock()


def change_check(file: int | Path, place: str) -> Callable[[], None]:
    """Return a function that raises an error if a regular file has changed since this call."""
    before = os.stat(file)  # noqa: PTH116 - takes descriptors too

    def check() -> None:
        now = os.stat(file)  # noqa: PTH116
        if any(getattr(now, name) != getattr(before, name) for name in _COMPARED):
            growth = now.st_size - before.st_size
            happened = "grew" if growth > 0 else "shrank" if growth < 0 else "was written to"
            raise InputError(f"{happened} while it was read", "wait until it is whole", place)

    return check if stat.S_ISREG(before.st_mode) else no_check


def no_check() -> None:
    """Check nothing."""


class ChangeCheckedFile(io.FileIO):
    """A regular file whose reads fail once it has changed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = os.fstat(self.fileno()).st_size
        self._check = change_check(self.fileno(), str(path))

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, unless the file ends first."""
        filled = 0
        with memoryview(buffer) as room:
            while filled < len(room) and (count := super().readinto(room[filled:])):
                filled += count
        self._check()
        return filled

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Read bytes from an offset on, in any thread."""
        if hasattr(os, "preadv"):
            count = os.preadv(self.fileno(), [buffer], offset)
        else:
            with _READER:
                self.seek(offset)
                count = super().readinto(buffer) or 0
        self._check()
        return count
