"""Every result is at most 4 units in the last place off, counted with mpmath."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from benchmarks.exactness import DTYPES, FAMILIES, Rows, exact_probabilities, units
from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.double_double import Factor
from softmax_cli.core.exact.exponentials import in_parts
from softmax_cli.core.loss.cross_entropy import cross_entropy, cross_entropy_gradient
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.core.softmax.jacobian import (
    log_softmax_jacobian,
    log_softmax_jvp,
    log_softmax_vjp,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
)
from softmax_cli.core.softmax.softmax import log_softmax, logsumexp, softmax
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import Float64Array, assert_digits

pytestmark = pytest.mark.fast(2)

Function = Callable[..., FloatArray]


def _largest(function: Function, family: Rows, dtype: str, which: int) -> float:
    """The largest error of softmax (which 0) or log-softmax (1) in a family of rows."""
    errors = [0.0]
    for row, temperature in family.of(dtype):
        expected = exact_probabilities(row, temperature)[which]
        found = units(function(row, temperature=temperature), expected)
        errors.append(float(np.max(found[~np.isnan(found)], initial=0)))
    return max(errors)


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
@pytest.mark.parametrize("dtype", DTYPES)
def test_families_of_rows(family: Rows, dtype: str) -> None:
    for which, function in enumerate((softmax, log_softmax)):
        assert _largest(function, family, dtype, which) <= exact.UNITS[dtype]


def _shifted(row: FloatArray, temperature: float) -> FloatArray:
    exponentials: FloatArray = np.exp((row - row.max()) / row.dtype.type(temperature))
    exponentials /= exponentials.sum()
    return exponentials


def _logarithm(row: FloatArray, temperature: float) -> FloatArray:
    shifted = (row - row.max()) / row.dtype.type(temperature)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum())
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("wrong", "family", "which"),
    [
        (_shifted, "spread 20", 0),
        (_shifted, "confident, by 20 to 700", 0),
        (_shifted, "temperatures 0.01 to 100", 0),
        (_logarithm, "spread 20", 1),
        (_logarithm, "confident, by 20 to 700", 1),
    ],
)
def test_the_usual_formulas_are_refused(
    wrong: Function, family: str, which: int, dtype: str
) -> None:
    (rows,) = (rows for rows in FAMILIES if rows.name == family)
    assert _largest(wrong, rows, dtype, which) > 4


def test_units_are_counted() -> None:
    one = exact.real.mpf(1)
    eps = float(np.finfo(np.float64).eps)
    results = np.array([1.0, 1 + eps, 1 - eps, np.inf, 1.0])
    expected = [one, one, one, one, 2**-1030 * one]
    assert_array_equal(units(results, expected), [0, 1, 1, np.inf, np.nan])
    narrow = units(np.array([1.5], np.float32), [one + one * 2**-24])
    assert_array_equal(narrow, [2**22 - 0.5])
    assert_array_equal(units(np.array([2 * eps]), [0 * one], sizes=[one]), [2])


@st.composite
def _rows(draw: st.DrawFn) -> tuple[FloatArray, float]:
    """A short row, close together or far apart, near zero or not, some masked; a temperature."""
    scale = draw(st.sampled_from([1e-3, 1.0, 30.0, 300.0]))
    offset = draw(st.sampled_from([0.0, 0.0, 5.0, -700.0, 705.0, 1e4, -1e4]))
    entries = st.floats(-1.0, 1.0) | st.sampled_from([-1.0, 0.0, 1.0, -np.inf])
    row = draw(hnp.arrays(np.float64, st.integers(1, 6), elements=entries))
    row[draw(st.integers(0, row.size - 1))] = draw(st.floats(-1.0, 1.0))
    temperature = draw(st.floats(0.01, 100.0) | st.sampled_from([0.01, 0.5, 1.0, 2.0, 100.0]))
    return (scale * row + offset).astype(draw(st.sampled_from(DTYPES))), temperature


@settings(max_examples=150)
@given(_rows())
@pytest.mark.slow
def test_probabilities_and_logarithms(drawn: tuple[FloatArray, float]) -> None:
    row, T = drawn
    assert_digits(softmax(row, temperature=T), exact.softmax(row, T))
    assert_digits(log_softmax(row, temperature=T), exact.log_softmax(row, T))
    L, top = exact.logsumexp(row, T), float(row.max()) / T
    assert_digits(logsumexp(row, temperature=T), L, scale=abs(top) + abs(float(L) - top))


@settings(max_examples=100)
@given(_rows(), st.data())
def test_losses_and_gradients_of_labels(
    drawn: tuple[FloatArray, float], data: st.DataObject
) -> None:
    row, T = drawn
    label = data.draw(st.sampled_from(np.flatnonzero(np.isfinite(row)).tolist()))
    assert_digits(cross_entropy(row, label, temperature=T), exact.label_loss(row, label, T))
    gradient = cross_entropy_gradient(row, label, temperature=T)
    assert_digits(gradient, exact.target_gradient(row, np.eye(row.size)[label], T))


@settings(max_examples=100)
@given(_rows(), st.data())
@pytest.mark.slow
def test_losses_and_gradients_of_soft_targets(
    drawn: tuple[FloatArray, float], data: st.DataObject
) -> None:
    row, T = drawn
    weights = st.floats(0.0, 1.0) | st.sampled_from([0.0, 1e-9, 1.0])
    Y = data.draw(hnp.arrays(np.float64, row.size, elements=weights))
    Y = np.where(np.isfinite(row), Y, 0).astype(row.dtype)
    assert_digits(cross_entropy(row, Y, temperature=T), exact.target_loss(row, Y, T))
    assert_digits(
        cross_entropy_gradient(row, Y, temperature=T),
        exact.target_gradient(row, Y, T),
        scale=exact.target_gradient(row, Y, T, sign=1),
    )


@settings(max_examples=100)
@given(_rows(), st.data())
@pytest.mark.slow
def test_jacobians_and_products(drawn: tuple[FloatArray, float], data: st.DataObject) -> None:
    row, T = drawn
    entries = st.floats(-2.0, 2.0) | st.sampled_from([0.0, 1e6, -1e6, 1e-6])
    v = data.draw(hnp.arrays(np.float64, row.size, elements=entries)).astype(row.dtype)
    for jacobian, reference, jvp, vjp in (
        (softmax_jacobian, exact.softmax_jacobian, softmax_jvp, softmax_vjp),
        (log_softmax_jacobian, exact.log_softmax_jacobian, log_softmax_jvp, log_softmax_vjp),
    ):
        lines = reference(row, T)
        columns = [list(column) for column in zip(*lines, strict=True)]
        assert_digits(jacobian(row, temperature=T), [exact.rounded(line) for line in lines])
        for product, matrix in ((jvp, lines), (vjp, columns)):
            sizes = [[abs(entry) for entry in line] for line in matrix]
            assert_digits(
                product(row, v, temperature=T),
                exact.times(matrix, v),
                scale=exact.times(sizes, np.abs(v)),
            )


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 0.37, 1.0, 1e300, 1.7e308])
def test_exponentials_in_parts_over_their_sum_are_nearly_the_nearest(temperature: float) -> None:
    drawn = np.random.default_rng(5).normal(scale=20.0, size=(50, 7))
    with np.errstate(over="ignore", under="ignore"):
        rows = drawn * temperature
    rows = rows[np.isfinite(rows).all(axis=-1)]
    result = in_parts(rows, temperature).over_their_sum(Factor(1.0, 0.0))
    for row, S in zip(rows, result, strict=True):
        errors = units(S, exact_probabilities(row, temperature)[0])
        assert errors[~np.isnan(errors)].max() < 0.6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.7])
@pytest.mark.parametrize("classes", [2, 49, 50, 127, 1000])
def test_a_row_has_the_same_digits_wherever_it_stands(
    classes: int, temperature: float, dtype: str
) -> None:
    random = np.random.default_rng(6)
    rows = random.normal(scale=9.0, size=(300, classes)) + random.choice([-800, 0, 700], (300, 1))
    rows[7, 0] = np.nan
    rows = rows.astype(dtype)
    for function in (softmax, log_softmax):
        together = function(rows, temperature=temperature)
        assert_array_equal(
            together[::-1], function(rows[::-1].copy(order="F"), temperature=temperature)
        )
        for place in (0, 7, 150, 299):
            assert_array_equal(function(rows[place], temperature=temperature), together[place])


def test_the_mean_of_many_losses_is_rounded_once() -> None:
    random = np.random.default_rng(7)
    rows: Float64Array = random.normal(scale=40.0, size=(200_000, 3))
    labels = random.integers(0, 3, len(rows))
    losses = cross_entropy(rows, labels, reduction="none")
    total = sum(map(Fraction, np.asarray(losses).tolist()), Fraction(0))
    means: list[Any] = [cross_entropy(rows, labels), cross_entropy(rows[::-1], labels[::-1])]
    assert means == [float(total / len(rows))] * 2


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gradient_beside_it_changes_no_digit_of_a_loss(dtype: str, temperature: float) -> None:
    random = np.random.default_rng(8)
    spreads = random.choice([0.1, 1.0, 20.0, 300.0], (500, 1))
    rows = (spreads * random.normal(size=(500, 127))).astype(dtype)
    for wanted in (random.integers(0, 127, 500), random.dirichlet(np.ones(127), 500)):
        room = np.empty_like(rows)
        losses = row_losses_and_gradients(rows, wanted, temperature=temperature, out=room)
        assert_array_equal(losses, row_losses(rows, wanted, temperature=temperature))
