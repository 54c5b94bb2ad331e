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
from threading import Lock
from time import monotonic, sleep
from typing import Any, BinaryIO, cast

from softmax_cli.errors import InputError
from softmax_cli.storage.change_check import ChangeCheckedFile, change_check, no_check
from softmax_cli.storage.compression import CountingReader, decompressed, decompression_error
from softmax_cli.storage.filesystem import Location, is_remote
from softmax_cli.storage.limits import LONGEST_LINE, MOST_EXPANSION, MOST_IDLE_LINES, SMALL_ENOUGH

STANDARD_INPUT = "standard input"
# Enough to detect a format, and for a first line of thousands of numbers.
HEAD_BYTES = 1 << 16
# What a header says is allocated only as the bytes for it really come.
_PIECE_BYTES = 1 << 22
# What is held whole is read so much at a time.
PIECE_BYTES = 1 << 20
# How long a named pipe may be without a writer.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class Input:
    """A stream of bytes, decompressed, at its start.

    place        how errors name it
    stream       can be peeked at
    path         the file behind it, if any
    size         of the plain file in bytes; None for a pipe or a compressed file
    beneath      what this is the decompressed content of
    compressed   tells of how many compressed bytes it came so far
    """

    place: str
    stream: io.BufferedReader
    path: Location | None = None
    size: int | None = None
    beneath: Input | None = None
    compressed: Callable[[], int] | None = None

    def close(self) -> None:
        """Let go of the file; standard input stays open, others may read on."""
        # Interrupted or not, it is closed.
        with reading(self.place), contextlib.suppress(InterruptedError):
            if self.place != STANDARD_INPUT:
                self.stream.close()
        if self.beneath is not None:
            self.beneath.close()

    def head(self) -> bytes:
        """Return the first bytes without consuming them."""
        with reading(self.place):
            return self.stream.peek(HEAD_BYTES)

    def check_unchanged(self) -> None:
        """Raise an error if this plain file has changed since it was opened."""
        if isinstance(self.stream.raw, ChangeCheckedFile):
            self.stream.raw.check()

    def check_expansion(self, held: int) -> None:
        """Raise an error if so many bytes, to be held whole, came from far too few."""
        if self.compressed is None or held <= SMALL_ENOUGH:
            return
        if held > MOST_EXPANSION * self.compressed():
            problem = f"grows to over {MOST_EXPANSION} times its size, and is held whole"
            raise InputError(problem, "decompress it first", self.place)


def open_input(token: str) -> Input:
    """Open a path, or standard input for `-`; what is compressed is decompressed on the way."""
    if token == "-":
        # Named so that writing onto a file that was redirected here is refused.
        return _plain(Input(STANDARD_INPUT, _standard_input(), Path("/dev/stdin")))
    if is_remote(token):
        from softmax_cli.storage.remote import RemoteFile

        file = RemoteFile(token)
        remote = cast(io.BufferedReader, io.BufferedReader(file, HEAD_BYTES))
        return _plain(Input(token, remote, token, file.size))
    path = Path(token)
    if path.is_dir():
        raise InputError(
            "is a directory", "name a file, or a quoted glob such as 'DIR/*.csv'", token
        )
    if path.is_char_device() or path.is_block_device():
        raise InputError("is a device", "name a file, or - for standard input", token)
    with reading(token):
        if path.is_fifo():
            return _named_pipe(path, token)
        watched = ChangeCheckedFile(path)
    try:
        stream = cast(io.BufferedReader, io.BufferedReader(watched, HEAD_BYTES))
        return _plain(Input(token, stream, path, watched.size))
    except BaseException:
        watched.close()
        raise


def _named_pipe(path: Path, token: str) -> Input:
    """Open a named pipe; one without a writer would be waited for without an end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    pipe = cast(io.BufferedReader, os.fdopen(descriptor, "rb", HEAD_BYTES))
    try:
        head, end = b"", monotonic() + _PATIENCE_SECONDS
        with contextlib.suppress(BlockingIOError):
            # Nothing comes from a pipe without a writer; where there is one, this would block.
            while not (head := os.read(descriptor, HEAD_BYTES)):
                if monotonic() > end:
                    problem = "is a pipe that nobody writes to"
                    raise InputError(problem, "start what writes to it first", token)
                sleep(0.01)
        os.set_blocking(descriptor, True)
        return _plain(Input(token, _with_head(pipe, token, head), path, beneath=Input(token, pipe)))
    except BaseException:
        pipe.close()
        raise


def _standard_input() -> io.BufferedReader:
    if sys.stdin is None:
        raise InputError("is closed", "name a file, or type numbers", STANDARD_INPUT)
    return _with_head(sys.stdin.buffer, STANDARD_INPUT)


def _with_head(stream: BinaryIO, place: str, head: bytes = b"") -> io.BufferedReader:
    """Return a stream whose first bytes can be peeked at, however slowly a pipe brings them."""
    check = no_check
    with contextlib.suppress(OSError):
        check = change_check(stream.fileno(), place)
    begun = bytearray(head)
    with reading(place):
        while len(begun) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(begun))):
            begun += more
    return prepend(bytes(begun), stream, check)


def prepend(head: bytes, rest: BinaryIO, check: Callable[[], None] = no_check) -> io.BufferedReader:
    """Return a stream of bytes that were read before and the rest; each read is checked."""
    return io.BufferedReader(_Prepended(head, rest, check), HEAD_BYTES)


class _Prepended(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO, check: Callable[[], None]) -> None:
        self._head, self._rest, self._check = memoryview(head), rest, check

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes | memoryview
        if not self._head:
            data = self._rest.read(len(buffer))
            self._check()
        else:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _plain(source: Input) -> Input:
    """Return what the input holds, decompressed."""
    compressed = CountingReader(source.stream)
    plain = decompressed(source.head(), compressed)
    if plain is None:
        return source
    return Input(
        source.place, plain, source.path, beneath=source, compressed=lambda: compressed.count
    )


@contextlib.contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what goes wrong while bytes are read into an error that names the place."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("no such file", place=place) from error
    except EOFError as error:
        raise decompression_error(place, error) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        # gzip tells damage by an error of its own, without a number.
        if error.errno is None:
            raise decompression_error(place, error) from error
        raise InputError(f"cannot be read: {error.strerror}", "check it", place) from error
    except Exception as error:
        # By name: the modules that define these are not imported for every run.
        if type(error).__name__ not in ("ZstdError", "BadZipFile", "error"):
            raise
        raise decompression_error(place, error) from error


def read_at(source: Input, offset: int, buffer: memoryview) -> None:
    """Fill the buffer with the bytes of a plain file from `offset` on; any thread may.

    The file is not mapped: one that shrinks is an error here, and would end a process that maps it.
    """
    filled = 0
    # Of an address, its own way to read a range.
    read_into = getattr(source.stream.raw, "read_at", None) or partial(_read_into, source)
    with reading(source.place):
        while filled < len(buffer):
            count = read_into(offset + filled, buffer[filled:])
            source.check_unchanged()
            if not count:
                raise _cut_short(source.place, filled, len(buffer))
            filled += count


if hasattr(os, "preadv"):

    def _read_into(source: Input, offset: int, buffer: memoryview) -> int:
        return os.preadv(source.stream.fileno(), [buffer], offset)

else:
    _one_reader = Lock()

    def _read_into(source: Input, offset: int, buffer: memoryview) -> int:
        with _one_reader:
            source.stream.seek(offset)
            return source.stream.readinto(buffer)


def _cut_short(place: str, filled: int, size: int) -> InputError:
    return InputError(
        f"ends after {filled} of the {size} bytes that should come next", "it is cut short", place
    )


def read_exactly(source: Input, size: int) -> bytearray:
    """Return the next `size` bytes; a stream that ends before them is an error."""
    data = bytearray(min(size, _PIECE_BYTES))
    filled = 0
    with reading(source.place):
        while filled < size:
            if filled == len(data):
                source.check_expansion(filled)
                data += bytes(min(size - filled, _PIECE_BYTES))
            with memoryview(data) as view:
                count = source.stream.readinto(view[filled:])
            if not count:
                raise _cut_short(source.place, filled, size)
            filled += count
    return data


def read_whole(source: Input, check: Callable[[bytes, int], None] | None = None) -> bytearray:
    """Return all bytes of a stream; the check of each piece is told how much is held by then."""
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
    source = open_input(token)
    try:
        return read_whole(source)
    finally:
        source.close()


def read_line(stream: io.BufferedIOBase, place: str, number: int) -> bytes:
    """Return the next line of a text; one that is too long is an error that names its number."""
    line = stream.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        if b"\0" in line:
            problem = "holds NUL bytes, so it is no text"
            raise InputError(problem, "check what it is", f"{place}:{number}")
        problem = f"a line of more than {LONGEST_LINE >> 20} MiB"
        remedy = "an array file such as .npy takes rows of any length"
        raise InputError(problem, remedy, f"{place}:{number}")
    return line


def no_rows(place: str) -> InputError:
    """Return the error for blank lines and comments without an end."""
    return InputError(f"more than {MOST_IDLE_LINES} lines without a row", "delete them", place)
