"""Lines, and what tables and grids are drawn with. Knows rich."""

from __future__ import annotations

from typing import Any

from rich import box
from rich import table as tables
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from softmax_cli.display.parts import Line
from softmax_cli.errors import escape_unprintable

# Of what stands out: no colour may be there to tell it.
MARK = (" ", "▸")


def print_line(console: Console, line: Line) -> None:
    """Print a line, broken between words where it is too long."""
    text = Text(" " * line.indent + escape_unprintable(line.text), style=line.style)
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


def print_note(console: Console, text: str, indent: int) -> None:
    """Print what is said of something else, faintly."""
    print_line(console, Line(text, "dim", indent))


def print_indented(console: Console, table: tables.Table, indent: int) -> None:
    """Print a table, further in."""
    console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)


def drawn(**options: Any) -> tables.Table:
    """Return a table without rows, as all are drawn."""
    rule = box.SIMPLE_HEAD
    return tables.Table(box=rule, pad_edge=False, show_edge=False, padding=(0, 1), **options)


def share(value: float) -> float:
    """Return a number as one from 0 to 1; what is no number is 0."""
    return min(1.0, max(0.0, value)) if value - value == 0 else 0.0
