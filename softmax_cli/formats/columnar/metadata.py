"""What Polars does not report about a Parquet or Arrow file, read from the footer at its end."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

from softmax_cli.formats.columnar.arrow_footer import schema_metadata
from softmax_cli.formats.columnar.parquet_footer import rows_of_groups
from softmax_cli.storage.input import Input, read_at
from softmax_cli.storage.limits import LONGEST_FOOTER

# What parsing a damaged footer raises. Polars then decides whether the file is damaged.
_ERRORS = (struct.error, IndexError, KeyError, TypeError, ValueError, RecursionError)


def footer_of(source: Input, magic: bytes) -> bytes:
    """Return the footer of a plain file; empty if its declared size is impossible."""
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


def rows_in_groups(source: Input) -> int | None:
    """Return how many rows the row groups of a Parquet file hold; None if it is damaged."""
    try:
        return rows_of_groups(footer_of(source, b"PAR1"))
    except _ERRORS:
        return None


def arrow_metadata(source: Input) -> dict[str, str]:
    """Return the metadata of the schema of an Arrow file."""
    try:
        return schema_metadata(footer_of(source, b"ARROW1"))
    except _ERRORS:
        return {}


def index_columns(metadata: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that pandas wrote as the index of a data frame.

    >>> index_columns({"pandas": '{"index_columns": ["sample", {"kind": "range"}]}'})
    frozenset({'sample'})
    """
    try:
        noted = json.loads(metadata.get("pandas", "{}"))["index_columns"]
        return frozenset(name for name in noted if isinstance(name, str))
    except _ERRORS:
        return frozenset()
