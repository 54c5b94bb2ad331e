"""Joins Arrow IPC files of a few rows each into one, with a footer that says where each part is.

Polars writes a file at once, or keeps several parts of it in memory. A batch of rows has the same
bytes in every file of the same columns; the footer is a FlatBuffers table with a vector of their
places: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_MAGIC = b"ARROW1"
_END_OF_BATCHES = b"\xff\xff\xff\xff\0\0\0\0"
# Offset of a message, size of its header, padding, size of its body.
_PLACE = struct.Struct("<qi4xq")
_SCHEMA, _BATCHES = 1, 3
_METADATA = 2


class ArrowParts:
    """Joins files of the same columns."""

    def __init__(self, write: Callable[[bytes | memoryview], None]) -> None:
        """Keep the function that writes."""
        self._write = write
        self._footer = b""
        self._places: list[bytes] = []
        self._size = 0

    def add(self, part: memoryview) -> None:
        """Write the batches of a file; the first file also gives the schema."""
        tail = len(_MAGIC) + 4
        length = int.from_bytes(part[-tail : -len(_MAGIC)], "little")
        footer = bytes(part[-tail - length : -tail])
        found = _batches(footer)
        end = len(part) - tail - length - len(_END_OF_BATCHES)
        start = found[0][0] if found and self._footer else 0
        self._footer = self._footer or footer
        self._places += [_PLACE.pack(at - start + self._size, *rest) for at, *rest in found]
        self._write(part[start:end])
        self._size += end - start

    def finish(self) -> None:
        """Write the footer: that of the first file, with all batches in it."""
        footer = bytearray(self._footer)
        # The entries of a vector are aligned to 8 bytes, after a count of 4 bytes.
        footer += bytes(-(len(footer) + 4) % 8)
        pointer = _batches_pointer(footer)
        if pointer is not None:
            struct.pack_into("<I", footer, pointer, len(footer) - pointer)
            footer += struct.pack("<I", len(self._places)) + b"".join(self._places)
        length = len(footer).to_bytes(4, "little")
        self._write(_END_OF_BATCHES + bytes(footer) + length + _MAGIC)


def _batches(footer: bytes) -> list[tuple[int, int, int]]:
    pointer = _batches_pointer(footer)
    if pointer is None:
        return []
    vector = _target(footer, pointer)
    end = vector + 4 + _PLACE.size * _uint32(footer, vector)
    return list(_PLACE.iter_unpack(footer[vector + 4 : end]))


def schema_metadata(footer: bytes) -> dict[str, str]:
    """Return the custom metadata of the schema; a damaged footer raises a built-in error."""
    schema = _field(footer, _target(footer, 0), _SCHEMA)
    pointer = None if schema is None else _field(footer, _target(footer, schema), _METADATA)
    if pointer is None:
        return {}
    vector = _target(footer, pointer)
    found = {}
    for number in range(min(_uint32(footer, vector), len(footer) // 4)):
        entry = _target(footer, vector + 4 + 4 * number)
        key, value = (_field(footer, entry, field) for field in (0, 1))
        if key is not None and value is not None:
            found[_string(footer, key)] = _string(footer, value)
    return found


def _string(data: bytes, pointer: int) -> str:
    start = _target(data, pointer) + 4
    end = start + _uint32(data, start - 4)
    if end > len(data):
        raise IndexError
    return data[start:end].decode()


def _batches_pointer(footer: bytes | bytearray) -> int | None:
    return _field(footer, _target(footer, 0), _BATCHES)


def _field(data: bytes | bytearray, table: int, number: int) -> int | None:
    """Return the position of a field of a table, if the table has it."""
    fields = table - int(struct.unpack_from("<i", data, table)[0])
    size, offset = struct.unpack_from("<H", data, fields)[0], 4 + 2 * number
    place = int(struct.unpack_from("<H", data, fields + offset)[0]) if size > offset else 0
    return table + place if place else None


def _target(data: bytes | bytearray, pointer: int) -> int:
    return pointer + _uint32(data, pointer)


def _uint32(data: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])
