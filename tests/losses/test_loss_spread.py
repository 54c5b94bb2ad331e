"""Histograms: edges at round numbers, counts that threads and shards may add in any order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softmax_cli.losses.loss_spread import EDGES, Histogram

numbers = hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(width=64))


def of(*values: float) -> Histogram:
    """Return the histogram of these numbers."""
    return Histogram().of_numbers(np.array(values))


@given(numbers)
def test_each_number_is_in_its_bin(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    bins = of(*values).bins()
    for low, high, held in bins:
        inside = (values == low) if low == high else (values >= low) & (values < high)
        assert held == inside.sum()
    assert sum(each.rows for each in bins) == (~np.isnan(values)).sum()
    assert [each.low for each in bins] == sorted(each.low for each in bins)


@given(numbers, st.integers(1, 20))
def test_the_last_bins_hold_the_rest_as_well(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], most: int
) -> None:
    histogram = of(*values)
    bins = histogram.bins(most)
    assert sum(each.rows for each in bins) == histogram.count
    assert len([each for each in bins if 0 < each.low < np.inf]) <= most
    for low, high, held in bins:
        inside = (values == low) if low == high else (values >= low) & (values < high)
        assert held == inside.sum()


def test_edges_are_round_and_belong_to_the_bin_above() -> None:
    assert {0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 1e-300, 1e308} <= set(EDGES.tolist())
    assert [tuple(each) for each in of(0.5, np.nextafter(0.5, 0)).bins()] == [
        (0.2, 0.5, 1),
        (0.5, 1.0, 1),
    ]


def test_ends_have_bins_of_their_own() -> None:
    bins = of(-1.0, 0.0, 5e-324, 1.7e308, np.inf, np.nan).bins()
    assert tuple(bins[0]) == (-np.inf, 0.0, 1)
    assert tuple(bins[1]) == (0.0, 0.0, 1)
    assert tuple(bins[-1]) == (np.inf, np.inf, 1)
    assert bins[-2].high == np.inf


@given(numbers, numbers)
def test_states_merge_through_json(
    first: np.ndarray[tuple[int], np.dtype[np.float64]],
    second: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    both = of(*first)
    both.merge(both.from_state(json.loads(json.dumps(of(*second).state())), 0))
    assert both.bins() == of(*first, *second).bins()


@pytest.mark.parametrize("most", [None, 3])
def test_of_nothing_there_is_no_bin(most: int | None) -> None:
    assert Histogram().bins(most) == []
