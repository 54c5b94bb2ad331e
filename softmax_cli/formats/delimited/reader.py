"""Reads CSV, TSV and whitespace-separated text; the first two records decide on a header.

The reader cell by cell defines what a text means; many lines at once are read by Polars.
"""

from __future__ import annotations

import io
import math
import shlex
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columns.entries import ROWS_AT_ONCE, ListRows, entries_source
from softmax_cli.formats.columns.header import detect_layout
from softmax_cli.formats.columns.line_table import LineTable, ParsedRow, ParsedRows
from softmax_cli.formats.columns.lists import refuse_length
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.columns.selection import pass_through
from softmax_cli.formats.columns.suspects import left_out_warnings
from softmax_cli.formats.delimited.first_row import first_cells, with_kinds
from softmax_cli.formats.model.blocks import Source, batches
from softmax_cli.formats.model.id_columns import IdColumn, TextColumn, id_columns
from softmax_cli.formats.model.options import ColumnRequest, DecimalMark, ReadOptions
from softmax_cli.formats.text.cell_kinds import cell_kind, missing_remedy, number_remedy
from softmax_cli.formats.text.cells import (
    Split,
    cell_splitter,
    cell_text,
    refuse_many_cells,
    unquote,
)
from softmax_cli.formats.text.delimiter import choose_delimiter, detected_delimiter
from softmax_cli.formats.text.lines import (
    SAVE_AS_UTF8,
    Comments,
    Record,
    first_records,
    read_records,
)
from softmax_cli.formats.text.list_cells import parse_list
from softmax_cli.formats.text.numbers import (
    LARGEST_EXACT,
    STORE_TRUTH,
    NotANumberError,
    is_number,
    is_truth,
    parse_number,
)
from softmax_cli.storage.input import Input, prepend

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONG_CELL = 1 << 12
_OTHER_BLANKS = (b"\t", b"\v", b"\f")
# Swaps points and commas: float() then reads a decimal comma and refuses a point.
_SWAPPED = bytes.maketrans(b",.", b".,")


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open delimited text; only the first two records are read."""
    comments = Comments(missing_texts(options))
    anywhere = form == "txt" or options.delimiter == " "
    what = (
        f"one {request.role[:-1]} a line" if request.one_column else "at least one row of numbers"
    )
    first = first_records(source, comments, what, anywhere=anywhere)
    place = f"{source.place}:{first.line}"
    lines = [first.record] if first.below is None else [first.record, first.below]
    asked = first.delimiter if options.delimiter is None else options.delimiter
    delimiter, note = choose_delimiter(asked, form, options.decimal, source.place, lines)
    split = cell_splitter(delimiter)
    cells = split(first.record)
    refuse_many_cells(len(cells), place)
    below = None if first.below is None else list(map(cell_text, split(first.below)))
    layout = detect_layout(list(map(cell_text, cells)), below, options, request, place)
    if layout.names is not None:
        for cell in cells:
            decode_cell(cell, place)
    rows = [list(map(cell_text, cells))] if layout.names is None else []
    rows += [] if below is None else [below]
    first_row = first_cells(layout, rows, first.later, split)
    head, line = first.rows(is_header=layout.names is not None, one_column=layout.columns == 1)
    layout = with_kinds(layout, first_row, f"{source.place}:{line}")
    among_rows = comments if anywhere else None
    table = DelimitedTable(
        source, layout, head, line, split, delimiter, among_rows, options.decimal
    )
    if len(cells) < layout.columns:
        table = replace(table, compared="the rows above have")
    chunks = partial(table.chunks, unless=(b"#", b'"') if anywhere or delimiter is None else ())
    notes = [text for text in (note, layout.warning) if text]
    warnings = (lambda: notes, partial(comments.warnings, source.place))
    if request.entries and layout.entries is not None:
        entries = entries_source(table.lists(), layout.id_names, source.place, options)
        left_out = left_out_warnings(layout, source.place)
        return replace(entries, size=source.size, warnings=(*warnings, lambda: left_out))
    return table.open(chunks, *warnings)


def decode_cell(cell: bytes, place: str) -> str:
    """Return the content of a cell; one that is not UTF-8 is an error."""
    try:
        return unquote(cell).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", SAVE_AS_UTF8, place) from None


@dataclass(frozen=True)
class DelimitedTable(LineTable):
    """Reads the rows of delimited text.

    split      splits a record into cells
    delimiter  None for whitespace
    comments   counts the comments among the rows; None if there cannot be any
    decimal    decimal mark of the numbers
    compared   what a row of another length is compared with
    """

    split: Split
    delimiter: str | None = None
    comments: Comments | None = None
    decimal: DecimalMark = "."
    compared: str = "the first line has"

    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[Record]:
        one_column = self.layout.columns == 1
        return read_records(stream, self.source.place, self.comments, line, one_column=one_column)

    def parse_with_polars(self, text: bytes, rows: int) -> ParsedRows | None:
        layout = self.layout
        mark = (self.delimiter or " ").encode()
        # Polars takes much memory for long cells. It drops a byte order mark, splits a cell at a
        # quoted delimiter, and does not keep the text of numbers that are also passed through.
        if (
            layout.entries is not None
            or len(text) > _LONG_CELL * rows * layout.columns
            or text.startswith(BOM_UTF8)
            or (b'"' in text and any(mark in inside for inside in text.split(b'"')[1::2]))
            or self.decimal == self.delimiter
            or (self.delimiter is None and any(blank in text for blank in _OTHER_BLANKS))
            or not set(layout.ids).isdisjoint(layout.classes)
        ):
            return None
        # The import takes memory too.
        from softmax_cli.formats.delimited.polars_chunk import read_with_polars

        return read_with_polars(text, rows, layout, self.delimiter, self.decimal)

    def parse_record(self, record: bytes, place: str) -> ParsedRow:
        layout, cells = self.layout, self._cells(record, place)
        chosen = cells if layout.is_all_classes else [cells[column] for column in layout.classes]
        ids = tuple(cells[column] for column in layout.ids)
        if layout.entries is None:
            # A file of labels alone has no classes.
            numbers = self._numbers(chosen, place) if chosen else []
        else:
            where = f"{place}:{layout.classes[0] + 1}"
            numbers = self._list(chosen[0], where) or [math.nan] * layout.entries
            refuse_length(len(numbers), layout.entries, where)
        return numbers, ids, "" if layout.label is None else decode_cell(cells[layout.label], place)

    def lists(self) -> Iterator[ListRows]:
        """Yield the rows' lists, of any length."""
        layout, column = self.layout, self.layout.classes[0]
        records = self.read_records(prepend(self.head, self.source.stream), self.line)
        for batch in batches(records, ROWS_AT_ONCE):
            places = [self.row_place(line) for line, _ in batch]
            rows = [self._cells(record, at) for (_, record), at in zip(batch, places, strict=True)]
            values = [
                self._list(cells[column], f"{at}:{column + 1}")
                for cells, at in zip(rows, places, strict=True)
            ]
            ids = [TextColumn([cells[at] for cells in rows]) for at in layout.ids]
            yield ListRows(values, places.__getitem__, id_columns(ids))

    def _cells(self, record: bytes, place: str) -> list[bytes]:
        """Return the cells of a row, as many as there are columns."""
        layout = self.layout
        # In one column, a blank line is a missing value.
        cells = self.split(record) or [b""]
        if len(cells) != layout.columns:
            refuse_many_cells(len(cells), place)
            counted = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
            problem = f"{counted}, and {self.compared} {layout.columns}"
            is_one = 1 in (len(cells), layout.columns)
            remedy = "check --delimiter" if is_one else "every row needs the same columns"
            if record.lstrip().startswith(b"#"):
                remedy = "delete the line: comments are skipped only above the first row"
            raise InputError(problem, remedy, place)
        return cells

    def id_column(
        self,
        column: int,  # noqa: ARG002
        cells: Sequence[bytes],
        numbers: NDArray[Any] | None,
    ) -> IdColumn:
        return TextColumn(cells, numbers, self.layout.missing)

    def _list(self, cell: bytes, place: str) -> list[float] | None:
        """Return the numbers of a list, None if it is missing."""
        text, missing = decode_cell(cell, place), self.layout.missing
        return None if text in missing else parse_list(text, missing, place)

    def _numbers(self, cells: list[bytes], place: str) -> list[float]:
        try:
            row = [] if self.layout.truths else list(map(float, self._with_points(cells)))
            # float() accepts 1_000 and rounds large numbers: both need a closer look.
            is_exact = all(
                -LARGEST_EXACT < number < LARGEST_EXACT or number != number for number in row
            )
            if row and is_exact and not any(b"_" in cell for cell in cells):
                return row
        except ValueError:
            pass
        texts = [decode_cell(cell, place) for cell in cells]
        return [self._number(texts, position, place) for position in range(len(texts))]

    def _with_points(self, cells: list[bytes]) -> Iterable[bytes]:
        if self.decimal == ".":
            return cells
        return (cell.translate(_SWAPPED) for cell in cells)

    def _number(self, texts: Sequence[str], position: int, place: str) -> float:
        text, column = texts[position], self.layout.classes[position]
        if text in self.layout.missing:
            return math.nan
        if column in self.layout.truths:
            if is_truth(text):
                return float(text.lower() == "true")
            problem = f"{shorten(text)!r} is not a truth value, but the first row has one there"
            raise InputError(problem, "write true or false", f"{place}:{column + 1}")
        try:
            return parse_number(text, self.decimal)
        except NotANumberError as error:
            is_first = place == self.row_place(self.line)
            remedy = self._remedy(text, column, texts, is_first=is_first)
            raise InputError(str(error), remedy, f"{place}:{column + 1}") from None

    def _remedy(self, text: str, column: int, texts: Sequence[str], *, is_first: bool) -> str:
        """Return how to fix a cell of a row; a column that begins with a number has no words."""
        layout = self.layout
        if layout.columns == 1 and (delimiter := self._other_delimiter(text)):
            return f"--delimiter {shlex.quote(delimiter)} would split it into cells"
        if not is_truth(text) and (remedy := number_remedy(text, self.decimal)):
            # With --decimal alone, semicolons would separate cells.
            cut = "--decimal , --delimiter ," if self.delimiter == "," else "--decimal ,"
            return remedy.replace("--decimal ,", cut)
        if len(layout.classes) == 1:
            return STORE_TRUTH if is_truth(text) else "every row needs a number"
        if is_truth(text):
            return f"{STORE_TRUTH}, or {pass_through([column], layout.names, 'the column')}"
        cells = zip(layout.classes, texts, strict=True)
        words = [at for at, cell in cells if cell_kind(cell, layout.missing) == "name"]
        if len(words) == len(layout.classes):
            again = "delete the line if it is one more line of names"
            passed = pass_through([column], layout.names, "a column of words")
            return f"{passed}; {again}" if is_first else again
        if not is_first:
            return missing_remedy(text)
        what = "a column of words" if len(words) == 1 else "columns of words"
        return pass_through(words, layout.names, what)

    def _other_delimiter(self, text: str) -> str | None:
        """Return the delimiter that would cut the only cell of a row, if there is one."""
        found = detected_delimiter(text)
        if found not in (None, self.delimiter) and (found != self.decimal or '"' in text):
            return found
        parts = text.split()
        return " " if len(parts) > 1 and all(map(is_number, parts)) else None
