"""Tables of rows for a person at a terminal: the first and the last rows, bars, shades."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isfinite

from softmax_cli.display.parts import Cell, Gauge, Grid, Line, Part, Shades, Step, Table
from softmax_cli.display.rich.console import text_of
from softmax_cli.display.rich.lines import MARK
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.table.shown import (
    SHOWN_CLASSES,
    SHOWN_COLUMNS,
    SHOWN_MATRICES,
    SHOWN_ROWS,
    ShownLine,
    ShownRows,
    first_and_last,
)
from softmax_cli.formats.text.numbers import aligned
from softmax_cli.storage.output import Target

DEFAULT_PRECISION = 6


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:  # noqa: ARG001
    """Open a sink for a table."""

    def show(parts: Sequence[Part]) -> None:
        target.write(text_of(parts, options, terminal=target.is_terminal))

    return TableSink(result, show, options)


class TableSink(Sink):
    """Keeps the first and the last rows, and shows them when all have gone by."""

    def __init__(
        self, result: Result, show: Callable[[Sequence[Part]], None], options: WriteOptions
    ) -> None:
        """Keep nothing yet."""
        self._result, self._show = result, show
        self._precision = options.precision or DEFAULT_PRECISION
        self._rows = ShownRows(result)

    def write(self, block: Block) -> None:
        """Keep the rows that will be shown."""
        self._rows.add(block)

    def finish(self) -> None:
        """Show the table, or the steps that explain it."""
        result = self._result
        if result.steps is not None:
            self._show(list(explained(result.steps())))
            return
        if result.matrix:
            parts = self._matrices()
        elif self._rows.count == 1 and result.columns > 1:
            parts = self._one_row()
        else:
            parts = self._all_rows()
        self._show([*parts, *(result.after() if result.after else ())])

    def _one_row(self) -> Iterator[Part]:
        result, line = self._result, self._rows.first[0]
        names = line.classes or result.class_names or range(len(line.values))
        shown, hidden = first_and_last(len(line.values), SHOWN_CLASSES)
        texts = aligned([self._number(line.values[column]) for column in shown])
        top = _top(line.values) if self._has_top else None
        if top is not None:
            texts = [MARK[column == top] + text for column, text in zip(shown, texts, strict=True)]
        gauges = [[Gauge(line.values[column])] if self._has_bars else [] for column in shown]
        if result.id_names:
            yield Line(line.name, "bold")
        yield Table(
            ("class", _singular(result.name), *[""] * self._has_bars),
            [
                (str(names[column]), text, *gauge)
                for column, text, gauge in zip(shown, texts, gauges, strict=True)
            ],
            names=(0,),
            gaps=(len(shown) // 2,) if hidden else (),
            strong=() if top is None else [n for n, column in enumerate(shown) if column == top],
        )
        if hidden:
            where = "" if top is None or top in shown else f"; the likeliest is {names[top]}"
            yield Line(f"{len(shown)} of {len(line.values)} classes shown{where}", "dim")

    def _all_rows(self) -> Iterator[Part]:
        lines = [*self._rows.first, *self._rows.last]
        if not lines:
            yield Line("no rows", "dim")
            return
        result, total = self._result, self._rows.count
        gap = len(self._rows.first) if total > len(lines) else None
        columns, _ = first_and_last(result.columns, SHOWN_COLUMNS)
        names: Sequence[object] = result.class_names or range(result.columns)
        what = "classes"
        are_likeliest = lines[0].classes is not None
        if are_likeliest:
            names, what = [f"#{place + 1}" for place in range(result.columns)], "likeliest"
        has_tops = self._has_top and not are_likeliest and result.columns > 1
        tops = [_top(line.values) if has_tops else None for line in lines]
        texts = columns_aligned(
            [[self._number(line.values[column]) for column in columns] for line in lines]
        )
        yield Grid(
            " ".join(result.id_names).strip() or "row",
            [str(names[column]) for column in columns],
            result.columns,
            [line.name for line in lines],
            [
                self._cells(line, columns, of_line, top)
                for line, of_line, top in zip(lines, texts, tops, strict=True)
            ],
            ["" if top is None else str(names[top]) for top in tops],
            gap,
            "" if gap is None else f"{len(lines)} of {total} rows",
            what,
        )

    def _cells(
        self, line: ShownLine, columns: Sequence[int], texts: Sequence[str], top: int | None
    ) -> list[Cell]:
        return [
            Cell(
                text,
                height=line.values[column] if self._has_bars else None,
                strong=column == top,
                name=None if line.classes is None else str(line.classes[column]),
            )
            for column, text in zip(columns, texts, strict=True)
        ]

    def _matrices(self) -> Iterator[Part]:
        classes = self._result.columns
        total = self._rows.count // classes
        names = [str(name) for name in self._result.class_names or range(classes)]
        for matrix in range(min(total, SHOWN_MATRICES)):
            lines = self._rows.of_matrix(matrix)
            if matrix:
                yield Line()
            if total > 1:
                yield Line(f"row {matrix}", "bold")
            gap = SHOWN_ROWS if classes > len(lines) else None
            note = "" if gap is None else f"{len(lines)} of {classes} lines"
            labels = [names[line.number] for line in lines]
            yield from shaded(
                names, labels, [line.values for line in lines], self._number, gap, note
            )
        if total > SHOWN_MATRICES:
            yield Line(f"{SHOWN_MATRICES} of {total} rows shown", "dim")

    @property
    def _has_bars(self) -> bool:
        return self._result.name == "probabilities"

    @property
    def _has_top(self) -> bool:
        return self._result.name in ("probabilities", "log_probabilities")

    def _number(self, value: float) -> str:
        return f"{value:.{self._precision}g}"


def shaded(
    headings: Sequence[str],
    labels: Sequence[str],
    lines: Sequence[Sequence[float]],
    number: Callable[[float], str],
    gap: int | None = None,
    note: str = "",
) -> Iterator[Part]:
    """Show a matrix, shaded by sign and size, and what the shades mean."""
    columns, _ = first_and_last(len(headings), SHOWN_COLUMNS)
    lines = [[line[column] for column in columns] for line in lines]
    largest = max((abs(value) for line in lines for value in line if isfinite(value)), default=0.0)
    texts = columns_aligned([[number(value) for value in line] for line in lines])
    cells = [
        [
            Cell(text, shade=value / largest if largest and isfinite(value) else 0.0)
            for value, text in zip(line, of_line, strict=True)
        ]
        for line, of_line in zip(lines, texts, strict=True)
    ]
    names = [headings[column] for column in columns]
    yield Grid(r"i \ j", names, len(headings), labels, cells, gap=gap, note=note)
    if largest:
        yield Shades(number(largest))


def columns_aligned(lines: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return lines of numbers as texts, of which each column has its decimal points in a line."""
    return list(zip(*map(aligned, zip(*lines, strict=True)), strict=True))


def explained(steps: Sequence[Step]) -> Iterator[Part]:
    """Return steps as parts: numbered, each row's from 1, with what belongs to them further in."""
    several = len({step.row for step in steps} - {None}) > 1
    row, number = None, 0
    for step in steps:
        if step is not steps[0]:
            yield Line()
        if step.row != row:
            row, number = step.row, 0
            if several and row is not None:
                yield from (Line(f"row {row}", "bold"), Line())
        number += 1
        if step.title:
            yield Line(f"{number}. {step.title}" if step.row is not None else step.title, "bold")
        yield from (Line(line, indent=3) for line in step.formula)
        yield from (replace(part, indent=part.indent + 3) for part in step.parts)


def _top(values: Sequence[float]) -> int | None:
    """Return the place of the largest number, of several the first; None of none."""
    known = [(-value, place) for place, value in enumerate(values) if value == value]
    return min(known)[1] if known else None


def _singular(name: str) -> str:
    return {"probabilities": "probability", "log_probabilities": "log-probability"}.get(name, name)
