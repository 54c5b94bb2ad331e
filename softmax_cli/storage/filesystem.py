"""Local paths and remote addresses, and what their file systems say about them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.storage.change_check import Status

if TYPE_CHECKING:
    from softmax_cli.storage.remote import RemotePath

# A local file, or an address.
Location = Path | str
# At least two letters: one letter is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.ASCII | re.IGNORECASE)


def is_remote(token: str) -> bool:
    """Return whether a token is an address, not a local path.

    >>> is_remote("s3://bucket/logits.npy"), is_remote("C:/logits.npy"), is_remote("a:b")
    (True, False, False)
    """
    return _ADDRESS.match(token) is not None


def location(token: str) -> Location:
    """Return the location that a token names."""
    return token if is_remote(token) else Path(token)


def shown(text: str) -> str:
    """Return a text with the paths in it relative to the working directory."""
    return text.replace(str(Path.cwd()) + os.sep, "")


def path_of(token: str) -> LocalPath | RemotePath:
    """Return a token as a local path or an address; both have the same methods."""
    if is_remote(token):
        from softmax_cli.storage.remote import RemotePath

        return RemotePath(token)
    return LocalPath(token)


class LocalPath:
    """A path of this machine: of a file or a directory, or a pattern."""

    def __init__(self, path: str) -> None:
        self.path = path

    def exists(self) -> bool:
        # Path.exists() raises an error for a row of numbers that is too long for a name.
        return os.path.exists(self.path)  # noqa: PTH110

    def is_file(self) -> bool:
        return os.path.isfile(self.path)  # noqa: PTH113

    def is_directory(self) -> bool:
        return os.path.isdir(self.path)  # noqa: PTH112

    def glob(self) -> list[str]:
        """Return the paths that match a pattern, in order."""
        from glob import glob

        return sorted(glob(self.path, recursive=True))  # noqa: PTH207 - takes absolute patterns

    def files(self) -> list[str]:
        """Return the files that match a pattern, in order."""
        return [path for path in self.glob() if os.path.isfile(path)]  # noqa: PTH113

    def status(self) -> Status | None:
        """Return the status of a file; None if there is none."""
        try:
            found = os.stat(self.path)  # noqa: PTH116
        except (OSError, ValueError):
            return None
        from datetime import UTC, datetime

        seconds, rest = divmod(found.st_mtime_ns, 10**9)
        at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return Status(path=shown(self.path), size=found.st_size, modified=f"{at}.{rest:09}Z")

    def remove(self) -> None:
        with suppress(OSError):
            Path(self.path).unlink()

    def make_directory(self) -> list[str]:
        """Create a directory and its parents; return those created, the deepest first."""
        path = Path(self.path)
        missing = [str(each) for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        return missing

    def absolute(self) -> str:
        """Return the path for a process in another working directory."""
        return os.path.abspath(self.path)  # noqa: PTH100

    def literal(self) -> str:
        """Return a pattern that matches only this directory."""
        from glob import escape

        return escape(self.path)

    def join(self, name: str) -> str:
        return os.path.join(self.path, name)  # noqa: PTH118

    def parent(self) -> str:
        return os.path.dirname(self.path) or "."  # noqa: PTH120

    def name(self) -> str:
        return os.path.basename(self.path)  # noqa: PTH119
