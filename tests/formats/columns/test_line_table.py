"""Rows are counted before they are read."""

from __future__ import annotations

import pytest

from softmax_cli.formats.columns.line_table import count_rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"", 0),
        (b"1,2", 1),
        (b"1,2\n", 1),
        (b"1,2\r\n3,4\r\n", 2),
        (b' 1,2\n\t3,4\n"a",5\n', 3),
        (b"1,2\n\n3,4\n", None),
        (b"1,2\r\n\r\n3,4\r\n", None),
        (b"\n1,2\n", None),
        (b"1,2\n  \t\n3,4\n", None),
        (b"1,2\n\v\n3,4\n", None),
        (b"1,2\n\f\r\n", None),
        (b"1,2\r3,4\r", None),
        (b'"a\nb",1\n', None),
        (b'"a,1\n', None),
        (b"1,\0\n", None),
    ],
)
def test_rows_are_counted_or_not(text: bytes, rows: int | None) -> None:
    assert count_rows(text) == rows
