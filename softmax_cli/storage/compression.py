"""gzip and Zstandard: recognised by their first bytes, written by the suffix of the file."""

from __future__ import annotations

import io
from typing import Any, Protocol, cast

from softmax_cli.errors import InputError

COMPRESSIONS = (".gz", ".zst")
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# pzstd writes a skippable frame first; its first byte is 0x50 to 0x5f.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
# Small: four bytes of Zstandard may stand for 128 KiB.
_READ_BYTES = 1 << 9
# Words of the library's message, the problem and the remedy.
_PROBLEMS = (
    ("dictionary", "was compressed with a dictionary, which is not in it", "compress without one"),
    ("too much memory", "has a window of more than 128 MiB", "compress without --long and --ultra"),
    ("unknown compression method", "has an unknown compression method", "use gzip or zstd"),
    ("", "the compressed data is cut short or damaged", "create it again"),
)


class Compressor(Protocol):
    """Compresses bytes piece by piece."""

    def compress(self, data: bytes | bytearray | memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


def compressor_of(suffix: str) -> Compressor | None:
    """Return a compressor for files with this suffix; None if they are not compressed."""
    if suffix == ".gz":
        import zlib

        # A gzip header without a time stamp: the same input gives the same bytes.
        return zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    if suffix == ".zst":
        import zstandard

        return cast(Compressor, zstandard.ZstdCompressor().compressobj())
    return None


def decompressed(head: bytes, compressed: io.BufferedReader) -> io.BufferedReader | None:
    """Return the content of a stream that begins with `head`; None if it is not compressed."""
    plain: Any
    if head.startswith(_GZIP_MAGIC):
        import gzip

        plain = gzip.GzipFile(fileobj=compressed)
    elif head.startswith(_ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        plain = _ZstandardReader(compressed)
    else:
        return None
    return io.BufferedReader(plain)


class _ZstandardReader(io.RawIOBase):
    """Decompresses frame by frame; the library's own reader does not notice a cut file."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        import zstandard

        self._compressed = compressed
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new_frame()
        self._is_inside, self._ahead, self._plain = False, b"", memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            data = self._ahead or self._compressed.read(_READ_BYTES)
            if not data and self._is_inside:
                raise EOFError
            if not data:
                return 0
            self._plain = memoryview(self._frame.decompress(data))
            self._is_inside, self._ahead = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = self._new_frame()
        count = min(len(buffer), len(self._plain))
        buffer[:count], self._plain = self._plain[:count], self._plain[count:]
        return count


def decompression_error(place: str, error: Exception) -> InputError:
    """Return the error for compressed data that is damaged or not supported."""
    text = str(error).lower()
    problem, remedy = next(found for word, *found in _PROBLEMS if word in text)
    return InputError(problem, remedy, place)
