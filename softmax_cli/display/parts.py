"""What people are shown, as data: no width, color or renderer is known yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import isfinite
from operator import attrgetter
from types import MappingProxyType
from typing import Literal, NamedTuple

from softmax_cli.display.alignment import align_columns, first_and_last

# More columns than any terminal has room for.
SHOWN_COLUMNS = 400
# Precedes the number that stands out, which color alone may not show; a blank precedes the others.
MARK = (" ", "▸")


class Line(NamedTuple):
    """A line of words; what does not fit continues below, indented further.

    whole  never broken, because users copy it
    """

    text: str = ""
    style: Literal["", "bold", "dim"] = ""
    indent: int = 0
    whole: bool = False


class Gauge(NamedTuple):
    """A cell with a bar up to a value from 0 to 1, and a line at another value."""

    value: float
    mark: float | None = None


class Table(NamedTuple):
    """Rows of texts; gauges in the last column take the width that is left.

    left      left-aligned columns
    styles    maps the text of a cell to its style
    legend    explains the gauges; shown only with them
    gaps      rows before which others are left out
    strong    rows that stand out
    names     columns of names, which are cut to fit
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str | Gauge]]
    left: Sequence[int] = (0,)
    styles: Mapping[str, str] = MappingProxyType({})
    legend: str = ""
    gaps: Sequence[int] = ()
    strong: Sequence[int] = ()
    names: Sequence[int] = ()
    indent: int = 0


class Cell(NamedTuple):
    """A number in a grid.

    height  of a small bar after the number, from 0 to 1
    shade   sign and relative size of the number, from -1 to 1
    strong  whether it stands out
    name    what the number belongs to, shown before it
    """

    text: str
    height: float | None = None
    shade: float | None = None
    strong: bool = False
    name: str | None = None


class Grid(NamedTuple):
    """Rows of numbers; as many columns are shown as fit.

    total    how many columns there are; `headings` and `cells` hold the first and the last
    tops     the heading of the column that stands out in each row, even if it is not shown
    gap      the row before which others are left out
    note     says how many rows are shown, if not all
    what     what the columns are
    darkest  the number with the darkest shade, if the cells are shaded
    """

    corner: str
    headings: Sequence[str]
    total: int
    labels: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    tops: Sequence[str] = ()
    gap: int | None = None
    note: str = ""
    what: str = "classes"
    darkest: str = ""
    indent: int = 0


Part = Line | Table | Grid


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
    shades = [[value / largest if largest else 0.0 for value in row] for row in rows]
    pairs = zip(texts, shades, strict=True)
    cells = [[Cell(text, shade=shade) for text, shade in zip(*pair, strict=True)] for pair in pairs]
    names, darkest = [headings[column] for column in columns], number(largest) if largest else ""
    return Grid(r"i \ j", names, len(headings), labels, cells, gap=gap, note=note, darkest=darkest)


class Step(NamedTuple):
    """A step of a derivation.

    name   identifies the step in JSON
    facts  the numbers for JSON, by key
    parts  the numbers for people; texts are lines
    row    number of the row it explains; None if it is about all rows
    """

    name: str
    title: str
    formula: Sequence[str] = ()
    facts: Mapping[str, object] = MappingProxyType({})
    parts: Sequence[Part | str] = ()
    row: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the step as a JSON object."""
        head: dict[str, object] = {"row": self.row, "step": self.name, "title": self.title}
        return {**head, "formula": list(self.formula), **self.facts}


def step_parts(steps: Sequence[Step]) -> Iterator[Part]:
    """Return what people see of the steps, numbered from 1 in each row."""
    several = len({step.row for step in steps} - {None}) > 1
    for row, of_row in groupby(steps, attrgetter("row")):
        for number, step in enumerate(of_row, 1):
            if step is not steps[0]:
                yield Line()
            if number == 1 and several and row is not None:
                yield from (Line(f"row {row}", "bold"), Line())
            if step.title:
                yield Line(step.title if row is None else f"{number}. {step.title}", "bold")
            yield from (Line(line, indent=3) for line in step.formula)
            for part in step.parts:
                shown = Line(part) if isinstance(part, str) else part
                yield shown._replace(indent=shown.indent + 3)
