"""Local paths and remote addresses: what their file systems say, and which are the same file."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypedDict

from softmax_cli.errors import InputError, OutputError, SoftmaxCliError, UsageError

# A local file, or an address.
Location = Path | str
Identity = tuple[int | str, ...]
# At least two letters: one letter is a drive.
_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]+://"
# Keys of fsspec whose values change when a file is written again.
_VERSIONS = (
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "created",
    "ETag",
    "etag",
    "md5Hash",
)


class Status(TypedDict):
    """The path, size and version of a file; it differs once the file is written again."""

    path: str
    size: int
    modified: str


def is_remote(token: str) -> bool:
    """Return whether a token is an address, not a local path.

    >>> is_remote("s3://bucket/logits.npy"), is_remote("C:/logits.npy"), is_remote("a:b")
    (True, False, False)
    """
    return re.match(_ADDRESS, token) is not None


def location(token: str) -> Location:
    """Return the location that a token names."""
    return token if is_remote(token) else Path(token)


def relative(text: str) -> str:
    """Return a text with the paths in it relative to the working directory."""
    return text.replace(str(Path.cwd()) + os.sep, "")


def path_of(token: str) -> LocalPath:
    """Return a token as a local path or an address."""
    return RemotePath(token) if is_remote(token) else LocalPath(token)


class LocalPath:
    """A path of this machine: of a file or a directory, or a pattern."""

    _paths: Any = os.path

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
        return Status(path=relative(self.path), size=found.st_size, modified=f"{at}.{rest:09}Z")

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
        return str(self._paths.join(self.path, name))

    def names(self) -> list[str]:
        """Return the names in a directory; none if it cannot be listed."""
        with suppress(OSError):
            return os.listdir(self.path)  # noqa: PTH208
        return []

    def parent(self) -> str:
        return self._paths.dirname(self.path) or "."

    def name(self) -> str:
        return str(self._paths.basename(self.path))


class RemotePath(LocalPath):
    """An address in an object store or on another machine."""

    _paths = posixpath

    def opened(
        self, kind: type[InputError] | type[OutputError] = InputError
    ) -> AbstractContextManager[tuple[Any, str]]:
        """Return a context with the file system of the address, and the path in it."""
        from softmax_cli.storage.remote import filesystem_at

        return filesystem_at(self.path, kind)

    def exists(self) -> bool:
        with self.opened() as (fs, path):
            return bool(fs.exists(path))

    def is_file(self) -> bool:
        with self.opened() as (fs, path):
            return bool(fs.isfile(path))

    def is_directory(self) -> bool:
        # Also where only files whose names begin with it exist.
        with self.opened() as (fs, path):
            return bool(fs.isdir(path))

    def glob(self) -> list[str]:
        with self.opened() as (fs, path):
            found = fs.glob(path, detail=True).items()
            names = [name for name, info in found if info["type"] == "file"]
        scheme = self.path[: self.path.index("://") + 3]
        # As the user typed it: an absolute path begins with a slash, a bucket's name does not.
        slash = "/" if self.path.startswith(f"{scheme}/") else ""
        return sorted(f"{scheme}{slash}{name.lstrip('/')}" for name in names)

    files = glob

    def status(self) -> Status | None:
        try:
            with self.opened() as (fs, path):
                info = fs.info(path)
        except InputError:
            if self.is_file():
                raise
            return None
        known = [str(info[name]).strip('"') for name in _VERSIONS if info.get(name) is not None]
        return Status(path=self.path, size=int(info.get("size") or 0), modified=" ".join(known))

    def remove(self) -> None:
        with suppress(SoftmaxCliError), self.opened(OutputError) as (fs, path):
            fs.rm_file(path)

    def make_directory(self) -> list[str]:
        with self.opened(OutputError) as (fs, path):
            from softmax_cli.storage.remote import appears_whole

            if not appears_whole(fs):
                fs.makedirs(path, exist_ok=True)
        return []

    def parent(self) -> str:
        parent = super().parent()
        return parent if is_remote(parent) else self.path[: self.path.index("://") + 3]

    def absolute(self) -> str:
        return self.path

    literal = absolute


def identity(name: str) -> Identity | None:
    """Return what two names of one file have in common; `-` is standard output.

    A file that does not exist yet has the identity of its directory, and its name. Devices and
    sockets have none: several writers may share them.
    """
    if is_remote(name):
        with suppress(SoftmaxCliError), RemotePath(name).opened() as (fs, remote_path):
            return str(fs.protocol), remote_path
        return None
    try:
        status = os.fstat(sys.stdout.fileno()) if name == "-" else os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        path = Path(os.path.realpath(name))
        with suppress(OSError):
            directory = path.parent.stat()
            return directory.st_dev, directory.st_ino, path.name
        return (str(path),)
    except (OSError, ValueError, TypeError, AttributeError):
        # No file can have this name, or standard output has no descriptor.
        return None if name == "-" else (os.path.abspath(name),)  # noqa: PTH100
    if stat.S_ISCHR(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        return None
    return status.st_dev, status.st_ino


def refuse_input(output: str, inputs: Sequence[Location], *, in_place: bool | None) -> None:
    """Refuse to write onto a file that is read, unless it is replaced `in_place`.

    None is for an output that --in-place does not concern.
    """
    is_file = output != "-"
    if in_place and is_file:
        return
    found = identity(output)
    # The identity of a file that does not exist yet has three parts.
    if found and len(found) == 2 and any(identity(str(path)) == found for path in inputs):
        remedy = "name another file" + (
            ", or add --in-place" if is_file and in_place is False else ""
        )
        place = str(location(output)) if is_file else "standard output"
        raise OutputError("is also an input, and is left as it is", remedy, place)


def refuse_the_same(outputs: Sequence[tuple[str, str]], problem: str, remedy: str) -> None:
    """Refuse outputs, each an option and its path, that are one file.

    The problem may contain `{path}`, and `{first}` for the option that names it.
    """
    seen: dict[Identity, str] = {}
    for option, path in outputs:
        found = identity(path)
        if found in seen:
            raise UsageError(problem.format(path=path, first=seen[found]), remedy, option)
        if found is not None:
            seen[found] = option
