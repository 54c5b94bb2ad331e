"""Data frames as `DataFrame.to_json` of pandas writes them, with any orient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from softmax_cli.errors import InputError
from softmax_cli.formats.text.cell_kinds import are_numbered

INDEX = "index"


def rows_of_columns(document: dict[str, Any]) -> list[Any] | None:
    """Return the rows of an object of columns, as R writes them; None if it is none."""
    columns = list(document.values())
    if not columns or not all(isinstance(column, list) and column for column in columns):
        return None
    if len(set(map(len, columns))) > 1:
        return None
    return [dict(zip(document, row, strict=True)) for row in zip(*columns, strict=True)]


def data_frame_rows(document: dict[str, Any], place: str) -> list[Any] | None:
    """Return the rows of a data frame; None if the object is none.

    An index other than 0, 1, 2, ... is the column `index`.
    """
    data = document.get("data")
    if isinstance(data, list):
        if isinstance(document.get("schema"), dict):
            return data
        names, index = document.get("columns"), document.get("index")
        if isinstance(names, list) and isinstance(index, list):
            return _rows(list(map(str, names)), index, data, place)
    columns = list(document.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return None
    index = list(columns[0])
    entries = [entry for column in columns for entry in column.values()]
    if any(column.keys() != columns[0].keys() for column in columns) or any(
        isinstance(entry, dict) for entry in entries
    ):
        return None
    if _are_numbers(document) == _are_numbers(index):
        problem = "is a data frame, but its keys do not say whether by columns or by rows"
        raise InputError(problem, 'write it with to_json(orient="split")', place)
    if _are_numbers(document):
        return _rows(index, list(document), [[row[key] for key in index] for row in columns], place)
    rows = [[column[key] for column in columns] for key in index]
    return _rows(list(document), index, rows, place)


def _are_numbers(keys: Iterable[str]) -> bool:
    return all(key.isdecimal() for key in keys)


def _rows(names: list[str], index: list[Any], rows: list[Any], place: str) -> list[Any]:
    has_index = not are_numbered(index)
    keys = [INDEX] * has_index + names
    if len(set(keys)) < len(keys):
        raise InputError("two columns have the same name", "rename one", place)
    if len(rows) != len(index):
        problem = f"has {len(rows)} rows and an index of {len(index)}"
        raise InputError(problem, "every row needs an index entry", place)
    found = []
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            problem = f"is not a list of {len(names)} entries"
            raise InputError(
                problem, "every row needs one entry for each column", f"{place}: data[{at}]"
            )
        found.append(dict(zip(keys, [index[at]] * has_index + row, strict=True)))
    return found
