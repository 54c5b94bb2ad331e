"""Many JSON lines at once, by Polars, with the same result as line by line."""

from __future__ import annotations

import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.text.lines import count_of
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

_NUMBERS_AT_ONCE = 1 << 16
# The numbers of rows, and the values of the other columns.
Parsed: TypeAlias = "tuple[NDArray[Any], dict[int, Sequence[object]]]"


def read_with_polars(text: bytes, rows: int, layout: Layout) -> Parsed | None:
    """Return rows of lists or records; None if they must be read line by line.

    That is so for errors, strings such as "-inf", truth values, and columns beside the classes
    that do not begin with a text or a whole number.
    """
    names = layout.names
    others = sorted({*range(layout.columns)}.difference(layout.classes))
    is_plain = not layout.truths and set(layout.ids).isdisjoint(layout.classes)
    if not is_plain or text.startswith(BOM_UTF8):
        return None
    if names is None:
        # Polars would take true and false for numbers.
        is_plain = layout.is_all_classes and b"t" not in text and b"f" not in text
        if not is_plain or count_of(text, "[") != rows:
            return None
        found = _from_lists(text, rows, layout.columns)
    else:
        cells = _other_cells(text, rows, names, others)
        if cells is None:
            return None
        classes = [names[column] for column in layout.classes]
        found = _from_objects(text, rows, classes, layout.entries, cells)
    # The line-by-line reader refuses what float64 would round.
    if found is None or (
        (np.abs(found[0]) >= LARGEST_EXACT).any() and re.search(LONG_WHOLE_NUMBER, text)
    ):
        return None
    values, others_by_name = found
    return values, {column: others_by_name[(names or ())[column]] for column in others}


def _other_cells(
    text: bytes, rows: int, names: Sequence[str], others: Sequence[int]
) -> dict[str, Sequence[object] | None] | None:
    """Return the whole numbers of columns that are not classes; None for a column of texts.

    Records must have each name once and no other, given that none is null; else it returns None.
    """
    cells: dict[str, Sequence[object] | None] = {}
    if others:
        try:
            first = json.loads(text.partition(b"\n")[0])
        except ValueError:
            return None
        for column in others:
            name = names[column]
            value = first.get(name) if isinstance(first, dict) else None
            if type(value) not in (str, int):
                return None
            form = rb'(")' if isinstance(value, str) else rb"(-?(?:0|[1-9]\d*))\s*[,}]"
            key = re.escape(json.dumps(name, ensure_ascii=False).encode())
            found = re.findall(key + rb"\s*:\s*" + form, text)
            if len(found) != rows:
                return None
            cells[name] = None if isinstance(value, str) else list(map(int, found))
    texts = list(cells.values()).count(None)
    if count_of(text, '"') != 2 * rows * (len(names) + texts) or (others and b"\\" in text):
        return None
    return cells


def _from_lists(
    text: bytes, rows: int, entries: int
) -> tuple[NDArray[Any], dict[str, Sequence[object]]] | None:
    import polars as pl

    values, step = np.empty((rows, entries)), max(1, _NUMBERS_AT_ONCE // entries)
    try:
        # Decoding texts takes half the time of reading lines of JSON, and some memory.
        texts = pl.read_csv(
            text, has_header=False, separator="\1", quote_char=None, schema={"": pl.String}
        ).to_series()
        for start in range(0, rows, step):
            lists = texts[start : start + step].str.json_decode(pl.List(pl.Float64))
            numbers = _numbers_of(lists, min(step, rows - start), entries)
            if numbers is None:
                return None
            values[start : start + step] = numbers
    except pl.exceptions.PolarsError:
        return None
    return (values, {}) if len(texts) == rows else None


def _numbers_of(lists: pl.Series, rows: int, entries: int) -> NDArray[Any] | None:
    numbers = lists.explode()
    if len(lists) != rows or (lists.list.len() != entries).any() or numbers.null_count():
        return None
    return numbers.to_numpy().reshape(rows, entries)


def _from_objects(
    objects: bytes,
    rows: int,
    classes: Sequence[str],
    entries: int | None,
    cells: dict[str, Sequence[object] | None],
) -> tuple[NDArray[Any], dict[str, Sequence[object]]] | None:
    import polars as pl

    kind: Any = pl.Float64 if entries is None else pl.List(pl.Float64)
    schema: dict[str, Any] = {**dict.fromkeys(classes, kind), **dict.fromkeys(cells, pl.String)}
    try:
        frame = pl.read_ndjson(io.BytesIO(objects), schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != rows or frame.null_count().sum_horizontal().item():
        return None
    if entries is None:
        # Choosing among a thousand columns takes half as long as reading them.
        chosen = frame.drop(list(cells)) if cells else frame
        values = chosen.to_numpy(order="fortran", writable=True)
    else:
        found = _numbers_of(frame[classes[0]], rows, entries)
        if found is None:
            return None
        values = found.copy()
    texts = {name: frame[name].to_list() for name in cells if cells[name] is None}
    return values, {name: texts[name] if held is None else held for name, held in cells.items()}
