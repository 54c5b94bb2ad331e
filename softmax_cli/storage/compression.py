"""Compressed streams of bytes: gzip and Zstandard, told apart by their first bytes."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

COMPRESSIONS = (".gz", ".zst")
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# Begins a frame to be skipped, which pzstd writes before each that is not: 16 first bytes mean it.
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
# Few at a time: four bytes of Zstandard may stand for 128 KiB.
_COMPRESSED_BYTES = 1 << 9


class Counted:
    """A stream of compressed bytes that counts what is read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        """Count from here."""
        self._stream, self.count = stream, 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        data = self._stream.read(size)
        self.count += len(data)
        return data


def decompressed(head: bytes, compressed: Counted) -> io.BufferedReader | None:
    """Return the content of a stream that begins with `head`; None if it is not compressed."""
    plain: Any
    if head.startswith(_GZIP_MAGIC):
        import gzip

        plain = gzip.GzipFile(fileobj=cast(BinaryIO, compressed))
    elif head.startswith(_ZSTD_MAGIC) or _is_skipped(head):
        plain = _ZstandardReader(compressed)
    else:
        return None
    return io.BufferedReader(plain)


def _is_skipped(head: bytes) -> bool:
    return head[1:4] == _ZSTD_SKIPPED and head[0] >> 4 == 5


class _ZstandardReader(io.RawIOBase):
    """Decompresses frame after frame; the library's own reader takes a cut for the end."""

    def __init__(self, compressed: Counted) -> None:
        import zstandard

        self._compressed = compressed
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new_frame()
        self._is_inside, self._ahead, self._plain = False, b"", memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            data = self._ahead or self._compressed.read(_COMPRESSED_BYTES)
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
