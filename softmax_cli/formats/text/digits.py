"""Rows of numbers as lines of text, in the fewest digits that read back as the same number."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

# Polars, import included, formats so many numbers faster than NumPy.
_MANY = 100_000
_PART = 1 << 16
# Per item size: numbers from the first to below the second have no exponent, as in Polars.
_PLAIN = {4: (float(np.float32(1e-6)), float(np.float32(1e13))), 8: (1e-5, 1e16)}


def format_rows(values: NDArray[Any], delimiter: bytes, precision: int | None) -> bytes:
    """Return each row as a line of text.

    >>> format_rows(np.array([[0.1, -np.inf], [1e-5, 2e-300]]), b",", None)
    b'0.1,-inf\\n0.00001,2e-300\\n'
    >>> format_rows(np.array([[2 / 3, 1.0]]), b" ", 3)
    b'0.667 1\\n'
    """
    if are_many(values, precision) and not np.isnan(values).any():
        return _format_with_polars(values, delimiter)
    text = delimiter.decode()
    rows = [text.join(_format(number, precision) for number in row) for row in values]
    return "".join(f"{row}\n" for row in rows).encode()


def are_many(values: NDArray[Any], precision: int | None) -> bool:
    """Return true for numbers that Polars formats faster, unless one is NaN."""
    return values.size >= _MANY and precision is None and values.dtype.itemsize in _PLAIN


def _format(number: np.floating[Any], precision: int | None) -> str:
    if precision is not None:
        return f"{number:.{precision}g}"
    if number.itemsize == 8:
        text = repr(float(number))
        if "e" not in text:
            return text
    low, high = _PLAIN.get(number.itemsize, _PLAIN[4])
    size = abs(float(number))
    if low <= size < high or size == 0 or not math.isfinite(size):
        return np.format_float_positional(number, unique=True, trim="0")
    return np.format_float_scientific(number, unique=True, trim="-", exp_digits=1)


def _format_with_polars(values: NDArray[Any], delimiter: bytes) -> bytes:
    import polars as pl

    rows, columns = values.shape
    separator = delimiter.decode()
    if rows > 1 and values.flags.f_contiguous:
        text = io.BytesIO()
        table = pl.DataFrame({str(column): values[:, column] for column in range(columns)})
        table.write_csv(text, include_header=False, separator=separator)
        return text.getvalue()
    return b"".join(join_lines(row_texts(part, separator)) for part in parts(values))


def parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the rows in parts whose texts fit into a cache."""
    step = max(1, _PART // values.shape[1])
    for start in range(0, len(values), step):
        yield np.ascontiguousarray(values[start : start + step])


def row_texts(numbers: NDArray[Any], between: str, keys: Sequence[str] = ()) -> pl.Series:
    """Return the text of each row, its numbers each behind a text of `keys` if there are any."""
    import polars as pl

    # Polars takes time for each column, so all numbers are one.
    cells = pl.Series(numbers.reshape(-1)).cast(pl.String)
    if keys:
        cells = pl.Series(keys)[np.tile(np.arange(len(keys)), len(numbers))] + cells
    return cells.reshape(numbers.shape).arr.join(between)


def join_lines(rows: pl.Series, opening: str = "", closing: str = "") -> bytes:
    """Return the texts of rows as lines, each between an opening and a closing text."""
    import polars as pl

    text: bytes = rows.str.join(f"{closing}\n{opening}").cast(pl.Binary).item()
    return b"%s%s%s\n" % (opening.encode(), text, closing.encode())
