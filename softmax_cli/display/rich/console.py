"""Prints parts as text, as wide and as colorful as the output allows."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from shutil import get_terminal_size
from typing import Literal

from rich.console import Console

from softmax_cli.display.color import Color
from softmax_cli.display.parts import Line, Part, Table
from softmax_cli.display.rich.grids import print_grid
from softmax_cli.display.rich.lines import print_line
from softmax_cli.display.rich.tables import print_table

_NARROWEST = 20
_DEFAULT_WIDTH = 80


def render_text(parts: Iterable[Part], color: Color, *, terminal: bool) -> bytes:
    """Return the parts as lines of UTF-8, for a terminal or another output."""
    if color == "auto" and (not terminal or os.environ.get("NO_COLOR")):
        color = "never"
    systems: dict[Color, Literal["auto", "256"] | None]
    systems = {"always": "256", "never": None, "auto": "auto"}
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=color != "never",
        color_system=systems[color],
        no_color=False,
        highlight=False,
        legacy_windows=False,
        width=display_width(terminal=terminal),
    )
    print_parts(parts, console)
    lines = file.getvalue().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines).encode()


def display_width(*, terminal: bool) -> int:
    """Return the cells of a line: the width of the terminal, or $COLUMNS, or 80."""
    if not terminal and "COLUMNS" not in os.environ:
        return _DEFAULT_WIDTH
    return max(_NARROWEST, get_terminal_size().columns)


def print_parts(parts: Iterable[Part], console: Console) -> None:
    """Print each part according to its kind."""
    for part in parts:
        if isinstance(part, Line):
            print_line(console, part)
        elif isinstance(part, Table):
            print_table(console, part)
        else:
            print_grid(console, part)
