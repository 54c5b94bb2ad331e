"""Reads labels or weights, one cell per row, from a file of any format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.arrays.array import array_source, chosen_array
from softmax_cli.formats.arrays.nested_lists import numeric_array
from softmax_cli.formats.columns.layout import several_columns
from softmax_cli.formats.columns.missing_values import mask_na_values, missing_texts
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import one_key
from softmax_cli.formats.opening.foreign import open_data
from softmax_cli.formats.registry import Format, detected_format
from softmax_cli.formats.text.cell_kinds import are_numbered
from softmax_cli.formats.text.cells import cell_text
from softmax_cli.formats.text.json_values import label_text, parse_json, read_document
from softmax_cli.formats.text.lines import Comments, read_records
from softmax_cli.formats.text.numbers import is_number
from softmax_cli.storage.input import Input

if TYPE_CHECKING:
    from softmax_cli.losses.cell_reader import Cell, CellReader

# What pandas writes of a Series: its index and values.
_SERIES = re.compile(rb'\{"0":\s*[^\s{\[]')


def read_cells(reader: CellReader, path: str, key: str | None) -> Source:
    """Open a file, or standard input; the key is that of `FILE[KEY]`."""
    key, source = one_key(path, key, reader.options.key), open_data(path)
    paths = () if source.path is None else (source.path,)
    try:
        form = detected_format(path, source, reader.options.decimal)
        source = form.seekable(source)
        opened = _opened_input(reader, source, form, key if form.holds == "arrays" else None)
    except BaseException:
        source.close()
        raise
    return replace(opened, paths=paths, close=source.close)


def _opened_input(reader: CellReader, source: Input, form: Format, key: str | None) -> Source:
    request = ColumnRequest(
        reader.column, one_column=True, one_hot=reader.one_hot, words=reader.words, role=reader.name
    )
    if form.name in ("npy", "npz", "safetensors"):
        if reader.column is not None:
            problem, remedy = f"there are no columns in {form.name}", "leave it out"
            raise UsageError(problem, remedy, "--label-column")
        array: Source = form.load_reader().read(source, form.name, ReadOptions(key=key), request)
        if array.classes > 1:
            return array
        if array.dtype.kind == "f":
            array = mask_na_values(array, reader.options)
        return array.map(reader.array, dtype=np.dtype(np.float64))
    # JSON values other than records, and words on lines of any length, are not tables.
    first = source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
    is_frame = first[:1] == b"{" and reader.column is not None
    is_document = form.name == "json" and first[1:].lstrip()[:1] != b"{" and not is_frame
    if is_document or (_SERIES.match(first) and b"}\n{" not in first):
        return _from_document(reader, source, key)
    if form.name == "jsonl" and not first.startswith((b"{", b"[")):
        return reader.from_cells(_from_lines(reader, source), source.place)
    if form.name == "txt" and _is_list(reader, first):
        comments = Comments(missing_texts(reader.options))
        cells = _from_words(source, comments)
        return replace(
            reader.from_cells(cells, source.place),
            warnings=(lambda: comments.warnings(source.place),),
        )
    return _from_table(reader, source, form, request)


def _from_table(reader: CellReader, source: Input, form: Format, request: ColumnRequest) -> Source:
    first, given = source.head().split(maxsplit=1)[:1], reader.options
    options = ReadOptions(header=given.header, na_values=given.na_values, decimal=given.decimal)
    opened: Source = form.load_reader().read(source, form.name, options, request)
    layout = opened.table
    assert layout is not None
    if layout.label is None:
        if reader.one_hot is None or opened.classes != reader.one_hot[1]:
            raise several_columns(opened.classes, layout.names, reader.name, source.place)
        return opened

    def numbers(block: Block) -> Block:
        def place(row: int) -> str:
            return layout.label_cell(block.place(row))

        values = np.array(reader.numbers(block.labels or (), place))
        return replace(block, values=values[:, None], labels=None, ids=None)

    place, if_one_more = source.place, ""
    if layout.named_by == "number" and layout.names is not None:
        place += f", below its header {shorten(layout.names[layout.label])!r}"
    elif layout.named_by == "number" and first in ([b"0"], [b'"0"']):
        option = f"--header-of {reader.name}=yes"
        if_one_more = f"{option} if the first line is a header, as pandas writes 0"
    return opened.map(
        numbers,
        place=place,
        classes=1,
        class_names=None,
        id_names=(),
        table=None,
        if_one_more=if_one_more,
    )


def _from_document(reader: CellReader, source: Input, key: str | None) -> Source:
    document = read_document(source)
    if isinstance(document, dict) and not _is_series(document):
        known = reader.name if reader.name in document else None
        document = chosen_array(document, key or known, source.place)
    if isinstance(document, dict) and _is_series(document):
        document = list(document.values())
    if not isinstance(document, list):
        raise InputError("is not a list", f"{reader.name} are [{reader.example}]", source.place)
    if document and isinstance(document[0], list):
        array = array_source(numeric_array(document, source.place), source.place)
        if array.classes == 1:
            return array.map(reader.array)
        if reader.one_hot != (len(array.leading or ()) + 1, array.classes):
            remedy = f"{reader.name} are [{reader.example}]"
            raise InputError("holds lists", remedy, source.place)
        return array
    labels = map(label_text, document)
    cells = ((label, f"{source.place}: [{row}]") for row, label in enumerate(labels))
    return reader.from_cells(cells, source.place)


def _from_lines(reader: CellReader, source: Input) -> Iterator[Cell]:
    for line, record in read_records(source.stream, source.place, comments=Comments()):
        place = f"{source.place}:{line}"
        try:
            value = parse_json(record.decode("utf-8", "replace"))
        except ValueError as error:
            raise InputError(f"is not JSON: {error}", "check the line", place) from None
        if isinstance(value, (list, dict)):
            remedy = f"write one on each line, such as {reader.example.partition(',')[0]}"
            raise InputError(f"is not a {reader.name[:-1]}", remedy, place)
        yield label_text(value), place


def _is_list(reader: CellReader, text: bytes) -> bool:
    """Whether the first line of a text has several words that are no header."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith(b"#"))
    cells = list(map(cell_text, next(lines, b"").split()))
    return len(cells) > 1 and any(cell in reader.words or is_number(cell) for cell in cells)


def _from_words(source: Input, comments: Comments) -> Iterator[Cell]:
    for line, record in read_records(source.stream, source.place, comments):
        yield from ((cell_text(cell), f"{source.place}:{line}") for cell in record.split())


def _is_series(document: dict[str, object]) -> bool:
    """Return true for the index and values that pandas writes of a Series."""
    return are_numbered(document)
