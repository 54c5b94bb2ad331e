"""Which types of Parquet and Arrow are numbers, and the numbers of a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import ACCEPT_ROUNDING, INEXACT, first_inexact
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.selection import pass_through
from softmax_cli.formats.text.numbers import LARGEST_EXACT

if TYPE_CHECKING:
    from numpy.typing import NDArray

LISTS = (pl.List, pl.Array)
_LARGE = (pl.Decimal, pl.Int128, pl.UInt128)
_NUMBERS: dict[Any, type[np.floating[Any]]] = {
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64), np.float64),
    **dict.fromkeys((pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64), np.float64),
    **dict.fromkeys((pl.Float64, pl.Null, pl.Boolean, *_LARGE), np.float64),
    pl.Float32: np.float32,
    pl.Float16: np.float16,
}
WORDS = (pl.String, pl.Categorical, pl.Enum)


def holds_numbers(dtype: pl.DataType) -> bool:
    """Return true for lists of what is read as numbers."""
    inner = dtype.inner if isinstance(dtype, LISTS) else None
    return isinstance(inner, pl.DataType) and inner.base_type() in _NUMBERS


def number_type(
    schema: pl.Schema, column: int, layout: Layout, place: str
) -> type[np.floating[Any]]:
    """Return the type of the numbers in a column, or in its lists if it is the only class."""
    name, dtype = schema.names()[column], schema.dtypes()[column]
    called, lists = f"column {shorten(name)!r} holds", ""
    if isinstance(dtype, LISTS) and len(layout.classes) == 1:
        lists = "lists of "
        assert isinstance(dtype.inner, pl.DataType)
        dtype = dtype.inner
    if number := _NUMBERS.get(dtype.base_type()):
        return number
    if lists and isinstance(dtype, LISTS):
        raise InputError(f"{called} lists of lists", "store one list of numbers per row", place)
    held, what = shorten(f"{dtype} values"), "it"
    if isinstance(dtype, WORDS):
        held, what = "words", "a column of words"
    problem = f"{called} {lists}{held}, which are not numbers"
    remedy = pass_through([column], layout.names, what)
    if schema.len() == 1:
        remedy = "store them as numbers"
    raise InputError(problem, remedy, place)


def numbers_of(column: pl.Series, place: str, row_of: Callable[[int], int]) -> NDArray[Any]:
    """Return the numbers of a column, NaN for null; `row_of` gives the row of an entry.

    Whole numbers that float64 cannot hold exactly are refused.
    """
    dtype = column.dtype
    if dtype == pl.Null:
        return np.full(len(column), np.nan)
    entry = None
    if dtype in (pl.Int64, pl.UInt64):
        entry = first_inexact(column.fill_null(0).to_numpy())
    elif dtype.base_type() in _LARGE:
        # Polars rounds a decimal twice, but its text once.
        numbers = column.cast(pl.String).cast(pl.Float64)
        large = (numbers.abs() >= LARGEST_EXACT).fill_null(value=False).arg_true()
        entry = next((at for at in large if _is_inexact(column[at], numbers[at])), None)
        column = numbers if entry is None else column
    elif dtype == pl.Boolean:
        column = column.cast(pl.Float64)
    if entry is not None:
        problem = f"column {shorten(column.name)!r} holds {column[entry]}, {INEXACT}"
        raise InputError(problem, ACCEPT_ROUNDING, f"{place}: row {row_of(entry)}")
    return column.to_numpy()


def _is_inexact(value: Any, number: float) -> bool:
    return bool(int(value) == value and int(number) != value)
