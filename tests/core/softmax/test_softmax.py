"""softmax, log-softmax and logsumexp: digits, identities, rows without a softmax, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.core.softmax.softmax import log_softmax, logsumexp, softmax
from softmax_cli.errors import DomainError, ShapeError
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import TINY, Float64Array, assert_digits
from tests.core.strategies import logits, temperatures

pytestmark = pytest.mark.fast(8)

Function = Callable[..., FloatArray]

NAN, INF = np.nan, np.inf
FUNCTIONS = [softmax, log_softmax, logsumexp]
BAD_ROWS = {
    "nan": [0.0, NAN, 1.0],
    "nan first": [NAN, 0.0, 1.0],
    "+inf": [0.0, INF, 1.0],
    "two +inf": [INF, 0.0, INF],
    "+inf and -inf": [INF, -INF, 0.0],
    "nan and inf": [NAN, INF, -INF],
    "all masked": [-INF, -INF, -INF],
}

every_function = pytest.mark.parametrize("function", FUNCTIONS)
every_row_function = pytest.mark.parametrize("function", [softmax, log_softmax])


# Digits


@pytest.mark.parametrize(
    ("reference", "row", "digits"),
    [
        (
            exact.softmax,
            [1.0, 2.0, 3.0],
            [0.090030573170380457998, 0.24472847105479765282, 0.66524095577482188918],
        ),
        (exact.log_softmax, [60.0, 0.0], [-8.7565107626965203385e-27, -60.0]),
        (exact.logsumexp, [0.0, 0.0], 0.69314718055994530942),
    ],
)
def test_reference_gives_published_digits(
    reference: Callable[..., Float64Array], row: list[float], digits: Any
) -> None:
    assert_allclose(reference(row), digits, rtol=2.0**-52)


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
@pytest.mark.parametrize(
    ("function", "reference"), [(softmax, exact.softmax), (log_softmax, exact.log_softmax)]
)
def test_digits(
    function: Function, reference: Callable[..., Float64Array], row: FloatArray, temperature: float
) -> None:
    assert_digits(function(row, temperature=temperature), reference(row, temperature))


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
def test_digits_of_logsumexp(row: FloatArray, temperature: float) -> None:
    # The largest logit and the logarithm may cancel.
    size = abs(float(row.max())) / temperature
    assert_digits(
        logsumexp(row, temperature=temperature), exact.logsumexp(row, temperature), scale=size
    )


def _naive(row: FloatArray, T: float) -> FloatArray:
    exponentials: FloatArray = np.exp(row / T)
    result: FloatArray = exponentials / exponentials.sum()
    return result


def _logarithm_of_softmax(row: FloatArray, T: float) -> FloatArray:
    return np.log(softmax(row, temperature=T))


def _logarithm_of_one_plus(row: FloatArray, T: float) -> FloatArray:
    shifted = (row - row.max()) / T
    result: FloatArray = shifted - np.log(np.exp(shifted).sum())
    return result


def _shifted_too_late(row: FloatArray, T: float) -> FloatArray:
    return softmax(row / T - np.max(row / T))


@pytest.mark.parametrize(
    ("wrong", "reference", "case"),
    [
        (_naive, exact.softmax, "offset 1e4"),
        (_naive, exact.softmax, "offset -1e4"),
        (_logarithm_of_softmax, exact.log_softmax, "gap 60"),
        (_logarithm_of_softmax, exact.log_softmax, "probability below all numbers"),
        (_logarithm_of_one_plus, exact.log_softmax, "gap 60"),
        (_logarithm_of_one_plus, exact.log_softmax, "1 of 1000 classes"),
        (_shifted_too_late, exact.softmax, "1e308 over T 0.01"),
        (lambda row, T: softmax(row, temperature=1 / T), exact.softmax, "T 7"),
        (lambda row, T: softmax(row * np.log(2), temperature=T), exact.softmax, "ordinary"),
        (lambda row, T: softmax(row[::-1], temperature=T), exact.softmax, "two classes"),
        (lambda row, T: softmax(row, temperature=T) * (1 + 1e-11), exact.softmax, "ordinary"),
        (lambda row, T: softmax(row, temperature=T)[None], exact.softmax, "ordinary"),
        (lambda row, T: softmax(row * NAN, temperature=T), exact.softmax, "ordinary"),
        (lambda row, _: softmax(row.astype(np.float32)) * 1.0001, exact.softmax, "ordinary"),
    ],
)
def test_wrong_formulas_are_refused(
    wrong: Function, reference: Callable[..., Float64Array], case: str
) -> None:
    row, temperature = exact.CASES[case]
    with np.errstate(all="ignore"):
        result = wrong(np.array(row), temperature)
    with pytest.raises(AssertionError, match=r"numbers are wrong|shape"):
        assert_digits(result, reference(row, temperature))


# Identities


@given(logits(), temperatures, st.sampled_from(["float32", "float64"]))
def test_rows_sum_to_one(rows: Float64Array, temperature: float, dtype: str) -> None:
    S = softmax(rows.astype(dtype), temperature=temperature)
    assert (S >= 0).all()
    assert_allclose(S.sum(axis=-1), 1, rtol=S.shape[-1] * float(np.finfo(dtype).eps))


@every_row_function
@given(
    hnp.arrays(np.float64, (2, 4), elements=st.integers(-(2**20), 2**20)),
    st.integers(-(2**40), 2**40),
    temperatures,
)
def test_a_shift_without_rounding_changes_the_last_digits_alone(
    function: Function, numerators: Float64Array, shift: int, temperature: float
) -> None:
    rows = numerators / 2**10
    assert_allclose(
        function(rows + shift, temperature=temperature),
        function(rows, temperature=temperature),
        rtol=2e-15,
        atol=TINY,
    )


@given(logits(), st.floats(-1e3, 1e3))
def test_logsumexp_moves_with_a_shift(rows: Float64Array, shift: float) -> None:
    assert_allclose(logsumexp(rows + shift), logsumexp(rows) + shift, rtol=1e-12, atol=1e-12)


@every_function
@given(logits(), temperatures)
def test_temperature_divides_the_logits(
    function: Function, rows: Float64Array, temperature: float
) -> None:
    assert_allclose(
        function(rows, temperature=temperature),
        function(rows / temperature),
        rtol=1e-12,
        atol=1e-12 if function is logsumexp else TINY,
    )


@given(logits(), temperatures)
def test_softmax_is_the_exponential_of_log_softmax(rows: Float64Array, temperature: float) -> None:
    logarithms = log_softmax(rows, temperature=temperature)
    S = softmax(rows, temperature=temperature)
    assert_allclose(S, np.exp(logarithms), rtol=1e-12, atol=TINY)


@given(logits(), temperatures)
def test_log_softmax_is_the_logits_less_logsumexp(rows: Float64Array, temperature: float) -> None:
    L = logsumexp(rows, temperature=temperature)[..., None]
    assert_allclose(
        log_softmax(rows, temperature=temperature), rows / temperature - L, rtol=1e-12, atol=1e-12
    )


@every_row_function
@given(logits(), st.data())
def test_a_masked_class_changes_nothing_for_the_others(
    function: Function, rows: Float64Array, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, rows.shape[-1]))
    masked = function(np.insert(rows, place, -INF, axis=-1))
    assert_array_equal(masked[..., place], 0.0 if function is softmax else -INF)
    assert_allclose(np.delete(masked, place, axis=-1), function(rows), rtol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@every_row_function
def test_axis_is_the_dimension_of_the_classes(function: Function, axis: int) -> None:
    array = np.random.default_rng(3).normal(size=(2, 3, 4))
    moved = function(np.moveaxis(array, axis, -1), temperature=0.7)
    result = function(array, axis=axis, temperature=0.7)
    assert_allclose(result, np.moveaxis(moved, -1, axis), rtol=1e-14)
    L = logsumexp(array, axis=axis, temperature=0.7)
    assert_allclose(L, logsumexp(np.moveaxis(array, axis, -1), temperature=0.7), rtol=1e-14)


@pytest.mark.parametrize("layout", ["C", "F", "every other"])
@every_function
def test_rows_are_independent(function: Function, layout: str) -> None:
    array = np.random.default_rng(4).normal(scale=20.0, size=(3, 2, 4))
    array[0, 1] = BAD_ROWS["nan"] + [2.0]
    array[2, 0] = -INF
    given_rows = {
        "C": array,
        "F": np.asfortranarray(array),
        "every other": np.repeat(array, 2, axis=-1)[..., ::2],
    }[layout]
    result = function(given_rows)
    for index in np.ndindex(3, 2):
        assert_allclose(result[index], function(array[index]), rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "returned"),
    [
        *((name, name) for name in (">f2", ">f4", ">f8", "<f2", "<f4", "<f8")),
        *((name, "float64") for name in ("int8", "uint8", "int32", ">i4", "uint64", "bool")),
    ],
)
@every_function
def test_dtype(function: Function, dtype: str, returned: str) -> None:
    rows = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    result = function(rows, temperature=0.5)
    assert result.dtype == np.dtype(returned)
    expected = function(rows.astype(np.float64), temperature=0.5)
    assert_allclose(result, expected, rtol=exact.RELATIVE[result.dtype.name])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
@every_function
def test_input_is_not_modified(function: Function, dtype: str, temperature: float) -> None:
    rows = np.array([[3.0, -INF, 1.0], [NAN, 0.0, 1.0]], dtype)
    before = rows.copy()
    result = function(rows, temperature=temperature)
    assert not np.shares_memory(result, rows)
    assert_array_equal(rows, before)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)])
@every_function
def test_no_rows_give_no_rows(function: Function, shape: tuple[int, ...]) -> None:
    expected = shape[:-1] if function is logsumexp else shape
    assert function(np.zeros(shape)).shape == expected


# Rows without a softmax; pytest turns a warning of NumPy into a failure.


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS.keys())
@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@every_row_function
def test_a_row_without_a_softmax_is_nan_and_spoils_no_other(
    function: Function, bad: list[float], temperature: float, dtype: str
) -> None:
    good = np.array([1.0, -INF, 2.0], dtype)
    rows = np.stack([good, np.array(bad, dtype), good])
    alone = function(good, temperature=temperature)
    expected = np.stack([alone, np.full(3, NAN, dtype), alone])
    result = function(rows, temperature=temperature)
    assert_allclose(result, expected, rtol=exact.RELATIVE[dtype])


@pytest.mark.parametrize(
    ("row", "temperature", "expected"),
    [
        *((BAD_ROWS[name], 1.0, NAN) for name in ("nan", "nan first", "nan and inf")),
        *((BAD_ROWS[name], 1.0, INF) for name in ("+inf", "two +inf", "+inf and -inf")),
        (BAD_ROWS["all masked"], 1.0, -INF),
        ([-1e308, -1e308], 0.01, -INF),
    ],
)
def test_logsumexp_that_is_not_finite(row: Any, temperature: float, expected: float) -> None:
    assert_array_equal(logsumexp(row, temperature=temperature), expected)


@pytest.mark.parametrize("axis", [0, -1])
def test_has_no_softmax(axis: int) -> None:
    good = [[0.0, -INF, -INF], [1e308, -1e308, 0.0]]
    rows = np.array([*good, *BAD_ROWS.values()])
    result = has_no_softmax(rows if axis else rows.T, axis=axis)
    assert_array_equal(result, [False] * len(good) + [True] * len(BAD_ROWS))


# Errors


@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        ([], {}, ShapeError, r"shape \(0,\) have no class along axis -1"),
        (np.zeros((2, 0)), {}, ShapeError, r"shape \(2, 0\) have no class along axis -1"),
        (np.zeros((0, 2)), {"axis": 0}, ShapeError, "no class along axis 0"),
        (1.0, {}, ShapeError, "without dimensions have no classes; give at least a vector"),
        ([1.0], {"axis": 1}, ShapeError, "1 dimensions have no axis 1"),
        ([[1.0]], {"axis": -3}, ShapeError, "2 dimensions have no axis -3"),
        ([1j], {}, DomainError, "complex128 are not real numbers"),
        (np.array([1.0, None]), {}, DomainError, "object are not real numbers"),
        (["1.0"], {}, DomainError, "<U3 are not real numbers"),
        (np.zeros(2, [("a", float)]), {}, DomainError, "are not real numbers"),
        ([1.0], {"temperature": 0}, DomainError, "temperature must be positive and finite, got 0"),
        (
            [1.0],
            {"temperature": -0.5},
            DomainError,
            "temperature must be positive and finite, got -0.5",
        ),
        (
            [1.0],
            {"temperature": NAN},
            DomainError,
            "temperature must be positive and finite, got nan",
        ),
        (
            [1.0],
            {"temperature": INF},
            DomainError,
            "temperature must be positive and finite, got inf",
        ),
    ],
)
@every_function
def test_errors(
    function: Function, rows: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(rows, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_out_takes_the_result(dtype: str, axis: int, order: Any) -> None:
    array = np.random.default_rng(8).normal(size=(3, 4, 5)).astype(dtype)
    expected = softmax(array, axis=axis)
    out = np.empty_like(array, order=order)
    assert_array_equal(softmax(array, axis=axis, out=out), expected)
    assert_array_equal(out, expected)
    softmax(array, axis=axis, out=array)
    assert_array_equal(array, expected)


@pytest.mark.parametrize("row", [[-692, -770], [-690, -740], [-33.1488151550293 * 20, -730]])
def test_float32_at_the_lower_end_of_float64(row: list[float]) -> None:
    logits = np.array(row, np.float32)
    assert_digits(softmax(logits), exact.softmax(logits))
    assert_digits(log_softmax(logits), exact.log_softmax(logits))


def test_many_equal_classes_in_any_order_of_memory() -> None:
    for rows in (np.full((50257, 2), 0.1).T, np.full((2, 50257), 0.1, order="F")):
        result = log_softmax(rows)
        assert_array_equal(result, log_softmax(rows[0].copy())[0])
        assert_digits(result[0, 0], -float(exact.real.log(50257)))
    turned = np.random.default_rng(1).normal(size=(50, 130))[:, ::-1]
    assert_array_equal(softmax(turned), softmax(turned.copy()))


def test_logsumexp_of_infinity_and_nan() -> None:
    for row in ([INF, np.nan], [np.nan, INF], [0.0, INF, np.nan]):
        assert_array_equal(logsumexp(row), np.nan)
