"""Files that must not change while they are read."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from softmax_cli.errors import InputError

_KEPT = ("st_dev", "st_ino", "st_size", "st_mtime_ns")


def unchanging(file: int | Path, place: str) -> Callable[[], None]:
    """Return what raises an error once this file, if it is a plain one, is no longer as it is now.

    What is written by then and what was read before may not belong together.
    """
    before = os.stat(file)  # noqa: PTH116 - takes descriptors too

    def check() -> None:
        now = os.stat(file)  # noqa: PTH116
        if all(getattr(now, name) == getattr(before, name) for name in _KEPT):
            return
        by = now.st_size - before.st_size
        happened = "grew" if by > 0 else "shrank" if by < 0 else "was written to"
        raise InputError(f"{happened} while it was read", "wait until it is whole", place)

    return check if stat.S_ISREG(before.st_mode) else nothing


def nothing() -> None:
    """Check nothing."""


class ChangeCheckedFile(io.FileIO):
    """A file that must not change while it is read."""

    def __init__(self, path: Path) -> None:
        """Open the file, and remember what it is like now."""
        super().__init__(path)
        status = os.fstat(self.fileno())
        # Of what is no plain file the size says nothing.
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.check = unchanging(self.fileno(), str(path))

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, as far as there are bytes."""
        filled = 0
        with memoryview(buffer) as room:
            while filled < len(room) and (count := super().readinto(room[filled:])):
                filled += count
        self.check()
        return filled
