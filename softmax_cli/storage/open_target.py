"""Bytes out: standard output, devices, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from softmax_cli.errors import OutputError
from softmax_cli.runtime.signals import register_temp, unregister_temp
from softmax_cli.storage.filesystem import Location, is_remote
from softmax_cli.storage.identity import refuse_input
from softmax_cli.storage.output import FileTarget, Target, writing
from softmax_cli.storage.posix import descriptor_of, sync

_run_tag: ContextVar[str] = ContextVar("run_tag", default="")


@dataclass(frozen=True)
class SharedPart:
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
    in_place: bool = False,
    part: SharedPart | None = None,
) -> AbstractContextManager[Target]:
    """Return a context that opens a path, or standard output for `-`.

    A file appears when the block ends without an error; otherwise nothing is left behind. A file
    that is written in parts appears with the last one. Writing onto one of the inputs is an error,
    unless it is replaced `in_place`.
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
        from softmax_cli.storage.remote import upload_to

        temporary = Path(tempfile.gettempdir(), f".softmax-cli.{os.urandom(8).hex()}.tmp")
        return _whole_file(destination, inputs, temporary, upload_to(destination), 0o600)
    with writing(destination):
        return _local_output(destination, inputs, part)


def _local_output(
    destination: str, inputs: Sequence[Location], part: SharedPart | None
) -> AbstractContextManager[Target]:
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

    def publish(temporary: Path) -> None:
        temporary.replace(final)

    if part is not None:
        return _shared_file(destination, inputs, part, publish, old)
    name = f".{final.name[:40]}.{_run_tag.get()}{os.urandom(8).hex()}.tmp"
    # Private until it has the permissions of the file that it replaces.
    mode = 0o666 if old is None else 0o600
    return _whole_file(destination, inputs, final.with_name(name), publish, mode, old)


@contextmanager
def tag_temporary_files(run: str) -> Iterator[None]:
    """Put the name of a run into the names of temporary files made in this thread.

    The files of a killed process can then be found.
    """
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
def _whole_file(
    place: str,
    inputs: Sequence[Location],
    temporary: Path,
    publish: Callable[[Path], None],
    mode: int,
    old: os.stat_result | None = None,
) -> Iterator[Target]:
    """Write a temporary file, and publish it when it is complete."""
    # Registered before it is made: a signal in between leaves no file.
    register_temp(str(temporary))
    try:
        with writing(place):
            stream = open(temporary, "xb", opener=partial(os.open, mode=mode))
        with _closed_in_the_end(stream):
            target = FileTarget(place, stream, inputs, old)
            yield target
            target.publish(temporary, publish)
    finally:
        # After publishing it is gone already.
        with suppress(OSError):
            temporary.unlink()
        unregister_temp(str(temporary))


@contextmanager
def _shared_file(
    place: str,
    inputs: Sequence[Location],
    part: SharedPart,
    publish: Callable[[Path], None],
    old: os.stat_result | None,
) -> Iterator[Target]:
    """Write to the temporary file of several processes; the last part publishes it."""

    def open_or_create(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_CREAT, 0o666)

    try:
        with writing(place):
            stream = open(part.path, "r+b", opener=open_or_create)
        with _closed_in_the_end(stream):
            if part.is_last:
                target = FileTarget(place, stream, inputs, old)
                yield target
                target.publish(Path(part.path), publish)
            else:
                target = FileTarget(place, stream, inputs, is_last=False)
                yield target
                target.finish()
                with writing(place):
                    sync(stream.fileno())
    finally:
        if part.is_last:
            with suppress(OSError):
                Path(part.path).unlink()


@contextmanager
def _closed_in_the_end(stream: BinaryIO) -> Iterator[None]:
    try:
        yield
    finally:
        # An earlier error is the one to report.
        with suppress(OSError):
            stream.close()
