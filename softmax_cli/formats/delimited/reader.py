"""CSV, TSV and whitespace-separated text: read line by line, or many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import numpy as np

from softmax_cli.errors import UsageError
from softmax_cli.formats.columns.header import Layout, judge_layout, missing_texts
from softmax_cli.formats.delimited.cells import blocks_of, refuse_many_cells, text_of
from softmax_cli.formats.delimited.first_records import first_records
from softmax_cli.formats.delimited.polars_chunk import TextChunk, chunks_of_lines
from softmax_cli.formats.model.blocks import Chunk, Source, from_blocks
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.detection import detected_delimiter
from softmax_cli.formats.text.records import Comments, Split, records, splitter, unquoted
from softmax_cli.storage.headed import prepend
from softmax_cli.storage.input import Input


def read(source: Input, form: str, options: ReadOptions, keep: ColumnRequest) -> Source:
    """Open delimited text; the first two lines are read and judged, the rows are not."""
    comments = Comments(missing_texts(options))
    anywhere = form == "txt" or options.delimiter == " "
    first = first_records(source, comments, "at least one row of numbers", anywhere=anywhere)
    place = f"{source.place}:{first.line}"
    delimiter = _delimiter(options.delimiter, form, source.place, first.record)
    split = splitter(delimiter)
    raw = split(first.record)
    refuse_many_cells(len(raw), place)
    cells, below = _texts(raw), None if first.below is None else _texts(split(first.below))
    layout = judge_layout(cells, below, options, keep, place)
    if layout.names is not None:
        for cell in raw:
            text_of(cell, source.place, first.line)
    head, line = first.left(is_header=layout.names is not None)
    text = _Text(source, head, line, delimiter, split, layout, comments if anywhere else None)
    warning = [layout.warning] if layout.warning else []
    return Source(
        source.place,
        len(layout.classes),
        np.dtype(np.float64),
        text.chunks,
        class_names=layout.class_names,
        id_names=layout.id_names,
        size=source.size,
        table=layout.table(),
        warnings=(lambda: warning, partial(comments.warnings, source.place)),
    )


def _texts(cells: list[bytes]) -> list[str]:
    return [unquoted(cell).decode("utf-8", "replace") for cell in cells]


@dataclass(frozen=True)
class _Text:
    """The rows of a text, whose first bytes have been read.

    head      those bytes
    line      the number of the line that they begin with
    comments  counts the comments among the rows; None where there can be none
    """

    source: Input
    head: bytes
    line: int
    delimiter: str | None
    split: Split
    layout: Layout
    comments: Comments | None

    def chunks(self) -> Iterator[Chunk]:
        """Read many lines at once; from a chunk on where lines are no rows, one by one."""
        if self.delimiter is None:
            yield from self._line_by_line(self.head, self.line, 0)
            return
        line, start = self.line, 0
        for chunk, lines, rows in chunks_of_lines(self.source, self.head):
            has_comments = self.comments is not None and (b"#" in lines or b'"' in lines)
            if rows is None or has_comments:
                yield from self._line_by_line(chunk, line, start)
                return
            if rows:
                read_chunk = TextChunk(
                    lines,
                    rows,
                    self.delimiter,
                    self.split,
                    self.layout,
                    self.source.place,
                    line,
                    start,
                )
                yield Chunk(rows, read_chunk.block, size=len(lines))
            line += rows
            start += rows

    def _line_by_line(self, head: bytes, line: int, start: int) -> Iterator[Chunk]:
        """Read what is left of the stream, with `head` before it, from this line and row on."""
        layout, place = self.layout, self.source.place
        lines = records(
            prepend(head, self.source.stream),
            place,
            comments=self.comments,
            first_line=line,
            one_column=layout.columns == 1,
        )
        yield from from_blocks(partial(blocks_of, lines, self.split, layout, place, start))()


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
