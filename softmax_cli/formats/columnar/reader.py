"""Reads Parquet and Arrow IPC, tables stored by column, a window of rows at a time.

A window is filled a few columns at a time. Writers choose how many rows a file stores together, a
gigabyte of them is common, and the memory must not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import polars as pl

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import row_place
from softmax_cli.formats.columnar.file import ColumnarFile
from softmax_cli.formats.columnar.id_series import SeriesColumn
from softmax_cli.formats.columnar.numbers import (
    LISTS,
    WORDS,
    holds_numbers,
    number_type,
    numbers_of,
)
from softmax_cli.formats.columnar.stream import BEGINNING, ArrowStream
from softmax_cli.formats.columnar.table import ColumnarTable
from softmax_cli.formats.columns.entries import ROWS_AT_ONCE, ListRows, entries_source, entry_column
from softmax_cli.formats.columns.layout import Layout, choose_layout, refuse_index, several_columns
from softmax_cli.formats.columns.lists import FIRST_ROWS, list_layout, refuse_length
from softmax_cli.formats.columns.table_options import refuse_text_options
from softmax_cli.formats.model.blocks import Block, Chunk, Source, rows_per_block
from softmax_cli.formats.model.id_columns import id_columns
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.storage.input import Input

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW_BYTES = 80 << 20
_WINDOW_ROWS = 1 << 18
# A row group of lists of at most this size is decoded at once.
_GROUP_BYTES = 256 << 20
_GROUP_ROWS = 1 << 20
_COLUMNS_AT_ONCE = 16
# Names that pandas or R gives to the index of a data frame.
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open a Parquet or Arrow IPC file; its schema is read, and no row."""
    refuse_text_options(form, options)
    file = _opened(source, form)
    columns = file.schema.names()
    if not columns:
        raise InputError("has no columns", "a row needs a number", source.place)
    layout = choose_layout(columns, columns, options, request)
    # --columns may name an index that only pandas notes.
    noted = frozenset[str]() if layout.chosen else file.index
    index = [at for at in layout.classes if _INDEX.fullmatch(columns[at]) or columns[at] in noted]
    types = file.schema.dtypes()
    nested = {*_columns_of(types, (*WORDS, *LISTS))}.intersection(layout.classes)
    if request.one_column and (index or nested):
        raise several_columns(len(columns), columns, request.role, source.place)
    refuse_index(index, columns, source.place)
    lists = [at for at in _columns_of(types, LISTS) if holds_numbers(types[at])]
    fractions = _columns_of(types, (pl.Float16, pl.Float32, pl.Float64, pl.Decimal))
    held = list_layout(layout, lists, fractions, source.place)
    layout = held or layout
    dtypes = [number_type(file.schema, at, layout, source.place) for at in layout.classes]
    entries = None if held is None else _length_of_lists(file, columns[held.classes[0]])
    truths = frozenset(_columns_of(types, pl.Boolean)).intersection(layout.classes)
    layout = replace(layout, entries=entries, named_by="name", truths=truths)
    dtype = np.result_type(*dtypes or [np.float64])
    return Source(
        source.place,
        layout.width,
        dtype,
        _Table(file, layout, dtype).chunks,
        rows=file.rows,
        class_names=layout.class_names,
        id_names=layout.id_names,
        table=layout,
    )


def _opened(source: Input, form: str) -> ColumnarTable:
    if form == "arrow" and source.head().startswith(BEGINNING):
        return ArrowStream(source)
    return ColumnarFile(source, form)


def _columns_of(types: Sequence[pl.DataType], kinds: Any) -> list[int]:
    return [column for column, dtype in enumerate(types) if isinstance(dtype, kinds)]


def _length_of_lists(file: ColumnarTable, name: str) -> int:
    dtype, place = file.schema[name], row_place(file.place, 0)(0)
    if isinstance(dtype, pl.Array) and dtype.size:
        refuse_length(dtype.size, dtype.size, place)
        return dtype.size
    # Polars decodes a whole row group to return its first list.
    if noted := file.noted_length(name):
        return noted
    for count in (1, FIRST_ROWS):
        first = file.head(name, count).drop_nulls()
        if len(first):
            refuse_length(len(first[0]), len(first[0]), place)
            return len(first[0])
    problem = f"the first rows of column {shorten(name)!r} hold no list of numbers"
    raise InputError(problem, "a row needs a number", file.place)


class _Table:
    """The rows of a file, from its columns of classes or from one column of lists."""

    def __init__(self, file: ColumnarTable, layout: Layout, dtype: np.dtype[Any]) -> None:
        self._file, self._layout, self._dtype = file, layout, dtype
        names = file.schema.names()
        self._names = [names[column] for column in layout.classes]
        self._label = [] if layout.label is None else [names[layout.label]]

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks, each of copies of the numbers in the window."""
        file, layout = self._file, self._layout
        # A file of labels alone has no classes.
        width = max(1, layout.width)
        most = _WINDOW_BYTES // (width * self._dtype.itemsize)
        whole = 0
        if layout.entries is not None:
            # Polars holds them in memory too, and more while it decodes them.
            most //= 2
            whole = max(1, min(_GROUP_ROWS, _GROUP_BYTES // (width * self._dtype.itemsize)))
        step = max(1, min(_WINDOW_ROWS, most, file.rows or most))
        size = rows_per_block(width, self._dtype.itemsize)
        read = self._from_lists
        if layout.entries is None:
            read = partial(self._from_columns, np.empty((layout.width, step), self._dtype))
        ids = list(layout.id_names)
        for start, count in file.windows(step, whole):
            rows = read(start, count)
            words = file.words(self._label, start, count)
            passed = file.part(ids, start, count) if ids else pl.DataFrame()
            for first in range(0, max(1, count), size):
                values = rows[first : first + size].astype(self._dtype, order="K")
                parts = (frame.slice(first, len(values)) for frame in (passed, words))
                yield Chunk(len(values), partial(self._block, start + first, values, *parts))
            # Not held beside the next window.
            del rows

    def _from_columns(self, window: NDArray[Any], start: int, count: int) -> NDArray[Any]:
        for first in range(0, len(window), _COLUMNS_AT_ONCE):
            names = self._names[first : first + _COLUMNS_AT_ONCE]
            for line, column in enumerate(self._file.part(names, start, count), first):
                numbers = numbers_of(column, self._file.place, lambda row: start + row)
                window[line, :count] = numbers
        return window[:, :count].T

    def _from_lists(self, start: int, count: int) -> NDArray[Any]:
        """Return the numbers of lists; a missing list is all NaN."""
        place, classes = self._file.place, self._layout.width
        column = self._file.part(self._names, start, count).to_series()
        if isinstance(column.dtype, pl.List):
            lengths = column.list.len()
            if len(odd := (lengths != classes).arg_true()):
                if start + odd[0] == 0:
                    self._refuse_other_lengths(lengths[0], count)
                refuse_length(lengths[odd[0]], classes, row_place(place, start)(odd[0]))
        present = column.is_not_null().to_numpy()
        rows = np.flatnonzero(present) + start
        entries = (column if present.all() else column.drop_nulls()).explode()
        numbers = numbers_of(entries, place, lambda entry: int(rows[entry // classes]))
        if present.all():
            return numbers.reshape(count, classes)
        values = np.full((count, classes), np.nan, self._dtype)
        values[present] = numbers.reshape(-1, classes)
        return values

    def _refuse_other_lengths(self, entries: int, step: int) -> NoReturn:
        """Refuse the first list that is not as long as the first one.

        The length that the file noted is only a mean.
        """
        for start, count in self._file.windows(step):
            lengths = self._file.part(self._names, start, count).to_series().list.len()
            if len(odd := (lengths != entries).arg_true()):
                place = row_place(self._file.place, start)(odd[0])
                refuse_length(lengths[odd[0]], entries, place)
        raise self._file.refusal("its footer miscounts the entries of its lists")

    def _block(
        self, start: int, values: NDArray[Any], passed: pl.DataFrame, words: pl.DataFrame
    ) -> Block:
        place = self._file.place
        ids = [SeriesColumn(column, place) for column in passed.get_columns()]
        labels = words.to_series().to_list() if words.width else None
        return Block(start, values, row_place(place, start), id_columns(ids), labels)


def read_entries(source: Input, form: str, options: ReadOptions) -> Source:
    """Open one column, of numbers or of lists of any length, each number of which is a row."""
    refuse_text_options(form, options)
    file = _opened(source, form)
    lists = [name for name, dtype in file.schema.items() if isinstance(dtype, (pl.List, pl.Array))]
    name, id_names = entry_column(file.schema.names(), lists, options, source.place)

    def batches() -> Iterator[ListRows]:
        for start, count in file.windows(ROWS_AT_ONCE):
            values = file.part([name], start, count).to_series().to_list()
            passed = file.part(id_names, start, count).get_columns() if id_names else []
            ids = id_columns([SeriesColumn(column, file.place) for column in passed])
            yield ListRows(values, row_place(file.place, start), ids)

    return entries_source(batches(), id_names, source.place, options)
