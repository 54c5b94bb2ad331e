"""Rows of JSON, each a list or an object whose keys name its columns (a record)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from softmax_cli.errors import InputError, UsageError, join_names, shorten
from softmax_cli.formats.arrays.nested_lists import (
    GIVE_A_NUMBER,
    NON_FINITE,
    json_float,
    remedy_of_json,
)
from softmax_cli.formats.columns.layout import Layout, choose_layout, refuse_index, several_columns
from softmax_cli.formats.columns.line_table import LineTable, ParsedRow, ParsedRows
from softmax_cli.formats.columns.lists import list_layout, refuse_length
from softmax_cli.formats.columns.selection import are_numbers, pass_through
from softmax_cli.formats.json.polars_lines import read_with_polars
from softmax_cli.formats.model.id_columns import IdColumn, JsonColumn
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cell_kinds import missing_remedy
from softmax_cli.formats.text.cells import refuse_many_cells
from softmax_cli.formats.text.json_values import NotJsonError, label_text, parse_json
from softmax_cli.formats.text.lines import no_rows, read_line
from softmax_cli.formats.text.numbers import STORE_TRUTH, NotANumberError, is_number
from softmax_cli.storage.input import reading
from softmax_cli.storage.limits import MOST_CELLS, MOST_IDLE_LINES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME_KEYS = "every row needs the same keys, with null for a missing value"


def read_rows(stream: io.BufferedIOBase, place: str, line: int) -> Iterator[tuple[int, Any]]:
    """Yield the rows of JSON lines, each with the number of its line."""
    with reading(place):
        number, text = _next_line(stream, place, line - 1)
        while text:
            yield number, _parse_line(text, number, place)
            number, text = _next_line(stream, place, number)


def _next_line(stream: io.BufferedIOBase, place: str, number: int) -> tuple[int, bytes]:
    """Return the next nonblank line below line `number`, with its number; empty at the end."""
    last_idle = number + MOST_IDLE_LINES
    while True:
        number += 1
        line = read_line(stream, place, number)
        if not line or line.strip():
            return number, line
        if number > last_idle:
            raise no_rows(f"{place}:{number}")


def _parse_line(line: bytes, number: int, place: str) -> Any:
    where = f"{place}:{number}"
    if line.count(b",") >= MOST_CELLS:
        refuse_many_cells(MOST_CELLS + 1, where)
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        row = parse_json(text.rstrip("\r\n"))
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", where) from None
    except NotJsonError as error:
        remedy = error.remedy
        is_cut = line.strip().endswith((b"[", b"{", b","))
        if number == 1 and is_cut and not str(error).startswith("Extra"):
            remedy = "write a row on one line; --input-format json reads one document"
        where += f":{error.column}" if error.column else ""
        raise InputError(f"is not JSON: {error}", remedy, where) from None
    check_row(row, where)
    return row


def check_row(row: object, place: str) -> None:
    """Refuse a row that is not a list or an object, or that is empty."""
    if not isinstance(row, (list, dict)) or not row:
        what = "is empty" if isinstance(row, (list, dict)) else "is no row of numbers"
        raise InputError(what, 'a row is [1, 2, 3] or {"a": 1, "b": 2}', place)


def lacks_key(name: str, place: str) -> InputError:
    """Return the error of a row without a key that the first row has."""
    problem = f"has no key {shorten(name)!r}, which the first row has"
    return InputError(problem, _SAME_KEYS, place)


def json_layout(
    rows: Iterator[Any], options: ReadOptions, request: ColumnRequest, place: str
) -> Layout:
    """Return the layout of rows of JSON; only the first ones are taken, up to the first list."""
    first = next(rows)
    if not isinstance(first, dict):
        named = [("--columns", spec) for spec in options.columns]
        named += [("--id-columns", spec) for spec in options.id_columns]
        named += [("--label-column", request.labels)] if request.labels else []
        for option, spec in named:
            if not are_numbers(spec):
                problem = f"no column named {shorten(spec)!r}: rows that are lists have no names"
                raise UsageError(problem, 'give a number, or write rows as {"a": 1}', option)
        layout = choose_layout(first, None, options, request)
        return _with_truths(layout, first)
    names, cells = list(first), list(first.values())
    layout = replace(choose_layout(cells, names, options, request), named_by="name")
    if not layout.classes:
        return layout
    index = [column for column in layout.classes if not names[column].strip()]
    are_none = any(isinstance(each, (str, list, dict)) for each in cells)
    if request.one_column and (index or are_none):
        raise several_columns(len(cells), names, request.role, place)
    refuse_index(index, names, place)
    while any(cells[column] is None for column in layout.classes) and (row := next(rows, None)):
        below = [row.get(name) if isinstance(row, dict) else None for name in names]
        cells = [other if cell is None else cell for cell, other in zip(cells, below, strict=True)]
    lists = [column for column in layout.classes if _holds_numbers(cells[column], layout)]
    if layout.chosen or len(lists) != 1:
        for column in layout.classes:
            _refuse_nested(cells[column], column, layout, place)
    fractions = [at for at, cell in enumerate(cells) if _is_fraction(cell)]
    held = list_layout(layout, lists, fractions, place)
    if held is None:
        return _with_truths(layout, cells)
    entries = cells[held.classes[0]]
    name = shorten(names[held.classes[0]])
    refuse_length(len(entries), len(entries), f"{place}, column {name!r}")
    return replace(_with_truths(held, cells), entries=len(entries))


def _holds_numbers(cell: object, layout: Layout) -> bool:
    """Return true for a list whose first entry is no text, list or object."""
    entry = cell[0] if isinstance(cell, list) and cell else None
    is_text = isinstance(entry, str) and entry not in {*NON_FINITE, *layout.missing}
    return isinstance(cell, list) and not is_text and not isinstance(entry, (list, dict))


def _is_fraction(cell: object) -> bool:
    return isinstance(cell, float) or (isinstance(cell, str) and cell in NON_FINITE)


def _with_truths(layout: Layout, cells: Sequence[Any]) -> Layout:
    """Return the layout with its columns of truth values, or of lists of them."""
    entries = (cell[0] if isinstance(cell, list) and cell else cell for cell in cells)
    truths = {column for column, entry in enumerate(entries) if isinstance(entry, bool)}
    return replace(layout, truths=frozenset(truths.intersection(layout.classes)))


def _refuse_nested(cell: object, column: int, layout: Layout, place: str) -> None:
    """Refuse an object, and a list of anything but numbers, in a column of classes."""
    names = layout.names or []
    inner = cell[0] if isinstance(cell, list) and cell else cell if isinstance(cell, dict) else 0.0
    problem = f"the column {shorten(names[column])!r} holds "
    remedy = pass_through([column], names) if len(layout.classes) > 1 else ""
    if isinstance(inner, dict):
        keys = "write its numbers as keys of the record"
        problem += "an object" if inner is cell else "a list of objects"
        raise InputError(problem, f"{keys}, or {remedy}" if remedy else keys, place)
    if isinstance(inner, list):
        arrays = "--input-format json --key NAME reads an object of arrays"
        raise InputError(f"{problem}a list of lists", f"a record is one row; {arrays}", place)
    if isinstance(inner, str) and inner not in {*NON_FINITE, *layout.missing}:
        remedy = "write numbers without quotes" if is_number(inner) else remedy or "give numbers"
        raise InputError(f"{problem}a list of texts", remedy, place)


@dataclass(frozen=True)
class JsonTable(LineTable):
    """Reads the rows of JSON lines."""

    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[tuple[int, Any]]:
        return read_rows(stream, self.source.place, line)

    def parse_with_polars(self, text: bytes, rows: int) -> ParsedRows | None:
        layout, parsed = self.layout, read_with_polars(text, rows, self.layout)
        if parsed is None:
            return None
        values, cells = parsed
        labels = [] if layout.label is None else list(map(label_text, cells[layout.label]))
        return values, self.id_columns([cells[column] for column in layout.ids], values), labels

    def parse_record(self, record: Any, place: str) -> ParsedRow:
        layout, cells = self.layout, self._cells(record, place)
        entries = [cells[column] for column in layout.classes]
        if layout.entries is not None:
            entries = self._entries(entries[0], place)
        numbers = [self._number(entry, position, place) for position, entry in enumerate(entries)]
        ids = tuple(cells[column] for column in layout.ids)
        return numbers, ids, "" if layout.label is None else label_text(cells[layout.label])

    def id_column(
        self, column: int, cells: Sequence[Any], numbers: NDArray[Any] | None
    ) -> IdColumn:
        names = self.layout.names
        name = str(column + 1) if names is None else names[column]
        if numbers is not None:
            # A number may be a string: "-inf", or a text that stands for a missing value.
            cells = [
                cell
                if not isinstance(cell, str)
                else None
                if number != number and cell.lower() != "nan"
                else number
                for cell, number in zip(cells, numbers.tolist(), strict=True)
            ]
        return JsonColumn(cells, self.source.place, name)

    def _cells(self, row: Any, place: str) -> list[Any]:
        names = self.layout.names
        if names is None:
            if not isinstance(row, list) or len(row) != self.layout.columns:
                problem = f"is not a list of {self.layout.columns} numbers like the first row"
                raise InputError(problem, "every row needs the same classes", place)
            return row
        if not isinstance(row, dict):
            problem = f"is not an object with the keys of the first row, {join_names(names)}"
            raise InputError(problem, _SAME_KEYS, place)
        try:
            cells = [row[name] for name in names]
        except KeyError as error:
            raise lacks_key(str(error.args[0]), place) from None
        if len(row) > len(names):
            name = next(name for name in row if name not in names)
            problem = f"has a key {shorten(name)!r}, which the first row lacks"
            raise InputError(problem, _SAME_KEYS, place)
        return cells

    def _entries(self, value: object, place: str) -> list[Any]:
        """Return the entries of a row's list; a missing list has missing entries."""
        count, where = self.layout.entries, f"{place}, column {self.layout.list_name!r}"
        assert count is not None
        if value is None or (isinstance(value, str) and value in self.layout.missing):
            return [None] * count
        if not isinstance(value, list):
            problem = f"{shorten(json.dumps(value))} is not a list of numbers like the first"
            raise InputError(problem, "write a list, or null if it is missing", where)
        refuse_length(len(value), count, where)
        return value

    def _number(self, value: object, position: int, place: str) -> float:
        layout = self.layout
        column = layout.classes[position if layout.entries is None else 0]
        of_truths = column in layout.truths
        try:
            return json_float(value, layout.missing, of_truths=of_truths)
        except NotANumberError as error:
            remedy = STORE_TRUTH if of_truths else remedy_of_json(value)
            if remedy == GIVE_A_NUMBER and layout.entries is None and len(layout.classes) > 1:
                is_first = place == self.row_place(self.line)
                remedy = pass_through([column], layout.names, "a column of words")
                remedy = remedy if is_first else missing_remedy(str(value))
            raise InputError(str(error), remedy, layout.cell(place, position)) from None


@dataclass(frozen=True)
class RecordTable(JsonTable):
    """The rows of a document that is held whole."""

    rows: list[Any]

    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[tuple[int, Any]]:  # noqa: ARG002
        for at, row in enumerate(self.rows):
            check_row(row, self.row_place(at))
            yield at, row

    def row_place(self, line: int) -> str:
        return f"{self.source.place}: [{line}]"
