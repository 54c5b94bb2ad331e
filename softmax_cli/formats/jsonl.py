"""JSON lines: a row a line, a list or an object whose keys are the names of the classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.array import json_float
from softmax_cli.formats.blocks import (
    Block,
    Keep,
    ReadOptions,
    Result,
    Sink,
    Source,
    WriteOptions,
    ready,
    rows_per_block,
)
from softmax_cli.formats.header import Layout, selected_layout
from softmax_cli.formats.json_text import json_rows, loads, named_classes, text_cell
from softmax_cli.formats.numbers import NotANumberError
from softmax_cli.formats.records import spelt
from softmax_cli.formats.streams import Input, reading
from softmax_cli.formats.target import Target

Line = tuple[int, list[Any]]


def read(source: Input, form: str, options: ReadOptions, keep: Keep) -> Source:  # noqa: ARG001
    """Open JSON lines; the first line is read for its keys."""
    parsed = _lines(source)
    first = next(parsed, None)
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    names = list(first[1]) if isinstance(first[1], dict) else None
    layout = selected_layout(first[1], names, options, keep)
    lines = (_cells(line, row, layout, source.place) for line, row in chain([first], parsed))

    def blocks() -> Iterator[Block]:
        start = 0
        while batch := list(islice(lines, rows_per_block(layout.columns, 8))):
            yield _block(batch, layout, source.place, start)
            start += len(batch)

    return Source(
        source.place,
        len(layout.classes),
        np.dtype(np.float64),
        ready(blocks),
        class_names=None if names is None else tuple(names[column] for column in layout.classes),
        id_names=tuple("" if names is None else names[column] for column in layout.ids),
    )


def _lines(source: Input) -> Iterator[tuple[int, Any]]:
    with reading(source.place):
        for number, line in enumerate(source.stream, 1):
            if not line.strip():
                continue
            try:
                row = loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, RecursionError) as error:
                problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                place = f"{source.place}:{number}"
                raise InputError(f"is not JSON: {problem}", "check the line", place) from None
            if not isinstance(row, (list, dict)) or not row:
                raise InputError(
                    "is neither a list of numbers nor an object",
                    'a line is [1, 2, 3] or {"a": 1, "b": 2}',
                    f"{source.place}:{number}",
                )
            yield number, row


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
            f"has not the keys of the first line, {', '.join(layout.names)}",
            "every line needs the same keys",
            f"{place}:{line}",
        )
    return line, [row[name] for name in layout.names]


def _block(batch: list[Line], layout: Layout, place: str, start: int) -> Block:
    values = np.empty((len(batch), len(layout.classes)))
    for position, (line, cells) in enumerate(batch):
        for column, source_column in enumerate(layout.classes):
            try:
                values[position, column] = json_float(cells[source_column])
            except NotANumberError as error:
                where = f"{place}:{line}:{source_column + 1}"
                raise InputError(str(error), "give a number", where) from None
    numbers = [line for line, _ in batch]
    ids = [tuple(_raw(cells[column]) for column in layout.ids) for _, cells in batch]
    label = layout.label
    return Block(
        start,
        values,
        lambda row: f"{place}:{numbers[row]}",
        ids if layout.ids else None,
        None if label is None else [str(cells[label]) for _, cells in batch],
    )


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
        if len(set(keys)) < len(keys) and not result.matrix:
            raise UsageError(
                "two columns have the same name, and an object only one place for it",
                "write csv",
                target.place,
            )

    def write(self, block: Block) -> None:
        """Write the rows of a block; of a matrix, a line of it a line."""
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
        elif result.matrix or self._names is not None or block.ids is not None:
            rows = [self._object(block, position, row) for position, row in enumerate(rows)]
        self._target.write("".join(f"{row}\n" for row in rows).encode())

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
