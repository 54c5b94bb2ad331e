"""The footer of an Arrow IPC file: a FlatBuffers table with a vector of the places of batches.

https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import struct

MAGIC = b"ARROW1"
BEFORE_FOOTER = b"\xff\xff\xff\xff\0\0\0\0"
# Offset of a message, size of its header, padding, size of its body.
_PLACE = struct.Struct("<qi4xq")
_SCHEMA, _BATCHES = 1, 3
_METADATA = 2


def entries_of(footer: bytes, size: int) -> tuple[int, list[bytes]]:
    """Return where the batches of a file start, and their places.

    The offsets are those of a file that holds `size` bytes before these batches.
    """
    pointer = _field(footer, 0, _BATCHES)
    if pointer is None:
        return 0, []
    vector = _target(footer, pointer)
    end = vector + 4 + _PLACE.size * _uint32(footer, vector)
    found = list(_PLACE.iter_unpack(footer[vector + 4 : end]))
    start = found[0][0] if size else 0
    return start, [_PLACE.pack(at - start + size, *sizes) for at, *sizes in found]


def join_entries(first: bytes, entries: list[bytes]) -> bytes:
    """Return the footer of the first file, with the batches of all."""
    pointer = _field(first, 0, _BATCHES)
    # The entries of a vector are aligned to 8 bytes, after a count of 4 bytes.
    footer = first + bytes(-(len(first) + 4) % 8)
    if pointer is None:
        return footer
    target = struct.pack("<I", len(footer) - pointer)
    count = struct.pack("<I", len(entries))
    return b"".join((footer[:pointer], target, footer[pointer + 4 :], count, *entries))


def schema_metadata(footer: bytes) -> dict[str, str]:
    """Return the custom metadata of the schema; a damaged footer raises a built-in error."""
    pointer = _field(footer, 0, _SCHEMA, _METADATA)
    if pointer is None:
        return {}
    vector = _target(footer, pointer)
    entries = range(vector + 4, len(footer), 4)[: _uint32(footer, vector)]
    return {_string(footer, entry, 0): _string(footer, entry, 1) for entry in entries}


def _string(data: bytes, pointer: int, number: int) -> str:
    field = _field(data, pointer, number)
    if field is None:
        return ""
    start = _target(data, field) + 4
    return data[start : start + _uint32(data, start - 4)].decode()


def _field(data: bytes, pointer: int, *path: int) -> int | None:
    """Return the position of a field, by its number below those of the fields that hold it."""
    for number in path:
        table = _target(data, pointer)
        fields = table - int(struct.unpack_from("<i", data, table)[0])
        size, offset = struct.unpack_from("<H", data, fields)[0], 4 + 2 * number
        place = int(struct.unpack_from("<H", data, fields + offset)[0]) if size > offset else 0
        if not place:
            return None
        pointer = table + place
    return pointer


def _target(data: bytes, pointer: int) -> int:
    return pointer + _uint32(data, pointer)


def _uint32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])
