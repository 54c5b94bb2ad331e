"""What a person is shown, before it is known how wide and how colourful the place for it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True)
class Line:
    """A line of words, which goes on below, further in, where there is no room.

    whole  never broken, as what is to be copied
    """

    text: str = ""
    style: Literal["", "bold", "dim"] = ""
    indent: int = 0
    whole: bool = False


class Gauge(NamedTuple):
    """A cell with a bar up to a value from 0 to 1, and a line where another value is."""

    value: float
    mark: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows of texts, and of gauges in the last column, which take what width is left.

    left      the columns that are set to the left
    styles    of the cells with these texts
    legend    what the gauges mean; not shown where there is no room for them
    gaps      before which rows some are left out
    strong    rows that stand out
    names     the columns of names, which are cut where there is no room for them
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

    height  a small bar beside it, from 0 to 1
    shade   its sign, and how large it is beside the largest, from -1 to 1
    strong  it stands out
    name    what the number is of, before it
    """

    text: str
    height: float | None = None
    shade: float | None = None
    strong: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Grid:
    """Lines of numbers, of which as many columns are shown as there is room for.

    gap   before which line some are left out
    note  what must be said of the lines that are left out
    what  the columns are
    total how many columns there are, of which these are the first and the last
    tops  of each line, the heading of the column that stands out, wherever it is
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
    indent: int = 0


@dataclass(frozen=True)
class Shades:
    """What the shades of a grid mean, whose darkest is this number."""

    largest: str
    indent: int = 0


Part = Line | Table | Grid | Shades


@dataclass(frozen=True)
class Step:
    """A step of a derivation.

    name     for programs
    title    for people
    formula  its lines
    facts    the numbers, for programs
    parts    the numbers, for people
    row      of which row it is; None of all
    """

    name: str
    title: str
    formula: Sequence[str] = ()
    facts: dict[str, object] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    row: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the step as the object that JSON holds."""
        told: dict[str, object] = {"row": self.row, "step": self.name, "title": self.title}
        return {**told, "formula": list(self.formula), **self.facts}
