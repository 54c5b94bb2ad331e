"""JSON lines: one row per line, a list or an object whose keys name the classes."""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError, UsageError, join_names
from softmax_cli.formats.arrays.array import json_float, remedy_of_json
from softmax_cli.formats.columns.layout import Layout, choose_layout
from softmax_cli.formats.columns.line_table import LineTable, ParsedRow, ParsedRows
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.cells import cell_text, quote, refuse_many_cells
from softmax_cli.formats.text.json_values import json_rows, label_text, parse_json
from softmax_cli.formats.text.lines import no_rows, read_line
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER, NotANumberError
from softmax_cli.storage.input import Input, reading
from softmax_cli.storage.limits import MOST_CELLS, MOST_IDLE_LINES


def read(source: Input, _: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open JSON lines; only the first line is read."""
    with reading(source.place):
        number, line = _next_line(source.stream, source.place, 0)
    if not line:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    cells = _parse_line(line, number, source.place)
    names = list(cells) if isinstance(cells, dict) else None
    layout = choose_layout(cells, names, options, request)
    table = _JsonTable(source, layout, line, number)
    return table.open(partial(table.chunks, quotes=False))


def _parse_line(line: bytes, number: int, place: str) -> Any:
    where = f"{place}:{number}"
    if line.count(b",") >= MOST_CELLS:
        refuse_many_cells(MOST_CELLS + 1, where)
    try:
        row = parse_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"is not JSON: {problem}", "check the line", where) from None
    if not isinstance(row, (list, dict)) or not row:
        raise InputError("is no row of numbers", 'a line is [1, 2, 3] or {"a": 1, "b": 2}', where)
    return row


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


class _JsonTable(LineTable):
    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[tuple[int, Any]]:
        place = self.source.place
        with reading(place):
            number, text = _next_line(stream, place, line - 1)
            while text:
                yield number, _parse_line(text, number, place)
                number, text = _next_line(stream, place, number)

    def parse_with_polars(self, text: bytes, rows: int) -> ParsedRows | None:
        values = read_with_polars(text, rows, self.layout)
        return None if values is None else (values, [], [])

    def parse_record(self, record: Any, place: str) -> ParsedRow:
        layout, cells = self.layout, self._cells(record, place)
        numbers = [self._number(cells[column], column, place) for column in layout.classes]
        ids = tuple(_id_cell(cells[column]) for column in layout.ids)
        return numbers, ids, "" if layout.label is None else label_text(cells[layout.label])

    def _cells(self, row: Any, place: str) -> list[Any]:
        names = self.layout.names
        if names is None:
            if not isinstance(row, list) or len(row) != self.layout.columns:
                problem = f"is not a list of {self.layout.columns} numbers like the first line"
                raise InputError(problem, "every line needs the same classes", place)
            return row
        if not isinstance(row, dict) or row.keys() != set(names):
            problem = f"does not have the keys of the first line, {join_names(names)}"
            raise InputError(problem, "every line needs the same keys", place)
        return [row[name] for name in names]

    def _number(self, value: object, column: int, place: str) -> float:
        try:
            return json_float(value, self.layout.missing)
        except NotANumberError as error:
            remedy = remedy_of_json(value)
            raise InputError(str(error), remedy, f"{place}:{column + 1}") from None


def _id_cell(value: object) -> bytes:
    """Return a value as a cell of CSV, as blocks hold ids."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return quote(text.encode())


def read_with_polars(text: bytes, rows: int, layout: Layout) -> NDArray[Any] | None:
    """Return rows of lists or objects of numbers; None if they must be read line by line.

    That is so for errors, strings such as "-inf", ids, and columns in another order.
    """
    names = layout.names
    # With each name once and no other, a missing one is null.
    mark, count = (b"[", rows) if names is None else (b'"', 2 * len(names) * rows)
    is_plain = layout.is_all_classes and not layout.ids and text.count(mark) == count
    if not is_plain or text.startswith(BOM_UTF8):
        return None
    import polars as pl

    objects = text
    schema: dict[str, Any] = dict.fromkeys(names or (), pl.Float64)
    if names is None:
        # Polars reads only objects.
        objects = text.replace(b"[", b'{"":[').replace(b"]", b"]}")
        schema = {"": pl.List(pl.Float64)}
    try:
        frame = pl.read_ndjson(io.BytesIO(objects), schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != rows or frame.null_count().sum_horizontal().item():
        return None
    if names is None:
        lists = frame.to_series()
        numbers = lists.explode()
        if (lists.list.len() != layout.columns).any() or numbers.null_count():
            return None
        values = numbers.to_numpy().reshape(rows, layout.columns).copy()
    else:
        values = frame.to_numpy(order="fortran", writable=True)
    # The line-by-line reader refuses what float64 would round.
    is_rounded = (np.abs(values) >= LARGEST_EXACT).any() and LONG_WHOLE_NUMBER.search(text)
    return None if is_rounded else values


class JsonLinesSink(FormatSink):
    """Writes one list per row, or one object if there are class names or ids."""

    def begin(self) -> None:
        result = self._result
        self._names = result.column_names or result.class_names
        self._id_names = [name or f"id_{at}" for at, name in enumerate(result.id_names, 1)]
        keys = [*self._id_names, *(self._names or ())]
        escaped = (_json(name).replace("%", "%%") for name in self._names or ())
        self._template = _object(dict.fromkeys(escaped, "%s"))
        if len(set(keys)) < len(keys) and not result.matrix:
            raise UsageError("two columns have the same name", "write csv", self._target.place)

    def prepare(self, block: Block) -> Callable[[], None]:
        result = self._result
        rows = json_rows(block.values, self._precision)
        if block.classes is not None:
            classes = result.name_classes(block.classes)
            rows = [
                _object({'"classes"': _json(names), _json(result.name): row})
                for names, row in zip(classes, rows, strict=True)
            ]
        elif result.matrix or block.ids is not None:
            rows = [self._members(block, position, row) for position, row in enumerate(rows)]
        elif self._names is not None:
            rows = [self._template % tuple(row[1:-1].split(", ")) for row in rows]
        text = "".join(f"{row}\n" for row in rows)
        return partial(self._target.write, text.encode())

    def _members(self, block: Block, position: int, row: str) -> str:
        result = self._result
        members: dict[str, str] = {}
        if block.ids is not None:
            cells = map(_json, map(cell_text, block.ids[position]))
            members.update(zip(self._id_names, cells, strict=True))
        if result.matrix:
            matrix, i = divmod(block.start + position, result.columns)
            members.update({"row": str(matrix), "i": str(i), result.name: row})
        elif self._names is None:
            members[result.name] = row
        else:
            members.update(zip(self._names, row[1:-1].split(", "), strict=True))
        return _object({_json(name): text for name, text in members.items()})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _object(members: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {text}' for name, text in members.items())}}}"
