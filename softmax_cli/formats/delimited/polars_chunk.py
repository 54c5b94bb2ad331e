"""Many lines of delimited text at once, by Polars.

The cell-by-cell reader in reader.py defines what a text means. It reads every chunk that Polars
refuses or would read differently.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.line_table import ParsedRows
from softmax_cli.formats.model.id_columns import TextColumn, id_columns
from softmax_cli.formats.model.options import DecimalMark
from softmax_cli.formats.text.cells import cell_text
from softmax_cli.formats.text.lines import count_of
from softmax_cli.formats.text.numbers import LARGEST_EXACT, LONG_WHOLE_NUMBER

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANY_COLUMNS = 50
# Ends the rows where all cells are read as one column.
_END_OF_ROW = 1e300
_BLANKS = " \t\n\r\v\f"
_TRUTHS = {"True": 1, "False": 0, "true": 1, "false": 0, "TRUE": 1, "FALSE": 0}


def read_with_polars(
    text: bytes, rows: int, layout: Layout, delimiter: str | None, decimal: DecimalMark = "."
) -> ParsedRows | None:
    """Return the rows of complete lines; None if the cell-by-cell reader must read them.

    Without a delimiter, cells are separated by one blank each.
    """
    has_blanks, delimiter = delimiter is None, delimiter or " "
    text = text.replace(b"\r\n", b"\n") if b"\r" in text else text
    # Polars ignores an empty cell at the end of a text.
    text = text if text.endswith(b"\n") else text + b"\n"
    # Polars reads a point where it reads commas.
    points = count_of(text, ".") if decimal == "," else 0
    read_csv = partial(_read_csv, layout=layout, decimal=decimal)
    if layout.columns >= _MANY_COLUMNS and layout.is_all_classes and not layout.truths:
        # Polars takes time for each column, so all cells are read as one.
        if points:
            return None
        end = f"{delimiter}{_END_OF_ROW}{delimiter}".encode()
        frame = read_csv(text.replace(b"\n", end), [pl.Float64], separator="\n", end=delimiter)
        if frame is None or frame.height != rows * (layout.columns + 1):
            return None
        if has_blanks and frame.to_series().null_count():
            return None
        cells = frame.to_series().to_numpy().reshape(rows, -1)
        if (cells[:, -1] != _END_OF_ROW).any():
            return None
        values = cells[:, :-1].copy()
        if not _has_large(values):
            return values, None, []
        # One of them may be the end of a row.
        is_whole = _is_rectangular(text, rows, layout.columns, delimiter)
        return (values, None, []) if is_whole and _is_exact(values, text, pl.DataFrame()) else None
    classes = set(layout.classes) - layout.truths
    types = [pl.Float64 if at in classes else pl.String for at in range(layout.columns)]
    frame = read_csv(text, types, separator=delimiter)
    if frame is None or frame.height != rows:
        return None
    words = frame.select(pl.col(pl.String))
    if points and points != sum(word.str.count_matches(".", literal=True).sum() for word in words):
        return None
    # The missing cells of a short row are null, or empty words. Polars refuses a long row.
    has_missing = words.width or any(column.null_count() for column in frame)
    if has_missing and count_of(text, delimiter) != rows * (layout.columns - 1):
        return None
    if layout.truths:
        frame = frame.with_columns(
            pl.col(str(at)).replace_strict(_TRUTHS, default=None, return_dtype=pl.Float64)
            for at in layout.truths
        )
        if frame.select(map(str, layout.truths)).null_count().sum_horizontal().item():
            return None
    values = np.empty((rows, 0))
    if layout.classes:
        values = frame.select(map(str, layout.classes)).to_numpy(order="fortran", writable=True)
    if any(column.null_count() for column in words) or not _is_exact(values, text, words):
        return None
    if has_blanks and has_missing and any(_has_empty(column) for column in frame):
        return None
    ids = [TextColumn(frame[str(column)].cast(pl.Binary).to_list()) for column in layout.ids]
    labels = [] if layout.label is None else _label_texts(frame[str(layout.label)])
    return values, id_columns(ids), labels


def _has_empty(column: pl.Series) -> bool:
    return bool(column.null_count() or (column.dtype == pl.String and (column == "").any()))


def _label_texts(labels: pl.Series) -> list[str]:
    """Return the contents of cells, as `cell_text` does."""
    texts: list[str] = labels.str.strip_chars(_BLANKS).to_list()
    return [cell_text(text.encode()) if text[:1] == '"' else text for text in texts]


def _read_csv(
    text: bytes,
    types: list[Any],
    *,
    layout: Layout,
    decimal: DecimalMark,
    separator: str,
    end: str = "\n",
) -> pl.DataFrame | None:
    # Each text of a missing value takes time in every cell, and most files have none.
    for missing in (None, sorted(layout.missing)):
        with suppress(pl.exceptions.PolarsError):
            return pl.read_csv(
                text,
                has_header=False,
                quote_char=None,
                schema={str(column): dtype for column, dtype in enumerate(types)},
                empty_string_is_null=False,
                null_values=missing,
                missing_columns="raise",
                extra_columns="raise",
                separator=separator,
                decimal_comma=decimal == ",",
                eol_char=end,
            )
    return None


def _is_rectangular(text: bytes, rows: int, columns: int, delimiter: str) -> bool:
    """Return true if every line has as many cells as there are columns; no delimiter is quoted."""
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    marks = np.flatnonzero(characters == ord(delimiter))
    if len(marks) != rows * (columns - 1) or columns == 1:
        return columns == 1 and not len(marks)
    cuts = marks.reshape(rows, columns - 1)
    return not ((cuts[:, -1] > ends).any() or (cuts[1:, 0] < ends[:-1]).any())


def _is_exact(values: NDArray[np.float64], text: bytes, words: pl.DataFrame) -> bool:
    """Return true if no number is beyond the range of float64, and no whole number was rounded."""
    if not _has_large(values):
        return True
    if infinite := int(np.isinf(values).sum()):
        in_words = (word.str.to_lowercase().str.count_matches("inf").sum() for word in words)
        if infinite != text.lower().count(b"inf") - sum(in_words):
            return False
    return not re.search(LONG_WHOLE_NUMBER, text)


def _has_large(values: NDArray[np.float64]) -> bool:
    return bool((np.abs(values) >= LARGEST_EXACT).any())
