"""Tables with a bar at the end of each line. Knows rich."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from softmax_cli.display.parts import Gauge, Table
from softmax_cli.display.rich.lines import drawn, print_indented, print_note, share
from softmax_cli.display.rich.names import LENGTHS, cut_name
from softmax_cli.errors import escape_unprintable

LONGEST_BAR = 40
SHORTEST_BAR = 8

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_table(console: Console, table: Table) -> None:
    """Print as many columns as fit, and name those that do not; bars where there is room."""
    wide, headings = console.width - table.indent, table.headings
    rows = _with_names_cut(table, wide)
    fitting, room = _fitting(wide, headings, rows)
    lines = drawn(show_header=any(headings))
    for place, heading in enumerate(headings[:fitting]):
        has_bars = any(isinstance(row[place], Gauge) for row in rows)
        is_left = place in table.left or has_bars
        # Words are folded where there is no room for them; numbers, and what they are of, are not.
        stays = not is_left or (place == 0 and not any(headings))
        justify: Literal["left", "right"] = "left" if is_left else "right"
        lines.add_column(Text(heading), justify=justify, no_wrap=stays)
    for number, row in enumerate(rows):
        if number in table.gaps:
            gap = ["⋮" if isinstance(cell, str) and cell else "" for cell in row[:fitting]]
            lines.add_row(*gap, style="dim")
        cells = [
            _gauge(cell, room)
            if isinstance(cell, Gauge)
            else Text(escape_unprintable(cell), style=table.styles.get(cell, ""))
            for cell in row[:fitting]
        ]
        lines.add_row(*cells, style="bold" if number in table.strong else "")
    print_indented(console, lines, table.indent)
    hidden = [heading for heading in headings[fitting:] if heading]
    if hidden:
        print_note(console, f"too narrow for: {', '.join(hidden)}", table.indent)
    if table.legend and room:
        print_note(console, table.legend, table.indent)


def _with_names_cut(table: Table, wide: int) -> list[list[str | Gauge]]:
    """Return the rows with their names as long as there is room for beside the numbers."""
    gauges = any(isinstance(cell, Gauge) for row in table.rows for cell in row)
    for longest in LENGTHS:
        rows = [
            [
                cut_name(cell, longest) if place in table.names and isinstance(cell, str) else cell
                for place, cell in enumerate(row)
            ]
            for row in table.rows
        ]
        if not table.names or _edges(table.headings, rows)[-1 - gauges] <= wide:
            break
    return rows


def _edges(headings: Sequence[str], rows: Sequence[Sequence[str | Gauge]]) -> list[int]:
    """Return where each column ends, as wide as its texts, with three blanks before the next."""
    texts = [[cell if isinstance(cell, str) else "" for cell in row] for row in rows]
    columns = zip(headings, *texts, strict=True)
    return list(accumulate(3 * (n > 0) + max(map(cell_len, c)) for n, c in enumerate(columns)))


def _fitting(
    wide: int, headings: Sequence[str], rows: Sequence[Sequence[str | Gauge]]
) -> tuple[int, int]:
    """Return how many columns fit, and the width of a bar in the last one, if it has bars.

    What has no heading to be named by is folded, not left out.
    """
    has_bars = any(isinstance(cell, Gauge) for row in rows for cell in row)
    edges = _edges(headings, rows)
    fitting = sum(edge <= wide for edge in edges)
    room = min(LONGEST_BAR, wide - edges[-1] - 1)
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
    eighths = round(8 * room * share(value))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
