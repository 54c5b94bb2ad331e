"""Text: read line by line, in chunks of any size, and by other means, with one result."""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from softmax_cli.formats.columns import line_table
from softmax_cli.formats.delimited import polars_chunk
from softmax_cli.formats.model.options import ColumnRequest
from softmax_cli.formats.text.cell_kinds import MISSING
from tests.formats.rows import Array, write
from tests.fuzz.outcomes import Choices, Outcome, agree, equals, file, outcome

_HEADERS = (None, True, False)
_DELIMITERS = (None, ",", ";", "tab", "|", " ", ":")
_COLUMNS: tuple[list[str], ...] = ([], ["2,1"], ["1"], ["a"], ["l*"], ["2-3"])
_IDS: tuple[list[str], ...] = ([], ["1"], ["id"], ["2"], ["1-2"])
_LABELS = (None, "1", "y", "3")
_SIZES = (1, 3, 8, 50, 1 << 16)
_NON_FINITE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def delimited(suffix: str, data: bytes) -> None:
    """Read CSV, TSV or text of numbers between blanks."""
    choices = Choices(data)
    options: dict[str, Any] = {
        "header": choices.one(_HEADERS),
        "delimiter": choices.one(_DELIMITERS),
        "columns": choices.one(_COLUMNS),
        "id_columns": choices.one(_IDS),
    }
    request = ColumnRequest(choices.one(_LABELS), choices.one((False, True)))
    body = choices.rest
    name = file(f"x{suffix}", body)
    found = outcome(name, request, **options)
    with _in_chunks(choices):
        agree(outcome(name, request, **options), found, "in chunks")
    if found.line:
        return
    marks = {".csv": ",", ".tsv": "\t", ".txt": " "}
    mark = (options["delimiter"] or marks[suffix]).replace("tab", "\t")
    may_have_comments = b"#" in body
    # The row names of R are ids that no option asks for.
    if not any((options["columns"], options["id_columns"], request.labels, found.ids)):
        if mark == " ":
            if not may_have_comments:
                equals(found.values, _by_blanks(body, found), "cut at blanks")
        elif not may_have_comments:
            equals(found.values, _by_csv_module(body, mark, found), "by Python's csv module")
    if found.ids and not may_have_comments:
        _pass_through(found, body, mark.encode(), whole=request.every_column)


@contextmanager
def _in_chunks(choices: Choices) -> Iterator[None]:
    with (
        mock.patch.object(line_table, "_CHUNK_BYTES", choices.one(_SIZES)),
        mock.patch.object(polars_chunk, "_MANY_COLUMNS", choices.one((50, 1))),
        mock.patch.object(line_table, "_LITTLE_TEXT", 0),
    ):
        yield


def _by_csv_module(body: bytes, mark: str, found: Outcome) -> Array:
    """Return the numbers of a text; what was found, if quotes stand where they mean nothing."""
    text = io.StringIO(body.decode("utf-8-sig"), newline="")
    blanks = mark != "\t"
    try:
        table = list(csv.reader(text, delimiter=mark, skipinitialspace=blanks, strict=True))
    except csv.Error:
        return found.values
    if any('"' in cell for row in table for cell in row):
        return found.values
    is_blank = [not "".join(row).strip(" \t\n\r\v\f") and len(row) < 2 for row in table]
    while is_blank and is_blank[-1]:
        is_blank.pop()
    first = next((number for number, blank in enumerate(is_blank) if not blank), 0)
    # A blank line among rows is a missing value: the table has one column.
    rows = [row or [""] for row in table[first : len(is_blank)]]
    if found.accepted.class_names is not None:
        header, *rows = rows
        # R's short header: the first column has the names of the rows.
        rows = [row[len(row) - len(header) :] for row in rows]
    numbers = [[_number(cell) for cell in row] for row in rows]
    return np.array(numbers, np.float64).reshape(len(rows), found.accepted.classes)


def _number(cell: str) -> float:
    return np.nan if cell.strip() in MISSING else float(cell)


def _by_blanks(body: bytes, found: Outcome) -> Array:
    lines = body.removeprefix(BOM_UTF8).split(b"\n")
    rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
    if found.accepted.class_names is not None:
        header, *rows = rows
        # R's short header: the first column has the names of the rows.
        rows = [row[len(row) - len(header) :] for row in rows]
    numbers = [[_number(cell.strip(b'"').decode()) for cell in row] for row in rows]
    return np.array(numbers, np.float64).reshape(len(rows), found.accepted.classes)


def _pass_through(found: Outcome, body: bytes, mark: bytes, *, whole: bool) -> None:
    """Find the cells of the input in the rows, and those of the rows in a CSV, byte for byte."""
    if b'"' not in body and mark != b" ":
        lines = body.removeprefix(BOM_UTF8).split(b"\n")[found.accepted.class_names is not None :]
        lines = [line for line in lines if line.strip()]
        for record, ids in zip(lines, found.ids, strict=True):
            cells = record.rstrip(b"\r\n").split(mark)
            assert (list(ids) == cells) if whole else set(ids) <= set(cells), (ids, cells)
    write("y.csv", found.values, ids=found.ids, id_names=found.accepted.id_names)
    written = io.BytesIO(Path("y.csv").read_bytes())
    for row, ids in zip(found.values, found.ids, strict=True):
        if not any(character in cell for cell in ids for character in (b",", b"\n", b"\r")):
            passed = b",".join(ids) + b","
            assert written.read(len(passed)) == passed
            equals(np.array(written.readline().split(b","), np.float64), row, "as written")
        else:
            break


def json_lines(data: bytes) -> None:
    """Read lists or objects, one a line."""
    choices = Choices(data)
    options: dict[str, Any] = {"columns": choices.one(_COLUMNS), "id_columns": choices.one(_IDS)}
    request = ColumnRequest(choices.one(_LABELS), choices.one((False, True)))
    name = file("x.jsonl", choices.rest)
    found = outcome(name, request, **options)
    with _in_chunks(choices):
        agree(outcome(name, request, **options), found, "in chunks")
    if found.line or any((options["columns"], options["id_columns"], request.labels)):
        return
    names = found.accepted.class_names
    lines = [line for line in choices.rest.removeprefix(BOM_UTF8).split(b"\n") if line.strip()]
    rows = [json.loads(line) for line in lines]
    expected = [_numbers(row if names is None else [row[key] for key in names]) for row in rows]
    equals(found.values, np.array(expected, np.float64).reshape(found.values.shape), "as JSON")


def _numbers(value: Any) -> Any:
    """Return JSON lists as numbers; anything else among them is a ValueError."""
    if isinstance(value, list):
        return list(map(_numbers, value))
    if value is None or (isinstance(value, str) and value in MISSING):
        return np.nan
    if isinstance(value, str):
        return _NON_FINITE[value]
    if type(value) not in (int, float):
        raise ValueError(value)
    return float(value)


def json_document(data: bytes) -> None:
    """Read nested lists, or an object of them."""
    choices = Choices(data)
    key = choices.one((None, "a", "logits"))
    axis = choices.one((-1, 0, 1))
    found = outcome(file("x.json", choices.rest), key=key, axis=axis)
    expected = None
    with suppress(ValueError, KeyError, OverflowError, RecursionError):
        document = json.loads(choices.rest.decode("utf-8-sig"))
        if isinstance(document, dict):
            known = ("logits", "probabilities", "log_probabilities", "jacobian")
            named = key or next(each for each in (*known, None) if each in document or not each)
            document = document[named]
        expected = np.array(_numbers(document), np.float64)
    if found.line:
        plain = expected is not None and expected.ndim in (1, 2) and expected.size > 0
        assert not plain or axis != -1 or b"{" in choices.rest or _is_beyond(expected), found
        return
    assert expected is not None, f"is read as {found!r}"
    moved = np.moveaxis(expected, axis, -1)
    equals(found.values, moved.reshape(found.values.shape), "as JSON")


def _is_beyond(expected: Array | None) -> bool:
    return expected is not None and bool(np.isinf(expected).any())
