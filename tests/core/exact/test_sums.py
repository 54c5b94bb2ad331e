"""Running sums: rounded once, whatever the order, the blocks and the groups."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from softmax_cli.core.exact.sums import ExactSum, GroupedSums

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40)
any_numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30)


def _exactly(terms: list[float], divisor: Fraction = Fraction(1)) -> float:
    exact = sum(map(Fraction, terms), Fraction(0)) / divisor
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@given(numbers, st.integers(1, 7), st.fractions(min_value=Fraction(1, 1000), max_value=1000))
def test_a_sum_of_blocks_is_rounded_once(terms: list[float], step: int, divisor: Fraction) -> None:
    total = ExactSum()
    for start in range(0, len(terms), step):
        total.add(terms[start : start + step])
    assert total.total() == _exactly(terms)
    assert total.total(divisor) == _exactly(terms, divisor)
    assert total.exact() == sum(map(Fraction, terms), Fraction(0))


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.integers(0, 4)), max_size=40))
def test_sums_of_groups_are_those_of_each_group_alone(terms: list[tuple[float, int]]) -> None:
    sums, alone = GroupedSums(5), [ExactSum() for _ in range(5)]
    for start in range(0, len(terms), 7):
        block = terms[start : start + 7]
        sums.add([number for number, _ in block], np.array([of for _, of in block], dtype=int))
    for number, group in terms:
        alone[group].add([number])
    for group in range(5):
        assert sums.total(group) == alone[group].total()
        assert sums.total(group, 3.0) == alone[group].total(3.0)


def test_a_sum_over_the_sum_of_another() -> None:
    losses, weights = GroupedSums(2), GroupedSums(2)
    losses.add([1.0, 2.0, 5.0], [0, 0, 1])
    weights.add([1.0, 2.0**-60, 2.0], [0, 0, 1])
    assert losses.total(0, weights) == float(3 / (1 + Fraction(1, 2**60)))
    assert losses.total(1, weights) == 2.5


@pytest.mark.parametrize(
    ("terms", "expected"),
    [([math.inf, 1.0], math.inf), ([math.inf, -math.inf], math.nan), ([math.nan, 1.0], math.nan)],
)
def test_what_is_not_finite_stays_in_its_group(terms: list[float], expected: float) -> None:
    total, sums = ExactSum(), GroupedSums(3)
    total.add(terms)
    sums.add([*terms, 7.0], [1, 1, 2])
    for value in (total.total(), total.total(2.0), sums.total(1)):
        assert value == expected or (math.isnan(value) and math.isnan(expected))
    assert (sums.total(0), sums.total(2)) == (0.0, 7.0)


def _through_json(state: Any) -> Any:
    return json.loads(json.dumps(state, allow_nan=False))


@given(any_numbers, st.integers(0, 30))
def test_merged_exact_sums_are_the_whole(numbers: list[float], cut: int) -> None:
    whole, parts = ExactSum(), ExactSum()
    whole.add(numbers)
    for part in (numbers[:cut], numbers[cut:]):
        one = ExactSum()
        one.add(part)
        parts += ExactSum.from_state(_through_json(one.state()))
    assert_equal(parts.total(), whole.total())
    assert parts.exact() == whole.exact()


def test_the_states_of_sums_are_exact() -> None:
    total = ExactSum()
    total.add([1e308, 5e-324, -0.1])
    again = ExactSum.from_state(total.state())
    again.add([-1e308, 0.1])
    assert again.total() == 5e-324
    assert ExactSum().state() == "0x0p0"


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.integers(0, 4)), max_size=30))
def test_merged_grouped_sums_are_the_whole(pairs: list[tuple[float, int]]) -> None:
    whole, parts = GroupedSums(5), GroupedSums(5)
    for part in (pairs, pairs[:7], pairs[7:]):
        one = GroupedSums(5)
        one.add([number for number, _ in part], np.array([of for _, of in part], np.intp))
        if part is pairs:
            whole = one
        else:
            parts += GroupedSums.from_state(_through_json(one.state()))
    assert_equal([parts.total(k) for k in range(5)], [whole.total(k) for k in range(5)])
