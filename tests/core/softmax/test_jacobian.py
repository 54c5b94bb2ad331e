"""The Jacobians and their products: digits, identities, rows without a softmax, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.softmax.jacobian import (
    log_softmax_jacobian,
    log_softmax_jacobian_lines,
    log_softmax_jvp,
    log_softmax_vjp,
    softmax_jacobian,
    softmax_jacobian_lines,
    softmax_jvp,
    softmax_vjp,
)
from softmax_cli.core.softmax.jacobian_products import complement
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError, ShapeError
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import TINY, Float64Array, assert_digits
from tests.core.strategies import logits, logits_and_vectors, temperatures

pytestmark = pytest.mark.fast(8)

Function = Callable[..., FloatArray]
Lines = Callable[..., list[list[Any]]]

NAN, INF = np.nan, np.inf
REFERENCES: dict[Function, Lines] = {
    softmax_jacobian: exact.softmax_jacobian,
    log_softmax_jacobian: exact.log_softmax_jacobian,
}
# The product, its Jacobian, and which of the two dimensions the vector meets.
PRODUCTS: list[tuple[Function, Function, int]] = [
    (softmax_jvp, softmax_jacobian, -1),
    (softmax_vjp, softmax_jacobian, -2),
    (log_softmax_jvp, log_softmax_jacobian, -1),
    (log_softmax_vjp, log_softmax_jacobian, -2),
]

every_jacobian = pytest.mark.parametrize("jacobian", REFERENCES)
every_product = pytest.mark.parametrize(("product", "jacobian", "side"), PRODUCTS)
every_product_alone = pytest.mark.parametrize("product", [product for product, _, _ in PRODUCTS])


def _matrix(lines: list[list[Any]]) -> Float64Array:
    return np.array([exact.rounded(line) for line in lines])


def _dense_product(J: FloatArray, v: FloatArray, side: int) -> FloatArray:
    result: FloatArray = (
        (J @ v[..., None])[..., 0] if side == -1 else (v[..., None, :] @ J)[..., 0, :]
    )
    return result


# Digits


@pytest.mark.parametrize("T", [1.0, 0.3])
@pytest.mark.parametrize(
    ("jacobian", "logarithm"), [(exact.softmax_jacobian, False), (exact.log_softmax_jacobian, True)]
)
def test_reference_is_the_derivative(jacobian: Lines, logarithm: bool, T: float) -> None:
    real, row = exact.real, (1.0, -0.5, 2.0)

    def value(i: int, j: int, a_j: Any) -> Any:
        exponentials = [
            real.exp((a_j if k == j else real.mpf(a)) / real.mpf(T)) for k, a in enumerate(row)
        ]
        S_i = exponentials[i] / real.fsum(exponentials)
        return real.log(S_i) if logarithm else S_i

    step = real.mpf(10) ** -100
    for i, line in enumerate(jacobian(row, T)):
        for j, entry in enumerate(line):
            rise = value(i, j, row[j] + step) - value(i, j, row[j] - step)
            assert abs(rise / (2 * step) - entry) < real.mpf(10) ** -190


@pytest.mark.parametrize(("row", "temperature"), exact.cases(classes=5))
@every_jacobian
def test_digits(jacobian: Function, row: FloatArray, temperature: float) -> None:
    expected = _matrix(REFERENCES[jacobian](row, temperature))
    assert_digits(jacobian(row, temperature=temperature), expected)


@pytest.mark.parametrize(("row", "temperature"), exact.cases(classes=5))
@every_product
def test_digits_of_products(
    product: Function, jacobian: Function, side: int, row: FloatArray, temperature: float
) -> None:
    vector = np.array([1.0, -2.5, 0.75, 3.0, -0.125])[: row.size]
    lines = REFERENCES[jacobian](row, temperature)
    sizes = REFERENCES[jacobian](row, temperature, sign=1)
    if side == -2:
        lines, sizes = ([list(line) for line in zip(*m, strict=True)] for m in (lines, sizes))
    assert_digits(
        product(row, vector.astype(row.dtype), temperature=temperature),
        exact.times(lines, vector),
        scale=exact.times(sizes, np.abs(vector)),
    )


def _one_less(row: FloatArray, T: float) -> FloatArray:
    S = softmax(row, temperature=T)
    J: FloatArray = -np.outer(S, S)
    np.fill_diagonal(J, S * (1 - S))
    return J / T


@pytest.mark.parametrize(
    ("wrong", "reference", "case"),
    [
        (_one_less, exact.softmax_jacobian, "gap 60"),
        (lambda row, T: softmax_jacobian(row, temperature=T) * T, exact.softmax_jacobian, "T 7"),
        (lambda row, T: -softmax_jacobian(row, temperature=T), exact.softmax_jacobian, "ordinary"),
        (
            lambda row, T: np.diag(np.diag(softmax_jacobian(row, temperature=T))),
            exact.softmax_jacobian,
            "ordinary",
        ),
        (
            lambda row, T: log_softmax_jacobian(row, temperature=T).T,
            exact.log_softmax_jacobian,
            "ordinary",
        ),
        (
            lambda row, T: np.eye(3) / T - softmax_jacobian(row, temperature=T),
            exact.log_softmax_jacobian,
            "ordinary",
        ),
    ],
)
def test_wrong_formulas_are_refused(wrong: Function, reference: Lines, case: str) -> None:
    row, temperature = exact.CASES[case]
    with pytest.raises(AssertionError, match="numbers are wrong"):
        assert_digits(wrong(np.array(row), temperature), _matrix(reference(row, temperature)))


@pytest.mark.parametrize(
    ("wrong", "jacobian", "side"),
    [
        (log_softmax_jvp, log_softmax_jacobian, -2),
        (log_softmax_vjp, log_softmax_jacobian, -1),
        (softmax_vjp, log_softmax_jacobian, -2),
        (log_softmax_jvp, softmax_jacobian, -1),
    ],
)
def test_a_product_with_another_matrix_is_told_apart(
    wrong: Function, jacobian: Function, side: int
) -> None:
    row, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, -2.5, 0.75])
    with pytest.raises(AssertionError, match="numbers are wrong"):
        assert_digits(wrong(row, v), _dense_product(jacobian(row), v, side), scale=np.abs(v))


# Identities


@given(logits(), temperatures)
def test_softmax_jacobian_is_symmetric(rows: Float64Array, temperature: float) -> None:
    J = softmax_jacobian(rows, temperature=temperature)
    assert_allclose(J, np.swapaxes(J, -1, -2), rtol=1e-14, atol=TINY)


@every_jacobian
@given(logits(), temperatures)
def test_rows_sum_to_zero(jacobian: Function, rows: Float64Array, temperature: float) -> None:
    J = jacobian(rows, temperature=temperature)
    sizes = np.abs(J).sum(axis=-1)
    assert (np.abs(J.sum(axis=-1)) <= 1e-14 * sizes + TINY).all()


@given(logits(), temperatures)
def test_the_two_jacobians_differ_by_the_probability(
    rows: Float64Array, temperature: float
) -> None:
    S = softmax(rows, temperature=temperature)
    assert_allclose(
        softmax_jacobian(rows, temperature=temperature),
        S[..., None] * log_softmax_jacobian(rows, temperature=temperature),
        rtol=1e-13,
        atol=TINY,
    )


@every_jacobian
@given(logits(), temperatures)
@pytest.mark.fast(1)
def test_temperature_divides_the_logits_and_the_derivative(
    jacobian: Function, rows: Float64Array, temperature: float
) -> None:
    scaled = jacobian(rows / temperature) / temperature
    assert_allclose(jacobian(rows, temperature=temperature), scaled, rtol=1e-11, atol=TINY)


@every_product
@given(logits_and_vectors(), temperatures)
@pytest.mark.fast(1)
def test_product_is_that_of_the_matrix(
    product: Function,
    jacobian: Function,
    side: int,
    drawn: tuple[Float64Array, Float64Array],
    temperature: float,
) -> None:
    rows, v = drawn
    J = jacobian(rows, temperature=temperature)
    result = product(rows, v, temperature=temperature)
    largest = np.abs(v).max() / temperature
    assert_allclose(result, _dense_product(J, v, side), rtol=1e-13, atol=1e-14 * largest + TINY)


@every_product
def test_product_is_that_of_the_matrix_for_1000_classes(
    product: Function, jacobian: Function, side: int
) -> None:
    rows, v = np.random.default_rng(5).normal(size=(2, 1000))
    J = jacobian(rows, temperature=0.5)
    expected = _dense_product(J, v, side)
    sizes = _dense_product(np.abs(J), np.abs(v), side)
    assert (np.abs(product(rows, v, temperature=0.5) - expected) <= 1e-13 * sizes).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_axis_is_the_dimension_of_the_classes(axis: int) -> None:
    rows, v = np.random.default_rng(6).normal(size=(2, 2, 3, 4))
    last, v_last = np.moveaxis(rows, axis, -1), np.moveaxis(v, axis, -1)
    for jacobian in REFERENCES:
        J = jacobian(last, temperature=0.7)
        assert J.shape == (*last.shape, last.shape[-1])
        assert_allclose(jacobian(rows, axis=axis, temperature=0.7), J, rtol=1e-13)
    for product, _, _ in PRODUCTS:
        expected = np.moveaxis(product(last, v_last, temperature=0.7), -1, axis)
        result = product(rows, v, axis=axis, temperature=0.7)
        assert_allclose(result, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, -1])
@every_product_alone
def test_one_vector_serves_all_rows(product: Function, axis: int) -> None:
    rows = np.random.default_rng(7).normal(size=(3, 4))
    v = np.arange(rows.shape[axis])
    v_for_each = np.broadcast_to(v if axis else v[:, None], rows.shape)
    result = product(rows, v, axis=axis)
    assert_allclose(result, product(rows, v_for_each.astype(float), axis=axis), rtol=1e-14)


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (0, 1), (1, 3), (3, 4), (2, 2)])
@pytest.mark.parametrize(
    ("lines", "jacobian"),
    [
        (softmax_jacobian_lines, softmax_jacobian),
        (log_softmax_jacobian_lines, log_softmax_jacobian),
    ],
)
def test_lines_are_those_of_the_whole(
    lines: Function, jacobian: Function, start: int, stop: int
) -> None:
    rows = np.array([[0.5, -1.0, 60.0, 2.0], [3.0, -INF, 0.0, 3.0]])
    part = np.empty((2, stop - start, 4))
    lines(rows, start, stop, temperature=0.5, out=part)
    assert_array_equal(part, jacobian(rows, temperature=0.5)[:, start:stop])


@given(logits(), temperatures)
def test_complement_and_probability_sum_to_one(rows: Float64Array, temperature: float) -> None:
    S = wide(softmax(rows, temperature=temperature)).reshape(-1, rows.shape[-1])
    before = S.copy()
    assert_allclose(S + complement(S), 1.0, rtol=1e-14)
    assert_array_equal(S, before)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8", "<f2", "<f4", "<f8", "int8", ">i4"])
def test_dtype(dtype: str) -> None:
    rows = np.array([[1, 0, 2], [0, 1, 1]]).astype(dtype)
    wide, v = rows.astype(np.float64), np.array([1, -2, 0], ">f4")
    returned = rows.dtype if rows.dtype.kind == "f" else np.dtype(np.float64)
    tolerance = exact.RELATIVE[returned.name]
    for jacobian in REFERENCES:
        J = jacobian(rows, temperature=0.5)
        assert J.dtype == returned
        assert_allclose(J, jacobian(wide, temperature=0.5), rtol=tolerance)
    for product, _, _ in PRODUCTS:
        result = product(rows, v, temperature=0.5)
        assert result.dtype == returned
        assert_allclose(result, product(wide, v, temperature=0.5), rtol=tolerance)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_input_is_not_modified(dtype: str, temperature: float) -> None:
    rows = np.array([[3.0, -INF, 1.0], [NAN, 0.0, 1.0]], dtype)
    v = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype)
    copies = rows.copy(), v.copy()
    for jacobian in REFERENCES:
        jacobian(rows, temperature=temperature)
    for product, _, _ in PRODUCTS:
        assert not np.shares_memory(product(rows, v, temperature=temperature), v)
    assert_array_equal(rows, copies[0])
    assert_array_equal(v, copies[1])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)])
def test_no_rows_give_no_rows(shape: tuple[int, ...]) -> None:
    rows = np.zeros(shape)
    assert {jacobian(rows).shape for jacobian in REFERENCES} == {(*shape, 3)}
    assert {product(rows, [1, 2, 3]).shape for product, _, _ in PRODUCTS} == {shape}


# Rows without a softmax; pytest turns a warning of NumPy into a failure.


@pytest.mark.parametrize("bad", [[0.0, NAN, 1.0], [0.0, INF, -INF], [-INF, -INF, -INF]])
def test_a_row_without_a_softmax_is_nan_and_spoils_no_other(bad: list[float]) -> None:
    good, v = [1.0, -INF, 2.0], np.array([1.0, 2.0, -0.5])
    for jacobian in REFERENCES:
        J = jacobian([good, bad, good])
        alone = jacobian(good)
        assert_allclose(J, [alone, np.full((3, 3), NAN), alone], rtol=1e-13)
    for product, _, _ in PRODUCTS:
        alone = product(good, v)
        expected = [alone, np.full(3, NAN), alone]
        assert_allclose(product([good, bad, good], v), expected, rtol=1e-13)


# Errors


@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        ([], {}, ShapeError, "no class along axis -1"),
        (1.0, {}, ShapeError, "without dimensions have no classes"),
        ([1.0], {"axis": 1}, ShapeError, "no axis 1"),
        ([1j], {}, DomainError, "logits of dtype complex128 are not real"),
        ([None], {}, DomainError, "logits of dtype object are not real"),
        ([1.0], {"temperature": 0}, DomainError, "temperature must be positive and finite, got 0"),
        (
            [1.0],
            {"temperature": -2},
            DomainError,
            "temperature must be positive and finite, got -2",
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
def test_errors_of_the_logits(
    rows: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    for jacobian in REFERENCES:
        with pytest.raises(error, match=message):
            jacobian(rows, **options)
    for product, _, _ in PRODUCTS:
        with pytest.raises(error, match=message):
            product(rows, [1.0], **options)


@pytest.mark.parametrize(
    ("vector", "axis", "error", "message"),
    [
        ([1.0, 2.0], -1, ShapeError, "vector has 2 entries and the logits 3 classes"),
        ([1.0, 2.0, 3.0], 0, ShapeError, "vector has 3 entries and the logits 2 classes"),
        ([], -1, ShapeError, "vector has 0 entries"),
        (1.0, -1, ShapeError, r"shape \(\) do not fit logits of shape \(2, 3\)"),
        ([[1.0, 2.0, 3.0]], -1, ShapeError, r"shape \(1, 3\) do not fit"),
        (np.ones((3, 2)), -1, ShapeError, r"shape \(3, 2\) do not fit"),
        (np.ones((1, 2, 3)), -1, ShapeError, r"shape \(1, 2, 3\) do not fit"),
        ([1j, 0, 0], -1, DomainError, "the vector of dtype complex128"),
        ([None, 0, 0], -1, DomainError, "the vector of dtype object"),
    ],
)
@every_product_alone
def test_errors_of_the_vector(
    product: Function, vector: Any, axis: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        product(np.zeros((2, 3)), vector, axis=axis)


@pytest.mark.parametrize("row", [[0.0, -7.123550094999147], [0.0, -7.12], [0.0, -7.46, -1.0]])
def test_jacobians_whose_probabilities_are_subnormal(row: list[float]) -> None:
    for jacobian, reference in (
        (softmax_jacobian, exact.softmax_jacobian),
        (log_softmax_jacobian, exact.log_softmax_jacobian),
    ):
        J = jacobian(row, temperature=0.01)
        assert_digits(J, [exact.rounded(line) for line in reference(row, 0.01)])
