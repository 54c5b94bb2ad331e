"""What people are shown, as data: no width, color or renderer is known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# Precedes the number that stands out, which color alone may not show; a blank precedes the others.
MARK = (" ", "▸")


@dataclass(frozen=True)
class Line:
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


@dataclass(frozen=True)
class Table:
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
    styles: dict[str, str] = field(default_factory=dict)
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


@dataclass(frozen=True)
class Grid:
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
