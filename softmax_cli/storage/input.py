"""Bytes in: files, pipes, and what they hold compressed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO, cast

from softmax_cli.errors import InputError
from softmax_cli.runtime.signals import make_temp, remove_temp
from softmax_cli.storage.change_check import ChangeCheckedFile, change_check, no_check
from softmax_cli.storage.compression import decompressed, decompression_error
from softmax_cli.storage.filesystem import Location, is_remote
from softmax_cli.storage.limits import MOST_EXPANSION, SMALL_ENOUGH

STANDARD_INPUT = "standard input"
# Enough to detect a format, and for a first line of thousands of numbers.
HEAD_BYTES = 1 << 16
# Memory for what a header declares grows by this, only as the bytes arrive.
_GROWTH_BYTES = 1 << 22
# Files that are held whole are read in pieces of this size.
PIECE_BYTES = 1 << 20
# How long a named pipe may be without a writer.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class Input:
    """A stream of bytes, decompressed, at its start.

    place       how errors name it
    stream      can be peeked at
    path        the file behind it, if any
    size        of the plain file in bytes; None for a pipe or a compressed file
    beneath     the input that this one reads from, which is closed with it
    compressed  returns how many compressed bytes were read
    """

    place: str
    stream: io.BufferedReader
    path: Location | None = None
    size: int | None = None
    beneath: Input | None = None
    compressed: Callable[[], int] | None = None

    def close(self) -> None:
        """Close the file; standard input stays open, as others may read on."""
        # An interrupted close has closed it.
        with reading(self.place), contextlib.suppress(InterruptedError):
            if self.place != STANDARD_INPUT or self.size is not None:
                self.stream.close()
        if self.beneath is not None:
            self.beneath.close()

    @property
    def arrived(self) -> Callable[[], int] | None:
        """Returns how many bytes have arrived through a pipe; None for a file."""
        if isinstance(self.stream.raw, _Prepended):
            return self.stream.raw.tell
        return None if self.beneath is None else self.beneath.arrived

    def head(self) -> bytes:
        """Return the first bytes without consuming them."""
        with reading(self.place):
            return self.stream.peek(HEAD_BYTES)

    def check_expansion(self, held: int) -> None:
        """Raise an error if so many bytes, to be held whole, came from far too few."""
        if self.compressed and held > max(SMALL_ENOUGH, MOST_EXPANSION * self.compressed()):
            problem = f"grows to over {MOST_EXPANSION} times its size, and is held whole"
            raise InputError(problem, "decompress it first", self.place)


_opened: list[io.RawIOBase] = []


def standard_input_bytes() -> int:
    """Return how many bytes have arrived on standard input."""
    return _opened[-1].tell() if _opened else 0


def open_input(token: str) -> Input:
    """Open a path, or standard input for `-`; compressed input is decompressed."""
    if token == "-":
        if sys.stdin is None:
            raise InputError("is closed", "name a file, or type numbers", STANDARD_INPUT)
        check = no_check
        with contextlib.suppress(OSError):
            check = change_check(sys.stdin.buffer.fileno(), STANDARD_INPUT)
            # Otherwise a slow writer would look like one that has ended.
            os.set_blocking(sys.stdin.buffer.fileno(), True)
        stream = prepend(b"", sys.stdin.buffer, check)
        _opened.append(cast(io.RawIOBase, stream.raw))
        # It has a path: writing onto a file that is redirected to standard input is refused.
        return _plain(Input(STANDARD_INPUT, stream, Path("/dev/stdin")))
    if is_remote(token):
        from softmax_cli.storage.remote import RemoteFile

        remote = RemoteFile(token)
        return _plain(Input(token, _buffered(remote), token, remote.size))
    path = Path(token)
    if path.is_dir():
        raise InputError("is a directory", "name a file, or a quoted glob", token)
    if path.is_char_device() or path.is_block_device():
        raise InputError("is a device", "name a file, or - for standard input", token)
    with reading(token):
        file = io.FileIO(path, opener=_unblocked) if path.is_fifo() else ChangeCheckedFile(path)
    try:
        stream = _buffered(file)
        if isinstance(file, ChangeCheckedFile):
            return _plain(Input(token, stream, path, file.size))
        head = _first_bytes(file, token)
        return _plain(Input(token, prepend(head, stream), path, beneath=Input(token, stream)))
    except BaseException:
        file.close()
        raise


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return cast(io.BufferedReader, io.BufferedReader(raw, HEAD_BYTES))


def _unblocked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _first_bytes(pipe: io.FileIO, place: str) -> bytes:
    """Wait for a pipe's writer: without one, the pipe would be waited for without an end."""
    end = monotonic() + _PATIENCE_SECONDS
    # None: there is a writer, which has written nothing yet.
    while (head := cast(bytes | None, pipe.read(HEAD_BYTES))) == b"":
        if monotonic() > end:
            raise InputError("is a pipe that nobody writes to", "start its writer first", place)
        sleep(0.01)
    os.set_blocking(pipe.fileno(), True)
    return head or b""


def prepend(head: bytes, rest: BinaryIO, check: Callable[[], None] = no_check) -> io.BufferedReader:
    """Return a stream of bytes that were read before and the rest; each read is checked."""
    return _buffered(_Prepended(head, rest, check))


class _Prepended(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO, check: Callable[[], None]) -> None:
        self._head, self._check = memoryview(head), check
        self._rest = cast(io.BufferedReader, rest)
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer) as room:
            head, self._head = self._head[: len(room)], self._head[len(room) :]
            filled = len(head)
            room[:filled] = head
            self._position += filled
            # Bytes from a slow pipe are counted as they arrive.
            while filled < len(room) and (count := self._rest.readinto1(room[filled:])):
                filled += count
                self._position += count
                self._check()
            return filled

    def tell(self) -> int:
        return self._position


def copied(source: Input) -> Input:
    """Return a temporary file with the bytes of a pipe, which is removed when it is closed."""

    def pieces() -> Iterator[bytes]:
        with reading(source.place):
            yield from iter(partial(source.stream.read, PIECE_BYTES), b"")

    path = None
    try:
        descriptor, path = make_temp()
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces())
        copy = _RemovedWhenClosed(path)
    except BaseException as error:
        if path is not None:
            remove_temp(path)
        if isinstance(error, OSError):
            problem = f"cannot be copied to a temporary file: {error.strerror}"
            raise InputError(problem, "set TMPDIR to a disk with room", source.place) from error
        raise
    return Input(source.place, _buffered(copy), path, copy.size, beneath=source)


class _RemovedWhenClosed(ChangeCheckedFile):
    def close(self) -> None:
        super().close()
        # A file that could not be opened has no name.
        if name := getattr(self, "name", None):
            remove_temp(Path(name))


def _plain(source: Input) -> Input:
    """Return what the input holds, decompressed."""
    plain = decompressed(source.head(), source.stream)
    if plain is None:
        return source
    return Input(source.place, plain, source.path, None, source, source.stream.tell)


@contextlib.contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what goes wrong while bytes are read into an error that names the place."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("no such file", place=place) from error
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            is_denied = isinstance(error, PermissionError)
            remedy = "check its permissions" if is_denied else "copy it to another disk first"
            raise InputError(f"cannot be read: {error.strerror}", remedy, place) from error
        # gzip raises an OSError without a number, or EOFError. The other errors are known by name:
        # the modules that define them are not imported for every run.
        damaged = isinstance(error, OSError | EOFError)
        if damaged or type(error).__name__ in ("ZstdError", "BadZipFile", "error"):
            raise decompression_error(place, error) from error
        raise


def read_at(source: Input, offset: int, buffer: memoryview) -> None:
    """Fill the buffer with the bytes of a plain file from an offset on, in any thread."""
    # A mapped file that shrinks would end the process; here it is an error.
    filled = 0
    file = cast(ChangeCheckedFile, source.stream.raw)
    with reading(source.place):
        while filled < len(buffer):
            count = file.read_at(offset + filled, buffer[filled:])
            if not count:
                raise _cut_short(source.place, filled, len(buffer))
            filled += count


def _cut_short(place: str, filled: int, size: int) -> InputError:
    problem = f"ends after {filled} of the {size} bytes that should come next"
    return InputError(problem, "it is cut short", place)


def read_exactly(source: Input, size: int) -> bytearray:
    """Return the next `size` bytes; a stream that ends before them is an error."""
    data = bytearray(min(size, _GROWTH_BYTES))
    filled = 0
    with reading(source.place):
        while filled < size:
            if filled == len(data):
                source.check_expansion(filled)
                data += bytes(min(size - filled, _GROWTH_BYTES))
            with memoryview(data) as view:
                count = source.stream.readinto(view[filled:])
            if not count:
                raise _cut_short(source.place, filled, size)
            filled += count
    return data


def read_whole(source: Input, check: Callable[[bytes, int], None] | None = None) -> bytearray:
    """Return all bytes of a stream; call `check` with each piece and the number of bytes so far."""
    data = bytearray()
    with reading(source.place):
        while piece := source.stream.read(PIECE_BYTES):
            data += piece
            source.check_expansion(len(data))
            if check is not None:
                check(piece, len(data))
    return data


def content(token: str) -> bytearray:
    """Return all bytes of a file."""
    with contextlib.closing(open_input(token)) as source:
        return read_whole(source)
