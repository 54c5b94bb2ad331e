"""CSV, TSV and whitespace-separated text: rows of cells, read and written a block at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError, OutputError, UsageError
from softmax_cli.formats.blocks import (
    Block,
    Keep,
    ReadOptions,
    Result,
    Sink,
    Source,
    WriteOptions,
    ready,
    rows_per_block,
)
from softmax_cli.formats.detection import detected_delimiter
from softmax_cli.formats.header import Layout, caution, judged_layout, reads_like_numbering
from softmax_cli.formats.numbers import NotANumberError, parse_number, text_rows
from softmax_cli.formats.records import Record, Split, records, requoted, spelt, splitter, unquoted
from softmax_cli.formats.streams import Input
from softmax_cli.formats.target import Target

# How data frames spell a missing number.
_MISSING = ("NA", "N/A", "null", "NULL", "None", "-", "?")


def read(source: Input, form: str, options: ReadOptions, keep: Keep) -> Source:
    """Open delimited text; the first line is read and judged, the rows are not."""
    lines = records(source, comments=form == "txt")
    first = next(lines, None)
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    delimiter = _delimiter(options.delimiter, form, source.place, first[1])
    split = splitter(delimiter)
    raw = split(first[1])
    cells = [unquoted(cell).decode("utf-8", "replace") for cell in raw]
    layout = judged_layout(cells, options, keep, f"{source.place}:{first[0]}")
    if layout.names is None:
        lines = chain([first], lines)
    else:
        for cell in raw:
            _text(cell, source.place, first[0])

    def blocks() -> Iterator[Block]:
        return _blocks(lines, split, layout, source.place)

    names = layout.names
    return Source(
        source.place,
        len(layout.classes),
        np.dtype(np.float64),
        ready(blocks),
        class_names=None if names is None else tuple(names[column] for column in layout.classes),
        id_names=tuple("" if names is None else names[column] for column in layout.ids),
        caution=caution(layout),
    )


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


def _text(cell: bytes, place: str, line: int) -> str:
    try:
        return unquoted(cell).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", f"{place}:{line}") from None


def _blocks(lines: Iterator[Record], split: Split, layout: Layout, place: str) -> Iterator[Block]:
    step = rows_per_block(layout.columns, 8)
    start = 0
    while batch := list(islice(lines, step)):
        values = np.empty((len(batch), len(layout.classes)))
        ids: list[tuple[bytes, ...]] | None = [] if layout.ids else None
        labels: list[str] | None = None if layout.label is None else []
        for row, (number, record) in enumerate(batch):
            cells = split(record)
            if len(cells) != layout.columns:
                raise _ragged(len(cells), layout, f"{place}:{number}")
            values[row] = _numbers(cells, layout, place, number)
            if layout.numbering and start + row:
                _refuse_numbering(cells, layout, place, number)
            if ids is not None:
                ids.append(tuple(cells[column] for column in layout.ids))
            if labels is not None and layout.label is not None:
                labels.append(_text(cells[layout.label], place, number))
        yield Block(start, values, _line_place(place, [line for line, _ in batch]), ids, labels)
        start += len(batch)


def _ragged(cells: int, layout: Layout, place: str) -> InputError:
    counted = "1 column" if cells == 1 else f"{cells} columns"
    alone = 1 in (cells, layout.columns)
    remedy = "check --delimiter" if alone else "every row needs the same columns"
    return InputError(f"{counted}, and the first line has {layout.columns}", remedy, place)


def _line_place(place: str, numbers: list[int]) -> Callable[[int], str]:
    return lambda row: f"{place}:{numbers[row]}"


def _numbers(cells: list[bytes], layout: Layout, place: str, line: int) -> list[float]:
    chosen = (
        cells if len(layout.classes) == len(cells) else [cells[column] for column in layout.classes]
    )
    try:
        row = list(map(float, chosen))
    except ValueError:
        pass
    else:
        # float() takes 1_000 and turns 1e999 into inf: both need the second look.
        if not any(b"_" in cell for cell in chosen) and not any(map(_infinite, row)):
            return row
    return [_parsed(cells[column], layout, column, place, line) for column in layout.classes]


def _infinite(number: float) -> bool:
    return number in (np.inf, -np.inf)


def _parsed(cell: bytes, layout: Layout, column: int, place: str, line: int) -> float:
    text = _text(cell, place, line)
    try:
        return parse_number(text)
    except NotANumberError as error:
        where = f"{place}:{line}:{column + 1}"
        raise InputError(str(error), _remedy(text, layout, column), where) from None


def _remedy(text: str, layout: Layout, column: int) -> str:
    if text in _MISSING:
        return "a missing number: fill it in, or leave the row out"
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return "numbers need a decimal point, not a comma"
    if re.fullmatch(r"[+-]?[\d_.]+(e[+-]?\d+)?", text, re.IGNORECASE):
        return "write it as float64 can hold it, without underscores"
    if layout.columns == 1 and (found := detected_delimiter(text)):
        return f"--delimiter '{found}' would cut it into cells"
    name = layout.names[column] if layout.names else ""
    if not text:
        return "every class needs a number"
    called = name if re.fullmatch("[A-Za-z_]+", name) else column + 1
    return f"--id-columns {called} passes a column of words through"


def _refuse_numbering(cells: list[bytes], layout: Layout, place: str, line: int) -> None:
    """Refuse a first line 0,1,2,... above numbers that are not whole: it is no row of logits."""
    if any(re.search(rb"[^\s\d+-]", unquoted(cells[column])) for column in layout.classes):
        why = f"and the numbers of line {line} are not whole"
        raise reads_like_numbering(len(layout.classes), why, f"{place}:1")


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:
    """Open a sink for CSV, TSV or whitespace-separated text."""
    return DelimitedSink(result, {"csv": b",", "tsv": b"\t"}.get(form, b" "), target, options)


class DelimitedSink(Sink):
    """Writes a line a row; a header if the input had one; id columns first, as they came."""

    def __init__(
        self, result: Result, delimiter: bytes, target: Target, options: WriteOptions
    ) -> None:
        """Write the header."""
        self._result, self._target = result, target
        self._delimiter, self._precision = delimiter, options.precision
        self._as_entries = result.matrix and not result.single
        names = result.column_names
        if names is not None:
            if self._as_entries:
                names = ("row", "i", "j", "value")
            header = (name.encode() for name in (*result.id_names, *names))
            self._write_lines([list(map(self._named, header))])

    def write(self, block: Block) -> None:
        """Write the rows of a block, or the entries of a batch of matrices."""
        rows = text_rows(block.values, self._precision)
        if self._as_entries:
            rows, ids = self._entries(block, rows)
        else:
            ids = block.ids
            if block.classes is not None:
                rows = self._with_class_names(block.classes, rows)
        lines = [[cell.encode() for cell in row] for row in rows]
        if block.classes is not None:
            lines = [
                [self._fitting(spelt(cell, self._delimiter)) for cell in line] for line in lines
            ]
        if ids is not None:
            lines = [
                [*map(self._fitting, kept), *line] for kept, line in zip(ids, lines, strict=True)
            ]
        self._write_lines(lines)

    def finish(self) -> None:
        """Nothing follows the last row."""

    def _write_lines(self, lines: list[list[bytes]]) -> None:
        if lines:
            self._target.write(b"\n".join(map(self._delimiter.join, lines)) + b"\n")

    def _named(self, name: bytes) -> bytes:
        return self._fitting(spelt(name, self._delimiter))

    def _fitting(self, cell: bytes) -> bytes:
        """Return a cell that the delimiter does not cut apart; between blanks, quotes are none."""
        if self._delimiter == b" " and (b" " in cell or not cell):
            shown = cell.decode("utf-8", "replace")
            raise OutputError(
                f"blanks separate its cells, and {shown!r} has one", "write csv", self._target.place
            )
        return requoted(cell, self._delimiter)

    def _with_class_names(self, classes: NDArray[Any], rows: list[list[str]]) -> list[list[str]]:
        names = self._result.class_names
        return [
            [
                text
                for number, probability in zip(numbers, row, strict=True)
                for text in (str(number) if names is None else names[number], probability)
            ]
            for numbers, row in zip(classes.tolist(), rows, strict=True)
        ]

    def _entries(
        self, block: Block, rows: list[list[str]]
    ) -> tuple[list[list[str]], list[tuple[bytes, ...]] | None]:
        classes = self._result.columns
        entries: list[list[str]] = []
        ids: list[tuple[bytes, ...]] = []
        for line, row in enumerate(rows):
            matrix, i = divmod(block.start + line, classes)
            entries.extend([str(matrix), str(i), str(j), value] for j, value in enumerate(row))
            if block.ids is not None:
                ids.extend([block.ids[line]] * classes)
        return entries, ids or None
