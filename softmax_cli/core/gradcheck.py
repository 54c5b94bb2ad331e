"""Checking gradients: the built-in ones, and those of any function, against a reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import checked_temperature, floating
from softmax_cli.core.builtin import BUILTINS, Builtin, Of, builtin_points
from softmax_cli.core.comparison import (
    DIAGONAL_ONLY,
    FLIPPED_SIGN,
    TRANSPOSED,
    Comparison,
    Hypothesis,
    constant_factors,
    tolerances,
)
from softmax_cli.core.references import EPS, STEPS, Method, reference_jacobian
from softmax_cli.core.report import Check, Report
from softmax_cli.core.rows import has_no_softmax
from softmax_cli.errors import DomainError, ShapeError

UserFunction = Callable[[NDArray[Any]], Any]
DEFAULT_POINTS = 8
DEFAULT_WORST = 3


def gradcheck(
    function: UserFunction | None = None,
    gradient: UserFunction | None = None,
    at: ArrayLike | None = None,
    *,
    of: Of | None = None,
    temperature: float = 1.0,
    method: Method | None = None,
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    dtype: str = "float64",
    points: int = DEFAULT_POINTS,
    seed: int = 0,
    worst: int = DEFAULT_WORST,
    name: str | None = None,
) -> Report:
    """Compare analytic derivatives with independent references; say whether they agree.

        |analytic - reference| <= atol + rtol max(|analytic|, |reference|)

    Without a function the built-in derivatives are checked: at seeded points, or at the rows of
    `at`. The reference is then a plain formula of its own, differentiated by a complex step.

    function     takes (inputs,) and returns a number or (outputs,)
    gradient     takes (inputs,) and returns the gradient (inputs,) or the Jacobian
                 (outputs, inputs); without it, the function returns (value, gradient)
    at           (inputs,) or (points, inputs): where to compare
    of           check these built-in derivatives alone
    temperature  of the built-in derivatives
    method       "central" (the default for a function), "richardson", or "complex" (the default
                 for the built-in ones) for functions that take complex numbers
    step         relative to max(1, |x|); the default depends on the method
    rtol, atol   tolerances; the defaults depend on dtype and on the largest derivative
    dtype        of the built-in derivatives
    points       how many seeded points there are without `at`
    seed         of those points and of the vectors that products are checked with
    worst        how many of the worst entries are kept
    returns      a Report; its verdict is "pass", "fail", "inconclusive" (the reference is not
                 accurate enough here to tell) or "vacuous" (the derivative is zero to within
                 rounding, so that a wrong formula would pass as well)
    raises       ShapeError if a gradient does not have the shape of its reference; DomainError
                 for a setting out of range

    >>> gradcheck().verdict
    'pass'
    >>> gradcheck(lambda x: x**3, lambda x: 2 * x**2, at=[2.0]).verdict
    'fail'
    """
    T = checked_temperature(temperature)
    known = {builtin.of for builtin in BUILTINS}
    if of is not None and of not in known:
        raise DomainError(
            f"no built-in derivatives of {of!r}", f"one of {', '.join(sorted(known))}"
        )
    if method is not None and method not in STEPS:
        raise DomainError(f"no method {method!r}", f"there are {', '.join(STEPS)}")
    if np.dtype(dtype).kind != "f" or seed < 0:
        raise DomainError(f"dtype {dtype} and seed {seed}", "give a float type and 0 or more")
    if points < 1 or worst < 0:
        raise DomainError(f"{points} points and {worst} worst entries", "give 1 and 0 or more")
    rows = None if at is None else np.atleast_2d(floating(at, "the points")).astype(np.float64)
    if rows is not None and rows.ndim != 2:
        raise ShapeError(f"points of shape {rows.shape}", "give a vector, or one a row")
    settings = _Settings(
        method or ("complex" if function is None else "central"), step, rtol, atol, worst
    )
    if function is None:
        rng = np.random.default_rng(seed)
        drawn = builtin_points(rng, points) if rows is None else list(rows)
        checks = [
            _check_builtin(builtin, drawn, rng, T, dtype, settings)
            for builtin in BUILTINS
            if of is None or builtin.of == of
        ]
        return Report(seed, checks)
    if rows is None:
        raise DomainError("no point to check the function at", "give `at`")
    label = name or str(getattr(function, "__name__", "function"))
    return Report(seed, [_check_function(function, gradient, rows, label, settings)])


@dataclass(frozen=True)
class _Settings:
    method: Method
    step: float | None
    rtol: float | None
    atol: float | None
    worst: int


@dataclass(frozen=True)
class _Pair:
    """An analytic derivative at one point, its reference, and the error of that reference.

    value  the largest value of the function there, whose rounding is in the reference
    """

    analytic: NDArray[Any]
    reference: NDArray[Any]
    error: NDArray[Any]
    value: float


def _check_builtin(
    builtin: Builtin,
    points: list[NDArray[np.float64]],
    rng: np.random.Generator,
    T: float,
    dtype: str,
    settings: _Settings,
) -> Check:
    pairs = [_builtin_pair(builtin, point.astype(dtype), rng, T, settings) for point in points]
    return _compared(builtin.name, pairs, dtype, 1 / T, settings)


def _builtin_pair(
    builtin: Builtin, a: NDArray[Any], rng: np.random.Generator, T: float, settings: _Settings
) -> _Pair:
    if has_no_softmax(a):
        raise DomainError("a point has no softmax", "it holds a NaN, a +inf, or nothing but -inf")
    # The formula is taken over the classes that are not masked. What a masked logit would change
    # is 0, but for its own log-probability, which has no derivative.
    kept = np.flatnonzero(np.isfinite(a))
    drawn = builtin.draw(rng, kept.size)
    extra, J, error = np.zeros(a.size), np.zeros((a.size, a.size)), np.zeros((a.size, a.size))
    extra[kept] = drawn

    def formula(x: NDArray[Any]) -> NDArray[Any]:
        return builtin.function(x, T, drawn)

    at = a[kept].astype(np.float64)
    found, found_error = reference_jacobian(formula, at, settings.method, settings.step)
    outputs = kept if len(found) > 1 or kept.size == 1 else np.array([0])
    J[np.ix_(outputs, kept)] = found
    error[np.ix_(outputs, kept)] = found_error
    pair = _Pair(
        np.asarray(builtin.analytic(a, T, extra)),
        builtin.combine(J, extra),
        builtin.combine(error, np.abs(extra)),
        _largest(formula(at)),
    )
    if builtin.masked_outputs:
        return pair
    return replace(
        pair,
        analytic=pair.analytic[kept],
        reference=pair.reference[kept],
        error=pair.error[kept],
    )


def _check_function(
    function: UserFunction,
    gradient: UserFunction | None,
    rows: NDArray[np.float64],
    name: str,
    settings: _Settings,
) -> Check:
    def value_of(x: NDArray[Any]) -> NDArray[Any]:
        value = function(x) if gradient is not None else _value_and_gradient(function(x))[0]
        return np.atleast_1d(_numbers(value, name, kinds="fiubc")).ravel()

    pairs = []
    for row in rows:
        if gradient is None:
            value, analytic = _value_and_gradient(function(row.copy()))
        else:
            value, analytic = function(row.copy()), gradient(row.copy())
        analytic = _numbers(analytic, f"the gradient of {name}")
        J, error = reference_jacobian(value_of, row, settings.method, settings.step)
        if np.ndim(value) == 0 or (analytic.shape == row.shape and len(J) == 1):
            J, error = J[0], error[0]
        if analytic.shape != J.shape:
            raise ShapeError(
                f"the gradient of {name} has the shape {analytic.shape}",
                f"the derivative at this point has the shape {J.shape}",
            )
        pairs.append(_Pair(analytic, J, error, _largest(_numbers(value, name))))
    dtype = pairs[0].analytic.dtype if pairs else np.dtype(np.float64)
    return _compared(name, pairs, dtype.name if dtype.kind == "f" else "float64", None, settings)


def _compared(
    name: str, pairs: list[_Pair], dtype: str, natural: float | None, settings: _Settings
) -> Check:
    """Compare all pairs, with tolerances that fit the dtype, the scale, and the method.

    natural  the size of a derivative far from zero; None: that of the function's values
    """
    scale = max((_largest(pair.reference) for pair in pairs), default=0.0)
    value = max((pair.value for pair in pairs), default=0.0)
    method = settings.method
    step = STEPS[method] if settings.step is None else settings.step
    # A difference over a small step magnifies the rounding of the function's value.
    noise = 0.0 if method == "complex" else 16 * EPS * value / min(1.0, step)
    smallest = 4 * float(np.finfo(dtype).eps) * (value if natural is None else natural)
    rtol, atol = tolerances(dtype, scale, settings.rtol, settings.atol)
    if settings.atol is None:
        # Never so wide that it swallows what rtol would find in the largest entry.
        atol = max(atol, min(noise, rtol * scale), smallest)
    zero = max(smallest, noise)
    dimensions = pairs[0].reference.ndim if pairs else 0
    comparison = Comparison(
        rtol, atol, zero, settings.worst, _hypotheses(dimensions, 1 / (natural or 1.0))
    )
    for number, pair in enumerate(pairs):
        first = (number,) if len(pairs) > 1 else ()
        comparison.add(pair.analytic, pair.reference, pair.error, first)
    return comparison.check(name, method=method, step=step, dtype=dtype, reproduce="")


def _value_and_gradient(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ShapeError(
            "the function returns no pair", "without a gradient it must return (value, gradient)"
        )
    return returned


def _numbers(value: Any, name: str, kinds: str = "fiub") -> NDArray[Any]:
    # A copy: a function may return the same buffer each time.
    array = np.array(value)
    if array.dtype.kind not in kinds:
        shown = "nothing" if value is None else f"a {type(value).__name__}"
        raise DomainError(f"{name} returned {shown}", "it must return real numbers")
    return array.astype(np.float64) if array.dtype.kind in "biu" else array


def _largest(array: NDArray[Any]) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _hypotheses(dimensions: int, T: float) -> list[Hypothesis]:
    matrix = [DIAGONAL_ONLY, TRANSPOSED] if dimensions == 2 else []
    factors = {
        "a missing 1/T": T,
        "1/T taken twice": 1 / T,
        "a factor of 2": 2.0,
        "a factor of 1/2": 0.5,
    }
    return [FLIPPED_SIGN, *matrix, *constant_factors(factors)]
