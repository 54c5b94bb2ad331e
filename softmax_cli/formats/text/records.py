"""Delimited text: bytes into records, records into cells, and cells into what they hold."""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator
from itertools import islice

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.cell_kinds import MISSING, is_spreadsheet_error
from softmax_cli.storage.input import no_rows, read_line, reading
from softmax_cli.storage.limits import LONGEST_LINE, MOST_CELLS, MOST_IDLE_LINES

Split = Callable[[bytes], list[bytes]]
Record = tuple[int, bytes]

_COMMENT = ord("#")
_CELL_END = re.compile(rb"[,;|\s]")
_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')


class Comments:
    """Lines that begin with # and are no rows, counted.

    A line whose first cell is missing, or an error of a spreadsheet, is a row: `#N/A,#N/A`.
    """

    def __init__(self, missing: Collection[str] = MISSING) -> None:
        """Count none yet; `missing` are the texts of a cell that holds no value."""
        self.missing = missing
        self.count = 0

    def take(self, record: bytes) -> bool:
        """Return true for a comment, and count it."""
        record = record.strip()
        if not record.startswith(b"#"):
            return False
        first = _CELL_END.split(record, maxsplit=1)[0].decode("utf-8", "replace")
        if first in self.missing or is_spreadsheet_error(first):
            return False
        self.count += 1
        return True

    def warnings(self, place: str) -> list[str]:
        """Return what is printed about them."""
        if not self.count:
            return []
        lines = "1 line that begins with # was"
        if self.count > 1:
            lines = f"{self.count} lines that begin with # were"
        return [f"{place}: {lines} left out"]


def records(
    stream: io.BufferedIOBase,
    place: str,
    *,
    comments: Comments | None = None,
    first_line: int = 1,
    one_column: bool = False,
) -> Iterator[Record]:
    """Yield each record with the number of its first line; a quoted cell may hold newlines.

    Where there are comments, a quote means nothing. Blank lines are left out at the end of the
    input. Elsewhere one is an error, but in a table of one column it is a missing value.
    """
    number, blank, idle = first_line - 1, 0, 0
    blanks: list[int] = []
    with reading(place):
        while line := read_line(stream, place, number + 1):
            number += 1
            if number == 1:
                line = _without_byte_order_mark(line, place)
            first, parts, quotes, size = number, [line], line.count(b'"'), len(line)
            while quotes % 2 and comments is None:
                more = read_line(stream, place, number + 1)
                if not more:
                    raise InputError(
                        "a quote is opened and never closed",
                        "close it, or double it if it is meant",
                        f"{place}:{first}",
                    )
                number += 1
                size += len(more)
                parts.append(more)
                quotes += more.count(b'"')
                if size > LONGEST_LINE or number - first > MOST_IDLE_LINES:
                    problem = "a quote is opened and not closed for far too long"
                    remedy = "close it, or double it if it is meant"
                    raise InputError(problem, remedy, f"{place}:{first}")
            record = b"".join(parts).rstrip(b"\r\n")
            if b"\0" in record:
                raise InputError(
                    "holds a NUL byte, so it is not text",
                    "--input-format says what it is",
                    f"{place}:{first}",
                )
            if b"\r" in record and (comments is not None or b"\r" in _QUOTED.sub(b"", record)):
                raise InputError(
                    "its lines end in a carriage return alone",
                    "save it with ordinary line ends",
                    f"{place}:{first}",
                )
            text = record.strip()
            if not text or (comments is not None and text[0] == _COMMENT and comments.take(text)):
                if not text and one_column:
                    blanks.append(first)
                elif not text:
                    blank = blank or first
                idle += 1
                if idle > MOST_IDLE_LINES:
                    raise no_rows(f"{place}:{first}")
                continue
            idle = 0
            if blank:
                raise InputError("an empty line among the rows", "delete it", f"{place}:{blank}")
            if blanks:
                yield from ((line, b"") for line in blanks)
                blanks = []
            yield first, record


def splitter(delimiter: str | None) -> Split:
    """Return the function that cuts a record into its cells, quotes and all; None cuts at blanks.

    Of more cells than a row may have, what follows is the last one.

    >>> splitter(",")(b'1,"a,b",2')
    [b'1', b'"a,b"', b'2']
    """
    if delimiter is None:
        return _at_blanks
    mark = delimiter.encode()
    cell = re.compile(b'("[^"]*+(?:""[^"]*+)*+"|[^%s]*)%s' % (re.escape(mark), re.escape(mark)))

    def split(record: bytes) -> list[bytes]:
        if b'"' not in record:
            return record.split(mark, MOST_CELLS)
        if record.count(mark) < MOST_CELLS:
            return cell.findall(record + mark)
        cells = islice(cell.finditer(record + mark), MOST_CELLS + 1)
        return [found[1] for found in cells]

    return split


def _at_blanks(record: bytes) -> list[bytes]:
    return record.split(None, MOST_CELLS)


def unquoted(cell: bytes) -> bytes:
    """Return a cell's content.

    >>> unquoted(b'"a ""b"" c"')
    b'a "b" c'
    """
    stripped = cell.strip()
    if _QUOTED.fullmatch(stripped):
        return stripped[1:-1].replace(b'""', b'"')
    return stripped


def requoted(cell: bytes, delimiter: bytes) -> bytes:
    """Return a cell of some CSV as it is, or in quotes if this delimiter would cut it apart.

    >>> requoted(b"a;b", b";"), requoted(b'"a;b"', b";"), requoted(b'say "a"', b";")
    (b'"a;b"', b'"a;b"', b'say "a"')
    """
    if _QUOTED.fullmatch(cell) or not any(mark in cell for mark in (delimiter, b"\n", b"\r")):
        return cell
    return spelt(cell, delimiter)


def spelt(content: bytes, delimiter: bytes) -> bytes:
    """Return a cell that holds this content: in quotes, if it has anything that needs them.

    >>> spelt(b'"a"', b","), spelt(b"a", b",")
    (b'\"\"\"a\"\"\"', b'a')
    """
    if any(mark in content for mark in (delimiter, b'"', b"\n", b"\r")):
        return b'"' + content.replace(b'"', b'""') + b'"'
    return content


def _without_byte_order_mark(line: bytes, place: str) -> bytes:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("is UTF-16 text", "save it as UTF-8", place)
    return line.removeprefix(BOM_UTF8)
