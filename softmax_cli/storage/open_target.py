"""Bytes out: standard output, devices, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from operator import methodcaller
from pathlib import Path
from typing import BinaryIO, NamedTuple

from softmax_cli.errors import OutputError
from softmax_cli.runtime.signals import register_temp, remove_temp
from softmax_cli.storage.filesystem import Location, is_remote, refuse_input
from softmax_cli.storage.output import Target, copy_owner_and_mode, writing

# Paths of open files: opening such a path again would truncate a regular file.
_DESCRIPTOR = r"(?:/dev|/proc/self)/fd/([0-9]+)|/dev/std(?:out|err)"
_run_tag: ContextVar[str] = ContextVar("run_tag", default="")


class SharedPart(NamedTuple):
    """Some rows of a file that several processes write.

    path     the temporary file that all of them write to
    is_last  whether the file is complete after these rows
    """

    path: str
    is_last: bool


def open_target(
    destination: str,
    inputs: Sequence[Location] = (),
    *,
    in_place: bool | None = False,
    part: SharedPart | None = None,
    sync: bool = True,
) -> AbstractContextManager[Target]:
    """Return a context that opens a path, or standard output for `-`.

    A file appears when the block ends without an error, or with its last part; otherwise nothing is
    left behind. Writing onto one of the inputs is an error, unless it is replaced `in_place`.
    With `sync`, the disk has the file before it appears.
    """
    descriptor = descriptor_of(destination)
    if descriptor == 1:
        destination = "-"
    refuse_input(destination, inputs, in_place=in_place)
    if destination == "-":
        return _standard_output()
    if descriptor is not None:
        return _stream(destination, descriptor)
    if is_remote(destination):
        from tempfile import gettempdir

        from softmax_cli.storage.remote import upload_to

        temporary = Path(gettempdir(), f".softmax-cli.{os.urandom(8).hex()}.tmp")
        return _file(destination, inputs, temporary, upload_to(destination), 0o600, sync=False)
    with writing(destination):
        old = None
        with suppress(FileNotFoundError):
            old = os.stat(destination)  # noqa: PTH116
        if old is None and destination.endswith("/"):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if old is not None and not stat.S_ISREG(old.st_mode):
            return _stream(destination)
        # A symbolic link stays; the file that it names is replaced, if it may be written.
        final = Path(os.path.realpath(destination))
        if old is not None and not os.access(final, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    name = f".{final.name[:40]}.{_run_tag.get()}{os.urandom(8).hex()}.tmp"
    temporary = final.with_name(name) if part is None else Path(part.path)
    # Private until it has the permissions of the file that it replaces.
    mode = 0o600 if old is not None and part is None else 0o666
    publish = methodcaller("replace", final)
    return _file(destination, inputs, temporary, publish, mode, old, part, sync=sync)


def descriptor_of(path: str) -> int | None:
    """Return the descriptor that a path such as `/dev/fd/3` or `/dev/stdout` names.

    >>> descriptor_of("/dev/fd/3"), descriptor_of("/dev/stdout"), descriptor_of("out.npy")
    (3, 1, None)
    """
    if path == "-" or (found := re.fullmatch(_DESCRIPTOR, path)) is None:
        return None
    return {"/dev/stdout": 1, "/dev/stderr": 2}.get(path) or int(found[1])


@contextmanager
def tag_temporary_files(run: str) -> Iterator[None]:
    """Put the name of a run into the names of this thread's temporary files, to find them later."""
    token = _run_tag.set(f"{run}.")
    try:
        yield
    finally:
        _run_tag.reset(token)


@contextmanager
def _standard_output() -> Iterator[Target]:
    if sys.stdout is None:
        raise OutputError("is closed", "name a file with -o", "standard output")
    target = Target("standard output", sys.stdout.buffer, is_seekable=False)
    target.is_terminal = sys.stdout.isatty()
    yield target
    target.finish()


@contextmanager
def _stream(place: str, descriptor: int | None = None) -> Iterator[Target]:
    """Open a device or a pipe, or use a file that is open already."""
    with writing(place):
        file = place if descriptor is None else os.dup(descriptor)
        stream = open(file, "wb")  # noqa: PTH123
    with _closed_in_the_end(stream):
        target = Target(place, stream, is_seekable=descriptor is None)
        yield target
        target.finish()
        target.close()


@contextmanager
def _file(
    place: str,
    inputs: Sequence[Location],
    temporary: Path,
    publish: Callable[[Path], object],
    mode: int,
    old: os.stat_result | None = None,
    part: SharedPart | None = None,
    *,
    sync: bool,
) -> Iterator[Target]:
    """Write a temporary file, or a part of one, and publish it when it is complete."""
    is_last = part is None or part.is_last

    def open_part_or_create(path: str, flags: int) -> int:
        exclusive = os.O_EXCL if part is None else 0
        return os.open(path, flags & ~os.O_TRUNC | exclusive, mode)

    if is_last:
        # Registered before it is made: a signal in between leaves no file.
        register_temp(temporary)
    try:
        with writing(place):
            stream = open(temporary, "wb", opener=open_part_or_create)
        with _closed_in_the_end(stream):
            if old is not None and is_last:
                with writing(place):
                    copy_owner_and_mode(old, stream.fileno())
            target = Target(place, stream, inputs=inputs, is_last=is_last, sync=sync)
            yield target
            target.publish(temporary, publish)
    finally:
        if is_last:
            remove_temp(temporary)


@contextmanager
def _closed_in_the_end(stream: BinaryIO) -> Iterator[None]:
    try:
        yield
    finally:
        # An earlier error is the one to report.
        with suppress(OSError):
            stream.close()
