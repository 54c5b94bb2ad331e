"""Nested lists of numbers, as JSON holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softmax_cli.errors import InputError
from softmax_cli.formats.arrays.nested_lists import numeric_array
from tests.formats.rows import same_bits


@pytest.mark.parametrize(
    ("nested", "array"),
    [
        ([1, 2.5], [1.0, 2.5]),
        ([[1], [2]], [[1.0], [2.0]]),
        ([["inf", -1]], [[np.inf, -1.0]]),
        ([[], []], np.empty((2, 0))),
        (3, 3.0),
        ([[True, False], [False, None]], [[1.0, 0.0], [0.0, np.nan]]),
        ([[None, "NA"], [1 << 60, ""]], [[np.nan, np.nan], [2.0**60, np.nan]]),
    ],
)
def test_nested_lists(nested: object, array: Any) -> None:
    assert same_bits(numeric_array(nested, "x"), np.array(array))


@pytest.mark.parametrize(
    ("nested", "line"),
    [
        ([[1, 2], [3]], "x: [1]: a row of 1 entries, and the first has 2; all rows need"),
        ([1, [2]], "x: [1]: a list "),
        ([[1], 2], "x: [1]: a number "),
        ([[[1]], [["?"]]], "x: [1][0][0]: '?' is not a number"),
        ([1, False], "x: [1]: False is not a number; store truth values as numbers, 0 and 1"),
        ([True, 1], "x: [1]: 1 is not a truth value like the first; store truth values as"),
        (["x" * 1000], "x: [0]: 'xxxx"),
    ],
)
def test_what_does_not_nest_is_named(nested: object, line: str) -> None:
    with pytest.raises(InputError) as error:
        numeric_array(nested, "x")
    assert str(error.value).startswith(line)
    assert len(str(error.value)) < 120
