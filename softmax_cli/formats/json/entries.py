"""Rows of JSON, each a number, a list of any length, or a record of either."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.entries import ROWS_AT_ONCE, ListRows, entries_source, entry_column
from softmax_cli.formats.json.table import lacks_key
from softmax_cli.formats.model.blocks import Source, batches
from softmax_cli.formats.model.id_columns import JsonColumn, id_columns
from softmax_cli.formats.model.options import ReadOptions


def entries_of_rows(rows: Iterator[tuple[Any, str]], place: str, options: ReadOptions) -> Source:
    """Return a source with a row for each number of rows, which come with their places."""
    first = next(rows, None)
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", place)
    name, id_names = "", list[str]()
    if isinstance(first[0], dict):
        lists = [key for key, value in first[0].items() if isinstance(value, list)]
        name, id_names = entry_column(list(first[0]), lists, options, first[1])

    def batch(taken: list[tuple[Any, str]]) -> ListRows:
        values = [_cell(row, name, where) if name else row for row, where in taken]
        ids = [
            JsonColumn([_cell(row, key, where) for row, where in taken], place, key)
            for key in id_names
        ]
        return ListRows(values, lambda row: taken[row][1], id_columns(ids))

    held = batches(chain([first], rows), ROWS_AT_ONCE)
    return entries_source(map(batch, held), id_names, place, options)


def _cell(row: Any, name: str, place: str) -> object:
    if not isinstance(row, dict) or name not in row:
        raise lacks_key(name, place)
    return row[name]
