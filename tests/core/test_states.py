"""Sums of parts, put together: the very same as of the whole, however it is cut."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_equal

from softmax_cli.core.exact.sums import ExactSum, GroupedSums
from softmax_cli.core.gradcheck.comparison import Comparison
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.losses.calibration import Calibration

_numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30)
examples = settings(derandomize=True, deadline=None, max_examples=50)


def _through_json(state: Any) -> Any:
    return json.loads(json.dumps(state, allow_nan=False))


@examples
@given(_numbers, st.integers(0, 30))
def test_an_exact_sum(numbers: list[float], cut: int) -> None:
    whole, parts = ExactSum(), ExactSum()
    whole.add(numbers)
    for part in (numbers[:cut], numbers[cut:]):
        one = ExactSum()
        one.add(part)
        parts.add_state(_through_json(one.state()))
    assert_equal(parts.total(), whole.total())
    assert parts.exact() == whole.exact()


def test_the_states_of_sums_are_exact() -> None:
    total = ExactSum()
    total.add([1e308, 5e-324, -0.1])
    again = ExactSum()
    again.add_state(total.state())
    again.add([-1e308, 0.1])
    assert again.total() == 5e-324
    assert ExactSum().state() == "0x0p0"


@examples
@given(st.lists(st.tuples(st.floats(allow_nan=False), st.integers(0, 4)), max_size=30))
def test_grouped_sums(pairs: list[tuple[float, int]]) -> None:
    whole, parts = GroupedSums(5), GroupedSums(5)
    for part in (pairs, pairs[:7], pairs[7:]):
        one = GroupedSums(5)
        one.add([number for number, _ in part], np.array([of for _, of in part], np.intp))
        if part is pairs:
            whole = one
        else:
            parts.add_state(_through_json(one.state()))
    assert_equal([parts.total(k) for k in range(5)], [whole.total(k) for k in range(5)])


def test_reduced_losses_and_calibration() -> None:
    rng = np.random.default_rng(0)
    losses, weights = rng.random(40), rng.random(40)
    P = rng.dirichlet(np.ones(4), 40)
    labels = rng.integers(0, 4, 40)
    whole = ReducedLoss(), Calibration(7)
    parts = ReducedLoss(), Calibration(7)
    for rows in (slice(None), slice(0, 11), slice(11, 40)):
        one = whole if rows == slice(None) else (ReducedLoss(), Calibration(7))
        one[0].count(len(losses[rows]), (weights[rows], np.zeros(len(weights[rows]))))
        one[0].add(losses[rows])
        one[1].add(P[rows].copy(), labels[rows], P[rows].argmax(-1))
        if one is not whole:
            parts[0].add_state(_through_json(one[0].state()))
            parts[1].add_state(_through_json(one[1].state()))
    assert parts[0].loss("mean") == whole[0].loss("mean") != 0
    assert parts[0].state() == whole[0].state()
    assert parts[1].bins() == whole[1].bins()
    assert (parts[1].ece(), parts[1].brier()) == (whole[1].ece(), whole[1].brier())


@pytest.mark.parametrize("wrong", [1.0, 2.0, math.nan])
def test_a_comparison_and_its_diagnosis(wrong: float) -> None:
    n = np.random.default_rng(0).normal(size=(40, 3))
    a = n.copy()
    if math.isnan(wrong):
        a[17, 1] = wrong
    else:
        a *= wrong

    def of(rows: slice, start: int) -> Comparison:
        found = Comparison(1e-6, 4, diagnosis=Diagnosis({"a factor of 2": 2.0}))
        found.add(a[rows], n[rows], atol=1e-9, offset=start, wrong={"zeros": lambda: 0 * n[rows]})
        return found

    whole = of(slice(None), 0)
    parts = Comparison(1e-6, 4, diagnosis=Diagnosis({"a factor of 2": 2.0}))
    for rows in (slice(0, 11), slice(11, 40)):
        one = of(rows, 0)
        parts.add_state(one.state(), rows.start)
        assert one.diagnosis is not None
        assert parts.diagnosis is not None
        parts.diagnosis.add_state(one.diagnosis.state(), rows.start)
    told = [each.check("x", method="exact", step=None, dtype="float64") for each in (whole, parts)]
    assert_equal(asdict(told[0]), asdict(told[1]))
    assert told[0].verdict == ("pass" if wrong == 1 else "fail")
    assert told[0].diagnosis == ("a factor of 2" if wrong == 2 else None)
