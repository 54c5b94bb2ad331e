"""Reads a text in chunks of complete lines, and line by line where lines are not rows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from softmax_cli.formats.model.blocks import Block, Chunk, from_blocks
from softmax_cli.storage.headed import prepend
from softmax_cli.storage.input import Input, reading
from softmax_cli.storage.limits import LONGEST_LINE

_CHUNK_BYTES = 1 << 23
# Reading less text than this line by line takes less time than importing Polars.
_LITTLE_TEXT = 1 << 20
_MANY_QUOTES = 1 << 19
_BLANK_END = re.compile(rb"\n\s*\Z")
_BLANK_LINE = re.compile(rb"^\s*$", re.MULTILINE)


class LineChunk(NamedTuple):
    """Complete lines of a text, one row each.

    text   the lines
    rows   how many rows they are
    line   number of the first line in the file, from 1
    start  number of the first row, from 0
    """

    text: bytes
    rows: int
    line: int
    start: int

    @property
    def lines(self) -> range:
        """The numbers of the lines."""
        return range(self.line, self.line + self.rows)


def read_line_chunks(
    source: Input,
    head: bytes,
    line: int,
    parse_chunk: Callable[[LineChunk], Block],
    parse_rest: Callable[[io.BufferedReader, int, int], Iterator[Block]],
    *,
    quotes: bool = True,
    unless: Collection[bytes] = (),
) -> Iterator[Chunk]:
    """Yield the rows of a text in chunks, each parsed in any thread.

    From the first chunk on whose rows cannot be counted, the rest is parsed line by line.

    head         bytes read from the stream already
    line         number of the line that `head` begins with
    parse_chunk  returns the rows of a chunk
    parse_rest   yields the rows of a stream, given the numbers of its first line and row
    quotes       newlines may be quoted
    unless       characters that need reading line by line
    """
    start, at_end = 0, False
    while not at_end:
        rest = b""
        with reading(source.place):
            text = head + source.stream.read(_CHUNK_BYTES)
            at_end = len(text) - len(head) < _CHUNK_BYTES
            if not at_end:
                text += (rest := source.stream.readline(LONGEST_LINE))
        lines = text
        if at_end:
            lines = _BLANK_END.sub(b"\n", text) if text.strip() else b""
        # The line-by-line reader refuses a line that is too long.
        is_too_long = len(rest) == LONGEST_LINE
        is_little = at_end and start == 0 and len(text) < _LITTLE_TEXT
        rows = None
        if not (is_too_long or is_little or any(mark in lines for mark in unless)):
            rows = count_rows(lines, quotes=quotes)
        if rows is None:
            stream = prepend(text, source.stream)
            yield from from_blocks(partial(parse_rest, stream, line, start))()
            return
        if rows:
            chunk = LineChunk(lines, rows, line, start)
            yield Chunk(rows, partial(parse_chunk, chunk), size=len(lines))
        head = b""
        line += rows
        start += rows


def count_rows(lines: bytes, *, quotes: bool = True) -> int | None:
    """Return the number of rows if every line is one; None if that is not certain.

    With `quotes`, a newline may be quoted.

    >>> count_rows(b"1,2\\n3,4"), count_rows(b"1,2\\n\\n3,4\\n"), count_rows(b'"a\\nb",3')
    (2, None, None)
    """
    if b"\0" in lines or (b"\r" in lines and lines.count(b"\r") != lines.count(b"\r\n")):
        return None
    characters = np.frombuffer(lines, np.uint8)
    is_end = characters == ord("\n")
    # No character of a blank line comes after the space.
    may_be_blank = lines[:1].isspace() or (is_end[:-1] & (characters[1:] <= ord(" "))).any()
    if may_be_blank and _BLANK_LINE.search(lines.removesuffix(b"\n")):
        return None
    if quotes and b'"' in lines:
        if lines.count(b'"') > _MANY_QUOTES:
            return None
        quoted = lines.split(b'"')
        if len(quoted) % 2 == 0 or any(b"\n" in inside for inside in quoted[1::2]):
            return None
    is_unfinished = len(lines) > 0 and not lines.endswith(b"\n")
    return int(np.count_nonzero(is_end)) + is_unfinished
