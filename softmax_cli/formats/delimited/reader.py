"""Reads CSV, TSV and whitespace-separated text; the first two records decide on a header."""

from __future__ import annotations

import io
import sys
from codecs import BOM_UTF8
from functools import partial
from pathlib import PurePath
from typing import NamedTuple

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.columns.header import detect_layout
from softmax_cli.formats.columns.layout import missing_texts
from softmax_cli.formats.delimited.cells import DelimitedTable, decode_cell
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cells import (
    cell_splitter,
    cell_text,
    detected_delimiter,
    refuse_many_cells,
)
from softmax_cli.formats.text.lines import Comments, no_rows, read_line, read_records
from softmax_cli.storage.input import Input, reading
from softmax_cli.storage.limits import MOST_IDLE_LINES

# So many bytes of the second record are enough to judge the first.
_SECOND_BYTES = 1 << 20


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open delimited text; only the first two records are read."""
    comments = Comments(missing_texts(options))
    anywhere = form == "txt" or options.delimiter == " "
    first = first_records(source, comments, "at least one row of numbers", anywhere=anywhere)
    place = f"{source.place}:{first.line}"
    delimiter = _delimiter(options.delimiter, form, source.place, first.record)
    split = cell_splitter(delimiter)
    cells = split(first.record)
    refuse_many_cells(len(cells), place)
    below = None if first.below is None else list(map(cell_text, split(first.below)))
    layout = detect_layout(list(map(cell_text, cells)), below, options, request, place)
    if layout.names is not None:
        for cell in cells:
            decode_cell(cell, place)
    head, line = first.rows(is_header=layout.names is not None)
    among_rows = comments if anywhere else None
    table = DelimitedTable(source, layout, head, line, split, delimiter, among_rows)
    chunks = partial(table.chunks, unless=(b"#", b'"') if anywhere else ())
    if delimiter is None:
        chunks = partial(table.chunks_of_records, head, line)
    warning = [layout.warning] if layout.warning else []
    return table.open(chunks, lambda: warning, partial(comments.warnings, source.place))


def _delimiter(asked: str | None, form: str, place: str, first: bytes) -> str | None:
    """Return the delimiter; None for whitespace."""
    if asked is not None:
        delimiter = "\t" if asked in ("tab", r"\t") else asked
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            problem = f"{asked!r} cannot separate cells"
            raise UsageError(problem, "give one character, or 'tab'", "--delimiter")
        return None if delimiter == " " else delimiter
    if form != "csv":
        return "\t" if form == "tsv" else None
    if ".csv" in PurePath(place.lower()).suffixes[-2:]:
        return ","
    return detected_delimiter(first.decode("utf-8", errors="replace")) or ","


class FirstRecords(NamedTuple):
    """The first two records of a text.

    line    number of the first record's line
    record  the first record
    below   the second record, or the beginning of a long one; None if there is none
    read    the bytes read from the stream, from the first record on
    end     where the first record ends in them
    """

    line: int
    record: bytes
    below: bytes | None
    read: bytes
    end: int

    def rows(self, *, is_header: bool) -> tuple[bytes, int]:
        """Return the bytes of rows that were read, and the number of their first line."""
        if not is_header:
            return self.read, self.line
        return self.read[self.end :], self.line + self.record.count(b"\n") + 1


def first_records(source: Input, comments: Comments, what: str, *, anywhere: bool) -> FirstRecords:
    """Read the first two records; the error for an empty text asks for `what`.

    Comments above the first record are counted. With `anywhere`, more may follow below it.
    """
    number, is_comment = 0, True
    while is_comment:
        if number == MOST_IDLE_LINES:
            raise no_rows(f"{source.place}:{number + 1}")
        number += 1
        with reading(source.place):
            line = read_line(source.stream, source.place, number)
        is_comment = comments.take(line.removeprefix(BOM_UTF8) if number == 1 else line)
    stream = _Recorder(line, source.stream)
    # The lines below the first record are read again, and their comments counted then.
    below = Comments(comments.missing) if anywhere else None
    records = read_records(stream, source.place, comments=below, first_line=number)
    first = next(records, None)
    if first is None:
        raise InputError("is empty", f"give {what}", source.place)
    end = sum(map(len, stream.held))
    stream.left = _SECOND_BYTES
    try:
        second = next(records, (0, None))[1]
    except InputError:
        # An error in the first record comes before one in the second.
        second = None
    return FirstRecords(*first, second, b"".join(stream.held), end)


class _Recorder(io.BufferedIOBase):
    """Reads a first line and then a stream, at most `left` bytes of it, and holds every line."""

    def __init__(self, first: bytes, rest: io.BufferedReader) -> None:
        self._first, self._rest = first, rest
        self.held: list[bytes] = []
        self.left = sys.maxsize

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._first or self._rest.readline(min(size or self.left, self.left))
        self._first = b""
        self.left -= len(line)
        self.held.append(line)
        return line
