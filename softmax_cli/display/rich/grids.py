"""Grids of numbers: as many columns as there is room for, shades, small bars. Knows rich."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from softmax_cli.display.parts import Cell, Grid, Shades
from softmax_cli.display.rich.lines import MARK, drawn, print_indented, print_note, share
from softmax_cli.display.rich.names import LENGTHS, SHORT_NAME, cut_name
from softmax_cli.formats.table.shown import first_and_last

Tints = dict[int, tuple[str, ...]]

_HEIGHTS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
# From faint to strong, by sign. Each background has black or white on it, so that it reads on
# light and on dark terminals; 16 colours have too few tints, and get coloured digits.
_TINTS: Tints = {
    1: ("", "#000000 on #d6e6f4", "#000000 on #9dc6e0", "#000000 on #5b9ec9", "#ffffff on #1f5f9e"),
    -1: (
        "",
        "#000000 on #fbd9c8",
        "#000000 on #f2a889",
        "#000000 on #dc7257",
        "#ffffff on #b03a2e",
    ),
}
_SIXTEEN: Tints = {
    1: ("", "blue", "blue", "white on blue", "bold white on blue"),
    -1: ("", "red", "red", "white on red", "bold white on red"),
}


def print_grid(console: Console, grid: Grid) -> None:
    """Print as many columns as fit, and say how many do not."""
    wide, tints = console.width - grid.indent, _tints(console)
    cut = _cut(grid, wide, tints)
    labels, headings, texts, widths = cut.labels, cut.headings, cut.texts, cut.widths
    room, shown, marked = cut.room, cut.shown, cut.marked
    hidden = len(shown) < grid.total
    # What stands out may be in a column that is hidden: it has one of its own.
    tops = [MARK[True], *cut.tops] if hidden and marked else []
    left = room - 3 - max(map(cell_len, tops), default=0)
    if tops and widths[0] + 3 + 4 <= left:
        shown = _fitting_columns(widths, left, grid.total)
    else:
        tops = []
    # Padded here and set to the left: at the right, the blank of an empty bar would be stripped.
    lines = drawn()
    lines.add_column(Text(cut.corner), no_wrap=True)
    if tops:
        lines.add_column(Text(tops[0]), no_wrap=True)
    dots = (len(shown) + 1) // 2 if hidden else None
    for place, column in enumerate(shown):
        if place == dots:
            lines.add_column("…", width=1, no_wrap=True)
        heading = _padded(Text(headings[column]), widths[column])
        lines.add_column(heading, no_wrap=True, width=widths[column])
    for number, (label, line) in enumerate(zip(labels, texts, strict=True)):
        if number == grid.gap:
            gaps = [_padded(Text("⋮"), column.width or 1) for column in lines.columns[1:]]
            lines.add_row("⋮", *gaps, style="dim")
        cells: list[Text | str] = [_padded(line[column], widths[column]) for column in shown]
        if dots is not None:
            cells.insert(dots, "…")
        top = [Text(tops[number + 1], style="bold")] if tops else []
        lines.add_row(Text(label), *top, *cells)
    print_indented(console, lines, grid.indent)
    notes = [grid.note] if grid.note else []
    if hidden:
        notes.append(f"{len(shown)} of {grid.total} {grid.what}")
    if notes:
        print_note(console, f"{', '.join(notes)} shown", grid.indent)


def _cut(grid: Grid, wide: int, tints: Tints) -> _Cut:
    """Return the grid with names as long as they can be, but rather cut than columns hidden."""
    names = [*grid.headings, *grid.labels, *(cell.name or "" for cell in chain(*grid.cells))]
    longest = max(map(cell_len, names), default=0)
    lengths = [LENGTHS[0], *(length for length in LENGTHS[1:] if length < longest)]
    cuts = [_Cut(grid, length, wide, tints) for length in lengths]
    whole = [cut for cut in cuts if len(cut.shown) == grid.total and cut.longest >= SHORT_NAME]
    return next(iter([*whole, *(cut for cut in cuts if cut.fits), cuts[-1]]))


class _Cut:
    """A grid whose names have so many cells at most, and the columns of it that fit."""

    def __init__(self, grid: Grid, longest: int, wide: int, tints: Tints) -> None:
        self.longest = longest
        self.labels = [cut_name(label, longest) for label in grid.labels]
        self.headings = [cut_name(heading, longest) for heading in grid.headings]
        self.texts = [[_cell(cell, tints, longest) for cell in line] for line in grid.cells]
        self.tops = [cut_name(top, longest) for top in grid.tops]
        self.marked = any(grid.tops)
        self.widths = [
            max(cell_len(heading), self.marked + max(text.cell_len for text in column))
            for heading, *column in zip(self.headings, *self.texts, strict=True)
        ]
        self.corner = cut_name(grid.corner, longest)
        self.room = wide - max(map(cell_len, (self.corner, *self.labels)))
        self.shown = _fitting_columns(self.widths, self.room, grid.total)

    @property
    def fits(self) -> bool:
        return len(self.shown) > 1 or (len(self.widths) == 1 and self.widths[0] + 3 <= self.room)


def _fitting_columns(widths: Sequence[int], room: int, total: int) -> list[int]:
    """Return the first and the last columns that fit, with three blanks before each.

    >>> _fitting_columns([5, 5, 5], room=24, total=3), _fitting_columns([5, 5, 5], 23, total=3)
    ([0, 1, 2], [0, 2])
    """
    if len(widths) == total and sum(widths) + 3 * len(widths) <= room:
        return list(range(len(widths)))
    # The dots in the middle need a column of their own.
    for count in range(min(len(widths), room // 4), 1, -1):
        shown, _ = first_and_last(len(widths), count)
        if sum(widths[column] + 3 for column in shown) + 4 <= room:
            return shown
    return [0]


def _cell(cell: Cell, tints: Tints, longest: int) -> Text:
    if cell.shade is not None:
        step = min(4, int(4 * share(abs(cell.shade)) + 0.5))
        style = tints[-1 if cell.shade < 0 else 1][step]
        return Text(f" {cell.text} {_SHADES[step]}", style=style)
    name = "" if cell.name is None else f"{cut_name(cell.name, longest)} "
    text = Text(name + cell.text, style="bold" if cell.strong else "")
    if cell.strong:
        text = Text(MARK[True]) + text
    if cell.height is not None:
        text.append(" " + _HEIGHTS[round(8 * share(cell.height))], style="cyan")
    return text


def _padded(text: Text, wide: int) -> Text:
    return Text(" " * (wide - text.cell_len)) + text


def print_legend(console: Console, shades: Shades) -> None:
    """Print what the shades of a grid mean."""
    legend = Text(" " * shades.indent)
    legend.append("shade: ", style="dim")
    if console.color_system is not None:
        tints = _tints(console)
        legend.append(" + ", style=tints[1][3])
        legend.append(" ")
        legend.append(" - ", style=tints[-1][3])
        legend.append(" by sign, ", style="dim")
    legend.append(f"░▒▓█ by size, █ is {shades.largest}", style="dim")
    console.print(legend)


def _tints(console: Console) -> Tints:
    return _SIXTEEN if console.color_system in ("standard", "windows") else _TINTS
