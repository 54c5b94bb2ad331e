"""Parquet and Arrow IPC: read in windows, and whole by Polars."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import numpy as np
import polars as pl

from softmax_cli.formats.columnar import reader as columnar
from softmax_cli.formats.model.options import ColumnRequest
from tests.fuzz.outcomes import Choices, Outcome, agree, equals, file, outcome

_COLUMNS: tuple[list[str], ...] = ([], ["2,1"], ["1"], ["a"], ["l*"], ["2-3"])
_IDS: tuple[list[str], ...] = ([], ["1"], ["id"], ["2"])
_LABELS = (None, "1", "y", "id")


def columnar_file(form: str, data: bytes) -> None:
    """Read a file of either format."""
    choices = Choices(data)
    options: dict[str, Any] = {"columns": choices.one(_COLUMNS), "id_columns": choices.one(_IDS)}
    request = ColumnRequest(choices.one(_LABELS), choices.one((False, True)))
    name = file(f"x.{form}", choices.rest)
    found = outcome(name, request, **options)
    with (
        mock.patch.object(columnar, "_WINDOW_ROWS", 3),
        mock.patch.object(columnar, "_COLUMNS_AT_ONCE", 1),
    ):
        in_windows = outcome(name, request, **options)
    if not found.line:
        agree(in_windows, found, "in small windows")
    assert bool(found.line) == bool(in_windows.line), f"{in_windows!r}, and not {found!r}"
    plain = not any((options["columns"], options["id_columns"], request.labels))
    _as_polars(found, whole(form, name), plain=plain)


def _as_polars(found: Outcome, frame: pl.DataFrame | None, *, plain: bool) -> None:
    """Compare with a table that was read at once; None if that failed."""
    if found.line:
        numbers = frame is not None and frame.width > 0 and frame.height > 0
        assert not plain or not numbers or not _is_plain(frame), found
        return
    names = found.accepted.class_names
    if frame is None or names is None:
        # Columns that are not asked for may be damaged.
        assert not plain or names is None, found
        return
    columns = [frame[name].to_numpy() for name in names]
    expected = np.stack(columns, axis=1).astype(found.values.dtype)
    equals(found.values, expected, "by Polars")
    for place, name in enumerate(found.accepted.id_names):
        cells = frame[name].cast(pl.String).fill_null("").to_list()
        written = [ids[place].strip(b'"').replace(b'""', b'"') for ids in found.ids]
        assert written == [cell.encode().strip(b'"') for cell in cells], name


def _is_plain(frame: Any) -> bool:
    """Tell whether all columns are called by letters, and hold floats without a gap."""
    return all(
        column.dtype in (pl.Float32, pl.Float64)
        and not column.null_count()
        and column.name.isalpha()
        for column in frame
    )


def whole(form: str, name: str) -> pl.DataFrame | None:
    """Return the table that Polars reads at once; None if it reads none."""
    errors = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
    with suppress(*errors, OSError, OverflowError, ValueError), _silent():
        if form == "parquet":
            return pl.read_parquet(name, glob=False, hive_partitioning=False)
        return pl.read_ipc(name)
    return None


@contextmanager
def _silent() -> Iterator[None]:
    """Keep from standard error what Polars says there of a damaged file."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
