"""Reads CSV, TSV and whitespace-separated text."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath

from softmax_cli.errors import UsageError
from softmax_cli.formats.columns.header import detect_layout
from softmax_cli.formats.columns.layout import missing_texts
from softmax_cli.formats.delimited.cells import DelimitedTable, decode_cell
from softmax_cli.formats.delimited.first_records import first_records
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cells import (
    cell_splitter,
    cell_text,
    detected_delimiter,
    refuse_many_cells,
)
from softmax_cli.formats.text.lines import Comments
from softmax_cli.storage.input import Input


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open delimited text; only the first two records are read."""
    comments = Comments(missing_texts(options))
    anywhere = form == "txt" or options.delimiter == " "
    first = first_records(source, comments, "at least one row of numbers", anywhere=anywhere)
    place = f"{source.place}:{first.line}"
    delimiter = _delimiter(options.delimiter, form, source.place, first.record)
    split = cell_splitter(delimiter)
    cells = split(first.record)
    refuse_many_cells(len(cells), place)
    below = None if first.below is None else list(map(cell_text, split(first.below)))
    layout = detect_layout(list(map(cell_text, cells)), below, options, request, place)
    if layout.names is not None:
        for cell in cells:
            decode_cell(cell, place)
    head, line = first.rows(is_header=layout.names is not None)
    among_rows = comments if anywhere else None
    table = DelimitedTable(source, layout, head, line, split, delimiter, among_rows)
    chunks = partial(table.chunks, unless=(b"#", b'"') if anywhere else ())
    if delimiter is None:
        chunks = partial(table.chunks_of_records, head, line)
    return table.open(
        chunks,
        lambda: [layout.warning] if layout.warning else [],
        partial(comments.warnings, source.place),
    )


def _delimiter(asked: str | None, form: str, place: str, first: bytes) -> str | None:
    """Return the delimiter; None for whitespace."""
    if asked is not None:
        delimiter = "\t" if asked in ("tab", r"\t") else asked
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            problem = f"{asked!r} cannot separate cells"
            raise UsageError(problem, "give one character, or 'tab'", "--delimiter")
        return None if delimiter == " " else delimiter
    if form == "txt":
        return None
    if form == "tsv":
        return "\t"
    if ".csv" in PurePath(place.lower()).suffixes[-2:]:
        return ","
    return detected_delimiter(first.decode("utf-8", errors="replace")) or ","
