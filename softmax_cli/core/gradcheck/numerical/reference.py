"""Numerical Jacobians with error estimates: the references of gradient checks."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from softmax_cli.core.gradcheck.numerical.differences import NOISY, Differences, Estimate
from softmax_cli.core.gradcheck.numerical.noise import (
    EPS,
    Array,
    Evaluated,
    FloatType,
    Function,
    Noise,
    largest,
    noise_at,
    unit_of,
)
from softmax_cli.errors import DomainError, SoftmaxCliError

Method = Literal["central", "complex", "richardson"]

# Relative to max(1, |x|). Central differences balance truncation and rounding, extrapolated ones
# start wider, and complex steps have no rounding and need no truncation error.
STEPS: dict[Method, float] = {"central": EPS ** (1 / 3), "richardson": 2.0**-5, "complex": 1e-20}
# First step of an extrapolation that refines a difference: for float64, and for less.
_WIDE = (2.0**-5, 2.0**-2)
# Fractions of the step that are tried where a difference does not converge.
SMALLER = (2.0**-6, 2.0**-12)
# Distance at which a function that does not change is checked for being constant.
_FAR = 0.25
# A reference is refined unless its error is at most this part of the tolerance.
_WANTED = 0.25
_SHARE = 1e-6


class Reference(NamedTuple):
    """A numerical Jacobian.

    jacobian  (outputs, inputs)
    error     (outputs, inputs) estimated error; infinite where the derivative is unknown
    noise     of the function's values
    step      the step that was used, relative to max(1, |x|)
    """

    jacobian: Array
    error: Array
    noise: Noise
    step: float


@np.errstate(all="ignore")
def reference_jacobian(
    function: Function,
    at: Array,
    method: Method = "central",
    step: float | None = None,
    *,
    rtol: float | None = None,
    dtype: FloatType = np.float64,
) -> Reference:
    """Return the numerical Jacobian of a function at a point, with estimated errors.

        central     (f(x + h) - f(x - h)) / 2h                error O(h^2), doubled to estimate it
        richardson  central at h, h/2, h/4, ... extrapolated to 0      (Ridders 1982)
        complex     Im f(x + ih) / h                          no subtraction (Squire, Trapp 1998)

    function  takes (inputs,) and returns any number of outputs
    at        (inputs,) float64
    step      h relative to max(1, |x|), for complex steps h itself; the default is STEPS[method],
              or larger for a function that computes in low precision
    rtol      central differences that are less accurate are extrapolated
    dtype     of the points that the function takes
    raises    DomainError for a step that is not positive or changes nothing, or if the method is
              complex and the function does not accept complex numbers

    >>> J, error, *_ = reference_jacobian(lambda x: x**2, np.array([3.0]), "complex")
    >>> J, bool(error[0, 0] < 1e-13)
    (array([[6.]]), True)
    """
    if step is not None and not 0 < step < np.inf:
        raise DomainError(f"step must be positive and finite, got {step}")
    evaluated = Evaluated(function, dtype)
    relative = STEPS[method] if step is None else step
    if method == "complex":
        J, error = _complex_jacobian(function, at, relative)
        noise = noise_at(evaluated, at)
        error = np.where(_is_analytic(evaluated, at, noise, J)[:, None], error, np.inf)
        return Reference(J, error, noise, relative)
    noise = noise_at(evaluated, at)
    if step is None and method == "central" and noise.eps > EPS:
        relative = noise.eps ** (1 / 3)
    steps = relative * np.maximum(1.0, np.abs(at))
    if (evaluated.rounded(at + steps) == at).any():
        raise DomainError(f"a step of {relative:g} changes nothing at this point", "take more")
    differences = Differences(evaluated, at, noise, np.arange(at.size), steps)
    J, error = differences.settled(extrapolate=method == "richardson")
    if method == "central" and noise.is_noisy:
        # A jump at a kink nearby is not uniform noise.
        error = NOISY * error
    elif method == "central" and rtol is not None and step is None:
        J, error = _refined(differences, J, error, rtol)
    still = np.all(differences.are_unchanged(), axis=-1)
    error = error + _hidden_slope(evaluated, at, noise.value, still)[:, None]
    return Reference(J, error, noise, relative)


def _hidden_slope(function: Evaluated, at: Array, value: Array, still: Array) -> Array:
    """Return the possible slope of outputs that change only beyond the steps (rounded values)."""
    if not still.any():
        return np.zeros(value.shape)
    far = _FAR * np.maximum(1.0, np.abs(at))
    moves = [np.abs(function(at + sign * far) - value) for sign in (1, -1)]
    return np.where(still, 4 * np.nan_to_num(np.maximum(*moves)) / _FAR, 0)


def _refined(differences: Differences, J: Array, error: Array, rtol: float) -> Estimate:
    """Return the derivatives, extrapolated where a difference is not accurate enough."""
    J, error = J.copy(), error.copy()
    at, h = differences.at, differences.h

    def improve(chosen: Array, closer: Array, better: Array, its_error: Array) -> None:
        closer &= its_error < error[:, chosen]
        J[:, chosen] = np.where(closer, better, J[:, chosen])
        error[:, chosen] = np.where(closer, its_error, error[:, chosen])

    is_kink = np.isinf(error)
    unclear = (error > _WANTED * rtol * (np.abs(J) + _SHARE * largest(J))) & ~is_kink
    rough, kinks = np.any(unclear, axis=0), np.all(is_kink, axis=0)
    if rough.any():
        coarse, doubt = J[:, rough], error[:, rough]
        wide = _WIDE[differences.function.eps > EPS] * np.maximum(1.0, np.abs(at))
        some = differences.over(h, rough)
        extrapolated = differences.over(np.maximum(h, wide), rough).extrapolated()
        for better, its_error in (some.extrapolated_once(), extrapolated):
            # It must lie within the error of the difference, and closer to the difference over a
            # quarter of the step, whose error is a sixteenth.
            closer = unclear[:, rough] & (np.abs(better - coarse) <= 2 * doubt)
            closer &= some.agree_closer_by(better, its_error + doubt / 8)
            improve(rough, closer, better, its_error)
    if kinks.any():
        # A function may turn within the step, mostly where its inputs are small.
        for part in (unit_of(at), *SMALLER):
            if part < 1:
                improve(kinks, is_kink[:, kinks], *differences.over(h * part, kinks).settled())
    return J, error


def _complex_jacobian(function: Function, at: Array, h: float) -> Estimate:
    """Return derivatives by complex steps; their error is the change a few ULP away."""
    rng = np.random.default_rng(1)
    nearby = [at * (1 + EPS * rng.integers(-4, 5, size=at.shape)) for _ in range(2)]
    J, *others = (
        np.stack([_complex(function, point, k, h) for k in range(at.size)], axis=-1)
        for point in (at, *nearby)
    )
    spread = np.max([np.abs(other - J) for other in others], axis=0)
    return J, 8 * EPS * np.abs(J) + 2 * spread


def _is_analytic(function: Evaluated, at: Array, noise: Noise, jacobian: Array) -> Array:
    """Return for which outputs complex steps agree with a central difference along a line."""
    # Functions that take conjugates or real parts accept complex numbers but are not analytic.
    rng = np.random.default_rng(2)
    h = STEPS["central"]
    along = rng.uniform(0.5, 1.5, at.shape) * np.maximum(unit_of(at), np.abs(at))
    difference = (function(at + h * along) - function(at - h * along)).real / (2 * h)
    expected, size = jacobian @ along, np.abs(jacobian) @ along
    rounding = np.maximum(noise.level, EPS * np.maximum(1.0, np.abs(noise.value)))
    allowed = 0.01 * np.maximum(size, np.abs(difference)) + NOISY * rounding / h
    return np.asarray(~(np.abs(difference - expected) > allowed))


def _complex(function: Function, at: Array, k: int, h: float) -> Array:
    shifted = at.astype(np.complex128)
    shifted[k] += 1j * h
    not_complex = DomainError("the function does not take complex numbers", "use --method central")
    try:
        value = np.asarray(function(shifted))
    except (TypeError, SoftmaxCliError) as error:
        raise not_complex from error
    if value.dtype.kind != "c":
        raise not_complex
    return value.imag.ravel() / h
