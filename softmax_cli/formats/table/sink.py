"""Tables of results for people: the first and the last rows, with bars and shades."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from softmax_cli.display.alignment import (
    DEFAULT_PRECISION,
    align_columns,
    align_numbers,
    first_and_last,
)
from softmax_cli.display.parts import (
    MARK,
    SHOWN_COLUMNS,
    Cell,
    Gauge,
    Grid,
    Line,
    Part,
    Table,
    matrix_grid,
    step_parts,
)
from softmax_cli.display.rich.console import render_text
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.storage.output import Target

_SHOWN_CLASSES = 40
_SHOWN_ROWS = 10
_SHOWN_MATRICES = 3

_SINGULAR = {"probabilities": "probability", "log_probabilities": "log-probability"}


def open_table(result: Result, _: str, target: Target, options: WriteOptions) -> Sink:
    """Return a sink that writes the table of a result into the target."""

    def show(parts: Sequence[Part]) -> None:
        target.write(render_text(parts, options.color, terminal=target.is_terminal))

    return TableSink(result, show, options)


class _Row(NamedTuple):
    """A row to show: its number, its name, its values, and their classes in a top-K result."""

    number: int
    name: str
    values: list[float]
    classes: list[object] | None


class TableSink(Sink):
    """Keeps the first and the last rows; `show` prints the parts of the table after the last."""

    def __init__(
        self, result: Result, show: Callable[[Sequence[Part]], None], options: WriteOptions
    ) -> None:
        self._result, self._show = result, show
        self._precision = options.precision or DEFAULT_PRECISION
        self._has_bars = result.name == "probabilities"
        self._has_top = result.name in _SINGULAR
        self._count = 0
        self._first: list[_Row] = []
        self._last: deque[_Row] = deque(maxlen=_SHOWN_ROWS)

    def write(self, block: Block) -> None:
        count = len(block.values)
        if self._result.matrix:
            lines = self._result.lines
            for row in range(count):
                matrix, i = divmod(block.start + row, lines)
                if matrix < _SHOWN_MATRICES and not _SHOWN_ROWS <= i < lines - _SHOWN_ROWS:
                    self._first.append(self._row(block, row))
        else:
            ahead = min(max(0, _SHOWN_ROWS - self._count), count)
            self._first.extend(self._row(block, row) for row in range(ahead))
            behind = range(max(ahead, count - _SHOWN_ROWS), count)
            self._last.extend(self._row(block, row) for row in behind)
        self._count += count

    def _row(self, block: Block, row: int) -> _Row:
        number, classes = block.start + row, None
        name = str(number)
        if block.ids is not None:
            name = " ".join(block.ids.texts(row))
        if block.classes is not None:
            classes = self._result.name_classes(block.classes[row : row + 1])[0]
        return _Row(number, name, block.values[row].tolist(), classes)

    def finish(self) -> None:
        result = self._result
        if result.steps is not None:
            self._show(list(step_parts(result.steps())))
            return
        if result.matrix:
            parts = self._matrices()
        elif self._count == 1 and result.columns > 1:
            parts = self._one_row()
        else:
            parts = self._all_rows()
        self._show([*parts, *(result.after() if result.after else ())])

    def _one_row(self) -> Iterator[Part]:
        result, row = self._result, self._first[0]
        count = len(row.values)
        names = row.classes or result.shown_names
        shown = first_and_last(count, _SHOWN_CLASSES)
        texts = align_numbers([self._number(row.values[column]) for column in shown])
        top = _largest(row.values) if self._has_top else None
        if top is not None:
            texts = [MARK[column == top] + text for column, text in zip(shown, texts, strict=True)]
        if result.id_names:
            yield Line(row.name, "bold")
        yield Table(
            ("class", _SINGULAR.get(result.name, result.name), *[""] * self._has_bars),
            [
                (str(names[column]), text, *[Gauge(row.values[column])] * self._has_bars)
                for column, text in zip(shown, texts, strict=True)
            ],
            names=(0,),
            gaps=(len(shown) // 2,) if len(shown) < count else (),
            strong=[shown.index(top)] if top in shown else (),
        )
        if len(shown) < count:
            where = "" if top is None or top in shown else f"; the likeliest is {names[top]}"
            yield Line(f"{len(shown)} of {count} classes shown{where}", "dim")

    def _all_rows(self) -> Iterator[Part]:
        rows = [*self._first, *self._last]
        if not rows:
            yield Line("no rows", "dim")
            return
        result, total = self._result, self._count
        gap = len(self._first) if total > len(rows) else None
        columns = first_and_last(result.columns, SHOWN_COLUMNS)
        names = result.shown_names
        is_top_k = rows[0].classes is not None
        if is_top_k:
            names = [f"#{place + 1}" for place in range(result.columns)]
        has_tops = self._has_top and not is_top_k and result.columns > 1
        tops = [_largest(row.values) if has_tops else None for row in rows]
        texts = align_columns(
            [[self._number(row.values[column]) for column in columns] for row in rows]
        )
        cells = [
            [
                Cell(
                    text,
                    height=row.values[column] if self._has_bars else None,
                    strong=column == top,
                    name=None if row.classes is None else str(row.classes[column]),
                )
                for column, text in zip(columns, row_texts, strict=True)
            ]
            for row, row_texts, top in zip(rows, texts, tops, strict=True)
        ]
        yield Grid(
            " ".join(result.id_names).strip() or "row",
            [str(names[column]) for column in columns],
            result.columns,
            [row.name for row in rows],
            cells,
            ["" if top is None else str(names[top]) for top in tops],
            gap,
            "" if gap is None else f"{len(rows)} of {total} rows",
            "likeliest" if is_top_k else "classes",
        )

    def _matrices(self) -> Iterator[Part]:
        result = self._result
        classes = result.lines
        total = self._count // classes
        names = columns = [str(name) for name in result.shown_names]
        if result.columns < classes:
            names = [str(name) for name in result.class_names or range(classes)]
            columns = [*(result.column_names or result.new_names or ())]
        for matrix in range(min(total, _SHOWN_MATRICES)):
            rows = [row for row in self._first if row.number // classes == matrix]
            if matrix:
                yield Line()
            if total > 1:
                yield Line(f"row {matrix}", "bold")
            gap = _SHOWN_ROWS if classes > len(rows) else None
            note = "" if gap is None else f"{len(rows)} of {classes} lines"
            labels = [names[row.number % classes] for row in rows]
            values = [row.values for row in rows]
            yield matrix_grid(columns, labels, values, self._number, gap, note)
        if total > _SHOWN_MATRICES:
            yield Line(f"{_SHOWN_MATRICES} of {total} rows shown", "dim")

    def _number(self, value: float) -> str:
        return f"{value:.{self._precision}g}"


def _largest(values: Sequence[float]) -> int | None:
    """Return the first place of the largest number; None if all are NaN."""
    known = [place for place, value in enumerate(values) if value == value]
    return max(known, key=values.__getitem__, default=None)
