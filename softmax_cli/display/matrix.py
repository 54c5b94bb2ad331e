"""A matrix as a grid, shaded by sign and size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from softmax_cli.display.alignment import align_columns, first_and_last
from softmax_cli.display.parts import Cell, Grid

# More than any terminal has room for.
SHOWN_COLUMNS = 400


def matrix_grid(
    headings: Sequence[str],
    labels: Sequence[str],
    rows: Sequence[Sequence[float]],
    number: Callable[[float], str],
    gap: int | None = None,
    note: str = "",
) -> Grid:
    """Return a matrix as a grid; `number` writes an entry, `gap` and `note` are those of Grid."""
    columns = first_and_last(len(headings), SHOWN_COLUMNS)
    rows = [[row[column] for column in columns] for row in rows]
    largest = max((abs(value) for row in rows for value in row if isfinite(value)), default=0.0)
    texts = align_columns([[number(value) for value in row] for row in rows])
    cells = [
        [
            Cell(text, shade=value / largest if largest and isfinite(value) else 0.0)
            for value, text in zip(row, row_texts, strict=True)
        ]
        for row, row_texts in zip(rows, texts, strict=True)
    ]
    return Grid(
        r"i \ j",
        [headings[column] for column in columns],
        len(headings),
        labels,
        cells,
        gap=gap,
        note=note,
        darkest=number(largest) if largest else "",
    )
