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

    A file that does not exist yet has the identity of its directory, and its name. Devices and
    sockets have none: several writers may share them.
    """
    if is_remote(name):
        from softmax_cli.storage.remote import RemotePath

        return RemotePath(name).identity()
    try:
        status = os.fstat(sys.stdout.fileno()) if name == "-" else os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        return _identity_of_new(os.path.realpath(name))
    except (OSError, ValueError, TypeError, AttributeError):
        # No file can have this name, or standard output has no descriptor.
        return None if name == "-" else (os.path.abspath(name),)  # noqa: PTH100
    if stat.S_ISCHR(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        return None
    return status.st_dev, status.st_ino


def _identity_of_new(path: str) -> Identity:
    directory, name = os.path.split(path)
    try:
        status = os.stat(directory)  # noqa: PTH116
    except OSError:
        return (path,)
    return status.st_dev, status.st_ino, name


def refuse_input(output: str, inputs: Sequence[Location], *, in_place: bool) -> None:
    """Refuse to write onto a file that is read, unless it is replaced `in_place`."""
    is_file = output != "-"
    if in_place and is_file:
        return
    found = identity(output)
    # The identity of a file that does not exist yet has three parts.
    if found and len(found) == 2 and any(identity(str(path)) == found for path in inputs):
        remedy = "name another file" + (", or add --in-place" if is_file else "")
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
