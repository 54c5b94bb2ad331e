"""Where files are: what is asked of a file system for a run of many files."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import TypedDict

from softmax_cli.errors import InputError
from softmax_cli.storage.filesystem import is_file, is_remote, matching


class Status(TypedDict):
    """What a file is like: a file that is written to anew is not like it was."""

    path: str
    size: int
    modified: str


def status(path: str) -> Status | None:
    """Return what a file is like; None if there is none."""
    if is_remote(path):
        from softmax_cli.storage import remote

        try:
            size, modified = remote.status(path)
        except InputError:
            if remote.is_file(path):
                raise
            return None
        return Status(path=path, size=size, modified=modified)
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    seconds, rest = divmod(found.st_mtime_ns, 10**9)
    at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Status(path=shown(path), size=found.st_size, modified=f"{at}.{rest:09}Z")


def is_directory(path: str) -> bool:
    """Tell whether there is such a directory."""
    if is_remote(path):
        from softmax_cli.storage import remote

        return remote.is_directory(path)
    return os.path.isdir(path)  # noqa: PTH112


def literal(directory: str) -> str:
    """Return a directory as a part of a pattern that stands for it alone."""
    return directory if is_remote(directory) else escape(directory)


def files(pattern: str) -> list[str]:
    """Return the files that a pattern stands for, in order."""
    found = matching(pattern)
    # What is found at an address is a file.
    return found if is_remote(pattern) else [path for path in found if is_file(path)]


def absolute(token: str) -> str:
    """Return a path that means the same to a process of another directory."""
    return token if is_remote(token) else os.path.abspath(token)  # noqa: PTH100


def shown(text: str) -> str:
    """Return a text with paths as they are named here, below the directory of this process."""
    return text.replace(str(Path.cwd()) + os.sep, "")


def parent(path: str) -> str:
    """Return the directory of a file."""
    return path.rpartition("/")[0] if is_remote(path) else os.path.dirname(path) or "."  # noqa: PTH120


def name(path: str) -> str:
    """Return the name of a file in its directory."""
    return path.rpartition("/")[2] if is_remote(path) else os.path.basename(path)  # noqa: PTH119


def join(directory: str, name: str) -> str:
    """Return the path of a name in a directory."""
    if is_remote(directory):
        return f"{directory.rstrip('/')}/{name}"
    return os.path.join(directory, name)  # noqa: PTH118


def make_directory(path: str) -> list[str]:
    """Make a directory, and those above it; return those that were made, the last first."""
    if is_remote(path):
        from softmax_cli.storage import remote

        remote.make_directory(path)
        return []
    missing = [str(each) for each in (Path(path), *Path(path).parents) if not each.exists()]
    Path(path).mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(directories: list[str]) -> None:
    """Remove directories that hold nothing."""
    for path in directories:
        with suppress(OSError):
            Path(path).rmdir()


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    if is_remote(path):
        from softmax_cli.storage import remote

        remote.remove(path)
        return
    with suppress(OSError):
        Path(path).unlink()
