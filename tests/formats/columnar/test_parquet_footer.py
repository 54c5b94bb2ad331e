"""Footers of Parquet and Arrow: what they note is found, and what they lie about is an error."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from softmax_cli.formats.columnar import reader as columnar
from softmax_cli.formats.columnar.arrow_footer import schema_metadata
from softmax_cli.formats.columnar.file import parse_footer
from softmax_cli.formats.columnar.parquet_footer import (
    _LIST,
    Fields,
    decode,
    encode,
    length_of_lists,
    rows_of_groups,
)
from softmax_cli.formats.columnar.table import index_columns
from softmax_cli.storage.input import open_input
from tests.formats.rows import examples, read, refusal, saved
from tests.peers.make.pandas_index import HERE
from tests.running import run

ROWS_FIELD = 3


def patch(fields: Fields, path: tuple[int, ...], value: int) -> None:
    """Change a number in a struct, in every struct of the lists on the way."""
    if path[0] not in fields:
        return
    kind, held = fields[path[0]]
    if len(path) == 1:
        fields[path[0]] = kind, value
        return
    for inner in held[1] if kind == _LIST else [held]:
        patch(inner, path[1:], value)


def with_footer(data: bytes, path: tuple[int, ...], value: int) -> bytes:
    """Return a Parquet file with a number of its footer changed."""
    length = int.from_bytes(data[-8:-4], "little")
    fields = decode(iter(data[-8 - length : -8]))
    patch(fields, path, value)
    footer = encode(fields)
    return data[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def with_rows(data: bytes, rows: int) -> bytes:
    """Return a Parquet file whose footer says that it has so many rows."""
    return with_footer(data, (ROWS_FIELD,), rows)


def parquet(rows: int, columns: int = 2, row_group_size: int = 5) -> bytes:
    stream = io.BytesIO()
    frame = pl.DataFrame(np.arange(1.0 * rows * columns).reshape(rows, columns))
    frame.write_parquet(stream, row_group_size=row_group_size)
    return stream.getvalue()


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("claimed", [0, 1, 4, 5, 9, 11, 15, 1000])
def test_a_footer_whose_rows_are_not_those_of_its_row_groups(
    claimed: int, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if window is not None:
        monkeypatch.setattr(columnar, "_WINDOW_ROWS", window)
    name = saved("x.parquet", with_rows(parquet(10), claimed))
    why = f"its footer declares {claimed} rows, and its row groups hold 10"
    assert refusal(name) == f"x.parquet: is no Parquet file: {why}; it is damaged"
    outcome = run("softmax-cli softmax x.parquet -o y.npy")
    assert (outcome.code, outcome.out) == (2, "")
    assert why in outcome.err
    assert not Path("y.npy").exists()


@pytest.mark.parametrize("claimed", [0, 2])
def test_labels_whose_footer_lies(claimed: int) -> None:
    labels = io.BytesIO()
    pl.DataFrame({"label": [0, 1, 1]}).write_parquet(labels)
    saved("labels.parquet", with_rows(labels.getvalue(), claimed))
    outcome = run("softmax-cli xent 1,2 2,3 3,4 --labels labels.parquet")
    assert (outcome.code, outcome.out) == (2, "")
    assert "labels.parquet: is no Parquet file: its footer declares" in outcome.err


def test_the_right_number_and_none() -> None:
    name = saved("x.parquet", with_rows(parquet(10), 10))
    assert_array_equal(read(name).values, np.arange(20.0).reshape(10, 2))
    assert read(saved("x.parquet", parquet(0))).source.rows == 0
    with closing(open_input(saved("x.parquet", parquet(12)))) as source:
        assert parse_footer(source, "parquet", rows_of_groups) == [5, 5, 2]


def test_a_column_may_be_called_anything() -> None:
    stream = io.BytesIO()
    pl.DataFrame({"row": [1.0, 2.0], "row_": [3.0, 4.0]}).write_parquet(stream)
    assert read(saved("x.parquet", stream.getvalue())).source.rows == 2


@pytest.mark.parametrize(
    ("noted", "found"),
    [
        ({"index_columns": ["a", "b"]}, {"a", "b"}),
        ({"index_columns": [{"kind": "range", "name": "a"}]}, set()),
        ({"index_columns": ["a", 1, None, ["b"]]}, {"a"}),
        ({"index_columns": None}, set()),
        ({"index_columns": 3}, set()),
        ({}, set()),
        ([], set()),
        ("text", set()),
    ],
)
def test_what_pandas_notes(noted: Any, found: set[str]) -> None:
    assert index_columns({"pandas": json.dumps(noted)}) == found


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\0", "NaN"])
def test_what_it_never_wrote(text: str) -> None:
    assert index_columns({"pandas": text}) == frozenset()
    assert index_columns({}) == frozenset()


@pytest.mark.parametrize(
    ("data", "footer"),
    [
        (b"", None),
        (b"PAR1", None),
        (b"PAR1PAR1", None),
        (b"PAR1\xff\xff\xff\xffPAR1", None),
        (b"PAR1" + bytes(99) + b"PAR1", b""),
    ],
)
def test_footers_whose_size_cannot_be_right(data: bytes, footer: bytes | None) -> None:
    with closing(open_input(saved("x.parquet", data))) as source:
        assert parse_footer(source, "parquet", bytes) == footer
        assert parse_footer(source, "parquet", rows_of_groups) is None
        assert parse_footer(source, "arrow", bytes) is None
        assert not parse_footer(source, "parquet", rows_of_groups)
        assert not parse_footer(source, "arrow", schema_metadata)


@examples
@given(st.sampled_from(["named.parquet", "named.feather"]), st.data())
def test_any_bytes_of_a_footer(name: str, data: st.DataObject) -> None:
    changed = bytearray((HERE / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(len(changed) // 2, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    with closing(open_input(saved("x", bytes(changed)))) as source:
        rows = parse_footer(source, "parquet", rows_of_groups)
        assert rows is None or all(isinstance(count, int) for count in rows)
        metadata = parse_footer(source, "arrow", schema_metadata) or {}
        assert isinstance(index_columns(metadata), frozenset)


def test_endless_numbers_and_lists_end() -> None:
    for footer in (b"\x15" + b"\xff" * 1000, b"\x19\xf1" + b"\xff" * 9 + b"\x01", b"\x1c" * 5000):
        file = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        with closing(open_input(saved("x.parquet", file))) as source:
            assert parse_footer(source, "parquet", rows_of_groups) is None


@pytest.mark.parametrize(
    ("lists", "length"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], 2),
        ([[1.0], [2.0, 3.0, 4.0]], 2),
        ([[1.0], [2.0, 3.0]], None),
        ([[1.0, 2.0, 3.0, 4.0], None, [5.0, 6.0, 7.0, 8.0]], None),
        ([[1.0, 2.0, 3.0, 4.0], [], [5.0, 6.0, 7.0, 8.0]], None),
        ([[1.0, None], [3.0, 4.0]], None),
    ],
)
def test_mean_length_of_lists(lists: list[Any], length: int | None) -> None:
    pl.DataFrame({"id": range(len(lists)), "z": lists}).write_parquet("x.parquet")
    with closing(open_input("x.parquet")) as source:
        assert parse_footer(source, "parquet", lambda data: length_of_lists(data, "z")) == length
