"""Many JSON lines of numbers at once, by Polars."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER


def parse_with_polars(text: bytes, rows: int, layout: Layout) -> NDArray[Any] | None:
    """Return rows of lists or objects of numbers; None if they must be read line by line.

    Errors, strings such as "-inf", ids and columns in another order are for that reader.
    """
    if text.startswith(BOM_UTF8) or not layout.is_all_classes or layout.ids:
        return None
    if layout.names is None:
        values = _parse_lists(text, rows, layout.columns)
    else:
        values = _parse_objects(text, rows, layout.names)
    # The line-by-line reader refuses what float64 would round.
    if values is None or (
        (np.abs(values) >= LARGEST_EXACT).any() and LONG_WHOLE_NUMBER.search(text)
    ):
        return None
    return values


def _parse_lists(text: bytes, rows: int, columns: int) -> NDArray[Any] | None:
    if text.count(b"[") != rows:
        return None
    # Polars reads only objects.
    objects = text.replace(b"[", b'{"":[').replace(b"]", b"]}")
    frame = _read_ndjson(objects, {"": pl.List(pl.Float64)})
    if frame is None:
        return None
    lists = frame.to_series()
    if len(lists) != rows or lists.null_count() or (lists.list.len() != columns).any():
        return None
    numbers = lists.explode()
    return None if numbers.null_count() else numbers.to_numpy().reshape(rows, columns).copy()


def _parse_objects(text: bytes, rows: int, names: list[str]) -> NDArray[Any] | None:
    # With each name once and no other, a missing one is null.
    if text.count(b'"') != 2 * len(names) * rows:
        return None
    frame = _read_ndjson(text, dict.fromkeys(names, pl.Float64()))
    if frame is None or frame.height != rows or frame.null_count().sum_horizontal().item():
        return None
    return frame.to_numpy(order="fortran", writable=True)


def _read_ndjson(text: bytes, schema: dict[str, pl.DataType]) -> pl.DataFrame | None:
    try:
        return pl.read_ndjson(io.BytesIO(text), schema=schema)
    except pl.exceptions.PolarsError:
        return None
