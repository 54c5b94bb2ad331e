"""What is shown as text, in colour, or as a picture, as wide as the place for it is. Knows rich."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from shutil import get_terminal_size
from typing import Any, Literal

from rich.console import Console

from softmax_cli.display.parts import Grid, Line, Part, Shades, Table
from softmax_cli.display.rich.grids import print_grid, print_legend
from softmax_cli.display.rich.lines import print_line
from softmax_cli.display.rich.tables import print_table
from softmax_cli.formats.model.options import WriteOptions

_NARROWEST = 20
_DEFAULT_WIDTH = 80


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
        Line: print_line,
        Table: print_table,
        Grid: print_grid,
        Shades: print_legend,
    }
    for part in parts:
        printers[type(part)](console, part)
