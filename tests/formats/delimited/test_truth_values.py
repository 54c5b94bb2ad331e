"""Columns of truth values, as of pandas' get_dummies: 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest

from tests.formats.rows import read, refusal, saved

MANY = 1 << 17


@pytest.mark.parametrize("times", [1, MANY])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x"])
def test_a_column_of_truth_values_is_0_and_1(name: str, times: int) -> None:
    rows = "7,True,FALSE,0.5\n8,false,true,1\n9,True,,2\n" * times
    back = read(saved(name, f"id,a,b,c\n{rows}"), id_columns=["id"])
    expected = [[1, 0, 0.5], [0, 1, 1], [1, np.nan, 2]] * times
    np.testing.assert_array_equal(back.values, expected)


@pytest.mark.parametrize("columns", [2, 60])
@pytest.mark.parametrize("times", [1, MANY // 16])
@pytest.mark.parametrize("name", ["x.csv", "x.txt"])
def test_a_table_of_truth_values_without_a_header(name: str, columns: int, times: int) -> None:
    mark = "," if name == "x.csv" else " "
    rows = f"{mark.join(['True', 'False'] * (columns // 2))}\n" * times
    back = read(saved(name, rows))
    assert back.source.class_names is None
    assert back.values.tolist() == [[1, 0] * (columns // 2)] * times


@pytest.mark.parametrize("times", [1, MANY])
def test_the_first_truth_values_may_be_missing(times: int) -> None:
    name = saved("x.csv", "a,b\n,True\nNA,\nFalse,True\n" + "True,False\n" * times)
    expected = [[np.nan, 1], [np.nan, np.nan], [0, 1], *[[1, 0]] * times]
    np.testing.assert_array_equal(read(name).values, expected)


def test_truth_values_above_numbers_are_names() -> None:
    assert read(saved("x.csv", "False,True\n0.1,0.9\n")).source.class_names == ("False", "True")


@pytest.mark.parametrize("times", [1, MANY])
@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("True,1", "0,2", ":1: '0' is not a truth value"),
        ("True,1", "0.5,2", ":1: '0.5' is not a truth value"),
        ("True,1", "x,2", ":1: 'x' is not a truth value"),
        ("1,True", "True,True", ":1: 'True' is not a number; store truth values as numbers"),
        ("1,2", "1,False", ":2: 'False' is not a number; store truth values as numbers"),
    ],
)
def test_a_column_holds_truth_values_or_numbers(
    first: str, last: str, words: str, times: int
) -> None:
    text = "a,b\n" + f"{first}\n" * times + f"{last}\n"
    assert refusal(saved("x.csv", text)).startswith(f"x.csv:{times + 2}{words}")
