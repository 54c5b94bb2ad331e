"""The comparison: the rule, the counts, the worst entries, the verdict, the diagnosis."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from softmax_cli.core.gradcheck.comparison import Comparison, check_tolerances, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.noise import Array
from softmax_cli.core.gradcheck.report import Check, Verdict, overall
from softmax_cli.errors import DomainError

pytestmark = pytest.mark.fast(8)

NAN, INF = np.nan, np.inf
RTOL, ATOL = 1e-6, 1e-9
FACTORS = {"a factor of 2": 2.0, "a factor of 1/2": 0.5, "a missing 1/T": 0.7, "no factor": 1.0}

# Neither products nor quotients of these leave the range of float64.
numbers = st.just(0.0) | st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)
tolerance_values = st.just(0.0) | st.floats(1e-12, 1.0)


def _compared(
    analytic: Any,
    reference: Any,
    doubt: Any = 0.0,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    zero: float = 0.0,
    worst: int = 0,
    offset: int = 0,
) -> Comparison:
    """Compare points; those whose derivatives are at most `zero` prove nothing."""
    comparison = Comparison(rtol, worst, diagnosis=Diagnosis(FACTORS))
    _add(comparison, analytic, reference, doubt, atol=atol, zero=zero, offset=offset)
    return comparison


def _add(
    comparison: Comparison,
    analytic: Any,
    reference: Any,
    doubt: Any = 0.0,
    *,
    atol: float = ATOL,
    zero: float = 0.0,
    offset: int = 0,
) -> None:
    n = np.array(reference, np.float64)
    inner = tuple(range(1, n.ndim))
    found = comparison.of(
        np.array(analytic),
        n,
        atol=atol,
        vacuous=np.abs(n).max(axis=inner, initial=0) <= zero,
        doubt=doubt,
        wrong=_wrong(n),
    )
    comparison.merge(found, offset)


def _wrong(n: Array) -> dict[str, Callable[[], Array]]:
    if n.ndim < 2 or n.shape[-1] != n.shape[-2]:
        return {}
    return {
        "a transposed matrix": lambda: np.swapaxes(n, -1, -2),
        "a Jacobian with only its diagonal": lambda: n * np.eye(n.shape[-1]),
    }


def _check(comparison: Comparison) -> Check:
    return comparison.check("name", method="exact", step=None, dtype="float64")


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
        assert comparison.counts.over_tolerance == (not agrees)
        assert comparison.counts.entries == 1


@given(a=numbers, n=numbers, rtol=tolerance_values, atol=tolerance_values)
def test_rule_is_the_formula(a: float, n: float, rtol: float, atol: float) -> None:
    agrees = abs(a - n) <= atol + rtol * max(abs(a), abs(n))
    comparison = _compared([a], [n], rtol=rtol, atol=atol)
    assert comparison.counts.over_tolerance == (not agrees)
    assert (comparison.counts.verdict == "fail") == (not agrees)


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
@pytest.mark.parametrize("doubt", [0.0, 1e300, INF])
def test_nan_and_infinity_never_agree(a: float, n: float, doubt: float) -> None:
    comparison = _compared([a, 2.0], [n, 2.0], doubt, rtol=1.0, atol=1e300)
    assert (comparison.counts.over_tolerance, comparison.counts.non_finite) == (1, 1)
    # Where the reference is no number either, it is open who is wrong.
    assert comparison.counts.verdict in (["inconclusive", "fail"] if np.isfinite(a) else ["fail"])


@pytest.mark.parametrize(
    ("dtype", "asked", "expected"),
    [
        ("float64", None, 1e-6),
        ("float32", None, 1e-3),
        ("float16", None, 2e-2),
        ("bfloat16", None, 0.15),
        ("longdouble", None, 1e-6),
        ("float32", 0.5, 0.5),
        ("float32", 0.0, 0.0),
    ],
)
def test_tolerance_of_a_dtype(dtype: str, asked: float | None, expected: float) -> None:
    assert tolerance(dtype, asked) == expected


@pytest.mark.parametrize("wrong", [-1.0, NAN, INF])
def test_tolerances_out_of_range(wrong: float) -> None:
    check_tolerances(None, 0.0)
    for name, given_ in (("rtol", (wrong, None)), ("atol", (None, wrong))):
        with pytest.raises(DomainError, match=f"{name} is"):
            check_tolerances(*given_)


def test_each_entry_has_its_own_tolerance() -> None:
    comparison = Comparison(0.0, 2)
    found = comparison.of(np.full((1, 2), 1.5), np.ones((1, 2)), atol=np.array([[1.0, 0.25]]))
    comparison.merge(found)
    check = _check(comparison)
    assert (check.counts.over_tolerance, check.counts.atol) == (1, 1.0)
    assert [entry.allowed for entry in check.worst] == [0.25, 1.0]


# Counts and worst entries


def test_counts_and_largest_errors() -> None:
    n = np.array([[1.0, -2.0, 0.0], [4.0, 1e3, 1.0], [2.0, NAN, 0.0]])
    a = np.array([[1.0, -2.5, 0.0], [4.0, 1e3 + 1, NAN], [-2.0, 3.0, 1e-10]])
    check = _check(_compared(a, n, worst=3))
    assert (check.counts.entries, check.counts.over_tolerance, check.counts.non_finite) == (9, 5, 2)
    assert (check.counts.max_abs_error, check.counts.max_rel_error) == (4.0, 2.0)
    assert (check.verdict, check.rtol, check.counts.atol) == ("fail", RTOL, ATOL)


@pytest.mark.parametrize("kept", [0, 1, 3, 100])
@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 2)])
def test_worst_entries_in_order(
    shape: tuple[int, ...], numbered: bool, offset: int, kept: int
) -> None:
    n = _matrix(*shape)
    a = n + 1e-6 * _matrix(*shape, seed=1)
    comparison = Comparison(RTOL, kept, numbered)
    _add(comparison, a, n, offset=offset)
    larger = np.maximum(np.abs(a), np.abs(n))
    error, allowed = np.abs(a - n), ATOL + RTOL * larger
    order = np.argsort(-(error / allowed).ravel())[:kept]
    places = [np.unravel_index(flat, shape) for flat in order]
    expected = [
        (
            [*[int(place[0]) + offset] * numbered, *map(int, place[1:])],
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


def test_non_finite_entries_are_worst() -> None:
    n = np.array([1.0, 1.0, 1.0, 1.0])
    check = _check(_compared(np.array([2.0, NAN, 1.0, 1e6]), n, worst=3))
    assert [entry.index for entry in check.worst] == [[1], [3], [0]]


def test_worst_entries_exceed_their_tolerance_the_most() -> None:
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
@pytest.mark.fast(2)
def test_merged_blocks_equal_the_whole(wrong: str, cuts: list[int]) -> None:
    n = _matrix(40, 3)
    a = WRONG[wrong](n)
    whole = _compared(a, n, 1e-12, worst=5)
    parts = Comparison(RTOL, 5, diagnosis=Diagnosis(FACTORS))
    edges = [*pairwise([0, *sorted(cuts), 40])]
    # They may be merged in any order.
    for start, stop in reversed(edges):
        _add(parts, a[start:stop], n[start:stop], 1e-12, offset=start)
    # As texts: NaN is not equal to itself.
    assert repr(_check(parts)) == repr(_check(whole))


# The verdict


@pytest.mark.parametrize(
    ("difference", "doubt", "verdict"),
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
def test_error_of_the_reference(difference: float, doubt: float, verdict: Verdict) -> None:
    # 1 is allowed.
    comparison = _compared([8.0 + difference], [8.0], doubt, rtol=0.0, atol=1.0)
    assert comparison.counts.verdict == verdict


@pytest.mark.parametrize(
    ("a", "doubt", "verdict"),
    [
        ([8.0, 8.0], [0.0, 2.0], "inconclusive"),
        ([8.0, 8.0], [0.0, 0.5], "pass"),
        ([11.0, 8.0], [0.0, 2.0], "fail"),
        ([11.0, 8.0], [2.5, 0.0], "inconclusive"),
        ([8.0, NAN], [2.5, 0.0], "fail"),
    ],
)
def test_error_of_each_reference_entry(
    a: list[float], doubt: list[float], verdict: Verdict
) -> None:
    comparison = _compared(a, [8.0, 8.0], np.array(doubt), rtol=0.0, atol=1.0)
    assert comparison.counts.verdict == verdict


@pytest.mark.parametrize(
    ("a", "n", "verdict"),
    [
        ([0.0, 0.0], [0.0, 0.0], "vacuous"),
        ([1e-16, 0.0], [-1e-16, 0.0], "vacuous"),
        ([1e-15, 0.0], [1e-15, 0.0], "vacuous"),
        ([2e-15, 0.0], [2e-15, 0.0], "pass"),
        ([-2 * ATOL, 0.0], [-2 * ATOL, 0.0], "pass"),
        ([1.0, 0.0], [0.0, 0.0], "fail"),
        ([NAN, 0.0], [0.0, 0.0], "fail"),
        ([], [], "vacuous"),
    ],
)
def test_derivative_of_zero_proves_nothing(a: Any, n: Any, verdict: Verdict) -> None:
    assert _compared(a, n, zero=1e-15).counts.verdict == verdict


@pytest.mark.parametrize(("doubt", "verdict"), [(0.0, "vacuous"), (1.0, "vacuous")])
def test_vacuous_points_are_not_in_doubt(doubt: float, verdict: Verdict) -> None:
    assert _compared([[1e-18, 0.0]], [[0.0, 0.0]], doubt, zero=1e-15).counts.verdict == verdict


def test_points_that_prove_nothing_are_counted() -> None:
    check = _check(_compared([[1.0], [0.0]], [[1.0], [0.0]], zero=1e-15))
    assert (check.verdict, check.counts.points, check.counts.vacuous) == ("pass", 2, 1)


def test_exact_zeros_are_not_in_doubt() -> None:
    assert _compared([[0.0, 1.0]], [[0.0, 1.0]], np.array([[1.0, 0.0]])).counts.verdict == "pass"
    assert _compared([[1e-12, 1.0]], [[0.0, 1.0]], np.array([[1.0, 0]])).counts.verdict != "pass"


def test_nothing_compared_proves_nothing() -> None:
    comparison = Comparison(RTOL)
    assert (comparison.counts.verdict, _check(comparison).worst) == ("vacuous", [])


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
    "a transposed matrix": lambda n: np.swapaxes(n, -1, -2),
    "a Jacobian with only its diagonal": lambda n: n * np.eye(n.shape[-1]),
    "nothing but zeros": lambda n: 0 * n,
    "a constant factor: the gradient is 3.25 times the reference": lambda n: 3.25 * n,
    "a constant factor: the gradient is -2 times the reference": lambda n: -2 * n,
    "shuffled rows": lambda n: n[:, [2, 0, 3, 1]],
    "shuffled classes": lambda n: n[:, :, [2, 0, 3, 1]],
}


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_diagnosis_explains_every_entry(diagnosis: str) -> None:
    n = _matrix(1, 4, 4)
    check = _check(_compared(DIAGNOSES[diagnosis](n), n))
    assert (check.verdict, check.diagnosis) == ("fail", diagnosis)


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
@pytest.mark.parametrize("place", [(0, 0, 0), (0, 1, 3), (0, 3, 0)])
def test_no_diagnosis_if_one_entry_contradicts_it(
    diagnosis: str, place: tuple[int, int, int]
) -> None:
    n = _matrix(1, 4, 4)
    a = DIAGNOSES[diagnosis](n).copy()
    a[place] += 0.01
    check = _check(_compared(a, n))
    assert (check.verdict, check.diagnosis) == ("fail", None)


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_no_diagnosis_if_a_later_array_contradicts_it(diagnosis: str) -> None:
    n, later = _matrix(1, 4, 4), _matrix(1, 4, 4, seed=2)
    comparison = _compared(DIAGNOSES[diagnosis](n), n)
    _add(comparison, later, later, offset=1)
    check = _check(comparison)
    assert (check.verdict, check.diagnosis) == ("fail", None)


@pytest.mark.parametrize(
    ("a", "doubt", "verdict"),
    [
        (lambda n: n, 0.0, "pass"),
        (lambda n: -n, INF, "inconclusive"),
        (lambda n: n + 1 + 0 * n, 0.0, "fail"),
        (lambda n: n * NAN, 0.0, "fail"),
    ],
    ids=["right", "undecided", "offset", "NaN"],
)
def test_no_diagnosis_without_an_explained_failure(a: Any, doubt: float, verdict: Verdict) -> None:
    n = _matrix(1, 4, 4)
    check = _check(_compared(a(n), n, doubt))
    assert (check.verdict, check.diagnosis) == (verdict, None)


def test_transposed_symmetric_matrix_is_right() -> None:
    n = _matrix(1, 4, 4)
    n += np.swapaxes(n, 1, 2)
    check = _check(_compared(np.swapaxes(n, 1, 2), n))
    assert (check.verdict, check.diagnosis) == ("pass", None)


def test_every_mistake_that_explains_the_difference_is_named() -> None:
    n = np.array([[1.0, 2.0]])
    diagnosis = Diagnosis({"a factor of 2": 2.0, "a factor of N": 2.0})
    diagnosis.merge(diagnosis.of(2 * n, n, ATOL, RTOL, {"two of them": lambda: n + n}))
    assert diagnosis.named(RTOL) == "a factor of 2, or a factor of N, or two of them"


def test_shuffled_rows_are_found_whatever_the_order_of_blocks() -> None:
    n = _matrix(50, 3)
    a = n[np.random.default_rng(1).permutation(50)]
    comparison = Comparison(RTOL, diagnosis=Diagnosis({}))
    for start in (30, 0, 10):
        stop = {0: 10, 10: 30, 30: 50}[start]
        _add(comparison, a[start:stop], n[start:stop], offset=start)
    assert _check(comparison).diagnosis == "shuffled rows"


def test_check_has_its_name_and_setup() -> None:
    comparison = _compared([1.0], [1.0])
    check = comparison.check("softmax", method="central", step=1e-5, dtype="float32")
    said = (check.name, check.method, check.step, check.dtype, check.rtol, check.reproduce)
    assert said == ("softmax", "central", 1e-5, "float32", RTOL, "")
    assert (check.verdict, check.diagnosis, check.worst) == ("pass", None, [])


@pytest.mark.parametrize("wrong", [1.0, 2.0, NAN])
def test_merged_comparisons_and_diagnoses_are_the_whole(wrong: float) -> None:
    n = np.random.default_rng(0).normal(size=(40, 3))
    a = n.copy()
    if np.isnan(wrong):
        a[17, 1] = wrong
    else:
        a *= wrong

    def of(rows: slice, start: int) -> Comparison:
        found = Comparison(1e-6, 4, diagnosis=Diagnosis({"a factor of 2": 2.0}))
        wrong = {"zeros": lambda: 0 * n[rows]}
        found.merge(found.of(a[rows], n[rows], atol=1e-9, wrong=wrong), start)
        return found

    whole = of(slice(None), 0)
    parts = Comparison(1e-6, 4, diagnosis=Diagnosis({"a factor of 2": 2.0}))
    for rows in (slice(0, 11), slice(11, 40)):
        one = of(rows, 0)
        again = Comparison.from_state(json.loads(json.dumps(one.state())))
        parts.merge(replace(again, diagnosis=one.diagnosis), rows.start)
    checks = [
        each.check("x", method="exact", step=None, dtype="float64") for each in (whole, parts)
    ]
    assert_equal(asdict(checks[0]), asdict(checks[1]))
    assert checks[0].verdict == ("pass" if wrong == 1 else "fail")
    assert checks[0].diagnosis == ("a factor of 2" if wrong == 2 else None)
