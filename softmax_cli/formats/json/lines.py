"""JSON lines: one row per line, a list or an object whose keys name the classes."""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError, join_names
from softmax_cli.formats.arrays.array import json_float, remedy_of_json
from softmax_cli.formats.columns.layout import Layout, choose_layout
from softmax_cli.formats.columns.line_table import LineTable, ParsedRow, ParsedRows
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.id_columns import IdColumns, JsonColumn
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.cells import refuse_many_cells
from softmax_cli.formats.text.json_values import json_rows, json_text, label_text, parse_json
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
        return None if values is None else (values, None, [])

    def parse_record(self, record: Any, place: str) -> ParsedRow:
        layout, cells = self.layout, self._cells(record, place)
        numbers = [self._number(cells[column], column, place) for column in layout.classes]
        ids = tuple(cells[column] for column in layout.ids)
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

    def id_columns(
        self, cells: Sequence[tuple[Any, ...]], values: NDArray[Any]
    ) -> IdColumns | None:
        columns = []
        for column, entries in zip(self.layout.ids, cells, strict=True):
            held: Sequence[object] = entries
            if column in self.layout.classes:
                # A number may be a string: "-inf", or one that stands for a missing value.
                numbers = values[:, self.layout.classes.index(column)].tolist()
                held = [
                    each
                    if not isinstance(each, str)
                    else None
                    if number != number and each.lower() != "nan"
                    else number
                    for each, number in zip(entries, numbers, strict=True)
                ]
            names = self.layout.names
            name = str(column + 1) if names is None else names[column]
            columns.append(JsonColumn(held, self.source.place, name))
        return IdColumns(tuple(columns)) if columns else None

    def _number(self, value: object, column: int, place: str) -> float:
        try:
            return json_float(value, self.layout.missing)
        except NotANumberError as error:
            remedy = remedy_of_json(value)
            raise InputError(str(error), remedy, f"{place}:{column + 1}") from None


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
        self._names = result.names or result.class_names
        escaped = (json_text(name).replace("%", "%%") for name in self._names or ())
        self._template = _object(dict.fromkeys(escaped, "%s"))
        self._list_name = result.list_name if result.is_list else None
        keys = self._keys(has_classes=result.has_top_classes)
        result.check_names(keys, self._target.place)

    def _keys(self, *, has_classes: bool) -> Sequence[str]:
        """Return the keys of each row after those of the ids."""
        result = self._result
        if result.matrix:
            return ("row", "i", result.name)
        if has_classes:
            return ("classes", result.name)
        if self._list_name is not None:
            return (self._list_name,)
        return self._names or (result.name,)

    def prepare(self, block: Block) -> Callable[[], None]:
        rows = json_rows(block.values, self._precision)
        is_bare = not (self._list_name or self._result.matrix) and block.classes is None
        if is_bare and block.ids is None:
            if self._names is not None:
                rows = [self._template % tuple(row[1:-1].split(", ")) for row in rows]
        else:
            ids = repeat(()) if block.ids is None else block.ids.json()
            names = self._keys(has_classes=block.classes is not None)
            keys = list(map(json_text, (*self._result.id_keys, *names)))
            members = self._members(block, rows)
            rows = [
                _object(dict(zip(keys, chain(*cells), strict=True)))
                for cells in zip(ids, members, strict=False)
            ]
        text = "".join(f"{row}\n" for row in rows)
        return partial(self._target.write, text.encode())

    def _members(self, block: Block, rows: list[str]) -> Iterator[Iterable[str]]:
        """Yield the members of each row but its ids."""
        result = self._result
        if block.classes is not None:
            names = result.name_classes(block.classes)
            yield from ((json_text(each), row) for each, row in zip(names, rows, strict=True))
        elif result.matrix:
            for line, row in enumerate(rows, block.start):
                matrix, i = divmod(line, result.columns)
                yield str(matrix), str(i), row
        elif self._list_name is not None or self._names is None:
            yield from ((row,) for row in rows)
        else:
            yield from (row[1:-1].split(", ") for row in rows)


def _object(members: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {text}' for name, text in members.items())}}}"
