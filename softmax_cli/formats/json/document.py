"""JSON documents: records, nested lists, or an object of arrays."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from functools import partial
from typing import Any

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.arrays.array import array_source, no_array
from softmax_cli.formats.arrays.nested_lists import numeric_array
from softmax_cli.formats.columns.layout import Layout, refuse_index
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.columns.selection import column_choice
from softmax_cli.formats.columns.table_options import refuse_table_options, refuse_text_options
from softmax_cli.formats.json.data_frames import INDEX, data_frame_rows, rows_of_columns
from softmax_cli.formats.json.entries import entries_of_rows
from softmax_cli.formats.json.table import RecordTable, check_row, json_layout
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.json_values import json_report, json_rows, read_document
from softmax_cli.storage.input import Input

_KEYS = ("logits", "probabilities", "log_probabilities", "jacobian", "gradient")


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Read records, nested lists, or an object of arrays; the document is held whole."""
    document = read_document(source)
    rows = _records(document, options, request, source.place)
    if rows:
        opened = _open_records(rows, source, form, options, request)
        if isinstance(document, dict):
            _refuse_index(opened)
        return opened
    if rows == [] or document == []:
        raise InputError("holds no rows", "give at least one", source.place)
    _refuse_columns(document, options, request, source.place)
    names = None
    if isinstance(document, dict):
        names, document = document.get("class_names"), _array(document, options.key, source.place)
    array = numeric_array(document, source.place, missing_texts(options))
    class_names = tuple(map(str, names)) if isinstance(names, list) else None
    if class_names is not None:
        if not document:
            array = array.reshape(0, len(class_names))
        if len(class_names) != array.shape[-1]:
            problem = f"has {len(class_names)} class names and {array.shape[-1]} classes"
            raise InputError(problem, "every class needs one name", source.place)
    opened = array_source(array, source.place)
    classes = list(range(opened.classes))
    layout = Layout(len(classes), classes, [], None, None, named_by="class")
    return replace(opened, class_names=class_names, table=layout)


def read_entries(source: Input, _form: str, options: ReadOptions) -> Source:
    """Open the document's list, or the document; each number of it is a row."""
    document = read_document(source)
    if isinstance(document, dict) and options.key is not None:
        document = _array(document, options.key, source.place)
    rows = document if isinstance(document, list) else [document]
    placed = ((row, f"{source.place}: [{number}]") for number, row in enumerate(rows))
    return entries_of_rows(placed, source.place, options)


def _records(
    document: Any, options: ReadOptions, request: ColumnRequest, place: str
) -> list[Any] | None:
    """Return the records of a document, or the rows of a data frame; None if it holds arrays."""
    if isinstance(document, list):
        return document if document and isinstance(document[0], dict) else None
    if not isinstance(document, dict) or options.key is not None:
        return None
    columns = options.columns or options.id_columns or request.labels is not None
    if columns or request.every_column:
        return data_frame_rows(document, place) or rows_of_columns(document) or _one_row(document)
    return data_frame_rows(document, place)


def _one_row(document: dict[str, Any]) -> list[Any] | None:
    """Return a record that stands alone; None if the object holds arrays of rows."""
    lists = [value for value in document.values() if isinstance(value, list)]
    holds_rows = any(isinstance(entry, (list, dict)) for value in lists for entry in value[:1])
    return None if holds_rows else [document]


def _open_records(
    rows: list[Any], source: Input, form: str, options: ReadOptions, request: ColumnRequest
) -> Source:
    refuse_text_options(form, options)
    if options.key is not None:
        problem = "holds records, not named arrays"
        raise InputError(problem, column_choice(options.key), source.place)
    check_row(rows[0], f"{source.place}: [0]")
    layout = json_layout(iter(rows), options, request, f"{source.place}: [0]")
    table = RecordTable(source, layout, b"", 0, rows)
    return replace(table.open(partial(table.chunks_of_records, b"", 0)), rows=len(rows))


def _refuse_index(source: Source) -> None:
    """Refuse the index of a data frame among the classes, unless --columns chose it."""
    layout = source.table
    assert layout is not None
    names = layout.names or []
    if not layout.chosen:
        index = [column for column in layout.classes if names[column] == INDEX]
        refuse_index(index, names, source.place)


def _refuse_columns(
    document: Any, options: ReadOptions, request: ColumnRequest, place: str
) -> None:
    """Refuse options for tables, because the document holds arrays."""
    if isinstance(document, dict) and request.labels in document:
        problem = f"{place} is an object whose arrays do not have one length"
        remedy = f"--labels {shlex.quote(f'{place}[{request.labels}]')} reads that array"
        raise UsageError(problem, remedy, "--label-column")
    remedy = 'leave it out, or write an array of records: [{"a": 1, "b": 2}, ...]'
    refuse_table_options("arrays of JSON", options, request, remedy)


def _array(document: dict[str, Any], key: str | None, place: str) -> Any:
    """Return the array that --key names, or the one with a known name, or the only one."""
    key = key or next((known for known in _KEYS if known in document), None)
    if key in document:
        return document[key]
    if key is None and len(document) == 1:
        return next(iter(document.values()))
    error = no_array(document, key, "has no array with a known name", place)
    if key is None and rows_of_columns(document):
        error.remedy += "; --columns or --label-column reads them as the columns of a table"
    raise error


class JsonSink(FormatSink):
    """Writes one object, with each row on a line of its own."""

    def begin(self) -> None:
        result = self._result
        self._lines = 0
        self._ids: list[str] = []
        self._classes: list[list[object]] = []
        facts = {"command": result.command, **result.facts, "class_names": result.class_names}
        opening = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        self._target.write(f'{opening[:-1]}, "{result.name}": ['.encode())

    def write(self, block: Block) -> None:
        result = self._result
        for row in json_rows(block.values, self._precision):
            matrix_starts = result.matrix and self._lines % result.lines == 0
            closing = "]," if self._lines and matrix_starts else "," if self._lines else ""
            opening = "\n[" if matrix_starts else ""
            self._target.write(f"{closing}{opening}\n{row}".encode())
            self._lines += 1
        if block.ids is not None:
            each = result.lines if result.matrix else 1
            first = -block.start % each
            self._ids.extend(f"[{', '.join(row)}]" for row in block.ids[first::each].json())
        if block.classes is not None:
            self._classes.extend(result.name_classes(block.classes))

    def finish(self) -> None:
        result = self._result
        closing = "]\n]" if result.matrix and self._lines else "\n]"
        rows = self._lines // result.lines if result.matrix else self._lines
        after: dict[str, object] = {"rows": rows}
        if self._classes:
            after["top_classes"] = self._classes
        if result.steps is not None:
            after["steps"] = [step.as_dict() for step in result.steps()]
        ids = f', "ids": [{", ".join(self._ids)}]' if self._ids else ""
        report = json_report(after, self._precision)[1:]
        self._target.write(f"{closing}{ids}, {report}\n".encode())
