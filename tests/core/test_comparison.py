"""The comparison: the rule, the counts, the worst entries, the verdict, the diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.core.comparison import (
    DIAGONAL_ONLY,
    FLIPPED_SIGN,
    TRANSPOSED,
    Array,
    Comparison,
    Hypothesis,
    constant_factors,
    tolerances,
)
from softmax_cli.core.report import Check, Verdict, overall

NAN, INF = np.nan, np.inf
RTOL, ATOL = 1e-6, 1e-9
HYPOTHESES = [
    FLIPPED_SIGN,
    DIAGONAL_ONLY,
    TRANSPOSED,
    *constant_factors({"a factor of 2": 2.0, "a factor of 1/2": 0.5, "a missing 1/T": 0.7}),
]

# Neither products nor quotients of these leave the range of float64.
numbers = st.just(0.0) | st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)
tolerance_values = st.just(0.0) | st.floats(1e-12, 1.0)


def _compared(
    analytic: Any,
    reference: Any,
    uncertainty: Any = 0.0,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    zero: float = 0.0,
    worst: int = 0,
    hypotheses: Sequence[Hypothesis] = (),
) -> Comparison:
    comparison = Comparison(rtol, atol, zero, worst, hypotheses)
    comparison.add(np.array(analytic), np.array(reference), uncertainty)
    return comparison


def _check(comparison: Comparison) -> Check:
    return comparison.check("name", method="exact", step=None, dtype="float64", reproduce="")


def _matrix(*shape: int, seed: int = 2016) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# The rule


@pytest.mark.parametrize(
    ("a", "n", "rtol", "atol", "agrees"),
    [
        (1.0, 1.0, 0.0, 0.0, True),
        (0.0, -0.0, 0.0, 0.0, True),
        (1.0, 1.25, 0.0, 0.25, True),
        (1.0, 1.25, 0.0, np.nextafter(0.25, 0), False),
        (1.5, 2.0, 0.25, 0.0, True),
        (1.5, 2.0, np.nextafter(0.25, 0), 0.0, False),
        (-1.5, -2.0, 0.25, 0.0, True),
        (2.0, -2.0, 1.0, 0.0, False),
        (2.0, -2.0, 1.0, 2.0, True),
        # The two tolerances add up; neither alone would do.
        (1.0, 2.0, 0.25, 0.5, True),
        (1.0, 2.0, 0.25, 0.25, False),
        (1.0, 2.0, 0.0, 0.5, False),
        (1e-12, -1e-12, RTOL, ATOL, True),
        (1e-8, -1e-8, RTOL, ATOL, False),
    ],
)
def test_rule(a: float, n: float, rtol: float, atol: float, agrees: bool) -> None:
    for pair in ((a, n), (n, a)):
        comparison = _compared([pair[0]], [pair[1]], rtol=rtol, atol=atol)
        assert comparison.over_tolerance == (not agrees)
        assert comparison.entries == 1


@given(a=numbers, n=numbers, rtol=tolerance_values, atol=tolerance_values)
def test_rule_is_the_formula(a: float, n: float, rtol: float, atol: float) -> None:
    agrees = abs(a - n) <= atol + rtol * max(abs(a), abs(n))
    comparison = _compared([a], [n], rtol=rtol, atol=atol)
    assert comparison.over_tolerance == (not agrees)
    assert (comparison.verdict() == "fail") == (not agrees)


@pytest.mark.parametrize(
    ("a", "n"),
    [
        (NAN, 1.0),
        (1.0, NAN),
        (NAN, NAN),
        (INF, 1.0),
        (1.0, INF),
        (INF, INF),
        (-INF, -INF),
        (INF, -INF),
        (NAN, INF),
    ],
)
@pytest.mark.parametrize("uncertainty", [0.0, 1e300, INF])
def test_nan_and_infinity_never_agree(a: float, n: float, uncertainty: float) -> None:
    comparison = _compared([a, 2.0], [n, 2.0], uncertainty, rtol=1.0, atol=1e300)
    assert (comparison.over_tolerance, comparison.non_finite) == (1, 1)
    # Where the reference is no number either, it is open who is wrong.
    assert comparison.verdict() in (["inconclusive", "fail"] if np.isfinite(a) else ["fail"])


@pytest.mark.parametrize(
    ("dtype", "scale", "given", "expected"),
    [
        ("float64", 1.0, (None, None), (1e-6, 1e-9)),
        ("float32", 1.0, (None, None), (1e-3, 1e-6)),
        ("float16", 1.0, (None, None), (2e-2, 2e-5)),
        ("longdouble", 1.0, (None, None), (1e-6, 1e-9)),
        ("float64", 250.0, (None, None), (1e-6, 2.5e-7)),
        ("float64", 0.0, (None, None), (1e-6, 0.0)),
        ("float32", 2.0, (0.5, None), (0.5, 2e-6)),
        ("float32", 2.0, (None, 0.0), (1e-3, 0.0)),
        ("float64", 2.0, (0.0, 0.125), (0.0, 0.125)),
    ],
)
def test_tolerances(
    dtype: str,
    scale: float,
    given: tuple[float | None, float | None],
    expected: tuple[float, float],
) -> None:
    assert tolerances(dtype, scale, *given) == pytest.approx(expected, rel=1e-15)


# Counts and worst entries


def test_counts_and_largest_errors() -> None:
    n = np.array([[1.0, -2.0, 0.0], [4.0, 1e3, 1.0], [2.0, NAN, 0.0]])
    a = np.array([[1.0, -2.5, 0.0], [4.0, 1e3 + 1, NAN], [-2.0, 3.0, 1e-10]])
    check = _check(_compared(a, n, worst=3))
    assert (check.entries, check.over_tolerance, check.non_finite) == (9, 5, 2)
    assert (check.max_abs_error, check.max_rel_error) == (4.0, 2.0)
    assert (check.verdict, check.rtol, check.atol) == ("fail", RTOL, ATOL)


@pytest.mark.parametrize("kept", [0, 1, 3, 100])
@pytest.mark.parametrize(("first", "offset"), [((), 0), ((7,), 0), ((), 1000), ((2, 5), 30)])
@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 2)])
def test_worst_entries_in_order(
    shape: tuple[int, ...], first: tuple[int, ...], offset: int, kept: int
) -> None:
    n = _matrix(*shape)
    a = n + 1e-6 * _matrix(*shape, seed=1)
    comparison = Comparison(RTOL, ATOL, 0.0, kept)
    comparison.add(a, n, first=first, offset=offset)
    larger = np.maximum(np.abs(a), np.abs(n))
    error, allowed = np.abs(a - n), ATOL + RTOL * larger
    order = np.argsort(-(error / allowed).ravel())[:kept]
    places = [np.unravel_index(flat, shape) for flat in order]
    expected = [
        (
            [*first, int(place[0]) + offset, *map(int, place[1:])],
            *(float(values[place]) for values in (a, n, error, error / larger, allowed)),
        )
        for place in places
    ]
    found = [
        (
            entry.index,
            entry.analytic,
            entry.reference,
            entry.abs_error,
            entry.rel_error,
            entry.allowed,
        )
        for entry in _check(comparison).worst
    ]
    assert found == expected


def test_what_is_not_finite_is_worst() -> None:
    n = np.array([1.0, 1.0, 1.0, 1.0])
    check = _check(_compared(np.array([2.0, NAN, 1.0, 1e6]), n, worst=3))
    assert [entry.index for entry in check.worst] == [[1], [3], [0]]


def test_worst_is_by_what_is_allowed_not_by_the_difference() -> None:
    check = _check(_compared([1000.1, 1e-3], [1000.0, 2e-3], worst=2))
    assert [entry.index for entry in check.worst] == [[1], [0]]


WRONG: dict[str, Callable[[Array], Array]] = {
    "right": lambda n: n,
    "noise": lambda n: n + 1e-5 * _matrix(*n.shape, seed=1),
    "noise within the tolerance": lambda n: n * (1 + 1e-7 * _matrix(*n.shape, seed=1)),
    "factor 2": lambda n: 2 * n,
    "factor -3": lambda n: -3 * n,
    "sign": lambda n: -n,
    "NaN": lambda n: np.where(np.arange(n.size).reshape(n.shape) % 7 == 3, NAN, n),
}


@pytest.mark.parametrize("wrong", WRONG)
@given(cuts=st.lists(st.integers(0, 40)))
def test_blocks_one_at_a_time_are_the_whole(wrong: str, cuts: list[int]) -> None:
    n = _matrix(40, 3)
    a = WRONG[wrong](n)
    # Entries that are equally bad may stand in any order.
    worst = 5 if wrong.startswith("noise") else 0
    hypotheses = [FLIPPED_SIGN, *constant_factors({"a factor of 2": 2.0})]
    whole = _compared(a, n, 1e-12, worst=worst, hypotheses=hypotheses)
    parts = Comparison(RTOL, ATOL, 0.0, worst, hypotheses)
    edges = [0, *sorted(cuts), 40]
    for start, stop in pairwise(edges):
        parts.add(a[start:stop], n[start:stop], 1e-12, offset=start)
    assert _check(parts) == _check(whole)


# The verdict


@pytest.mark.parametrize(
    ("difference", "uncertainty", "verdict"),
    [
        (0.0, 0.0, "pass"),
        (0.5, 0.0, "pass"),
        (0.5, 1.0, "pass"),
        (0.0, 1.5, "inconclusive"),
        (0.0, INF, "inconclusive"),
        (2.0, 0.0, "fail"),
        (9.0, 0.5, "fail"),
        (2.0, 1.0, "inconclusive"),
        (2.0, 1.5, "inconclusive"),
        (2.0, INF, "inconclusive"),
        (99.0, 1.5, "fail"),
        (NAN, INF, "fail"),
    ],
)
def test_error_of_the_reference(difference: float, uncertainty: float, verdict: Verdict) -> None:
    # 1 is allowed.
    comparison = _compared([8.0 + difference], [8.0], uncertainty, rtol=0.0, atol=1.0)
    assert comparison.verdict() == verdict


@pytest.mark.parametrize(
    ("a", "uncertainty", "verdict"),
    [
        ([8.0, 8.0], [0.0, 2.0], "inconclusive"),
        ([8.0, 8.0], [0.0, 0.5], "pass"),
        ([11.0, 8.0], [0.0, 2.0], "fail"),
        ([11.0, 8.0], [2.5, 0.0], "inconclusive"),
        ([8.0, NAN], [2.5, 0.0], "fail"),
    ],
)
def test_error_of_each_reference_entry(
    a: list[float], uncertainty: list[float], verdict: Verdict
) -> None:
    comparison = _compared(a, [8.0, 8.0], np.array(uncertainty), rtol=0.0, atol=1.0)
    assert comparison.verdict() == verdict


@pytest.mark.parametrize(
    ("a", "n", "verdict"),
    [
        ([0.0, 0.0], [0.0, 0.0], "vacuous"),
        ([1e-16, 0.0], [-1e-16, 0.0], "vacuous"),
        ([1e-15, 0.0], [1e-15, 0.0], "vacuous"),
        ([2e-15, 0.0], [2e-15, 0.0], "vacuous"),
        ([ATOL / 2, 0.0], [-ATOL / 2, 0.0], "vacuous"),
        ([2 * ATOL, 0.0], [2 * ATOL, 0.0], "pass"),
        ([-2 * ATOL, 0.0], [-2 * ATOL, 0.0], "pass"),
        ([1.0, 0.0], [0.0, 0.0], "fail"),
        ([NAN, 0.0], [0.0, 0.0], "fail"),
        ([], [], "vacuous"),
    ],
)
def test_derivative_of_zero_proves_nothing(a: Any, n: Any, verdict: Verdict) -> None:
    assert _compared(a, n, zero=1e-15).verdict() == verdict


def test_nothing_compared_proves_nothing() -> None:
    comparison = Comparison(RTOL, ATOL, zero=0.0)
    assert (comparison.verdict(), _check(comparison).worst) == ("vacuous", [])


@pytest.mark.parametrize("verdicts", [*permutations(("pass", "vacuous", "inconclusive", "fail"))])
def test_overall_is_the_most_serious(verdicts: tuple[Verdict, ...]) -> None:
    assert overall(verdicts) == "fail"
    assert overall([v for v in verdicts if v != "fail"]) == "inconclusive"
    assert overall([v for v in verdicts if v in ("pass", "vacuous")]) == "vacuous"
    assert overall([v for v in verdicts if v == "pass"]) == "pass"


# The diagnosis

DIAGNOSES: dict[str, Callable[[Array], Array]] = {
    "a flipped sign": lambda n: -n,
    "a factor of 2": lambda n: 2 * n,
    "a factor of 1/2": lambda n: n / 2,
    "a missing 1/T": lambda n: 0.7 * n,
    "a transposed matrix": np.transpose,
    "a Jacobian with only its diagonal": lambda n: np.diag(np.diag(n)),
    "a constant factor: the gradient is 3.25 times the reference": lambda n: 3.25 * n,
    "a constant factor: the gradient is -2 times the reference": lambda n: -2 * n,
}


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_diagnosis_that_explains_all(diagnosis: str) -> None:
    n = _matrix(4, 4)
    check = _check(_compared(DIAGNOSES[diagnosis](n), n, hypotheses=HYPOTHESES))
    assert (check.verdict, check.diagnosis) == ("fail", diagnosis)


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
@pytest.mark.parametrize("place", [(0, 0), (1, 3), (3, 0)])
def test_no_diagnosis_if_one_entry_contradicts_it(diagnosis: str, place: tuple[int, int]) -> None:
    n = _matrix(4, 4)
    a = DIAGNOSES[diagnosis](n).copy()
    a[place] += 0.01
    check = _check(_compared(a, n, hypotheses=HYPOTHESES))
    assert (check.verdict, check.diagnosis) == ("fail", None)


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_no_diagnosis_if_a_later_array_contradicts_it(diagnosis: str) -> None:
    n, later = _matrix(4, 4), _matrix(4, 4, seed=2)
    comparison = _compared(DIAGNOSES[diagnosis](n), n, hypotheses=HYPOTHESES)
    comparison.add(later, later)
    assert (comparison.verdict(), comparison.diagnosis()) == ("fail", None)


@pytest.mark.parametrize(
    ("a", "uncertainty", "verdict"),
    [
        (lambda n: n, 0.0, "pass"),
        (lambda n: -n, INF, "inconclusive"),
        (lambda n: n + 1 + 0 * n, 0.0, "fail"),
        (lambda n: 0 * n, 0.0, "fail"),
        (lambda n: n * NAN, 0.0, "fail"),
    ],
    ids=["right", "undecided", "offset", "zero", "NaN"],
)
def test_no_diagnosis_without_an_explained_failure(
    a: Any, uncertainty: float, verdict: Verdict
) -> None:
    n = _matrix(4, 4)
    comparison = _compared(a(n), n, uncertainty, hypotheses=HYPOTHESES)
    assert (comparison.verdict(), comparison.diagnosis()) == (verdict, None)


def test_transposed_symmetric_matrix_is_right() -> None:
    n = _matrix(4, 4)
    n += n.T
    comparison = _compared(n.T, n, hypotheses=HYPOTHESES)
    assert (comparison.verdict(), comparison.diagnosis()) == ("pass", None)


def test_first_diagnosis_that_fits_is_told() -> None:
    n = _matrix(4, 4)
    same = [Hypothesis("first", lambda n: 2 * n), Hypothesis("second", lambda n: n + n)]
    assert _compared(2 * n, n, hypotheses=same).diagnosis() == "first"


def test_constant_factors_leave_out_1() -> None:
    named = constant_factors({"a missing 1/T": 1.0, "a factor of 2": 2.0})
    assert [hypothesis.diagnosis for hypothesis in named] == ["a factor of 2"]
    np.testing.assert_array_equal(named[0].wrong(np.array([1.5, -2.0])), [3.0, -4.0])


def test_outcome_holds_what_was_said() -> None:
    comparison = _compared([1.0], [1.0])
    check = comparison.check(
        "softmax", method="central", step=1e-5, dtype="float32", reproduce="again"
    )
    said = (check.name, check.method, check.step, check.dtype, check.reproduce)
    assert said == ("softmax", "central", 1e-5, "float32", "again")
    assert (check.verdict, check.diagnosis, check.worst) == ("pass", None, [])
