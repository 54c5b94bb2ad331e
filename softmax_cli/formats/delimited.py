"""CSV, TSV and whitespace-separated text: read line by line, or many lines at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.blocks import Portion, Source, ready
from softmax_cli.formats.cells import blocks_of, refuse_many_cells, text_of
from softmax_cli.formats.chunks import Chunk, chunks_of_lines
from softmax_cli.formats.detection import detected_delimiter
from softmax_cli.formats.headed import rejoined
from softmax_cli.formats.header import Layout, caution, judged_layout
from softmax_cli.formats.options import Keep, ReadOptions
from softmax_cli.formats.records import Split, records, splitter, unquoted
from softmax_cli.formats.streams import Input


def read(source: Input, form: str, options: ReadOptions, keep: Keep) -> Source:
    """Open delimited text; the first line is read and judged, the rows are not."""
    comments = form == "txt" or options.delimiter == " "
    first = next(records(source.stream, source.place, comments=comments), None)
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    line, record = first
    delimiter = _delimiter(options.delimiter, form, source.place, record)
    split = splitter(delimiter)
    raw = split(record)
    refuse_many_cells(len(raw), f"{source.place}:{line}")
    cells = [unquoted(cell).decode("utf-8", "replace") for cell in raw]
    layout = judged_layout(cells, options, keep, f"{source.place}:{line}")
    names = layout.names
    if names is not None:
        for cell in raw:
            text_of(cell, source.place, line)

    # A first line that is no header is a row, and goes back to its place.
    head = record + b"\n" if names is None else b""
    below = line if names is None else line + record.count(b"\n") + 1

    def portions() -> Iterator[Portion]:
        if delimiter is None or layout.numbering:
            stream = rejoined(head, source.stream)
            return _line_by_line(source, stream, split, layout, below, 0, comments=comments)
        return _in_chunks(source, head, delimiter, split, layout, below, comments=comments)

    return Source(
        source.place,
        len(layout.classes),
        np.dtype(np.float64),
        portions,
        class_names=None if names is None else tuple(names[column] for column in layout.classes),
        id_names=tuple("" if names is None else names[column] for column in layout.ids),
        size=source.size,
        caution=caution(layout),
    )


def _line_by_line(
    source: Input,
    stream: io.BufferedReader,
    split: Split,
    layout: Layout,
    line: int,
    start: int,
    *,
    comments: bool = False,
) -> Iterator[Portion]:
    """Read what is left of a stream, which begins with this line and row."""
    lines = records(stream, source.place, comments=comments, first_line=line)
    yield from ready(lambda: blocks_of(lines, split, layout, source.place, start))()


def _in_chunks(
    source: Input,
    head: bytes,
    delimiter: str,
    split: Split,
    layout: Layout,
    line: int,
    *,
    comments: bool,
) -> Iterator[Portion]:
    """Read many lines at once; from a chunk on where lines are not rows, one after the other."""
    start = 0
    for chunk, lines, rows in chunks_of_lines(source, head):
        if rows is None or (comments and (b"#" in lines or b'"' in lines)):
            stream = rejoined(chunk, source.stream)
            yield from _line_by_line(source, stream, split, layout, line, start, comments=comments)
            return
        if rows:
            read_chunk = Chunk(lines, rows, delimiter, split, layout, source.place, line, start)
            yield Portion(rows, read_chunk.block, size=len(lines))
        line += rows
        start += rows


def _delimiter(asked: str | None, form: str, place: str, first: bytes) -> str | None:
    if asked is not None:
        delimiter = "\t" if asked in ("tab", r"\t") else asked
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise UsageError(
                f"{asked!r} cannot separate cells", "give one character, or 'tab'", "--delimiter"
            )
        return None if delimiter == " " else delimiter
    if form == "txt":
        return None
    if form == "tsv":
        return "\t"
    if ".csv" in PurePath(place.lower()).suffixes[-2:]:
        return ","
    return detected_delimiter(first.decode("utf-8", errors="replace")) or ","
