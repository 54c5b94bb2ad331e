"""What a person sees at a terminal: tables, bars, shading, progress. The only file with rich."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from shutil import get_terminal_size
from time import monotonic
from typing import Any, Literal, NamedTuple

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from softmax_cli.errors import printable
from softmax_cli.formats.blocks import Block, Result, Sink, WriteOptions
from softmax_cli.formats.numbers import aligned
from softmax_cli.formats.shown import (
    SHOWN_CLASSES,
    SHOWN_MATRICES,
    SHOWN_ROWS,
    Line,
    ShownRows,
    first_and_last,
)
from softmax_cli.formats.target import Target

DEFAULT_PRECISION = 6
LONGEST_NAME = 24
LONGEST_BAR = 40
SHORTEST_BAR = 8

Tints = dict[int, tuple[str, ...]]

_NARROWEST = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
# From faint to strong, by sign. Each background has black or white on it, so that it reads on
# light and on dark terminals; 16 colours have too few tints, and get coloured digits.
_TINTS: Tints = {
    1: ("", "black on #d6e6f4", "black on #9dc6e0", "black on #5b9ec9", "white on #1f5f9e"),
    -1: ("", "black on #fbd9c8", "black on #f2a889", "black on #dc7257", "white on #b03a2e"),
}
_SIXTEEN: Tints = {
    1: ("", "blue", "blue", "white on blue", "bold white on blue"),
    -1: ("", "red", "red", "white on red", "bold white on red"),
}


def console_for(options: WriteOptions, *, terminal: bool) -> Console:
    """Return a console that writes into memory, as wide and as colourful as the output is."""
    wanted = options.color
    if wanted == "auto" and (not terminal or os.environ.get("NO_COLOR")):
        wanted = "never"
    systems: dict[str, Literal["auto", "256"] | None]
    systems = {"always": "256", "never": None, "auto": "auto"}
    return Console(
        file=io.StringIO(),
        force_terminal=wanted != "never",
        color_system=systems[wanted],
        no_color=False,
        highlight=False,
        legacy_windows=False,
        width=_width(terminal=terminal),
    )


def _width(*, terminal: bool) -> int:
    if not terminal and "COLUMNS" not in os.environ:
        return 80
    return max(_NARROWEST, get_terminal_size().columns)


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:  # noqa: ARG001
    """Open a sink for a table."""
    return TableSink(result, target, options)


class TableSink(Sink):
    """Keeps the first and the last rows, and shows them when all have gone by."""

    def __init__(self, result: Result, target: Target, options: WriteOptions) -> None:
        """Keep nothing yet."""
        self._result, self._target, self._options = result, target, options
        self._precision = options.precision or DEFAULT_PRECISION
        self._rows = ShownRows(result)

    def write(self, block: Block) -> None:
        """Keep the rows that will be shown."""
        self._rows.add(block)

    def finish(self) -> None:
        """Write the table."""
        console = console_for(self._options, terminal=self._target.is_terminal)
        if self._result.matrix:
            self._print_matrices(console)
        elif self._rows.count == 1 and self._result.columns > 1:
            self._print_one_row(console)
        else:
            self._print_rows(console)
        _send(console, self._target)

    def _print_one_row(self, console: Console) -> None:
        line = self._rows.first[0]
        names = line.classes or self._result.class_names or range(len(line.values))
        shown, hidden = first_and_last(len(line.values), SHOWN_CLASSES)
        table = _table()
        table.add_column("class", no_wrap=True)
        table.add_column(_singular(self._result.name), justify="right", no_wrap=True)
        bars = self._result.name == "probabilities"
        top = max(shown, key=lambda column: _or_zero(line.values[column]))
        labels = {column: shortened(str(names[column])) for column in shown}
        texts = aligned([self._number(line.values[column]) for column in shown])
        numbers = dict(zip(shown, texts, strict=True))
        used = max(map(cell_len, labels.values())) + max(map(len, numbers.values()))
        room = max(4, min(LONGEST_BAR, console.width - max(used, 16) - 8))
        if bars:
            table.add_column("", width=room, no_wrap=True)
        for column in shown:
            if hidden and column == shown[len(shown) // 2]:
                table.add_row("⋮", "⋮", *[""] * bars, style="dim")
            bar = [Text(_bar(line.values[column], room), style="cyan")] if bars else []
            style = "bold" if column == top and bars else ""
            table.add_row(Text(labels[column]), numbers[column], *bar, style=style)
        if self._result.id_names:
            console.print(Text(printable(line.name), style="bold"))
        console.print(table)
        if hidden:
            _print_note(console, f"{len(shown)} of {len(line.values)} classes shown")

    def _print_rows(self, console: Console) -> None:
        lines = [*self._rows.first, *self._rows.last]
        if not lines:
            _print_note(console, "no rows")
            return
        total = self._rows.count
        gap = len(self._rows.first) if total > len(lines) else None
        bars = self._result.name == "probabilities"
        names = self._result.class_names
        if lines[0].classes is not None:
            headings = [f"#{place + 1}" for place in range(self._result.columns)]
        else:
            headings = [shortened(str(name)) for name in names or range(self._result.columns)]
        grid = [
            [self._cell(line, column, text, bars=bars) for column, text in enumerate(texts)]
            for line, texts in zip(lines, self._texts(lines), strict=True)
        ]
        corner = shortened(" ".join(self._result.id_names).strip() or "row")
        note = _print_grid(console, corner, headings, [line.name for line in lines], grid, gap)
        if gap is not None:
            note = [f"{len(lines)} of {total} rows", *note]
        if note:
            _print_note(console, ", ".join(note) + " shown")

    def _print_matrices(self, console: Console) -> None:
        classes = self._result.columns
        total = self._rows.count // classes
        names = [shortened(str(name)) for name in self._result.class_names or range(classes)]
        for matrix in range(min(total, SHOWN_MATRICES)):
            lines = self._rows.of_matrix(matrix)
            if matrix:
                console.print()
            if total > 1:
                console.print(Text(f"row {matrix}", style="bold"))
            largest = max((abs(_or_zero(v)) for line in lines for v in line.values), default=0.0)
            tints = _tints(console)
            grid = [
                [
                    _shaded(value, text, largest, tints)
                    for value, text in zip(line.values, texts, strict=True)
                ]
                for line, texts in zip(lines, self._texts(lines), strict=True)
            ]
            labels = [names[line.number] for line in lines]
            gap = SHOWN_ROWS if classes > len(lines) else None
            note = _print_grid(console, r"i \ j", names, labels, grid, gap)
            if gap is not None:
                note = [f"{len(lines)} of {classes} lines", *note]
            if note:
                _print_note(console, ", ".join(note) + " shown")
            _print_legend(console, self._number(largest))
        if total > SHOWN_MATRICES:
            _print_note(console, f"{SHOWN_MATRICES} of {total} rows shown")

    def _number(self, value: float) -> str:
        return f"{value:.{self._precision}g}"

    def _texts(self, lines: Sequence[Line]) -> list[tuple[str, ...]]:
        """Return the numbers of the lines as texts, aligned column by column."""
        columns = zip(*(map(self._number, line.values) for line in lines), strict=True)
        return list(zip(*map(aligned, columns), strict=True))

    def _cell(self, line: Line, column: int, number: str, *, bars: bool) -> Text:
        value = line.values[column]
        text = Text(number)
        if line.classes is not None:
            text = Text(shortened(str(line.classes[column])) + " ") + text
        if bars:
            text.append(" " + _HEIGHTS[round(8 * min(1.0, _or_zero(value)))], style="cyan")
        return text


def _shaded(value: float, number: str, largest: float, tints: Tints) -> Text:
    step = 0 if not largest else min(4, int(4 * abs(_or_zero(value)) / largest + 0.5))
    style = tints[-1 if value < 0 else 1][step]
    return Text(f" {number} {_SHADES[step]}", style=style)


def _print_grid(
    console: Console,
    corner: str,
    headings: Sequence[str],
    labels: Sequence[str],
    grid: Sequence[Sequence[Text]],
    gap: int | None,
) -> list[str]:
    """Print a grid with as many columns as fit; return what must be said of those that do not."""
    labels = [shortened(label) for label in labels]
    label_width = max(cell_len(text) for text in (corner, *labels))
    width = max(max(map(cell_len, headings)), max(text.cell_len for line in grid for text in line))
    # Three blanks stand between two columns; the dots in the middle need a column of their own.
    shown, hidden = list(range(len(headings))), False
    if label_width + len(headings) * (width + 3) > console.width:
        room = (console.width - label_width - 4) // (width + 3)
        shown, hidden = first_and_last(len(headings), max(1, room))
    # Padded here and set to the left: at the right, the blank of an empty bar would be stripped.
    table = _table()
    table.add_column(corner, no_wrap=True)
    dots = (len(shown) + 1) // 2 if hidden else None
    for place, column in enumerate(shown):
        if place == dots:
            table.add_column("…", width=1, no_wrap=True)
        table.add_column(_padded(Text(headings[column]), width), no_wrap=True, width=width)
    for number, (label, line) in enumerate(zip(labels, grid, strict=True)):
        if number == gap:
            gaps = [_padded(Text("⋮"), column.width or 1) for column in table.columns[1:]]
            table.add_row("⋮", *gaps, style="dim")
        cells: list[Text | str] = [_padded(line[column], width) for column in shown]
        if dots is not None:
            cells.insert(dots, "…")
        table.add_row(Text(label), *cells)
    console.print(table)
    return [f"{len(shown)} of {len(headings)} classes"] if hidden else []


def _padded(text: Text, width: int) -> Text:
    return Text(" " * (width - text.cell_len)) + text


class Gauge(NamedTuple):
    """A cell with a bar up to a value from 0 to 1, and a line where another value is."""

    value: float
    mark: float | None = None


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str | Gauge]],
    target: Target,
    options: WriteOptions,
    *,
    left: Sequence[int] = (0,),
    styles: dict[str, str] | None = None,
    notes: Sequence[str] = (),
    legend: str = "",
) -> None:
    """Write a report: a table of texts and notes under it; gauges take what width is left.

    left    the columns that are set to the left
    styles  of the cells with these texts
    legend  what the gauges mean
    """
    console = console_for(options, terminal=target.is_terminal)
    fitting, room = _fitting(console, headings, rows)
    table = _table(show_header=any(headings))
    for place, heading in enumerate(headings[:fitting]):
        has_bars = any(isinstance(row[place], Gauge) for row in rows)
        table.add_column(heading, justify="left" if place in left or has_bars else "right")
    for row in rows:
        cells = [
            _gauge(cell, room)
            if isinstance(cell, Gauge)
            else Text(printable(cell), style=(styles or {}).get(cell, ""))
            for cell in row[:fitting]
        ]
        table.add_row(*cells)
    console.print(table)
    hidden = [heading for heading in headings[fitting:] if heading]
    if hidden:
        _print_note(console, f"too narrow for: {', '.join(hidden)}")
    if legend and room:
        _print_note(console, legend)
    for text in notes:
        # A command to copy must not be broken into lines.
        console.print(Text(printable(text)), soft_wrap=text.startswith("repeat:"))
    _send(console, target)


def _gauge(gauge: Gauge, room: int) -> Text:
    bar = _bar(gauge.value, room).ljust(room + 1)
    if gauge.mark is None:
        return Text(bar, style="cyan")
    place = min(room, round(gauge.mark * room))
    return Text(bar[:place], style="cyan") + Text("│") + Text(bar[place + 1 :], style="cyan")


def _fitting(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str | Gauge]]
) -> tuple[int, int]:
    """Return how many columns fit, and the width of a bar in the last one, if it has bars.

    What has no heading to be named by is folded, not left out.
    """
    has_bars = any(isinstance(cell, Gauge) for row in rows for cell in row)
    texts = [[cell if isinstance(cell, str) else "" for cell in row] for row in rows]
    used, fitting = -3, 0
    for column in zip(headings, *texts, strict=True):
        used += 3 + max(map(cell_len, column))
        fitting += used <= console.width
    room = min(LONGEST_BAR, console.width - used - 1)
    if has_bars:
        return (fitting, room) if room >= SHORTEST_BAR else (min(fitting, len(headings) - 1), 0)
    return (max(2, fitting) if any(headings) else len(headings)), 0


def _send(console: Console, target: Target) -> None:
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    target.write("".join(f"{line.rstrip()}\n" for line in lines).encode())


class ProgressBar:
    """A bar on standard error: rows, bytes a second and time left, as far as they are known."""

    def __init__(self, place: str, rows: int | None, size: int | None, begun: float) -> None:
        """Show the bar of work that began at this monotonic time."""
        self._by_size = bool(size)
        self._begun = begun
        self._bar = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(min_width=16)),
            BarColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        total = size if self._by_size else rows
        self._task = self._bar.add_task(shortened(place), total=total, said="", start=True)
        self._rows, self._total = rows, total
        self._bar.start()

    def update(self, rows: int, size: int, name: str | None = None, beside: str = "") -> None:
        """Show how much is done, and what else is known of it."""
        done = size if self._by_size else rows
        said = progress_text(rows, self._rows, size, done, self._total, monotonic() - self._begun)
        self._bar.update(self._task, completed=done, said=said + beside, description=name)

    def stop(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def progress_text(
    rows: int, all_rows: int | None, size: int, done: int, total: int | None, seconds: float
) -> str:
    """Return what stands beside the bar.

    >>> progress_text(1000, 4000, 5_000_000, 5_000_000, 20_000_000, 2.0)
    '1,000 of 4,000 rows, 2.5 MB/s, 0:06 left'
    >>> progress_text(1000, None, 0, 1000, None, 2.0)
    '1,000 rows, 500 rows/s'
    """
    counted = f"{rows:,} rows" if all_rows is None else f"{rows:,} of {all_rows:,} rows"
    seconds = max(seconds, 1e-3)
    speed = f"{size / seconds / 1e6:,.1f} MB/s" if size else f"{rows / seconds:,.0f} rows/s"
    if not total or not done:
        return f"{counted}, {speed}"
    minutes, left = divmod(round(seconds * max(0, total - done) / done), 60)
    return f"{counted}, {speed}, {minutes}:{left:02} left"


def _table(**options: Any) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), **options)


def _print_note(console: Console, text: str) -> None:
    console.print(Text(text, style="dim"))


def _tints(console: Console) -> Tints:
    return _SIXTEEN if console.color_system in ("standard", "windows") else _TINTS


def _print_legend(console: Console, largest: str) -> None:
    legend = Text("shade: ", style="dim")
    if console.color_system is not None:
        legend.append(" + ", style=_tints(console)[1][3])
        legend.append(" ")
        legend.append(" - ", style=_tints(console)[-1][3])
        legend.append(" by sign, ", style="dim")
    legend.append(f"░▒▓█ by size, █ is {largest}", style="dim")
    console.print(legend)


def shortened(name: str) -> str:
    """Return a name on one line, cut if it is long."""
    name = printable(name)
    if cell_len(name) <= LONGEST_NAME:
        return name
    return set_cell_size(name, LONGEST_NAME - 1).rstrip() + "…"


def _singular(name: str) -> str:
    return {"probabilities": "probability", "log_probabilities": "log-probability"}.get(name, name)


def _or_zero(value: float) -> float:
    return value if value - value == 0 else 0.0


def _bar(value: float, room: int) -> str:
    eighths = round(8 * room * min(1.0, max(0.0, _or_zero(value))))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
