"""Lines of text into records: quoted newlines, comments and blank lines."""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from softmax_cli.errors import InputError
from softmax_cli.formats.text.cell_kinds import MISSING, is_spreadsheet_error
from softmax_cli.formats.text.cells import QUOTED
from softmax_cli.storage.input import reading
from softmax_cli.storage.limits import LONGEST_LINE, MOST_IDLE_LINES

Record = tuple[int, bytes]
T = TypeVar("T")

_CELL_END = re.compile(rb"[,;|\s]")


class Comments:
    """Recognizes and counts lines that begin with #.

    A line whose first cell is a missing value or a spreadsheet error is a row: `#N/A,#N/A`.
    """

    def __init__(self, missing: Collection[str] = MISSING) -> None:
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
        """Return a warning with the number of comments, if there are any."""
        lines = "line that begins" if self.count == 1 else "lines that begin"
        return [f"{place}: ignored {self.count} {lines} with #"] if self.count else []


def read_records(
    stream: io.BufferedIOBase,
    place: str,
    *,
    comments: Comments | None = None,
    first_line: int = 1,
    one_column: bool = False,
) -> Iterator[Record]:
    """Yield each record with the number of its first line.

    A quoted cell may hold newlines, but with `comments` quotes mean nothing. Blank lines at the
    end are ignored. Between rows they are missing values if there is `one_column`, else an error.
    """
    number, idle = first_line - 1, 0
    blank: list[int] = []
    with reading(place):
        while record := read_line(stream, place, number + 1):
            first = number = number + 1
            where = f"{place}:{first}"
            if first == 1:
                if record.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                    raise InputError("is UTF-16 text", "save it as UTF-8", place)
                record = record.removeprefix(BOM_UTF8)
            if comments is None and record.count(b'"') % 2:
                record, number = _read_quoted(record, stream, place, first)
            record = record.rstrip(b"\r\n")
            if b"\0" in record:
                problem = "holds a NUL byte, so it is not text"
                raise InputError(problem, "name its format with --input-format", where)
            if b"\r" in record and (comments is not None or b"\r" in QUOTED.sub(b"", record)):
                problem = "its lines end in a carriage return alone"
                raise InputError(problem, "save it with ordinary line endings", where)
            is_blank = not record.strip()
            if is_blank:
                blank.append(first)
            if is_blank or (comments is not None and comments.take(record)):
                idle += 1
                if idle > MOST_IDLE_LINES:
                    raise no_rows(where)
                continue
            idle = 0
            if blank and not one_column:
                raise InputError("an empty line among the rows", "delete it", f"{place}:{blank[0]}")
            yield from ((line, b"") for line in blank)
            blank = []
            yield first, record


def read_line(stream: io.BufferedIOBase, place: str, number: int) -> bytes:
    """Return the next line of a text; a line that is too long is an error with its number."""
    line = stream.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        if b"\0" in line:
            problem = "holds NUL bytes, so it is no text"
            raise InputError(problem, "check what it is", f"{place}:{number}")
        problem = f"a line of more than {LONGEST_LINE >> 20} MiB"
        remedy = "an array file such as .npy takes rows of any length"
        raise InputError(problem, remedy, f"{place}:{number}")
    return line


def no_rows(place: str) -> InputError:
    """Return the error for too many blank lines and comments."""
    return InputError(f"more than {MOST_IDLE_LINES} lines without a row", "delete them", place)


def _read_quoted(
    line: bytes, stream: io.BufferedIOBase, place: str, first: int
) -> tuple[bytes, int]:
    """Read up to the line that closes the quote; return the record and that line's number."""
    lines, size, number, is_open = [line], len(line), first, True
    while is_open:
        number += 1
        line = read_line(stream, place, number)
        lines.append(line)
        size += len(line)
        is_open ^= line.count(b'"') % 2 == 1
        if not line or size > LONGEST_LINE or number - first > MOST_IDLE_LINES:
            problem = f"a quote is opened and {'closed too late' if line else 'never closed'}"
            remedy = "close it, or double it to keep it as text"
            raise InputError(problem, remedy, f"{place}:{first}")
    return b"".join(lines), number


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield the items in batches; an InputError is raised after the items before it."""
    while True:
        batch: list[T] = []
        try:
            batch.extend(islice(items, size))
        except InputError:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


def line_place(place: str, lines: Sequence[int]) -> Callable[[int], str]:
    """Return how errors name the rows of a block, given the numbers of their lines."""
    return lambda row: f"{place}:{lines[row]}"
