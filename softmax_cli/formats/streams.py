"""Bytes in: files, pipes and compression, told apart by their first bytes."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, cast

from softmax_cli.errors import InputError

STANDARD_INPUT = "standard input"
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
COMPRESSIONS = (".gz", ".zst")
# Enough to tell a format by, and a first line of thousands of numbers.
_HEAD_BYTES = 1 << 16
# Few at a time: a small piece may be a large one decompressed.
_COMPRESSED_BYTES = 1 << 13
# What a header says is allocated only as the bytes for it really come.
_PIECE_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Input:
    """A stream of bytes, decompressed, at its start.

    place   how errors name it
    stream  can be peeked at
    path    the file behind it, if any
    size    of the plain file in bytes; None for a pipe or a compressed file
    beneath what this is the decompressed content of
    """

    place: str
    stream: io.BufferedReader
    path: Path | None = None
    size: int | None = None
    beneath: Input | None = None

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
            return self.stream.peek(_HEAD_BYTES)


def exists(token: str) -> bool:
    """Tell whether a token names something; a row of numbers may be too long for a name."""
    return os.path.exists(token)  # noqa: PTH110 - Path.exists() raises for what is too long


def is_file(token: str) -> bool:
    """Tell whether a token names a plain file."""
    return os.path.isfile(token)  # noqa: PTH113


def open_input(token: str) -> Input:
    """Open a path, or standard input for `-`; what is compressed is decompressed on the way."""
    if token == "-":
        # Named so that writing onto a file that was redirected here is refused.
        return _decompressed(Input(STANDARD_INPUT, _standard_input(), Path("/dev/stdin")))
    path = Path(token)
    if path.is_dir():
        raise InputError(
            "is a directory", "name a file, or a quoted glob such as 'DIR/*.csv'", token
        )
    with reading(token):
        stream = cast(io.BufferedReader, path.open("rb", buffering=_HEAD_BYTES))
    status = os.fstat(stream.fileno())
    regular = stat.S_ISREG(status.st_mode)
    if not regular:
        return _decompressed(Input(token, _with_head(stream), path, beneath=Input(token, stream)))
    return _decompressed(Input(token, stream, path, status.st_size))


def _standard_input() -> io.BufferedReader:
    if sys.stdin is None:
        raise InputError("is closed", "name a file, or type numbers", STANDARD_INPUT)
    return _with_head(sys.stdin.buffer)


def _with_head(stream: BinaryIO) -> io.BufferedReader:
    """Return a stream whose first bytes can be peeked at, however slowly a pipe brings them."""
    head = bytearray()
    with reading(STANDARD_INPUT):
        while len(head) < _HEAD_BYTES and (more := stream.read(_HEAD_BYTES - len(head))):
            head += more
    return rejoined(bytes(head), stream)


def rejoined(head: bytes, rest: BinaryIO) -> io.BufferedReader:
    """Return bytes that were read already with the rest of their stream behind them."""
    return io.BufferedReader(_Headed(head, rest), _HEAD_BYTES)


class _Headed(io.RawIOBase):
    """Bytes that were read already, then the rest of the stream that they came from."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            data = self._rest.read(len(buffer))
        else:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _decompressed(source: Input) -> Input:
    head = source.head()
    if head.startswith(_GZIP_MAGIC):
        import gzip

        plain: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=source.stream))
    elif head.startswith(_ZSTD_MAGIC):
        plain = cast(BinaryIO, _ZstandardReader(source.stream))
    else:
        return source
    return Input(
        source.place, io.BufferedReader(cast(io.RawIOBase, plain)), source.path, beneath=source
    )


class _ZstandardReader(io.RawIOBase):
    """Decompresses frame after frame; the library's own reader takes a cut for the end."""

    def __init__(self, compressed: BinaryIO) -> None:
        import zstandard

        self._compressed = compressed
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new_frame()
        self._is_inside, self._ahead, self._plain = False, b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            data = self._ahead or self._compressed.read(_COMPRESSED_BYTES)
            if not data and self._is_inside:
                raise EOFError
            if not data:
                return 0
            self._plain = self._frame.decompress(data)
            self._is_inside, self._ahead = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = self._new_frame()
        count = min(len(buffer), len(self._plain))
        buffer[:count], self._plain = self._plain[:count], self._plain[count:]
        return count


@contextlib.contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn what goes wrong while bytes are read into an error that names the place."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("no such file", place=place) from error
    except EOFError as error:
        raise _damaged(place) from error
    except (BlockingIOError, BrokenPipeError):
        raise
    except OSError as error:
        # gzip tells damage by an error of its own, without a number.
        if error.errno is None:
            raise _damaged(place) from error
        raise InputError(f"cannot be read: {error.strerror}", "check it", place) from error
    except Exception as error:
        # By name: the modules that define these are not imported for every run.
        if type(error).__name__ not in ("ZstdError", "BadZipFile", "error"):
            raise
        raise _damaged(place) from error


def _damaged(place: str) -> InputError:
    return InputError("the compressed data is cut short or damaged", "make it anew", place)


def read_at(source: Input, offset: int, buffer: memoryview) -> None:
    """Fill the buffer with the bytes of a plain file from `offset` on; any thread may.

    The file is not mapped: one that shrinks is an error here, and would end a process that maps it.
    """
    filled = 0
    with reading(source.place):
        while filled < len(buffer):
            count = _read_into(source, offset + filled, buffer[filled:])
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
                data += bytes(min(size - filled, _PIECE_BYTES))
            with memoryview(data) as view:
                count = source.stream.readinto(view[filled:])
            if not count:
                raise _cut_short(source.place, filled, size)
            filled += count
    return data
