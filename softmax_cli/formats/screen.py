"""What is shown as text, in colour, or as a picture, as wide as the place for it is. Knows rich."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from shutil import get_terminal_size
from typing import Any, Literal

from rich import box
from rich import table as tables
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from softmax_cli.errors import printable
from softmax_cli.formats.options import WriteOptions
from softmax_cli.formats.parts import Cell, Gauge, Grid, Line, Part, Shades, Table
from softmax_cli.formats.shown import first_and_last

LONGEST_NAME = 24
LONGEST_BAR = 40
SHORTEST_BAR = 8

Tints = dict[int, tuple[str, ...]]

_NARROWEST = 20
_DEFAULT_WIDTH = 80
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
# Of what stands out: no colour may be there to tell it.
MARK = (" ", "▸")
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


def text_of(parts: Iterable[Part], options: WriteOptions, *, terminal: bool) -> bytes:
    """Return the parts as lines, as wide and as colourful as the output is."""
    wanted = options.color
    if wanted == "auto" and (not terminal or os.environ.get("NO_COLOR")):
        wanted = "never"
    systems: dict[str, Literal["auto", "256"] | None]
    systems = {"always": "256", "never": None, "auto": "auto"}
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=wanted != "never",
        color_system=systems[wanted],
        no_color=False,
        highlight=False,
        legacy_windows=False,
        width=width(terminal=terminal),
    )
    print_parts(parts, console)
    lines = file.getvalue().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines).encode()


def width(*, terminal: bool) -> int:
    """Return how many cells a line has: those of the terminal, or of $COLUMNS, or 80."""
    if not terminal and "COLUMNS" not in os.environ:
        return _DEFAULT_WIDTH
    return max(_NARROWEST, get_terminal_size().columns)


def print_parts(parts: Iterable[Part], console: Console) -> None:
    """Print each part as its kind is printed."""
    printers: dict[type[Part], Callable[[Console, Any], None]] = {
        Line: _print_line,
        Table: _print_table,
        Grid: _print_grid,
        Shades: _print_legend,
    }
    for part in parts:
        printers[type(part)](console, part)


def _print_line(console: Console, line: Line) -> None:
    text = Text(" " * line.indent + printable(line.text), style=line.style)
    if line.whole or text.cell_len <= console.width:
        console.print(text, soft_wrap=True)
        return
    # What goes on in the next line begins further in.
    inner = line.indent + 2
    first, *rest = text.wrap(console, console.width)
    console.print(first)
    if rest:
        left = Text(text.plain[len(first.plain) :].lstrip(), style=line.style)
        console.print(Padding(left, (0, 0, 0, min(inner, console.width // 2))))


def _print_note(console: Console, text: str, indent: int) -> None:
    _print_line(console, Line(text, "dim", indent))


def _print_indented(console: Console, table: tables.Table, indent: int) -> None:
    console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)


def _print_table(console: Console, table: Table) -> None:
    headings, rows = table.headings, table.rows
    fitting, room = _fitting(console.width - table.indent, headings, rows)
    drawn = _drawn(show_header=any(headings))
    for place, heading in enumerate(headings[:fitting]):
        has_bars = any(isinstance(row[place], Gauge) for row in rows)
        is_left = place in table.left or has_bars
        drawn.add_column(Text(heading), justify="left" if is_left else "right")
    for number, row in enumerate(rows):
        if number in table.gaps:
            gap = ["⋮" if isinstance(cell, str) and cell else "" for cell in row[:fitting]]
            drawn.add_row(*gap, style="dim")
        cells = [
            _gauge(cell, room)
            if isinstance(cell, Gauge)
            else Text(printable(cell), style=table.styles.get(cell, ""))
            for cell in row[:fitting]
        ]
        drawn.add_row(*cells, style="bold" if number in table.strong else "")
    _print_indented(console, drawn, table.indent)
    hidden = [heading for heading in headings[fitting:] if heading]
    if hidden:
        _print_note(console, f"too narrow for: {', '.join(hidden)}", table.indent)
    if table.legend and room:
        _print_note(console, table.legend, table.indent)


def _fitting(
    wide: int, headings: Sequence[str], rows: Sequence[Sequence[str | Gauge]]
) -> tuple[int, int]:
    """Return how many columns fit, and the width of a bar in the last one, if it has bars.

    What has no heading to be named by is folded, not left out.
    """
    has_bars = any(isinstance(cell, Gauge) for row in rows for cell in row)
    texts = [[cell if isinstance(cell, str) else "" for cell in row] for row in rows]
    used, fitting = -3, 0
    for column in zip(headings, *texts, strict=True):
        used += 3 + max(map(cell_len, column))
        fitting += used <= wide
    room = min(LONGEST_BAR, wide - used - 1)
    if has_bars:
        return (fitting, room) if room >= SHORTEST_BAR else (min(fitting, len(headings) - 1), 0)
    return (max(2, fitting) if any(headings) else len(headings)), 0


def _gauge(gauge: Gauge, room: int) -> Text:
    bar = _bar(gauge.value, room).ljust(room + 1)
    if gauge.mark is None:
        return Text(bar.rstrip(), style="cyan")
    place = min(room, round(gauge.mark * room))
    return Text(bar[:place], style="cyan") + Text("│") + Text(bar[place + 1 :], style="cyan")


def _bar(value: float, room: int) -> str:
    eighths = round(8 * room * _share(value))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _print_grid(console: Console, grid: Grid) -> None:
    """Print as many columns as fit, and say how many do not."""
    tints = _tints(console)
    texts = [[_cell(cell, tints) for cell in line] for line in grid.cells]
    marked = any(cell.strong for line in grid.cells for cell in line)
    labels = [shortened(label) for label in grid.labels]
    headings = [shortened(heading) for heading in grid.headings]
    label_width = max(map(cell_len, (grid.corner, *labels)))
    widths = [
        max(cell_len(heading), marked + max(text.cell_len for text in column))
        for heading, *column in zip(headings, *texts, strict=True)
    ]
    room = console.width - grid.indent - label_width
    shown = _fitting_columns(widths, room)
    hidden = len(shown) < len(headings)
    # What stands out may be in a column that is hidden: it has one of its own.
    tops = _tops(grid, headings) if hidden and marked else []
    left = room - 3 - max(map(cell_len, tops), default=0)
    if tops and widths[0] + 3 + 4 <= left:
        shown = _fitting_columns(widths, left)
    else:
        tops = []
    # Padded here and set to the left: at the right, the blank of an empty bar would be stripped.
    drawn = _drawn()
    drawn.add_column(Text(grid.corner), no_wrap=True)
    if tops:
        drawn.add_column(Text(tops[0]), no_wrap=True)
    dots = (len(shown) + 1) // 2 if hidden else None
    for place, column in enumerate(shown):
        if place == dots:
            drawn.add_column("…", width=1, no_wrap=True)
        heading = _padded(Text(headings[column]), widths[column])
        drawn.add_column(heading, no_wrap=True, width=widths[column])
    for number, (label, line) in enumerate(zip(labels, texts, strict=True)):
        if number == grid.gap:
            gaps = [_padded(Text("⋮"), column.width or 1) for column in drawn.columns[1:]]
            drawn.add_row("⋮", *gaps, style="dim")
        cells: list[Text | str] = [_padded(line[column], widths[column]) for column in shown]
        if dots is not None:
            cells.insert(dots, "…")
        top = [Text(tops[number + 1], style="bold")] if tops else []
        drawn.add_row(Text(label), *top, *cells)
    _print_indented(console, drawn, grid.indent)
    notes = [grid.note] if grid.note else []
    if hidden:
        notes.append(f"{len(shown)} of {len(headings)} classes")
    if notes:
        _print_note(console, f"{', '.join(notes)} shown", grid.indent)


def _tops(grid: Grid, headings: Sequence[str]) -> list[str]:
    """Return a heading, and for each line the heading of the cell that stands out."""
    tops = [
        next((heading for heading, cell in zip(headings, line, strict=True) if cell.strong), "")
        for line in grid.cells
    ]
    return [MARK[True], *tops]


def _fitting_columns(widths: Sequence[int], room: int) -> list[int]:
    """Return the first and the last columns that fit, with three blanks before each.

    >>> _fitting_columns([5, 5, 5], room=24), _fitting_columns([5, 5, 5], room=23)
    ([0, 1, 2], [0, 2])
    """
    if sum(widths) + 3 * len(widths) <= room:
        return list(range(len(widths)))
    # The dots in the middle need a column of their own.
    for count in range(len(widths) - 1, 1, -1):
        shown, _ = first_and_last(len(widths), count)
        if sum(widths[column] + 3 for column in shown) + 4 <= room:
            return shown
    return [0]


def _cell(cell: Cell, tints: Tints) -> Text:
    if cell.shade is not None:
        step = min(4, int(4 * _share(abs(cell.shade)) + 0.5))
        style = tints[-1 if cell.shade < 0 else 1][step]
        return Text(f" {cell.text} {_SHADES[step]}", style=style)
    text = Text(cell.text, style="bold" if cell.strong else "")
    if cell.strong:
        text = Text(MARK[True]) + text
    if cell.height is not None:
        text.append(" " + _HEIGHTS[round(8 * _share(cell.height))], style="cyan")
    return text


def _padded(text: Text, wide: int) -> Text:
    return Text(" " * (wide - text.cell_len)) + text


def _print_legend(console: Console, shades: Shades) -> None:
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


def _drawn(**options: Any) -> tables.Table:
    rule = box.SIMPLE_HEAD
    return tables.Table(box=rule, pad_edge=False, show_edge=False, padding=(0, 1), **options)


def shortened(name: str) -> str:
    """Return a name on one line, cut if it is long."""
    name = printable(name)
    if cell_len(name) <= LONGEST_NAME:
        return name
    return set_cell_size(name, LONGEST_NAME - 1).rstrip() + "…"


def _share(value: float) -> float:
    """Return a number as one from 0 to 1; what is no number is 0."""
    return min(1.0, max(0.0, value)) if value - value == 0 else 0.0
