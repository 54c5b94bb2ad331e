"""Numbers typed in the shell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.formats.rows import read, refusal, saved

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("tokens", "values"),
    [
        (["1", "2", "3"], [[1, 2, 3]]),
        (["-1", "-2.5", "-1e5", "-inf", ".5"], [[-1, -2.5, -1e5, -INF, 0.5]]),
        (["nan", "+inf", "-0"], [[NAN, INF, -0.0]]),
        (["7"], [[7]]),
        (["1,2,3"], [[1, 2, 3]]),
        (["1,2,3", "4,5,6"], [[1, 2, 3], [4, 5, 6]]),
        (["-1,-.5"], [[-1, -0.5]]),
        (["[1,2,3]", "[4,5,6]"], [[1, 2, 3], [4, 5, 6]]),
        (["[1, 2]", "3,4"], [[1, 2], [3, 4]]),
        (["[[1, 2], [3, 4]]", "[5, 6]"], [[1, 2], [3, 4], [5, 6]]),
        (['[1, "-inf"]'], [[1, -INF]]),
        (["1,-inf,nan"], [[1, -INF, NAN]]),
    ],
)
def test_rows(tokens: list[str], values: Any) -> None:
    back = read(*tokens)
    assert_array_equal(back.values, np.array(values, float))
    assert np.signbit(back.values).tolist() == np.signbit(np.array(values, float)).tolist()
    assert back.source.rows == len(values)
    assert back.source.paths == ()
    assert back.places == [f"arguments: row {row}" for row in range(len(values))]


def test_a_file_whose_name_is_a_row_is_a_file() -> None:
    saved("1,2", "3 4\n")
    saved("[1,2]", "5 6\n")
    assert_array_equal(read("1,2").values, [[3, 4]])
    assert_array_equal(read("[1,2]").values, [[5, 6]])


def test_a_file_whose_name_is_a_number_is_a_number() -> None:
    saved("12", "3 4\n")
    assert_array_equal(read("12").values, [[12]])


@pytest.mark.parametrize(
    ("tokens", "place", "words"),
    [
        (["nope"], "nope", ["number", "file"]),
        (["1", "nope"], "nope", ["number", "file"]),
        (["nope.csv"], "nope.csv", ["number", "file"]),
        (["*.nope"], "*.nope", ["number", "file"]),
        (["[1,2"], "[1,2", ["number", "file"]),
        (["1,x"], "1,x", ["'x' is not a number", "file"]),
        (["1,2,"], "1,2,", ["'' is not a number", "file"]),
        (["1", "x.csv"], "x.csv", ["path among numbers", "only paths or only numbers"]),
        (["x.csv", "1,2"], "x.csv", ["path among numbers", "only paths or only numbers"]),
        (["1", "-"], "-", ["path among numbers", "only paths or only numbers"]),
        (["1,2", "3"], "arguments: [1]", ["a row of 1 entries", "has 2"]),
        (["1", "2,3"], "arguments: [1]", ["a row of 2 entries", "has 1"]),
        (["[1,2]", "[3]"], "arguments: [1]", ["a row of 1 entries"]),
        (["[1,true]"], "arguments: [0][1]", ["True is not a number"]),
        (["[1,[2]]"], "arguments: [0][1]", ["a list "]),
        (["[[[1]]]", "[2]"], "arguments: [1][0]", ["a number "]),
        (["[1,x]"], "[1,x]", ["not JSON"]),
        (["[1,]"], "[1,]", ["not JSON"]),
        (["[]"], "arguments", ["a row needs a number"]),
        (["1_000"], "arguments", ["'1_000' is not a number"]),
        (["1,1_000"], "arguments", ["'1_000' is not a number"]),
        (["1e999", "1"], "arguments", ["beyond the range"]),
    ],
)
def test_refused(tokens: list[str], place: str, words: list[str]) -> None:
    saved("x.csv", "1,2\n")
    line = refusal(*tokens)
    assert line.startswith(f"{place}: "), line
    assert all(word in line for word in words), line


def test_a_typed_number_beyond_the_range() -> None:
    assert "beyond the range" in refusal("[1,-1e999]")
