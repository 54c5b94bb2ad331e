"""The end of a Parquet or Arrow file, its footer: read it, or write one for many parts.

Polars does not report all that a footer says. And it writes a file at once, or keeps several parts
of it in memory. But rows have the same bytes in every file of the same columns; only the offsets
in the footer differ.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from softmax_cli.formats.columnar import arrow_footer, parquet_footer
from softmax_cli.storage.input import Input, read_at
from softmax_cli.storage.limits import LONGEST_FOOTER

T = TypeVar("T")
MAGIC = {"parquet": b"PAR1", "arrow": b"ARROW1"}
_BEFORE_FOOTER = {"parquet": b"", "arrow": b"\xff\xff\xff\xff\0\0\0\0"}
# What parsing a damaged footer raises. Polars then decides whether the file is damaged.
_ERRORS = (struct.error, LookupError, TypeError, ValueError, RecursionError, StopIteration)


def parse_footer(source: Input, form: str, parse: Callable[[bytes], T]) -> T | None:
    """Return what a function finds in the footer of a plain file; None if the footer is damaged."""
    with suppress(*_ERRORS):
        return parse(_footer_of(source, MAGIC[form]))
    return None


def _footer_of(source: Input, magic: bytes) -> bytes:
    """Return the footer; empty if its declared size is impossible."""
    size, tail = source.size or 0, bytearray(4 + len(magic))
    if size < 2 * len(tail):
        return b""
    read_at(source, size - len(tail), memoryview(tail))
    length = int.from_bytes(tail[:4], "little")
    if not tail.endswith(magic) or length > min(size - 2 * len(tail), LONGEST_FOOTER):
        return b""
    footer = bytearray(length)
    read_at(source, size - len(tail) - length, memoryview(footer))
    return bytes(footer)


def index_columns(metadata: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that pandas wrote as the index of a data frame.

    >>> index_columns({"pandas": '{"index_columns": ["sample", {"kind": "range"}]}'})
    frozenset({'sample'})
    """
    with suppress(*_ERRORS):
        noted = json.loads(metadata.get("pandas", "{}"))["index_columns"]
        return frozenset(name for name in noted if isinstance(name, str))
    return frozenset()


class JoinedParts:
    """Joins files of the same columns, of a few rows each, into one."""

    def __init__(self, form: str, write: Callable[[bytes | memoryview], None]) -> None:
        self._magic, self._before_footer, self._write = MAGIC[form], _BEFORE_FOOTER[form], write
        self._footers = parquet_footer if form == "parquet" else arrow_footer
        self._first = b""
        self._entries: list[Any] = []
        self._size = 0

    def add(self, part: memoryview) -> None:
        """Write the rows of a file; the first file also gives what comes before them."""
        tail = len(part) - len(self._magic) - 4
        end = tail - int.from_bytes(part[tail : tail + 4], "little")
        footer = bytes(part[end:tail])
        start, entries = self._footers.entries_of(footer, self._size)
        self._first = self._first or footer
        self._entries += entries
        rows = part[start : end - len(self._before_footer)]
        self._write(rows)
        self._size += len(rows)

    def finish(self) -> None:
        """Write the footer."""
        footer = self._footers.join_entries(self._first, self._entries)
        length = len(footer).to_bytes(4, "little")
        self._write(self._before_footer + footer + length + self._magic)
