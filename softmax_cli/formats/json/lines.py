"""JSON lines: a row a line, a list or an object whose keys are the names of the classes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from softmax_cli.errors import InputError, UsageError, join_names
from softmax_cli.formats.arrays.array import json_float, remedy_of_json
from softmax_cli.formats.columns.header import Layout, selected_layout
from softmax_cli.formats.delimited.cells import line_place, refuse_many_cells
from softmax_cli.formats.delimited.polars_chunk import chunks_of_lines
from softmax_cli.formats.json.document import json_rows, label_text, loads, named_classes, text_cell
from softmax_cli.formats.json.polars_lines import numbers_of_lines
from softmax_cli.formats.model.blocks import Block, Chunk, Source, from_blocks, rows_per_block
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.text.numbers import NotANumberError
from softmax_cli.formats.text.records import spelt
from softmax_cli.storage.headed import prepend
from softmax_cli.storage.input import Input, no_rows, read_line, reading
from softmax_cli.storage.limits import MOST_CELLS, MOST_IDLE_LINES
from softmax_cli.storage.output import Target

Line = tuple[int, list[Any]]


def read(source: Input, form: str, options: ReadOptions, keep: ColumnRequest) -> Source:  # noqa: ARG001
    """Open JSON lines; the first line is read for its keys."""
    with reading(source.place):
        number, line = _next_line(source.stream, source.place, 0)
    first = next(_lines(io.BytesIO(line), source.place, number), None)
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    names = list(first[1]) if isinstance(first[1], dict) else None
    layout = selected_layout(first[1], names, options, keep)

    def chunks() -> Iterator[Chunk]:
        below, start = number, 0
        for chunk, lines, rows in chunks_of_lines(source, line, quotes=False):
            if rows is None:
                stream = prepend(chunk, source.stream)
                yield from from_blocks(
                    partial(_blocks, stream, layout, source.place, below, start)
                )()
                return
            if rows:
                read_chunk = partial(_chunk, lines, rows, layout, source.place, below, start)
                yield Chunk(rows, read_chunk, size=len(lines))
            below += rows
            start += rows

    return Source(
        source.place,
        len(layout.classes),
        np.dtype(np.float64),
        chunks,
        class_names=layout.class_names,
        id_names=layout.id_names,
        size=source.size,
        table=layout.table(),
    )


def _blocks(
    stream: io.BufferedIOBase, layout: Layout, place: str, number: int, start: int
) -> Iterator[Block]:
    parsed = _lines(stream, place, number)
    step = rows_per_block(layout.columns, 8)
    while len((block := _block(islice(parsed, step), layout, place, start)).values):
        yield block
        start += len(block.values)


def _chunk(lines: bytes, rows: int, layout: Layout, place: str, number: int, start: int) -> Block:
    values = numbers_of_lines(lines, rows, layout)
    if values is not None:
        return Block(start, values, line_place(place, range(number, number + rows)))
    parsed = _lines(io.BytesIO(lines), place, number)
    return _block(parsed, layout, place, start)


def _lines(stream: io.BufferedIOBase, place: str, first_line: int) -> Iterator[tuple[int, Any]]:
    with reading(place):
        number, line = _next_line(stream, place, first_line - 1)
        while line:
            if line.count(b",") >= MOST_CELLS:
                refuse_many_cells(MOST_CELLS + 1, f"{place}:{number}")
            try:
                row = loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except ValueError as error:
                problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                remedy = "check the line"
                raise InputError(f"is not JSON: {problem}", remedy, f"{place}:{number}") from None
            if not isinstance(row, (list, dict)) or not row:
                raise InputError(
                    "is neither a list of numbers nor an object",
                    'a line is [1, 2, 3] or {"a": 1, "b": 2}',
                    f"{place}:{number}",
                )
            yield number, row
            number, line = _next_line(stream, place, number)


def _next_line(stream: io.BufferedIOBase, place: str, number: int) -> tuple[int, bytes]:
    """Return the next line below this one that is not blank, and its number; empty at the end."""
    last_idle = number + MOST_IDLE_LINES
    while True:
        number += 1
        line = read_line(stream, place, number)
        if not line or line.strip():
            return number, line
        if number > last_idle:
            raise no_rows(f"{place}:{number}")


def _cells(line: int, row: Any, layout: Layout, place: str) -> Line:
    if layout.names is None:
        if not isinstance(row, list) or len(row) != layout.columns:
            raise InputError(
                f"is not a list of {layout.columns} numbers like the first line",
                "every line needs the same classes",
                f"{place}:{line}",
            )
        return line, row
    if not isinstance(row, dict) or row.keys() != set(layout.names):
        raise InputError(
            f"has not the keys of the first line, {join_names(layout.names)}",
            "every line needs the same keys",
            f"{place}:{line}",
        )
    return line, [row[name] for name in layout.names]


def _block(parsed: Iterable[tuple[int, Any]], layout: Layout, place: str, start: int) -> Block:
    rows: list[list[float]] = []
    batch: list[Line] = []
    for line, row in parsed:
        cells = _cells(line, row, layout, place)[1]
        rows.append(
            [_number(cells, column, layout, f"{place}:{line}") for column in layout.classes]
        )
        batch.append((line, cells))
    numbers = [line for line, _ in batch]
    ids = [tuple(_raw(cells[column]) for column in layout.ids) for _, cells in batch]
    label = layout.label
    return Block(
        start,
        np.array(rows, np.float64).reshape(-1, len(layout.classes)),
        line_place(place, numbers),
        ids if layout.ids else None,
        None if label is None else [label_text(cells[label]) for _, cells in batch],
    )


def _number(cells: list[Any], column: int, layout: Layout, place: str) -> float:
    try:
        return json_float(cells[column], layout.missing)
    except NotANumberError as error:
        remedy = remedy_of_json(cells[column])
        raise InputError(str(error), remedy, f"{place}:{column + 1}") from None


def _raw(value: object) -> bytes:
    """Return a value as a pass-through cell, which is spelt as in CSV."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return spelt(text.encode(), b",")


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:  # noqa: ARG001
    """Open a sink for JSON lines."""
    return JsonLinesSink(result, target, options.precision)


class JsonLinesSink(Sink):
    """Writes a list a row, or an object if the classes have names or ids pass through."""

    def __init__(self, result: Result, target: Target, precision: int | None) -> None:
        """Nothing comes before the first row."""
        self._result, self._target, self._precision = result, target, precision
        self._names = result.column_names or result.class_names
        keys = [*self._id_names(), *(self._names or ())]
        spelt_names = (json.dumps(name, ensure_ascii=False) for name in self._names or ())
        members = ", ".join(f"{name.replace('%', '%%')}: %s" for name in spelt_names)
        self._template = f"{{{members}}}"
        if len(set(keys)) < len(keys) and not result.matrix:
            raise UsageError(
                "two columns have the same name, and an object only one place for it",
                "write csv",
                target.place,
            )

    def write(self, block: Block) -> None:
        """Write the rows of a block; of a matrix, a line of it a line."""
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        """Spell the rows of a block; only the writing needs order."""
        return partial(self._target.write, self._spelt(block))

    def _spelt(self, block: Block) -> bytes:
        result = self._result
        rows = json_rows(block.values, self._precision)
        names = result.class_names
        if block.classes is not None:
            named = named_classes(block.classes, names)
            pairs = zip(named, rows, strict=True)
            rows = [
                json.dumps({"classes": classes}, ensure_ascii=False)[:-1]
                + f', "{result.name}": {row}}}'
                for classes, row in pairs
            ]
        elif self._names is not None and block.ids is None and not result.matrix:
            rows = [self._template % tuple(row[1:-1].split(", ")) for row in rows]
        elif result.matrix or block.ids is not None:
            rows = [self._object(block, position, row) for position, row in enumerate(rows)]
        return "".join(f"{row}\n" for row in rows).encode()

    def finish(self) -> None:
        """Nothing follows the last row."""

    def _id_names(self) -> list[str]:
        return [name or f"id_{place}" for place, name in enumerate(self._result.id_names, 1)]

    def _object(self, block: Block, position: int, row: str) -> str:
        result = self._result
        members: dict[str, str] = {}
        if block.ids is not None:
            for name, cell in zip(self._id_names(), block.ids[position], strict=True):
                members[name] = json.dumps(text_cell(cell), ensure_ascii=False)
        if result.matrix:
            matrix, i = divmod(block.start + position, result.columns)
            members.update({"row": str(matrix), "i": str(i), result.name: row})
        elif self._names is None:
            members[result.name] = row
        else:
            members.update(zip(self._names, row[1:-1].split(", "), strict=True))
        inner = ", ".join(
            f"{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in members.items()
        )
        return f"{{{inner}}}"
