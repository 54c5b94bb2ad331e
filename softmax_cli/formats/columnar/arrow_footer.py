"""The footer of an Arrow IPC file, and the messages of a stream: FlatBuffers tables.

https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"ARROW1"
BEFORE_FOOTER = b"\xff\xff\xff\xff\0\0\0\0"
# Offset of a message, size of its header, padding, size of its body.
_PLACE = struct.Struct("<qi4xq")
_SCHEMA, _BATCHES = 1, 3
_METADATA = 2
# Fields of a message: its kind, what it holds, the bytes that follow. Of a dictionary: its number,
# and whether it continues the one before.
_KIND, _HEADER, _BODY_SIZE = 1, 2, 3
_NUMBER, _IS_DELTA = 0, 2
SCHEMA, DICTIONARY, BATCH = 1, 2, 3


class Message(NamedTuple):
    """A message of a stream: its kind, the size of its body; the number of a dictionary."""

    kind: int
    size: int
    dictionary: int = 0
    is_delta: bool = False


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
    return _metadata(footer, _SCHEMA)


def message_metadata(data: bytes) -> dict[str, str]:
    """Return the custom metadata of a message with a schema."""
    return _metadata(data, _HEADER)


def parse_message(data: bytes) -> Message:
    """Return a message of a stream; a damaged one raises a built-in error."""
    kind, size = _integer(data, "<B", _KIND), _integer(data, "<q", _BODY_SIZE)
    if kind != DICTIONARY:
        return Message(kind, size)
    number = _integer(data, "<q", _HEADER, _NUMBER)
    return Message(kind, size, number, bool(_integer(data, "<B", _HEADER, _IS_DELTA)))


def _metadata(data: bytes, schema: int) -> dict[str, str]:
    pointer = _field(data, 0, schema, _METADATA)
    if pointer is None:
        return {}
    vector = _target(data, pointer)
    entries = range(vector + 4, len(data), 4)[: _uint32(data, vector)]
    return {_string(data, entry, 0): _string(data, entry, 1) for entry in entries}


def _integer(data: bytes, form: str, *path: int) -> int:
    pointer = _field(data, 0, *path)
    return 0 if pointer is None else int(struct.unpack_from(form, data, pointer)[0])


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
