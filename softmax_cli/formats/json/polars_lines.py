"""Many JSON lines at once: Polars reads those that hold numbers alone."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.formats.columns.header import Layout
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER


def numbers_of_lines(lines: bytes, rows: int, layout: Layout) -> NDArray[Any] | None:
    """Return the rows of lists or of objects of numbers; None for whatever is not just that.

    What that is instead, an error or strings such as "-inf", is for the line by line reader to say.
    """
    if lines.startswith(BOM_UTF8):
        return None
    if len(layout.classes) < layout.columns or layout.classes != sorted(layout.classes):
        return None
    if layout.ids:
        return None
    if layout.names is None:
        values = _lists(lines, rows, layout.columns)
    else:
        values = _objects(lines, rows, layout.names)
    if values is not None and (np.abs(values) >= LARGEST_EXACT).any():
        # What float64 would round is refused by the line by line reader.
        return None if LONG_WHOLE_NUMBER.search(lines) else values
    return values


def _lists(lines: bytes, rows: int, columns: int) -> NDArray[Any] | None:
    import polars as pl

    if lines.count(b"[") != rows:
        return None
    # Polars reads objects alone.
    objects = lines.replace(b"[", b'{"":[').replace(b"]", b"]}")
    try:
        frame = pl.read_ndjson(io.BytesIO(objects), schema={"": pl.List(pl.Float64)})
    except pl.exceptions.PolarsError:
        return None
    lists = frame.to_series()
    if len(lists) != rows or lists.null_count() or (lists.list.len() != columns).any():
        return None
    numbers = lists.explode()
    return None if numbers.null_count() else numbers.to_numpy().reshape(rows, columns).copy()


def _objects(lines: bytes, rows: int, names: list[str]) -> NDArray[Any] | None:
    import polars as pl

    # Each name once, and no other: what is missing then is null.
    if lines.count(b'"') != 2 * len(names) * rows:
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(lines), schema=dict.fromkeys(names, pl.Float64))
    except pl.exceptions.PolarsError:
        return None
    if frame.height != rows or frame.null_count().sum_horizontal().item():
        return None
    return frame.to_numpy(order="fortran", writable=True)
