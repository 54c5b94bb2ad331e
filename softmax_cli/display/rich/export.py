"""What a terminal would show, as SVG or HTML that asks nothing of a network. Knows rich."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment

from softmax_cli.display.parts import Line, Part
from softmax_cli.display.rich.console import print_parts, width
from softmax_cli.formats.model.options import WriteOptions

_FONTS = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
# Of the fonts above: how wide a character is beside its height.
_ASPECT = 0.602

# rich fills in what is in braces; its own frame would load fonts from elsewhere.
_SVG = (
    """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-size: {char_height}px; font-family: """
    + _FONTS
    + """ }}
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
"""
)
_TEXT = re.compile(r'(<text [^>]*textLength=)"([^"]+)"([^>]*>)([^<]+)<')
_HTML = (
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>softmax-cli</title>
<style>
body {{ color: {foreground}; background: {background} }}
pre {{ font-family: """
    + _FONTS
    + """; line-height: 1.25 }}
{stylesheet}
</style>
</head>
<body><pre>{code}</pre></body>
</html>
"""
)


def picture_of(parts: Iterable[Part], form: str, options: WriteOptions) -> str:
    """Return a picture of the parts, as wide as the terminal at most, and as what is in them."""
    console = Console(
        file=io.StringIO(),
        record=True,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
        width=width(terminal=True),
    )
    # Nobody copies a command from a picture: it is broken where it is too long.
    print_parts(
        [replace(part, whole=False) if isinstance(part, Line) else part for part in parts], console
    )
    if options.color == "never":
        console._record_buffer[:] = Segment.remove_color(console._record_buffer)
    lines = Segment.split_lines(console._record_buffer)
    console.width = max(map(_length, lines), default=1) + 1
    if form == "html":
        return console.export_html(code_format=_HTML)
    svg = console.export_svg(title="softmax-cli", code_format=_SVG, font_aspect_ratio=_ASPECT)
    return _TEXT.sub(_as_wide_as_its_cells, svg)


def _as_wide_as_its_cells(text: re.Match[str]) -> str:
    """Return a text of an SVG, which rich takes for as many cells as it has characters."""
    before, length, between, content = text.groups()
    plain = html.unescape(content)
    wide = float(length) / len(plain) * cell_len(plain)
    return f'{before}"{wide:g}"{between}{content}<'


def _length(line: list[Segment]) -> int:
    """Return how far the last character reaches that is not a blank."""
    text = "".join(segment.text for segment in line)
    return Segment.get_line_length(line) - (len(text) - len(text.rstrip()))
