"""Renders parts as text, as wide and as colorful as the output allows, or as a picture."""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from shutil import get_terminal_size
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment

from softmax_cli.display.color import Color
from softmax_cli.display.parts import Grid, Line, Part, Table
from softmax_cli.display.rich.grids import print_grid
from softmax_cli.display.rich.tables import print_line, print_table

_PRINT: dict[Any, Callable[..., None]] = {Line: print_line, Table: print_table, Grid: print_grid}
_FONTS = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
# Width of a character of these fonts, relative to its height.
_ASPECT = 0.602
# rich fills in the braces; its own templates would load fonts from the network.
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-size: {char_height}px; font-family: FONTS }}
.{unique_id}-title {{ font-size: 16px; font-weight: bold; font-family: sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
""".replace("FONTS", _FONTS)
_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>softmax-cli</title>
<style>
body {{ color: {foreground}; background: {background} }}
pre {{ font-family: FONTS; line-height: 1.25 }}
{stylesheet}
</style>
</head>
<body><pre>{code}</pre></body>
</html>
""".replace("FONTS", _FONTS)
_SVG_TEXT = re.compile(r'(<text [^>]*textLength=)"([^"]+)"([^>]*>)([^<]+)<')
_console = partial(Console, highlight=False, legacy_windows=False)


def render_text(parts: Iterable[Part], color: Color, *, terminal: bool) -> bytes:
    """Return the parts as lines of UTF-8, for a terminal or another output."""
    is_plain = color == "auto" and (not terminal or os.environ.get("NO_COLOR"))
    file = io.StringIO()
    console = _console(
        file=file,
        force_terminal=color != "never" and not is_plain,
        color_system="256" if color == "always" else "auto",
        no_color=False,
        width=display_width(terminal=terminal),
    )
    for part in parts:
        _PRINT[type(part)](console, part)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines()).encode()


def display_width(*, terminal: bool) -> int:
    """Return the cells of a line: the width of the terminal, or $COLUMNS, or 80; at least 20."""
    if not terminal and "COLUMNS" not in os.environ:
        return 80
    return max(20, get_terminal_size().columns)


def render_picture(parts: Iterable[Part], form: str, color: Color) -> str:
    """Return an SVG or HTML that loads nothing from a network, at most as wide as the terminal."""
    width = display_width(terminal=True)
    console = _console(
        file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor", width=width
    )
    for part in parts:
        # Nobody copies a command from a picture: it may be broken.
        shown = part._replace(whole=False) if isinstance(part, Line) else part
        _PRINT[type(part)](console, shown)
    if color == "never":
        console._record_buffer[:] = Segment.remove_color(console._record_buffer)
    lines = "".join(segment.text for segment in console._record_buffer).split("\n")
    console.width = max(cell_len(line.rstrip()) for line in lines) + 1
    if form == "html":
        return console.export_html(code_format=_HTML)
    svg = console.export_svg(title="softmax-cli", code_format=_SVG, font_aspect_ratio=_ASPECT)
    return _SVG_TEXT.sub(_with_cell_width, svg)


def _with_cell_width(text: re.Match[str]) -> str:
    """Return an SVG text as wide as its cells; rich counts characters."""
    before, length, between, content = text.groups()
    plain = html.unescape(content)
    width = float(length) / len(plain) * cell_len(plain)
    return f'{before}"{width:g}"{between}{content}<'
