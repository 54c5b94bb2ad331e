"""Tables of one row per line: what CSV and JSON lines share."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.model.blocks import Block, Chunk, Source, batches, identity, rows_per_block
from softmax_cli.formats.model.id_columns import IdColumn, IdColumns, id_columns
from softmax_cli.storage.input import Input, prepend, reading
from softmax_cli.storage.limits import LONGEST_LINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 23
# Reading less text than this line by line takes less time than importing Polars.
_LITTLE_TEXT = 1 << 20
# A line takes as long as that many bytes.
_LINE_COST = 25
_MANY_QUOTES = 1 << 19
_BLANK_END = re.compile(rb"\n\s*\Z")
_BLANK_LINE = re.compile(rb"^\s*$", re.MULTILINE)

# The numbers, ids and label of a row, "" for none; or those of several rows, by Polars.
ParsedRow = tuple[list[float], tuple[Any, ...], str]
ParsedRows: TypeAlias = "tuple[NDArray[Any], IdColumns | None, list[str]]"


@dataclass(frozen=True)
class LineTable(ABC):
    """Reads a table in chunks of lines, from the first bytes of its rows on.

    head  bytes of rows that were read from the stream already
    line  number of the line that they begin with, from 1
    """

    source: Input
    layout: Layout
    head: bytes
    line: int

    @abstractmethod
    def read_records(self, stream: io.BufferedIOBase, line: int) -> Iterator[tuple[int, Any]]:
        """Yield the records of a stream, each with the number of its line."""

    @abstractmethod
    def parse_record(self, record: Any, place: str) -> ParsedRow:
        """Return the row of a record; errors name the place."""

    @abstractmethod
    def id_column(
        self, column: int, cells: Sequence[Any], numbers: NDArray[Any] | None
    ) -> IdColumn:
        """Return an id column from its cells, and from its numbers if it is a class too."""

    @abstractmethod
    def parse_with_polars(self, text: bytes, rows: int) -> ParsedRows | None:
        """Return the rows of complete lines; None if they must be parsed record by record."""

    def id_columns(self, cells: Iterable[Sequence[Any]], values: NDArray[Any]) -> IdColumns | None:
        """Return the id columns, given the cells of each and the numbers of the rows."""
        layout, found = self.layout, []
        for column, entries in zip(layout.ids, cells, strict=True):
            is_class = column in layout.classes and layout.entries is None
            numbers = values[:, layout.classes.index(column)].copy() if is_class else None
            found.append(self.id_column(column, entries, numbers))
        return id_columns(found)

    def parse_records(self, records: Iterable[tuple[int, Any]], rows: int, start: int) -> Block:
        """Return the rows of this number of records."""
        values = np.empty((rows, self.layout.width))
        ids, labels, lines = [], [], []
        for row, (line, record) in zip(range(rows), records, strict=True):
            numbers, row_ids, label = self.parse_record(record, self.row_place(line))
            if numbers:
                values[row] = numbers
            lines.append(line)
            ids.append(row_ids)
            labels.append(label)
        columns = self.id_columns(zip(*ids, strict=True), values)
        return self._block(start, lines, (values, columns, labels))

    def _block(self, start: int, lines: Sequence[int], rows: ParsedRows) -> Block:
        values, ids, labels = rows
        layout = self.layout
        return Block(
            start,
            values,
            lambda row: self.row_place(lines[row]),
            ids,
            None if layout.label is None else labels,
        )

    def row_place(self, line: int) -> str:
        """Return what errors call the row of this line."""
        return f"{self.source.place}:{line}"

    def open(
        self, chunks: Callable[[], Iterator[Chunk]], *warnings: Callable[[], list[str]]
    ) -> Source:
        """Return a source of these chunks."""
        return Source(
            self.source.place,
            self.layout.width,
            np.dtype(np.float64),
            chunks,
            class_names=self.layout.class_names,
            id_names=self.layout.id_names,
            size=self.source.size,
            table=self.layout,
            warnings=warnings,
        )

    def chunks(self, *, quotes: bool = True, unless: Collection[bytes] = ()) -> Iterator[Chunk]:
        """Yield chunks of rows, each parsed in any thread.

        From the first chunk on whose rows cannot be counted, records are parsed one by one. That
        is so for one with a character of `unless`, or with a quoted newline if there are `quotes`.
        """
        head, line, start, at_end = self.head, self.line, 0, False
        while not at_end:
            rest = b""
            with reading(self.source.place):
                text = head + self.source.stream.read(_CHUNK_BYTES)
                at_end = len(text) - len(head) < _CHUNK_BYTES
                if not at_end:
                    text += (rest := self.source.stream.readline(LONGEST_LINE))
            lines = text
            if at_end:
                lines = _BLANK_END.sub(b"\n", text) if text.strip() else b""
            # A line that is too long is refused when records are read.
            is_too_long = len(rest) == LONGEST_LINE
            is_little = (
                at_end and start == 0 and len(text) + _LINE_COST * text.count(b"\n") < _LITTLE_TEXT
            )
            rows = None
            if not (is_too_long or is_little or any(mark in lines for mark in unless)):
                rows = count_rows(lines, quotes=quotes)
            if rows is None:
                yield from self.chunks_of_records(text, line, start)
                return
            if rows:
                numbers = range(line, line + rows)
                yield Chunk(rows, partial(self.parse_lines, lines, numbers, start), size=len(lines))
            head = b""
            line += rows
            start += rows

    def chunks_of_records(self, head: bytes, line: int, start: int = 0) -> Iterator[Chunk]:
        """Yield chunks parsed record by record, from bytes that begin with this line and row on."""
        records = self.read_records(prepend(head, self.source.stream), line)
        for batch in batches(
            records, rows_per_block(max(self.layout.columns, self.layout.width), 8)
        ):
            block = self.parse_records(batch, len(batch), start)
            yield Chunk(len(batch), partial(identity, block))
            start += len(batch)

    def parse_lines(self, text: bytes, lines: range, start: int) -> Block:
        """Return the rows of complete lines, given their numbers and that of the first row."""
        parsed = self.parse_with_polars(text, len(lines))
        if parsed is not None:
            return self._block(start, lines, parsed)
        records = self.read_records(io.BytesIO(text), lines.start)
        return self.parse_records(records, len(lines), start)


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
