"""Columns that are numbers in another type: truth values, decimals, wide integers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from numpy.testing import assert_array_equal

from tests.formats.rows import read, refusal, warnings_of


def stored(frame: pl.DataFrame) -> str:
    frame.write_parquet("x.parquet")
    return "x.parquet"


def test_truth_values_are_0_and_1() -> None:
    back = read(stored(pl.DataFrame({"a": [True, False, None], "b": [False, True, True]})))
    assert_array_equal(back.values, [[1, 0], [0, 1], [float("nan"), 1]])
    assert warnings_of(back.source) == []


def test_truth_values_among_numbers_are_named() -> None:
    name = stored(pl.DataFrame({"a": [0.5], "flag": [True], "b": [1.0]}))
    back = read(name)
    assert_array_equal(back.values, [[0.5, 1, 1]])
    assert len(warnings_of(back.source)) == 1
    assert "the column 'flag' is taken for a class" in warnings_of(back.source)[0]
    assert warnings_of(read(name, columns=["a,flag"]).source) == []


@pytest.mark.parametrize(
    "text",
    ["1.10", "-0.3", "9007199254740993.5", "123456789012345678.9", "1e-10", "1152921504606846976"],
)
def test_decimals_are_rounded_once(text: str) -> None:
    column = pl.Series("a", [Decimal(text), None], dtype=pl.Decimal(38, 10))
    assert_array_equal(read(stored(column.to_frame())).values, [[float(text)], [float("nan")]])


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([1, 2**53 + 1]).cast(pl.Decimal(38, 0)),
        pl.Series([1, 2**53 + 1]).cast(pl.Decimal(38, 2)),
        pl.Series([1, 2**53 + 1]).cast(pl.Int128),
    ],
)
def test_whole_numbers_that_float64_cannot_hold(column: pl.Series) -> None:
    said = refusal(stored(column.alias("a").to_frame()))
    assert said.startswith("x.parquet: row 1: column 'a' holds 9007199254740993")


@pytest.mark.parametrize(
    ("dtype", "held"), [(pl.Date, "Date"), (pl.Duration, "Duration"), (pl.String, "words")]
)
def test_what_is_no_number(dtype: Any, held: str) -> None:
    column = pl.Series("d", [1, 2]).cast(dtype)
    said = refusal(stored(pl.DataFrame({"a": [1.0, 2.0], "d": column})))
    assert f"column 'd' holds {held}" in said
    assert "--id-columns d passes" in said
    said = refusal(stored(column.to_frame()))
    assert said.endswith("which are not numbers; store them as numbers")
