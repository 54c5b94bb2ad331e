"""Splits records of delimited text into cells, and quotes and unquotes cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from softmax_cli.errors import InputError
from softmax_cli.storage.limits import MOST_CELLS

Split = Callable[[bytes], list[bytes]]

QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_BLANK_CELL = re.compile(rb"%s(?!\S)|\S+" % QUOTED.pattern)


def cell_splitter(delimiter: str | None) -> Split:
    """Return a function that splits a record into cells and keeps their quotes.

    None splits at whitespace. Beyond MOST_CELLS cells, the rest of the record is one cell.

    >>> cell_splitter(",")(b'1,"a,b",2')
    [b'1', b'"a,b"', b'2']
    >>> cell_splitter(None)(b'"Mazda RX4" 1 5" ')
    [b'"Mazda RX4"', b'1', b'5"']
    """
    if delimiter is None:
        return _split_at_blanks
    mark = delimiter.encode()
    cell = re.compile(b"(%s|[^%s]*)%s" % (QUOTED.pattern, re.escape(mark), re.escape(mark)))

    def split(record: bytes) -> list[bytes]:
        if b'"' not in record:
            return record.split(mark, MOST_CELLS)
        if record.count(mark) < MOST_CELLS:
            return cell.findall(record + mark)
        cells = islice(cell.finditer(record + mark), MOST_CELLS + 1)
        return [found[1] for found in cells]

    return split


def _split_at_blanks(record: bytes) -> list[bytes]:
    if b'"' not in record or len(record) > MOST_CELLS:
        return record.split(None, MOST_CELLS)
    return _BLANK_CELL.findall(record)


def refuse_many_cells(cells: int, place: str) -> None:
    """Refuse a row of more cells than text may have."""
    if cells > MOST_CELLS:
        remedy = "an array file such as .npy takes any number"
        raise InputError(f"more than {MOST_CELLS} columns", remedy, place)


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


def cell_content(cell: bytes) -> str:
    """Return the content of a cell as text, with the blanks around it unless it is quoted.

    >>> cell_content(b" a "), cell_content(b' "a" ')
    (' a ', 'a')
    """
    is_quoted = b'"' in cell and QUOTED.fullmatch(cell.strip())
    return cell_text(cell) if is_quoted else cell.decode("utf-8", "replace")


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
