"""Lines of words, tables with a bar at the end of each row, and what grids share with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from softmax_cli.display.parts import Gauge, Line, Table
from softmax_cli.display.rich.names import LENGTHS, cut_name
from softmax_cli.errors import escape_unprintable

LONGEST_BAR = 40
SHORTEST_BAR = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_line(console: Console, line: Line) -> None:
    """Print a line, broken between words where it is too long."""
    text = Text(" " * line.indent + escape_unprintable(line.text), style=line.style)
    if line.whole or text.cell_len <= console.width:
        console.print(text, soft_wrap=True)
        return
    first, *others = text.wrap(console, console.width)
    console.print(first)
    if others:
        rest = Text(text.plain[len(first.plain) :].lstrip(), style=line.style)
        console.print(Padding(rest, (0, 0, 0, min(line.indent + 2, console.width // 2))))


def print_table(console: Console, table: Table) -> None:
    """Print the columns that fit, with bars if there is room, and name the columns that do not."""
    headings, has_bars = table.headings, any(isinstance(row[-1], Gauge) for row in table.rows)
    width = console.width - table.indent
    rows = _cut_names(table, width, has_bars=has_bars)
    ends = _column_ends(headings, rows)
    count, room = sum(end <= width for end in ends), 0
    if has_bars:
        room = min(LONGEST_BAR, width - ends[-1] - 1)
        if room < SHORTEST_BAR:
            count, room = min(count, len(headings) - 1), 0
    elif any(headings):
        count = max(2, count)
    else:
        # A column without a heading cannot be named as missing: its words are folded instead.
        count = len(headings)
    grid = new_table(show_header=any(headings))
    for place, heading in enumerate(headings[:count]):
        is_left = place in table.left or (has_bars and place == len(headings) - 1)
        # Words may be folded; numbers, and the names of what they are, may not.
        stays = not is_left or (place == 0 and not any(headings))
        grid.add_column(Text(heading), justify="left" if is_left else "right", no_wrap=stays)
    for number, row in enumerate(rows):
        if number in table.gaps:
            gap = ["⋮" if isinstance(cell, str) and cell else "" for cell in row[:count]]
            grid.add_row(*gap, style="dim")
        cells = [_cell(cell, room, table.styles) for cell in row[:count]]
        grid.add_row(*cells, style="bold" if number in table.strong else "")
    print_indented(console, grid, table.indent)
    if hidden := [heading for heading in headings[count:] if heading]:
        print_line(console, Line(f"too narrow for: {', '.join(hidden)}", "dim", table.indent))
    if table.legend and room:
        print_line(console, Line(table.legend, "dim", table.indent))


def _cut_names(table: Table, width: int, *, has_bars: bool) -> Sequence[Sequence[str | Gauge]]:
    """Return the rows with their names cut until the texts fit."""
    rows = table.rows
    for longest in LENGTHS if table.names else ():
        rows = [
            [
                cut_name(str(cell), longest) if n in table.names else cell
                for n, cell in enumerate(row)
            ]
            for row in table.rows
        ]
        if _column_ends(table.headings, rows)[-1 - has_bars] <= width:
            break
    return rows


def _column_ends(headings: Sequence[str], rows: Sequence[Sequence[str | Gauge]]) -> list[int]:
    """Return where each column ends: as wide as its texts, three blanks after the one before."""
    texts = [[cell if isinstance(cell, str) else "" for cell in row] for row in rows]
    columns = zip(headings, *texts, strict=True)
    return list(accumulate(3 * (n > 0) + max(map(cell_len, c)) for n, c in enumerate(columns)))


def _cell(cell: str | Gauge, room: int, styles: Mapping[str, str]) -> Text:
    if isinstance(cell, str):
        return Text(escape_unprintable(cell), style=styles.get(cell, ""))
    eighths = round(8 * room * clip(cell.value))
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    if cell.mark is None:
        return Text(bar, style="cyan")
    bar, place = bar.ljust(room + 1), min(room, round(cell.mark * room))
    return Text(bar[:place], style="cyan") + Text("│") + Text(bar[place + 1 :], style="cyan")


def print_indented(console: Console, table: RichTable, indent: int) -> None:
    """Print a table indented."""
    console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)


def new_table(**options: Any) -> RichTable:
    """Return an empty table with a rule under its headings."""
    return RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), **options)


def clip(value: float) -> float:
    """Return the number clipped to 0..1; 0 if it is not finite."""
    return min(1.0, max(0.0, value)) if value - value == 0 else 0.0
