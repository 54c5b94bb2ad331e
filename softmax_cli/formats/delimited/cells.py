"""Rows of numbers from records of delimited text, cell by cell."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.line_table import LineChunk, LineTable
from softmax_cli.formats.columns.selection import column_spec
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.text.cell_kinds import number_remedy
from softmax_cli.formats.text.cells import (
    Split,
    cell_text,
    detected_delimiter,
    refuse_many_cells,
    unquote,
)
from softmax_cli.formats.text.lines import Comments, Record, line_place, read_records
from softmax_cli.formats.text.numbers import (
    LARGEST_EXACT,
    STORE_TRUTH,
    NotANumberError,
    is_number,
    is_truth,
    parse_number,
)


def decode_cell(cell: bytes, place: str) -> str:
    """Return the content of a cell; one that is not UTF-8 is an error."""
    try:
        return unquote(cell).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", place) from None


@dataclass(frozen=True)
class DelimitedTable(LineTable):
    """Reads the rows of delimited text.

    split      splits a record into cells
    delimiter  None for whitespace
    comments   counts the comments among the rows; None if there cannot be any
    """

    split: Split
    delimiter: str | None = None
    comments: Comments | None = None

    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[Record]:
        """Yield the records of a stream, each with the number of its first line."""
        one_column = self.layout.columns == 1
        return read_records(
            stream,
            self.source.place,
            comments=self.comments,
            first_line=line,
            one_column=one_column,
        )

    def parse_with_polars(self, chunk: LineChunk) -> Block | None:
        """Return the rows of a chunk; None if Polars would misread a cell."""
        from softmax_cli.formats.delimited.polars_chunk import read_with_polars

        assert self.delimiter is not None
        return read_with_polars(chunk, self.layout, self.delimiter, self.source.place)

    def parse_records(self, records: Iterable[Record], rows: int, start: int) -> Block:
        """Return the rows of this number of records; errors name the line and column of a cell."""
        layout = self.layout
        values = np.empty((rows, len(layout.classes)))
        ids: list[tuple[bytes, ...]] = []
        labels: list[str] = []
        lines: list[int] = []
        every_cell = layout.classes == list(range(layout.columns))
        for row, (line, record) in zip(range(rows), records, strict=True):
            place = f"{self.source.place}:{line}"
            # In one column, a blank line is a missing value.
            cells = self.split(record) or [b""]
            if len(cells) != layout.columns:
                refuse_many_cells(len(cells), place)
                raise _ragged(len(cells), layout, place)
            chosen = cells if every_cell else [cells[column] for column in layout.classes]
            values[row] = self._numbers(chosen, place)
            lines.append(line)
            if layout.ids:
                ids.append(tuple(cells[column] for column in layout.ids))
            if layout.label is not None:
                labels.append(decode_cell(cells[layout.label], place))
        return Block(
            start,
            values,
            line_place(self.source.place, lines),
            ids if layout.ids else None,
            None if layout.label is None else labels,
        )

    def _numbers(self, cells: list[bytes], place: str) -> list[float]:
        try:
            row = list(map(float, cells))
        except ValueError:
            pass
        else:
            # float() accepts 1_000 and rounds large numbers: both need a closer look.
            if not any(b"_" in cell for cell in cells) and not any(map(_is_large, row)):
                return row
        if all(is_truth(cell_text(cell).strip()) for cell in cells):
            shown, where = decode_cell(cells[0], place), f"{place}:{self.layout.classes[0] + 1}"
            raise InputError(f"{shown!r} is not a number", STORE_TRUTH, where)
        columns = zip(cells, self.layout.classes, strict=True)
        return [self._number(decode_cell(cell, place), column, place) for cell, column in columns]

    def _number(self, text: str, column: int, place: str) -> float:
        if text in self.layout.missing:
            return math.nan
        try:
            return parse_number(text)
        except NotANumberError as error:
            remedy = _remedy(text, self.layout, column)
            raise InputError(str(error), remedy, f"{place}:{column + 1}") from None


def _is_large(number: float) -> bool:
    return not -LARGEST_EXACT < number < LARGEST_EXACT and number == number


def _ragged(cells: int, layout: Layout, place: str) -> InputError:
    counted = "1 column" if cells == 1 else f"{cells} columns"
    is_one = 1 in (cells, layout.columns)
    remedy = "check --delimiter" if is_one else "every row needs the same columns"
    return InputError(f"{counted}, and the first line has {layout.columns}", remedy, place)


def _remedy(text: str, layout: Layout, column: int) -> str:
    parts = text.split()
    is_uncut = layout.columns == 1 and len(parts) > 1
    if not (is_uncut or is_truth(text)) and (remedy := number_remedy(text)):
        return remedy
    delimiter = detected_delimiter(text) if layout.columns == 1 else None
    if delimiter is None and is_uncut and all(map(is_number, parts)):
        delimiter = " "
    if delimiter:
        return f"--delimiter '{delimiter}' would split it into cells"
    if len(layout.classes) == 1:
        return "every row needs a number"
    spec = column_spec(column, layout.names)
    if is_truth(text):
        return f"{STORE_TRUTH}, or --id-columns {spec} passes the column through"
    return f"--id-columns {spec} passes a column of words through"
