"""Many lines of delimited text at once: Polars reads them where a line is a row of plain numbers.

What it means is settled cell by cell in cells.py, and whatever Polars does not read as that would
be read is left to it: what it refuses, what it takes for nothing, and what became infinite.
"""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from softmax_cli.formats.columns.header import Layout
from softmax_cli.formats.delimited.cells import blocks_of, joined, line_place, text_of
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER
from softmax_cli.formats.text.records import Split, records
from softmax_cli.storage.input import Input, reading
from softmax_cli.storage.limits import LONGEST_LINE

if TYPE_CHECKING:
    import polars as pl

_CHUNK_BYTES = 1 << 23
# Less text than this is read line by line sooner than Polars is imported.
_LITTLE_TEXT = 1 << 20
_MANY_COLUMNS = 50
_MANY_QUOTES = 1 << 19
_LONG_CELL = 1 << 12
_BLANK_END = re.compile(rb"\n\s*\Z")
_BLANK_LINE = re.compile(rb"^\s*$", re.MULTILINE)
# The last of the characters that a blank line may consist of.
_BLANK = ord(" ")


def chunks_of_lines(
    source: Input, head: bytes, *, quotes: bool = True
) -> Iterator[tuple[bytes, bytes, int | None]]:
    """Cut a stream, with `head` before it, into chunks that end with a line.

    Each comes with its lines without what is blank at the end of the stream, and with the number
    of rows that they are: None where that cannot be told, or where there is little text at all.
    """
    is_first, at_end = True, False
    while not at_end:
        with reading(source.place):
            more = source.stream.read(_CHUNK_BYTES)
            at_end = len(more) < _CHUNK_BYTES
            chunk = head + more
            del more
            if not at_end:
                chunk += (rest := source.stream.readline(LONGEST_LINE))
                if len(rest) == LONGEST_LINE:
                    # What is wrong is told by who counts the lines.
                    yield chunk, chunk, None
                    return
        lines = chunk
        if at_end:
            lines = _BLANK_END.sub(b"\n", chunk) if chunk.strip() else b""
        little = is_first and at_end and len(chunk) < _LITTLE_TEXT
        yield chunk, lines, None if little else counted_rows(lines, quotes=quotes)
        head, is_first = b"", False


def counted_rows(lines: bytes, *, quotes: bool = True) -> int | None:
    """Return how many rows the lines are, before they are read; None if that cannot be told.

    With `quotes`, a newline may stand between them.

    >>> counted_rows(b"1,2\\n3,4"), counted_rows(b"1,2\\n\\n3,4\\n"), counted_rows(b'"a\\nb",3')
    (2, None, None)
    """
    if b"\0" in lines or (b"\r" in lines and lines.count(b"\r") != lines.count(b"\r\n")):
        return None
    characters = np.frombuffer(lines, np.uint8)
    is_end = characters == ord("\n")
    odd = lines[:1].isspace() or (is_end[:-1] & (characters[1:] <= _BLANK)).any()
    if odd and _BLANK_LINE.search(lines.removesuffix(b"\n")):
        return None
    if quotes and b'"' in lines:
        if lines.count(b'"') > _MANY_QUOTES:
            return None
        quoted = lines.split(b'"')
        if len(quoted) % 2 == 0 or any(b"\n" in inside for inside in quoted[1::2]):
            return None
    unfinished = len(lines) > 0 and not lines.endswith(b"\n")
    return int(np.count_nonzero(is_end)) + unfinished


@dataclass(frozen=True)
class TextChunk:
    """Some lines, each a row: the first is this line of the file and this row of the input."""

    lines: bytes
    rows: int
    delimiter: str
    split: Split
    layout: Layout
    place: str
    line: int
    start: int

    def block(self) -> Block:
        """Read the rows."""
        block = self._read_by_polars()
        if block is not None:
            return block
        one_column = self.layout.columns == 1
        lines = records(
            io.BytesIO(self.lines), self.place, first_line=self.line, one_column=one_column
        )
        return joined(list(blocks_of(lines, self.split, self.layout, self.place, self.start)))

    def _read_by_polars(self) -> Block | None:
        layout = self.layout
        if self._is_for_cells_alone():
            return None
        lines = self.lines.replace(b"\r\n", b"\n") if b"\r" in self.lines else self.lines
        # At the end of a text Polars takes an empty cell for none.
        lines = lines if lines.endswith(b"\n") else lines + b"\n"
        numbers_of_lines = range(self.line, self.line + self.rows)
        place = line_place(self.place, numbers_of_lines)
        if layout.columns >= _MANY_COLUMNS and layout.classes == list(range(layout.columns)):
            values = self._as_one_column(lines)
            return None if values is None else Block(self.start, values, place)
        frame = self._table(lines)
        if frame is None:
            return None
        nulls = frame.null_count()
        words = nulls.select(list(map(str, self._columns_of_words())))
        if words.width and words.sum_horizontal().item():
            return None
        # A cell that is missing at the end of a short row is null, or an empty word.
        may_be_short = words.width or nulls.sum_horizontal().item()
        if may_be_short and not _are_even(lines, self.rows, layout.columns, self.delimiter):
            return None
        values = frame.select(map(str, layout.classes)).to_numpy(order="fortran", writable=True)
        if not _are_exact(values, lines, _infinities_in_words(frame)):
            return None
        ids = [[cell.encode() for cell in frame[str(column)].to_list()] for column in layout.ids]
        labels = None
        if layout.label is not None:
            cells = frame[str(layout.label)].to_list()
            labels = [
                text_of(cell.encode(), self.place, line)
                for cell, line in zip(cells, numbers_of_lines, strict=True)
            ]
        return Block(
            self.start, values, place, list(zip(*ids, strict=True)) if ids else None, labels
        )

    def _is_for_cells_alone(self) -> bool:
        """Tell whether Polars would take something for what it is not.

        A mark of byte order is left out, a quoted delimiter cuts its cell, and a column of numbers
        that also passes through would lose its spelling. Cells that are no numbers, being of
        thousands of characters, are not worth the memory that Polars takes.
        """
        if self.lines.startswith(BOM_UTF8):
            return True
        if len(self.lines) > _LONG_CELL * self.rows * self.layout.columns:
            return True
        if not set(self.layout.ids).isdisjoint(self.layout.classes):
            return True
        mark = self.delimiter.encode()
        quoted = self.lines.split(b'"')[1::2] if b'"' in self.lines else []
        return any(mark in inside for inside in quoted)

    def _columns_of_words(self) -> list[int]:
        classes = set(self.layout.classes)
        return [column for column in range(self.layout.columns) if column not in classes]

    def _table(self, lines: bytes) -> pl.DataFrame | None:
        import polars as pl

        classes = set(self.layout.classes)
        try:
            frame = pl.read_csv(
                lines,
                has_header=False,
                separator=self.delimiter,
                quote_char=None,
                schema={
                    str(column): pl.Float64 if column in classes else pl.String
                    for column in range(self.layout.columns)
                },
                empty_string_is_null=False,
                null_values=sorted(self.layout.missing),
                missing_columns="raise",
                extra_columns="raise",
            )
        except pl.exceptions.PolarsError:
            return None
        return frame if frame.height == self.rows else None

    def _as_one_column(self, lines: bytes) -> NDArray[np.float64] | None:
        """Read many columns as one: each of them costs Polars time of its own."""
        import polars as pl

        rows, columns, delimiter = self.rows, self.layout.columns, self.delimiter
        if not _are_even(lines, rows, columns, delimiter):
            return None
        mark = delimiter.encode()
        try:
            frame = pl.read_csv(
                lines.removesuffix(b"\n").replace(b"\n", mark),
                has_header=False,
                separator="\n",
                eol_char=delimiter,
                quote_char=None,
                schema={"": pl.Float64},
                null_values=sorted(self.layout.missing),
            )
        except pl.exceptions.PolarsError:
            return None
        numbers = frame.to_series()
        if len(numbers) != rows * columns:
            return None
        values = numbers.to_numpy(writable=True).reshape(rows, columns)
        return values if _are_exact(values, lines) else None


def _are_even(lines: bytes, rows: int, columns: int, delimiter: str) -> bool:
    """Tell whether every line has as many cells as there are columns; no quote hides a mark."""
    characters = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    marks = np.flatnonzero(characters == ord(delimiter))
    if len(marks) != rows * (columns - 1) or columns == 1:
        return columns == 1 and not len(marks)
    cuts = marks.reshape(rows, columns - 1)
    return not ((cuts[:, -1] > ends).any() or (cuts[1:, 0] < ends[:-1]).any())


def _are_exact(values: NDArray[np.float64], lines: bytes, in_words: int = 0) -> bool:
    """Return true if no number was too large for float64, and no whole number was rounded."""
    large = np.abs(values) >= LARGEST_EXACT
    if not large.any():
        return True
    infinite = int(np.isinf(values).sum())
    spelt = not infinite or infinite == lines.lower().count(b"inf") - in_words
    return spelt and not LONG_WHOLE_NUMBER.search(lines)


def _infinities_in_words(frame: pl.DataFrame) -> int:
    """Return how often the columns of words hold what spells an infinity among numbers."""
    import polars as pl

    words = frame.select(pl.col(pl.String).str.to_lowercase().str.count_matches("inf").sum())
    return int(words.sum_horizontal().item() or 0) if words.width else 0
