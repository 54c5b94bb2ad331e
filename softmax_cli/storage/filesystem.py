"""Paths and addresses, and the file systems that they are in."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.storage.change_check import Status

if TYPE_CHECKING:
    from softmax_cli.storage.remote import RemotePath

# A file of this machine, or an address.
Location = Path | str
# Two letters at least: one is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.ASCII | re.IGNORECASE)


def is_remote(token: str) -> bool:
    """Return whether a token is an address, not a path of this machine.

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
    """Return a token as a path of this machine, or as an address; both have the same methods."""
    if is_remote(token):
        from softmax_cli.storage.remote import RemotePath

        return RemotePath(token)
    return LocalPath(token)


class LocalPath:
    """A path of this machine."""

    def __init__(self, path: str) -> None:
        """Name a file or a directory, or a pattern."""
        self.path = path

    def exists(self) -> bool:
        """Return whether a path exists; a row of numbers may be too long for a name."""
        return os.path.exists(self.path)  # noqa: PTH110 - Path.exists() raises for what is too long

    def is_file(self) -> bool:
        """Return whether a path is a regular file."""
        return os.path.isfile(self.path)  # noqa: PTH113

    def is_directory(self) -> bool:
        """Return whether a path is a directory."""
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
        """Remove a file, if it exists."""
        with suppress(OSError):
            Path(self.path).unlink()

    def make_directory(self) -> list[str]:
        """Create a directory and its parents; return those created, the deepest first."""
        missing = [
            str(each) for each in (Path(self.path), *Path(self.path).parents) if not each.exists()
        ]
        Path(self.path).mkdir(parents=True, exist_ok=True)
        return missing

    def absolute(self) -> str:
        """Return the path as a process in another working directory needs it."""
        return os.path.abspath(self.path)  # noqa: PTH100

    def literal(self) -> str:
        """Return a pattern that matches only this directory."""
        from glob import escape

        return escape(self.path)

    def join(self, name: str) -> str:
        """Return the path of a name in a directory."""
        return os.path.join(self.path, name)  # noqa: PTH118

    def parent(self) -> str:
        """Return the directory of a file."""
        return os.path.dirname(self.path) or "."  # noqa: PTH120

    def name(self) -> str:
        """Return the name of a file in its directory."""
        return os.path.basename(self.path)  # noqa: PTH119
