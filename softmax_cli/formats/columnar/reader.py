"""Reads Parquet and Arrow IPC, tables stored by column, a window of rows at a time.

A window is filled a few columns at a time. Writers choose how many rows a file stores together, a
gigabyte of them is common, and the memory must not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import ACCEPT_ROUNDING, INEXACT, first_inexact, row_place
from softmax_cli.formats.columnar.file import ColumnarFile
from softmax_cli.formats.columnar.id_series import SeriesColumn
from softmax_cli.formats.columns.layout import (
    Layout,
    choose_layout,
    name_columns,
    pass_through,
    refuse_all_but_one,
    refuse_text_options,
)
from softmax_cli.formats.model.blocks import Block, Chunk, Source, rows_per_block
from softmax_cli.formats.model.id_columns import IdColumns
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.numbers import STORE_TRUTH
from softmax_cli.storage.input import Input

_WINDOW_BYTES = 80 << 20
_WINDOW_ROWS = 1 << 18
_COLUMNS_AT_ONCE = 16
# One of the first rows must have a list, which gives the number of classes.
_FIRST_ROWS = 1024
_NUMBERS: dict[Any, type[np.floating[Any]]] = {
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64), np.float64),
    **dict.fromkeys((pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64), np.float64),
    **dict.fromkeys((pl.Float64, pl.Null), np.float64),
    pl.Float32: np.float32,
    pl.Float16: np.float16,
}
_WORDS = (pl.String, pl.Categorical, pl.Enum)
# Names that pandas or R gives to the index of a data frame.
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open a Parquet or Arrow IPC file; its schema is read, and no row."""
    refuse_text_options(form, options)
    file = ColumnarFile(source, form)
    columns = file.schema.names()
    if not columns:
        raise InputError("has no columns", "a row needs a number", source.place)
    layout = choose_layout(columns, columns, options, request)
    # --columns may name an index that only pandas notes.
    noted = frozenset[str]() if layout.chosen else file.index
    index = [at for at in layout.classes if _INDEX.fullmatch(columns[at]) or columns[at] in noted]
    if index:
        verb = "is" if len(index) == 1 else "are"
        problem = f"{name_columns(index, columns)} {verb} the index of a data frame"
        raise InputError(problem, pass_through(index, columns), source.place)
    table = _Table(file, layout)
    return Source(
        source.place,
        table.classes,
        table.dtype,
        table.chunks,
        rows=file.rows,
        class_names=None if table.listed else layout.class_names,
        id_names=layout.id_names,
        list_name=table.names[0] if table.listed else None,
        table=None if table.listed else replace(layout, named_by="name"),
    )


class _Table:
    """The columns of a file that are classes, or the one column that holds them as lists."""

    def __init__(self, file: ColumnarFile, layout: Layout) -> None:
        self._file, self._layout = file, layout
        names = file.schema.names()
        self.names = [names[column] for column in layout.classes]
        self._label = None if layout.label is None else names[layout.label]
        types = [_number_type(file, at, lone=len(self.names) == 1) for at in layout.classes]
        self.dtype = np.result_type(*types)
        first = file.schema[self.names[0]]
        self.listed = len(types) == 1 and isinstance(first, (pl.List, pl.Array))
        self.classes = _width_of_lists(file, self.names[0]) if self.listed else len(types)

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks, each of copies of the numbers in the window."""
        file, row_bytes = self._file, self.classes * self.dtype.itemsize
        most = max(1, _WINDOW_BYTES // row_bytes // (3 if self.listed else 1))
        step = max(1, min(_WINDOW_ROWS, most, file.rows))
        size = rows_per_block(self.classes, self.dtype.itemsize)
        window = np.empty((self.classes, step), self.dtype)
        label, ids = [] if self._label is None else [self._label], list(self._layout.id_names)
        if not file.rows:
            # Reading no rows still finds damage.
            file.part(self.names, 0, 0)
        for start in range(0, file.rows, step):
            count = min(step, file.rows - start)
            self._fill(window[:, :count], start)
            words = file.words(label, start, count)
            passed = file.part(ids, start, count) if ids else pl.DataFrame()
            for first in range(0, count, size):
                values = window[:, first : min(first + size, count)].copy().T
                parts = (frame.slice(first, len(values)) for frame in (passed, words))
                yield Chunk(len(values), partial(self._block, start + first, values, *parts))

    def _fill(self, window: NDArray[Any], start: int) -> None:
        count = window.shape[1]
        if self.listed:
            window[:] = self._from_lists(start, count).reshape(count, self.classes).T
            return
        for first in range(0, self.classes, _COLUMNS_AT_ONCE):
            names = self.names[first : first + _COLUMNS_AT_ONCE]
            for line, column in enumerate(self._file.part(names, start, count), first):
                window[line] = _numbers(column, self._file.place, lambda row: start + row)

    def _from_lists(self, start: int, count: int) -> NDArray[Any]:
        """Return the numbers of lists, row after row; a missing list is all NaN."""
        place, classes = self._file.place, self.classes
        column = self._file.part(self.names, start, count).to_series()
        if isinstance(column.dtype, pl.List):
            lengths = column.list.len()
            odd = (lengths != classes).arg_true()
            if len(odd):
                problem = f"a list of {lengths[odd[0]]} numbers, and the first row has {classes}"
                remedy = "all rows need the same classes"
                raise InputError(problem, remedy, row_place(place, start)(odd[0]))
        present = column.is_not_null().to_numpy()
        rows = np.flatnonzero(present) + start
        entries = column.drop_nulls().explode()
        numbers = _numbers(entries, place, lambda entry: rows[entry // classes])
        if present.all():
            return numbers
        values = np.full((count, classes), np.nan, self.dtype)
        values[present] = numbers.reshape(-1, classes)
        return values

    def _block(
        self, start: int, values: NDArray[Any], passed: pl.DataFrame, words: pl.DataFrame
    ) -> Block:
        place = self._file.place
        ids = tuple(SeriesColumn(column, place) for column in passed.get_columns())
        labels = words.to_series().to_list() if words.width else None
        return Block(
            start, values, row_place(place, start), IdColumns(ids) if ids else None, labels
        )


def _number_type(file: ColumnarFile, column: int, *, lone: bool) -> type[np.floating[Any]]:
    names, types = file.schema.names(), file.schema.dtypes()
    dtype = types[column]
    if lone and isinstance(dtype, (pl.List, pl.Array)):
        assert isinstance(dtype.inner, pl.DataType)
        dtype = dtype.inner
    if number := _NUMBERS.get(dtype.base_type()):
        return number
    held, what = shorten(f"{dtype} values"), "it"
    if isinstance(dtype, _WORDS):
        held, what = "words", "a column of words"
    problem = f"column {shorten(names[column])!r} holds {held}, which are no numbers"
    remedy = pass_through([column], names, what)
    if isinstance(dtype, pl.Boolean):
        problem = f"column {shorten(names[column])!r} holds truth values (Boolean)"
        # Flags among numbers may be no class; in a table of flags alone they are.
        is_mixed = not lone and any(other != pl.Boolean for other in types)
        remedy = f"{STORE_TRUTH}, or {remedy}" if is_mixed else STORE_TRUTH
    raise InputError(problem, remedy, file.place)


def _width_of_lists(file: ColumnarFile, name: str) -> int:
    dtype = file.schema[name]
    if isinstance(dtype, pl.Array):
        width = dtype.size
    else:
        first = file.part([name], 0, min(_FIRST_ROWS, file.rows)).to_series().drop_nulls()
        width = first.list.len()[0] if len(first) else 0
    if not width:
        problem = f"column {shorten(name)!r} begins with no list of numbers"
        raise InputError(problem, "a row needs a number", file.place)
    return int(width)


def _numbers(column: pl.Series, place: str, row_of: Callable[[int], int]) -> NDArray[Any]:
    """Return the numbers of a column, NaN for null; `row_of` gives the row of an entry."""
    if column.dtype == pl.Null:
        return np.full(len(column), np.nan)
    if column.dtype in (pl.Int64, pl.UInt64):
        entry = first_inexact(column.fill_null(0).to_numpy())
        if entry is not None:
            problem = f"column {shorten(column.name)!r} holds {column[entry]}, {INEXACT}"
            raise InputError(problem, ACCEPT_ROUNDING, f"{place}: row {row_of(entry)}")
    return column.to_numpy()


def read_words(source: Input, form: str, what: str) -> Iterator[tuple[str, str]]:
    """Return the cells of a file of one column, each with its place for errors."""
    file = ColumnarFile(source, form)
    refuse_all_but_one(len(file.schema), what, source.place)

    def words() -> Iterator[tuple[str, str]]:
        for start in range(0, file.rows, _WINDOW_ROWS):
            cells = file.words(file.schema.names(), start, min(_WINDOW_ROWS, file.rows - start))
            place = row_place(file.place, start)
            yield from ((cell, place(row)) for row, cell in enumerate(cells.to_series().to_list()))

    return words()
