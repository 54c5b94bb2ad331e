"""bfloat16: all of its numbers there and back, and the nearest of them, found by trying."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from softmax_cli.core.exact.bfloat16 import (
    BFLOAT16,
    dtype_named,
    in_memory,
    name_of,
    nearest,
    packed,
    widened,
)

ALL = np.arange(1 << 16, dtype=np.uint16)
VALUES = [float(value) for value in widened(ALL.view(BFLOAT16)) if np.isfinite(value)]
FINITE = np.array(sorted(set(VALUES)))


def _nearest(value: float) -> float:
    """The nearest of all bfloat16 numbers, of two as near the one with an even last bit."""
    place = int(np.searchsorted(FINITE, value))
    near = FINITE[max(0, place - 1) : place + 1]
    gaps = np.abs(near - value)
    if len(near) == 2 and gaps[0] == gaps[1]:
        bits = near.astype(np.float32).view(np.uint32) >> 16
        return float(near[int(bits[0] & 1)])
    return float(near[int(gaps.argmin())])


def test_every_number_comes_back() -> None:
    numbers = widened(ALL.view(BFLOAT16))
    again = packed(numbers).view(np.uint16)
    known = ~np.isnan(numbers)
    assert_array_equal(again[known], ALL[known])
    assert np.isnan(widened(packed(numbers[~known]))).all()
    assert_array_equal(numbers.view(np.uint32) >> 16, ALL)


@given(st.floats(-3e38, 3e38) | st.floats(-1e-37, 1e-37) | st.sampled_from(VALUES))
def test_the_nearest_number_is_found(value: float) -> None:
    assert nearest(np.array([value])) == _nearest(value)


@pytest.mark.parametrize("towards", [None, -np.inf, np.inf])
def test_halfway_between_two_numbers(towards: float | None) -> None:
    middle = (FINITE[:-1] + FINITE[1:]) / 2
    if towards is not None:
        # Nearer to one of them by a last digit of float64, which float32 would not see.
        middle = np.nextafter(middle, towards)
    assert_array_equal(nearest(middle), [_nearest(value) for value in middle])


def test_what_is_too_large_is_infinite_and_signs_stay() -> None:
    largest = FINITE[-1]
    half = 2.0**119
    assert_array_equal(
        nearest(np.array([largest + half * 0.999, largest + half])), [largest, np.inf]
    )
    zeros = nearest(np.array([0.0, -0.0, -1e-45]))
    assert_array_equal(np.signbit(zeros), [False, True, True])
    assert_array_equal(nearest(np.array([-np.inf, np.nan])), [-np.inf, np.nan])


def test_shapes_and_names() -> None:
    assert packed(np.zeros((0, 3))).shape == (0, 3)
    assert packed(np.asfortranarray(np.zeros((2, 3)))).shape == (2, 3)
    for name in ("bfloat16", "float16", "float32"):
        assert name_of(dtype_named(name)) == name
    assert in_memory(BFLOAT16) == np.float32
    assert in_memory(np.dtype(np.float16)) == np.float16
