"""Lines of words, and what tables and grids share."""

from __future__ import annotations

from typing import Any

from rich import box
from rich import table as tables
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from softmax_cli.display.parts import Line
from softmax_cli.errors import escape_unprintable


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


def print_indented(console: Console, table: tables.Table, indent: int) -> None:
    """Print a table indented."""
    console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)


def new_table(**options: Any) -> tables.Table:
    """Return an empty table with a rule under its headings."""
    rule = box.SIMPLE_HEAD
    return tables.Table(box=rule, pad_edge=False, show_edge=False, padding=(0, 1), **options)


def clip(value: float) -> float:
    """Return the number clipped to 0..1; 0 if it is not finite."""
    return min(1.0, max(0.0, value)) if value - value == 0 else 0.0
