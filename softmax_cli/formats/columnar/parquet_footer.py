"""Joins Parquet files of a few rows each into one, with a footer that says where each part is.

Polars writes a file at once, or keeps several parts of it in memory. A part written as a file of
its own has the same bytes as in a longer file, except for the offsets in its footer: a Thrift
struct in the compact protocol. Only its offsets are understood here:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_MAGIC = b"PAR1"
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)
_MOST_BITS = 70
_ROWS, _ROW_GROUPS = 3, 4
_MOVE, _DROP = "move", "drop"
# How the fields, by number, change in a longer file: offsets move. Page indexes, which hold offsets
# themselves, and the number of a row group are optional.
_COLUMN = {9: _MOVE, 10: _MOVE, 11: _MOVE, 14: _DROP, 15: _DROP}
_CHUNK = {2: _MOVE, 3: _COLUMN, 4: _DROP, 5: _DROP, 6: _DROP, 7: _DROP}
_ROW_GROUP = {1: _CHUNK, 5: _MOVE, 7: _DROP}


class ParquetParts:
    """Joins files of the same columns."""

    def __init__(self, write: Callable[[bytes | memoryview], None]) -> None:
        """Write the first bytes of the file."""
        self._write = write
        self._first = b""
        self._row_groups: list[bytes] = []
        self._rows = 0
        self._size = len(_MAGIC)
        write(_MAGIC)

    def add(self, part: memoryview) -> None:
        """Write the rows of a file, and keep what its footer says about them."""
        length = int.from_bytes(part[-8:-4], "little")
        footer = bytes(part[-8 - length : -8])
        body = part[len(_MAGIC) : -8 - length]
        self._first = self._first or footer
        walk, by = _Walk(footer), self._size - len(_MAGIC)
        self._row_groups += [_changed(walk, _ROW_GROUP, by) for _ in walk.entries(_ROW_GROUPS)]
        self._rows += rows_of_groups(footer)
        self._write(body)
        self._size += len(body)

    def finish(self) -> None:
        """Write the footer: that of the first file, with all rows in it."""
        row_groups = _list_header(len(self._row_groups)) + b"".join(self._row_groups)
        new = {_ROWS: _zigzag(self._rows), _ROW_GROUPS: row_groups}
        footer = _changed(_Walk(self._first), new)
        self._write(footer + len(footer).to_bytes(4, "little") + _MAGIC)


def rows_of_groups(footer: bytes) -> int:
    """Return how many rows the row groups hold; a damaged footer raises a built-in error."""
    walk, rows = _Walk(footer), 0
    for _ in walk.entries(_ROW_GROUPS):
        for number, kind in walk.fields():
            if number == _ROWS and kind in _INTEGERS:
                rows += walk.integer()
            else:
                walk.skip(kind)
    return rows


def _changed(walk: _Walk, rules: dict[int, Any], by: int = 0) -> bytes:
    """Return a struct with its fields moved, dropped or replaced by the bytes of their rule."""
    out, last = bytearray(), 0
    for number, kind in walk.fields():
        rule, start = rules.get(number), walk.at
        if rule == _MOVE:
            value = _zigzag(walk.integer() + by)
        elif isinstance(rule, dict) and kind == _LIST:
            _, count = walk.list_header()
            value = _list_header(count) + b"".join(_changed(walk, rule, by) for _ in range(count))
        elif isinstance(rule, dict):
            value = _changed(walk, rule, by)
        else:
            walk.skip(kind)
            value = rule if isinstance(rule, bytes) else walk.data[start : walk.at]
        if rule != _DROP:
            out += _field_header(number - last, kind) + value
            last = number
    return bytes(out) + b"\0"


class _Walk:
    """Parses a struct of the compact protocol, field by field."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > _MOST_BITS:
                raise ValueError

    def integer(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def list_header(self) -> tuple[int, int]:
        """Return the type and the number of entries."""
        byte = self.data[self.at]
        self.at += 1
        count = byte >> 4
        return byte & 15, self.varint() if count == 15 else count

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and type of each field; the caller then reads or skips its value."""
        number = 0
        while byte := self.data[self.at]:
            self.at += 1
            number = number + (byte >> 4) if byte >> 4 else self.integer()
            yield number, byte & 15
        self.at += 1

    def entries(self, wanted: int) -> Iterator[None]:
        """Stop at each struct in the list of that field; the caller then reads it."""
        for number, kind in self.fields():
            if number == wanted and kind == _LIST:
                for _ in range(self.list_header()[1]):
                    yield
            else:
                self.skip(kind)

    def skip(self, kind: int) -> None:
        if kind in _INTEGERS:
            self.varint()
        elif kind == _BINARY:
            length = self.varint()
            self.at += length
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind == _LIST:
            inner, count = self.list_header()
            if count > len(self.data):
                raise IndexError
            for _ in range(count):
                self.skip(_BYTE if inner in (_TRUE, _FALSE) else inner)
        else:
            self.at += {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}[kind]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else ~value << 1 | 1)


def _field_header(step: int, kind: int) -> bytes:
    return bytes([step << 4 | kind])


def _list_header(count: int) -> bytes:
    return bytes([count << 4 | _STRUCT]) if count < 15 else bytes([0xF0 | _STRUCT]) + _varint(count)
