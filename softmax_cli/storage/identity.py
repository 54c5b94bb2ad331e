"""Whether two names are one file: links and other spellings are seen through."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from softmax_cli.errors import OutputError, UsageError
from softmax_cli.storage.filesystem import Location, is_remote, location

Identity = tuple[int | str, ...]


def identity(name: str) -> Identity | None:
    """Return what two names of one file have in common; `-` is standard output.

    Of a file that is not there yet, that is its directory and its name. Devices and sockets have
    none: they are no place where one writer could destroy what belongs to another.
    """
    if is_remote(name):
        from softmax_cli.storage.remote import RemotePath

        return RemotePath(name).identity()
    try:
        status = os.fstat(sys.stdout.fileno()) if name == "-" else os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        return _of_a_new_file(os.path.realpath(name))
    except (OSError, ValueError, TypeError, AttributeError):
        # No file could be there, or there is no standard output that the system knows of.
        return None if name == "-" else (os.path.abspath(name),)  # noqa: PTH100
    if stat.S_ISCHR(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        return None
    return status.st_dev, status.st_ino


def _of_a_new_file(path: str) -> Identity:
    directory, name = os.path.split(path)
    try:
        status = os.stat(directory)  # noqa: PTH116
    except OSError:
        return (path,)
    return status.st_dev, status.st_ino, name


def refuse_input(output: str, inputs: Sequence[Location], *, in_place: bool) -> None:
    """Refuse to write onto a file that is read, unless it is replaced `in_place`."""
    if in_place and output != "-":
        return
    found = identity(output)
    # Of three parts is what is not there yet.
    if found is None or len(found) != 2:
        return
    if any(identity(str(path)) == found for path in inputs):
        is_file = output != "-"
        raise OutputError(
            "is also an input, and is left as it is",
            "name another file, or add --in-place" if is_file else "name another file",
            str(location(output)) if is_file else "standard output",
        )


def refuse_the_same(outputs: Sequence[tuple[str, str]], problem: str, remedy: str) -> None:
    """Refuse outputs, each an option and its path, that are one file.

    The problem may speak of the `{path}`, and of the `{first}` option that names it.
    """
    seen: dict[Identity, str] = {}
    for option, path in outputs:
        found = identity(path)
        if found is None:
            continue
        if found in seen:
            raise UsageError(problem.format(path=path, first=seen[found]), remedy, option)
        seen[found] = option
