"""Many JSON lines at once, by Polars, with the same result as line by line."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER


def read_with_polars(text: bytes, rows: int, layout: Layout) -> NDArray[Any] | None:
    """Return rows of lists or objects of numbers; None if they must be read line by line.

    That is so for errors, strings such as "-inf", ids, and columns in another order.
    """
    names = layout.names
    # With each name once and no other, a missing one is null.
    mark, count = (b"[", rows) if names is None else (b'"', 2 * len(names) * rows)
    is_plain = layout.is_all_classes and not layout.ids and text.count(mark) == count
    if not is_plain or text.startswith(BOM_UTF8):
        return None
    import polars as pl

    objects = text
    schema: dict[str, Any] = dict.fromkeys(names or (), pl.Float64)
    if names is None:
        # Polars reads only objects.
        objects = text.replace(b"[", b'{"":[').replace(b"]", b"]}")
        schema = {"": pl.List(pl.Float64)}
    try:
        frame = pl.read_ndjson(io.BytesIO(objects), schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != rows or frame.null_count().sum_horizontal().item():
        return None
    if names is None:
        lists = frame.to_series()
        numbers = lists.explode()
        if (lists.list.len() != layout.columns).any() or numbers.null_count():
            return None
        values = numbers.to_numpy().reshape(rows, layout.columns).copy()
    else:
        values = frame.to_numpy(order="fortran", writable=True)
    # The line-by-line reader refuses what float64 would round.
    is_rounded = (np.abs(values) >= LARGEST_EXACT).any() and LONG_WHOLE_NUMBER.search(text)
    return None if is_rounded else values
