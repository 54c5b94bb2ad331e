"""Reads Parquet and Arrow IPC, tables stored by column, a window of rows at a time.

A window is filled a few columns at a time. Writers choose how many rows a file stores together, a
gigabyte of them is common, and the memory must not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from softmax_cli.errors import InputError, join_names, shorten
from softmax_cli.formats.arrays.array import ACCEPT_ROUNDING, INEXACT, first_inexact, row_place
from softmax_cli.formats.columnar.file import ColumnarFile, open_columnar
from softmax_cli.formats.columns.layout import Layout, choose_layout
from softmax_cli.formats.columns.selection import column_spec, refuse_table_options
from softmax_cli.formats.model.blocks import Block, Chunk, Source, rows_per_block
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.numbers import STORE_TRUTH
from softmax_cli.formats.text.quoting import quote
from softmax_cli.storage.input import Input

_WINDOW_BYTES = 80 << 20
_WINDOW_ROWS = 1 << 18
_COLUMNS_AT_ONCE = 16
# One of the first rows must have a list, which gives the number of classes.
_FIRST_ROWS = 1024
_INTEGERS = (*(pl.Int8, pl.Int16, pl.Int32, pl.Int64), *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64))
_FLOATS: dict[Any, type[np.floating[Any]]] = {
    pl.Float16: np.float16,
    pl.Float32: np.float32,
    pl.Float64: np.float64,
}
_WORDS = (pl.String, pl.Categorical, pl.Enum)
# Names that pandas or R gives to the index of a data frame.
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


@dataclass(frozen=True)
class _Table:
    """The columns of a file that are classes, or the one column that holds them as lists."""

    file: ColumnarFile
    layout: Layout
    names: list[str]
    listed: bool
    classes: int
    dtype: np.dtype[Any]


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open a Parquet or Arrow IPC file; its schema is read, and no row."""
    unfit = ReadOptions(delimiter=options.delimiter, header=options.header)
    refuse_table_options(form, unfit, ColumnRequest())
    file = open_columnar(source, form)
    columns = file.schema.names()
    if not columns:
        raise InputError("has no columns", "a row needs a number", source.place)
    layout = choose_layout(columns, columns, options, request)
    if not options.columns:
        _refuse_index(file, layout)
    table = _table(file, layout)
    return Source(
        source.place,
        table.classes,
        table.dtype,
        partial(_chunks, table),
        rows=file.rows,
        class_names=None if table.listed else tuple(table.names),
        id_names=tuple(columns[column] for column in layout.ids),
        table=None if table.listed else replace(layout, named_by="name"),
    )


def _refuse_index(file: ColumnarFile, layout: Layout) -> None:
    """Refuse columns that pandas wrote as an index, unless --columns names them."""
    names = layout.names or []
    index = [column for column in layout.classes if names[column] in file.index]
    if index:
        called = ",".join(column_spec(column, names) for column in index)
        shown = join_names([repr(shorten(names[column])) for column in index])
        what, it = ("the column", "it") if len(index) == 1 else ("the columns", "them")
        problem = f"{what} {shown} {'is' if len(index) == 1 else 'are'} the index of a data frame"
        raise InputError(problem, f"--id-columns {called} passes {it} through", file.place)


def _table(file: ColumnarFile, layout: Layout) -> _Table:
    names = [(layout.names or [])[column] for column in layout.classes]
    listed = len(names) == 1 and isinstance(file.schema[names[0]], (pl.List, pl.Array))
    columns, lone = file.schema.names(), len(layout.classes) == 1
    types = [_number_type(file, columns[column], column, lone=lone) for column in layout.classes]
    classes = _width_of_lists(file, names[0]) if listed else len(names)
    return _Table(file, layout, names, listed, classes, np.result_type(*types))


def _number_type(
    file: ColumnarFile, name: str, column: int, *, lone: bool
) -> type[np.floating[Any]]:
    dtype = file.schema[name]
    if lone and isinstance(dtype, (pl.List, pl.Array)):
        assert isinstance(dtype.inner, pl.DataType)
        dtype = dtype.inner
    is_index = _INDEX.fullmatch(name) is not None
    if not is_index and isinstance(dtype, (*_INTEGERS, pl.Float64, pl.Null)):
        return np.float64
    if not is_index and isinstance(dtype, tuple(_FLOATS)):
        return _FLOATS[dtype.base_type()]
    called = column_spec(column, file.schema.names())
    if is_index:
        problem = f"the column {name!r} is the index of a data frame"
        raise InputError(problem, f"--id-columns {called} passes it through", file.place)
    if isinstance(dtype, pl.Boolean):
        # Flags among numbers may be no class; in a table of flags alone they are.
        remedy = STORE_TRUTH
        if not lone and any(other != pl.Boolean for other in file.schema.dtypes()):
            remedy += f", or --id-columns {called} if it is no class"
        problem = f"column {shorten(name)!r} holds truth values (Boolean)"
        raise InputError(problem, remedy, file.place)
    what = "words" if isinstance(dtype, _WORDS) else f"{dtype} values"
    column_of = "a column of words" if what == "words" else "it"
    remedy = f"--id-columns {called} passes {column_of} through"
    problem = f"column {shorten(name)!r} holds {shorten(what)}, which are no numbers"
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


def _chunks(table: _Table) -> Iterator[Chunk]:
    file, row_bytes = table.file, table.classes * table.dtype.itemsize
    most = max(1, _WINDOW_BYTES // row_bytes // (3 if table.listed else 1))
    step = max(1, min(_WINDOW_ROWS, most, file.rows))
    size = rows_per_block(table.classes, table.dtype.itemsize)
    # Used again and again: blocks hold copies.
    window = np.empty((table.classes, step), table.dtype)
    words = _words_of(table.layout)
    if not file.rows:
        # Reading no rows still finds damage.
        file.part(table.names, 0, 0)
    for start in range(0, file.rows, step):
        count = min(step, file.rows - start)
        _fill(window[:, :count], table, start)
        cells = file.words(words, start, count) if words else None
        for first in range(0, count, size):
            values = window[:, first : min(first + size, count)].copy().T
            part = None if cells is None else cells.slice(first, len(values))
            yield Chunk(len(values), partial(_block, table, start + first, values, part))


def _words_of(layout: Layout) -> list[str]:
    chosen = [*layout.ids, *([] if layout.label is None else [layout.label])]
    return list(dict.fromkeys((layout.names or [])[column] for column in chosen))


def _fill(window: NDArray[Any], table: _Table, start: int) -> None:
    """Fill the window, which has one row per column of the file."""
    count = window.shape[1]
    if table.listed:
        window[:] = _from_lists(table, start, count).reshape(count, table.classes).T
        return
    for first in range(0, len(table.names), _COLUMNS_AT_ONCE):
        names = table.names[first : first + _COLUMNS_AT_ONCE]
        for line, column in enumerate(table.file.part(names, start, count), first):
            window[line] = _numbers(column, table.file.place, lambda row: start + row)


def _from_lists(table: _Table, start: int, count: int) -> NDArray[Any]:
    """Return the numbers of lists, row after row; a missing list is all NaN."""
    column = table.file.part(table.names, start, count).to_series()
    if isinstance(column.dtype, pl.List):
        lengths = column.list.len()
        odd = (lengths != table.classes).arg_true()
        if len(odd):
            raise InputError(
                f"a list of {lengths[odd[0]]} numbers, and the first row has {table.classes}",
                "all rows need the same classes",
                row_place(table.file.place, start)(odd[0]),
            )
    classes = table.classes
    present = column.is_not_null().to_numpy()
    found = np.flatnonzero(present)
    numbers = _numbers(
        column.drop_nulls().explode(),
        table.file.place,
        lambda entry: start + int(found[entry // classes]),
    )
    if present.all():
        return numbers
    values = np.full((count, classes), np.nan, table.dtype)
    values[present] = numbers.reshape(-1, classes)
    return values


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


def _block(table: _Table, start: int, values: NDArray[Any], cells: pl.DataFrame | None) -> Block:
    place, layout = row_place(table.file.place, start), table.layout
    if cells is None:
        return Block(start, values, place)
    names = layout.names or []
    ids = [map(_quoted, cells[names[column]].to_list()) for column in layout.ids]
    label = layout.label
    return Block(
        start,
        values,
        place,
        list(zip(*ids, strict=True)) if ids else None,
        None if label is None else cells[names[label]].to_list(),
    )


def _quoted(text: str) -> bytes:
    return quote(text.encode())


def read_words(source: Input, form: str, what: str) -> Iterator[tuple[str, str]]:
    """Return the cells of a file of one column, each with its place for errors."""
    file = open_columnar(source, form)
    if len(file.schema) != 1:
        raise InputError(
            f"{len(file.schema)} columns where one of {what} is needed",
            "cut the others off"
            + (", or use --label-column for labels beside the logits" if what == "labels" else ""),
            source.place,
        )
    return _words(file)


def _words(file: ColumnarFile) -> Iterator[tuple[str, str]]:
    for start in range(0, file.rows, _WINDOW_ROWS):
        cells = file.words(file.schema.names(), start, min(_WINDOW_ROWS, file.rows - start))
        place = row_place(file.place, start)
        yield from ((cell, place(row)) for row, cell in enumerate(cells.to_series().to_list()))
