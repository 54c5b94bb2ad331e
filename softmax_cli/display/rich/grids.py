"""Grids of numbers with shades and small bars, as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from softmax_cli.display.alignment import first_and_last
from softmax_cli.display.parts import MARK, Cell, Grid, Line
from softmax_cli.display.rich.names import LENGTHS, SHORT_NAME, cut_name
from softmax_cli.display.rich.tables import clip, new_table, print_indented, print_line

Tints = Sequence[Sequence[str]]
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
# Of numbers above and below 0, from faint to strong. Each background has black or white on it,
# readable on light and dark terminals; 16 colors have too few tints, and color the digits instead.
_TINTS = (
    ("", "#000000 on #d6e6f4", "#000000 on #9dc6e0", "#000000 on #5b9ec9", "#ffffff on #1f5f9e"),
    ("", "#000000 on #fbd9c8", "#000000 on #f2a889", "#000000 on #dc7257", "#ffffff on #b03a2e"),
)
_SIXTEEN_COLORS = (
    ("", "blue", "blue", "white on blue", "bold white on blue"),
    ("", "red", "red", "white on red", "bold white on red"),
)


def print_grid(console: Console, grid: Grid) -> None:
    """Print as many columns as fit, say how many do not, and explain the shades."""
    tints = _SIXTEEN_COLORS if console.color_system in ("standard", "windows") else _TINTS
    layout = _best_layout(grid, console.width - grid.indent, tints)
    shown, tops = layout.shown, layout.tops
    is_cut = len(shown) < grid.total
    left = layout.room - 3 - max(map(cell_len, tops), default=0)
    # The number that stands out may be in a hidden column: a column of its own names that column.
    if not is_cut or layout.widths[0] + 7 > left:
        tops = []
    if tops:
        shown = _fitting_columns(layout.widths, left, grid.total)
    # Padded here: aligned to the right, the blank of an empty bar would be stripped.
    columns = [[_pad(text, layout.widths[c]) for text in layout.columns[c]] for c in shown]
    if is_cut:
        # After a single column the dots have no heading, and give way.
        heading = Text("…" if len(shown) > 1 else "")
        columns.insert((len(shown) + 1) // 2, [heading, *[Text("…")] * len(grid.labels)])
    if tops:
        columns.insert(0, [Text(tops[0]), *(Text(top, style="bold") for top in tops[1:])])
    table = new_table()
    headings, *rows = zip(map(Text, layout.labels), *columns, strict=True)
    for place, heading in enumerate(headings):
        width = heading.cell_len if place > bool(tops) else None
        table.add_column(heading, no_wrap=bool(heading), width=width or None)
    for number, row in enumerate(rows):
        if number == grid.gap:
            gaps = [_pad(Text("⋮"), heading.cell_len) for heading in headings[1:]]
            table.add_row("⋮", *gaps, style="dim")
        table.add_row(*row)
    print_indented(console, table, grid.indent)
    notes = [grid.note, f"{len(shown)} of {grid.total} {grid.what}" if is_cut else ""]
    if any(notes):
        print_line(console, Line(f"{', '.join(filter(None, notes))} shown", "dim", grid.indent))
    if grid.darkest:
        _print_legend(console, grid, tints)


def _best_layout(grid: Grid, width: int, tints: Tints) -> _Layout:
    """Return the layout with the longest names; names are cut before columns are hidden."""
    names = [*grid.headings, *grid.labels, *(cell.name or "" for cell in chain(*grid.cells))]
    longest = max(map(cell_len, names), default=0)
    lengths = [LENGTHS[0], *(length for length in LENGTHS[1:] if length < longest)]
    layouts = [_Layout(grid, length, width, tints) for length in lengths]
    for layout in layouts:
        if len(layout.shown) == grid.total and layout.longest >= SHORT_NAME:
            return layout
    return next((layout for layout in layouts if layout.fits), layouts[-1])


class _Layout:
    """A grid whose names have at most so many cells, and the columns that then fit."""

    def __init__(self, grid: Grid, longest: int, width: int, tints: Tints) -> None:
        self.longest = longest
        self.labels = [cut_name(label, longest) for label in (grid.corner, *grid.labels)]
        is_marked = any(grid.tops)
        self.tops = [MARK[True], *(cut_name(t, longest) for t in grid.tops)] if is_marked else []
        headings = [Text(cut_name(heading, longest)) for heading in grid.headings]
        cells = [[_cell(cell, tints, longest) for cell in row] for row in grid.cells]
        self.columns = list(zip(headings, *cells, strict=True))
        self.widths = [
            max(heading.cell_len, is_marked + max(text.cell_len for text in column))
            for heading, *column in self.columns
        ]
        self.room = width - max(map(cell_len, self.labels))
        self.shown = _fitting_columns(self.widths, self.room, grid.total)
        fits_alone = len(self.widths) == 1 and self.widths[0] + 3 <= self.room
        self.fits = len(self.shown) > 1 or fits_alone


def _fitting_columns(widths: Sequence[int], room: int, total: int) -> list[int]:
    """Return the first and the last columns that fit, with three blanks before each.

    >>> _fitting_columns([5, 5, 5], room=24, total=3), _fitting_columns([5, 5, 5], 23, total=3)
    ([0, 1, 2], [0, 2])
    """
    if len(widths) == total and sum(widths) + 3 * len(widths) <= room:
        return list(range(len(widths)))
    # The dots in the middle need a column of their own.
    for count in range(min(len(widths), room // 4), 1, -1):
        shown = first_and_last(len(widths), count)
        if sum(widths[column] + 3 for column in shown) + 4 <= room:
            return shown
    return [0]


def _cell(cell: Cell, tints: Tints, longest: int) -> Text:
    if cell.shade is not None:
        step = min(4, int(4 * clip(abs(cell.shade)) + 0.5))
        return Text(f" {cell.text} {_SHADES[step]}", style=tints[cell.shade < 0][step])
    name = "" if cell.name is None else f"{cut_name(cell.name, longest)} "
    text = Text(name + cell.text, style="bold" if cell.strong else "")
    if cell.strong:
        text = Text(MARK[True]) + text
    if cell.height is not None:
        text.append(" " + _HEIGHTS[round(8 * clip(cell.height))], style="cyan")
    return text


def _pad(text: Text, width: int) -> Text:
    return Text(" " * (width - text.cell_len)) + text


def _print_legend(console: Console, grid: Grid, tints: Tints) -> None:
    signs = [(" + ", tints[0][3]), " ", (" - ", tints[1][3]), (" by sign, ", "dim")]
    legend = Text.assemble(
        " " * grid.indent,
        ("shade: ", "dim"),
        *(signs if console.color_system is not None else ()),
        (f"░▒▓█ by size, █ is {grid.darkest}", "dim"),
    )
    console.print(legend)
