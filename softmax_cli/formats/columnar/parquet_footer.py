"""The footer of a Parquet file: a Thrift struct in the compact protocol.

Only the row groups and their offsets are understood here:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

MAGIC = b"PAR1"
BEFORE_FOOTER = b""
# The fields of a struct: type and value by number.
Fields = dict[int, tuple[int, Any]]

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)
# In a struct, the type says which truth value it is.
_SIZES = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}
_ROWS, _ROW_GROUPS = 3, 4
_CHUNKS, _CHUNK_METADATA = 1, 3
_PATH, _VALUES, _STATISTICS, _NULLS = 3, 5, 12, 3


def rows_of_groups(footer: bytes) -> list[int]:
    """Return how many rows each row group holds; a damaged footer raises a built-in error."""
    return [int(group[_ROWS][1]) for group in _row_groups(footer)]


def length_of_lists(footer: bytes, column: str) -> int | None:
    """Return the mean length of the lists in the first row group, if it is whole and none is null.

    None of them is empty either: Parquet counts an empty list as a null.
    """
    group = _row_groups(footer)[0]
    rows = group[_ROWS][1]
    for chunk in group[_CHUNKS][1][1]:
        fields = chunk[_CHUNK_METADATA][1]
        if fields[_PATH][1][1][0] == column.encode():
            values, nulls = fields[_VALUES][1], fields[_STATISTICS][1][_NULLS][1]
            return values // rows if nulls == 0 and values % rows == 0 else None
    return None


def entries_of(footer: bytes, size: int) -> tuple[int, list[tuple[int, bytes]]]:
    """Return where the rows of a file start, and its row groups: their rows and their bytes.

    The offsets are those of a file that holds `size` bytes before these rows.
    """
    start = len(MAGIC) if size else 0
    entries = []
    for group in _row_groups(footer):
        _move(group, size - start)
        entries.append((group[_ROWS][1], encode(group)))
    return start, entries


def join_entries(first: bytes, entries: list[tuple[int, bytes]]) -> bytes:
    """Return the footer of the first file, with the row groups of all."""
    fields = decode(iter(first))
    fields[_ROWS] = fields[_ROWS][0], sum(rows for rows, _ in entries)
    # They are encoded already.
    fields[_ROW_GROUPS] = _LIST, (_STRUCT, [group for _, group in entries])
    return encode(fields)


def _row_groups(footer: bytes) -> list[Fields]:
    _, groups = decode(iter(footer))[_ROW_GROUPS][1]
    return list(groups)


def _move(group: Fields, by: int) -> None:
    """Move the offsets in a row group; drop its number and page indexes, which are optional."""
    _, chunks = group[_CHUNKS][1]
    columns = [chunk[_CHUNK_METADATA][1] for chunk in chunks]
    for structs, moved, dropped in (
        ([group], (5,), (7,)),
        (chunks, (2,), (4, 5, 6, 7)),
        (columns, (9, 10, 11), (14, 15)),
    ):
        for fields in structs:
            for number in set(moved).intersection(fields):
                kind, offset = fields[number]
                fields[number] = kind, offset + by
            for number in dropped:
                fields.pop(number, None)


def decode(data: Iterator[int], kind: int = _STRUCT) -> Any:
    """Return the next value: an integer, bytes, type and entries of a list, or fields."""
    if kind in _INTEGERS:
        value = _read_varint(data)
        return value >> 1 ^ -(value & 1)
    if kind == _STRUCT:
        fields: Fields = {}
        number = 0
        while byte := next(data):
            number = number + (byte >> 4) if byte >> 4 else decode(data, _INTEGERS[0])
            fields[number] = byte & 15, decode(data, byte & 15)
        return fields
    if kind == _LIST:
        byte = next(data)
        inner, count = byte & 15, byte >> 4 if byte >> 4 < 15 else _read_varint(data)
        entry = _BYTE if inner in (_TRUE, _FALSE) else inner
        return inner, [decode(data, entry) for _ in range(count)]
    size = _read_varint(data) if kind == _BINARY else _SIZES[kind]
    held = bytes(islice(data, size))
    if len(held) < size:
        raise IndexError
    return held


def _read_varint(data: Iterator[int]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = next(data)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise ValueError


def encode(value: Any, kind: int = _STRUCT) -> bytes:
    """Return the bytes of a decoded value; bytes are kept as they are."""
    if kind in _INTEGERS:
        return _varint(value << 1 if value >= 0 else ~value << 1 | 1)
    if kind == _BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == _LIST:
        inner, entries = value
        size = len(entries)
        header = bytes([size << 4 | inner]) if size < 15 else bytes([0xF0 | inner]) + _varint(size)
        return header + b"".join(encode(entry, inner) for entry in entries)
    if isinstance(value, bytes):
        return value
    out, last = bytearray(), 0
    for number, (field_kind, field) in value.items():
        out.append(number - last << 4 | field_kind)
        out += encode(field, field_kind)
        last = number
    return bytes(out) + b"\0"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
