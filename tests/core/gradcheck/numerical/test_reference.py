"""References of every method: exact derivatives, the estimate of their own error, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli.core.gradcheck.numerical.noise import EPS, Array, Function
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method, reference_jacobian
from softmax_cli.errors import DomainError

pytestmark = pytest.mark.fast(8)

METHODS: tuple[Method, ...] = get_args(Method)
# How close each method comes with its default step, relative to the largest derivative.
ACCURACY: dict[Method, float] = {"central": 1e-8, "richardson": 1e-10, "complex": 1e-14}

every_method = pytest.mark.parametrize("method", METHODS)

A = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 7.0]])


def _softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.real.max())
    S: Array = exponentials / exponentials.sum()
    return S


def _softmax_jacobian(x: Array) -> Array:
    S = _softmax(x)
    J: Array = np.diag(S) - np.outer(S, S)
    return J


class Case(NamedTuple):
    """A function, its exact Jacobian, and a point."""

    function: Function
    jacobian: Callable[[Array], Array]
    at: tuple[float, ...]


CASES = {
    "identity": Case(lambda x: x, lambda x: np.eye(x.size), (0.1, -3.0)),
    "matrix with more rows": Case(lambda x: A @ x, lambda _: A, (0.3, -1.7)),
    "matrix with more columns": Case(lambda x: A.T @ x, lambda _: A.T, (0.3, -1.7, 11.0)),
    "squares": Case(lambda x: x**2, lambda x: np.diag(2 * x), (3.0, -0.1, 0.0)),
    "square of a large number": Case(lambda x: x**2, lambda x: np.diag(2 * x), (1e8,)),
    "cubes beside 1000": Case(lambda x: x**3 + 1e3, lambda x: np.diag(3 * x**2), (2.0, -1.0)),
    "product": Case(lambda x: x.prod()[None], lambda x: x.prod() / x[None], (0.5, -2.0, 3.0)),
    "reciprocal": Case(lambda x: 1 / x, lambda x: np.diag(-1 / x**2), (0.5, -2.0, 300.0)),
    "exponential": Case(np.exp, lambda x: np.diag(np.exp(x)), (0.0, 1.0, -3.0)),
    "exponential of 20": Case(np.exp, lambda x: np.diag(np.exp(x)), (20.0,)),
    "sine": Case(np.sin, lambda x: np.diag(np.cos(x)), (0.0, 1.0, 1.5707963267948966)),
    "softmax": Case(_softmax, _softmax_jacobian, (1.0, 2.0, 3.0)),
    "logsumexp": Case(
        lambda x: np.log(np.exp(x).sum())[None], lambda x: _softmax(x)[None], (1.0, -2.0, 0.5)
    ),
}


@every_method
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_exact_derivative_within_the_estimated_error(case: Case, method: Method) -> None:
    at = np.array(case.at)
    exact = case.jacobian(at)
    J, error, *_ = reference_jacobian(case.function, at, method)
    assert J.shape == error.shape == exact.shape
    assert J.dtype == error.dtype == np.float64
    scale = np.abs(exact).max()
    assert np.all(np.abs(J - exact) <= error + 4 * EPS * scale)
    # An estimate that is far too large would decide nothing.
    assert np.all(error <= ACCURACY[method] * scale)
    assert_allclose(J, exact, rtol=0, atol=ACCURACY[method] * scale)


@pytest.mark.parametrize("method", ["central", "richardson"])
@pytest.mark.parametrize("step", [0.5, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("name", ["cubes beside 1000", "exponential", "sine", "softmax"])
def test_error_is_bounded_at_any_step(name: str, step: float, method: Method) -> None:
    case = CASES[name]
    at = np.array(case.at)
    J, error, *_ = reference_jacobian(case.function, at, method, step)
    # The estimate is of the leading term, which a step of 0.5 makes no longer nearly all of it.
    assert np.all(np.abs(J - case.jacobian(at)) <= 2 * error + 4 * EPS)


@every_method
@given(
    coefficients=st.tuples(*[st.floats(-100.0, 100.0)] * 4),
    at=st.floats(-30.0, 30.0),
    exponent=st.floats(-4.0, -1.0),
)
def test_error_is_bounded_for_polynomials(
    method: Method, coefficients: tuple[float, ...], at: float, exponent: float
) -> None:
    def polynomial(x: Array) -> Array:
        value: Array = sum((c * x**k for k, c in enumerate(coefficients)), 0 * x)
        return value

    step = None if method == "complex" else 10**exponent
    J, error, *_ = reference_jacobian(polynomial, np.array([at]), method, step)
    exact = sum(k * c * at ** (k - 1) for k, c in enumerate(coefficients) if k)
    # The polynomial itself is computed with an error of a few units in its largest term, which
    # the division by the smallest of all steps, h/64, makes larger.
    terms = sum(abs(c * at**k) for k, c in enumerate(coefficients)) + 1
    h = 1.0 if step is None else step * max(1.0, abs(at)) / 64
    assert abs(J[0, 0] - exact) <= error[0, 0] + 16 * EPS * terms * (1 + 3 / h)


def test_central_error_is_quadratic_in_the_step() -> None:
    errors = [
        abs(reference_jacobian(np.exp, np.array([1.0]), "central", h)[0][0, 0] - np.e)
        for h in (2.0**-4, 2.0**-5, 2.0**-6)
    ]
    assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 4, rtol=0.01)


@pytest.mark.parametrize("step", [1e-9, 1e-20, 1e-100, 1e-200])
def test_complex_step_loses_nothing_to_its_size(step: float) -> None:
    J, *_ = reference_jacobian(np.exp, np.array([1.0]), "complex", step)
    assert J[0, 0] == pytest.approx(np.e, rel=4 * EPS)


@every_method
def test_default_step(method: Method) -> None:
    at = np.array([0.7, -40.0])
    default = reference_jacobian(np.sin, at, method)
    listed = reference_jacobian(np.sin, at, method, STEPS[method])
    assert_array_equal(default.jacobian, listed.jacobian)
    assert default.step == listed.step == STEPS[method]
    other = reference_jacobian(np.sin, at, method, 3e-3)
    assert not np.array_equal(listed.jacobian, other.jacobian)


@every_method
def test_one_coordinate_moves_at_a_time_by_its_own_step(method: Method) -> None:
    at = np.array([0.0, -0.5, 8.0, -1024.0])
    seen: list[Array] = []

    def recorded(x: Array) -> Array:
        seen.append(x.copy())
        return x

    step = 2.0**-10
    reference_jacobian(recorded, at, method, step)
    # Before the steps, a line of points in all coordinates tells how noisy the function is; after
    # complex ones, their error is seen a few digits away.
    moves = np.array([x - at for x in seen])
    moves = moves[(moves != 0).sum(axis=1) <= 1]
    assert len(moves) > 8 or method == "complex"
    # The same multiples of the step, which is relative to max(1, |x|) but for a complex one.
    units = np.ones(4) if method == "complex" else np.maximum(1.0, np.abs(at))
    sizes = [set(np.abs(moves[:, k] / (step * unit))) for k, unit in enumerate(units)]
    assert 1.0 in sizes[0]
    assert sizes == [sizes[0]] * 4
    assert_array_equal(at, [0.0, -0.5, 8.0, -1024.0])


def test_derivative_is_over_the_step_that_was_taken() -> None:
    # 0.1 + h is rounded: over the intended 2h this would be 1 + 1e-4.
    J, *_ = reference_jacobian(lambda x: x, np.array([0.1]), "central", 1e-13)
    assert J[0, 0] == 1.0


def test_richardson_leaves_out_steps_beyond_the_domain() -> None:
    def root(x: Array) -> Array:
        return np.where(x > 0, np.sqrt(np.abs(x)), np.nan)

    J, error, *_ = reference_jacobian(root, np.array([0.02]), "richardson")
    assert abs(J[0, 0] - 0.5 / np.sqrt(0.02)) <= error[0, 0] < 0.1


@pytest.mark.parametrize("method", ["central", "richardson"])
def test_derivative_outside_the_domain_is_unknown(method: Method) -> None:
    J, *_ = reference_jacobian(lambda x: np.where(x > 0, x, np.nan), np.array([-1.0]), method)
    assert np.isnan(J).all()


def _raises_type_error(x: Array) -> Any:
    raise TypeError(f"{x.dtype} is not what this takes")


@pytest.mark.parametrize(
    "function",
    [np.abs, np.floor, lambda x: x.real**2, lambda _: np.ones(1), _raises_type_error],
    ids=["abs", "floor", "real part", "constant", "TypeError"],
)
def test_complex_steps_need_a_function_of_complex_numbers(function: Function) -> None:
    with pytest.raises(DomainError, match="does not take complex numbers; use --method central"):
        reference_jacobian(function, np.array([1.5]), "complex")


@every_method
@pytest.mark.parametrize("step", [0.0, -1e-6, np.nan, np.inf, -np.inf])
def test_bad_step(method: Method, step: float) -> None:
    with pytest.raises(DomainError, match="step must be positive and finite"):
        reference_jacobian(np.exp, np.array([1.0]), method, step)


def test_reference_is_independent_of_other_coordinates() -> None:
    at = np.array([0.3, -1.2, 2.5])
    J, *_ = reference_jacobian(np.tanh, at, "central")
    off_diagonal: Array = J[~np.eye(3, dtype=bool)]
    assert_array_equal(off_diagonal, 0.0)
