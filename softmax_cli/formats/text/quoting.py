"""Quotes around the cells of delimited text."""

from __future__ import annotations

import re

QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')


def unquote(cell: bytes) -> bytes:
    """Return the content of a cell.

    >>> unquote(b'"a ""b"" c"')
    b'a "b" c'
    """
    stripped = cell.strip()
    return stripped[1:-1].replace(b'""', b'"') if QUOTED.fullmatch(stripped) else stripped


def cell_text(cell: bytes) -> str:
    """Return the content of a cell as text, with replacements for bytes that are not UTF-8."""
    return unquote(cell).decode("utf-8", "replace")


def quote(content: bytes, delimiter: bytes = b",") -> bytes:
    """Return a cell with this content, quoted only if it must be.

    >>> quote(b'"a"'), quote(b"a")
    (b'\"\"\"a\"\"\"', b'a')
    """
    if any(mark in content for mark in (delimiter, b'"', b"\n", b"\r")):
        return b'"' + content.replace(b'"', b'""') + b'"'
    return content


def requote(cell: bytes, delimiter: bytes) -> bytes:
    """Return an input's cell unchanged, or quoted if this delimiter would cut it.

    >>> requote(b"a;b", b";"), requote(b'"a;b"', b";"), requote(b'say "a"', b";")
    (b'"a;b"', b'"a;b"', b'say "a"')
    """
    if QUOTED.fullmatch(cell) or not any(mark in cell for mark in (delimiter, b"\n", b"\r")):
        return cell
    return quote(cell, delimiter)
