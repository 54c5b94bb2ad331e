"""Derivatives of a function by evaluating it: what an analytic gradient is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import DomainError, SoftmaxCliError

Method = Literal["central", "complex", "richardson"]
Vector = NDArray[Any]
Function = Callable[[Vector], Vector]
Matrix = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
# Relative to max(1, |x|): where truncation and rounding of a central difference meet, where they
# meet after extrapolation, and where a complex step has no truncation left.
STEPS: dict[Method, float] = {"central": EPS ** (1 / 3), "richardson": 2.0**-5, "complex": 1e-20}
_HALVINGS = 6
# How many times its last digit a function may be off before that counts as noise.
_NOISE = 64


def reference_jacobian(
    function: Function, at: Vector, method: Method = "central", step: float | None = None
) -> tuple[Matrix, Matrix]:
    """Return the Jacobian of a function at a point, and an estimate of the error of each entry.

        central     (f(x + h) - f(x - h)) / 2h                error O(h^2), doubled to estimate it
        richardson  central at h, h/2, h/4, ... extrapolated to 0      (Ridders 1982)
        complex     Im f(x + ih) / h                          no subtraction (Squire, Trapp 1998)

    function  takes (inputs,) and returns (outputs,)
    at        (inputs,) float64
    step      h relative to max(1, |x|), of a complex step h itself; the default is STEPS[method]
    returns   (outputs, inputs) and its estimated error, both float64
    raises    DomainError for a step that is not positive, or a function that does not take
              complex numbers with the complex method

    >>> J, error = reference_jacobian(lambda x: x**2, np.array([3.0]), "complex")
    >>> J, bool(error[0, 0] < 1e-13)
    (array([[6.]]), True)
    """

    def evaluated(x: Vector) -> Vector:
        # Copies: a function may change its argument, or return the same buffer each time.
        value = np.array(function(x.copy()))
        return value.astype(np.promote_types(value.dtype, np.float64))

    with np.errstate(all="ignore"):
        at_itself = at if method == "complex" else np.array(function(at.copy()))
    # A function that works in single precision is rounded as such, and wants a larger step.
    eps = float(np.finfo(at_itself.dtype).eps) if at_itself.dtype.kind == "f" else EPS
    relative = STEPS[method] if step is None else step
    if step is None and method == "central":
        relative = eps ** (1 / 3)
    if not 0 < relative < np.inf:
        raise DomainError(f"the step is {relative}", "it must be positive and finite")
    steps = np.full_like(at, relative)
    if method != "complex":
        steps *= np.maximum(1.0, np.abs(at))
    if method != "complex" and (at + steps == at).any():
        raise DomainError(f"a step of {relative:g} changes nothing at this point", "take more")
    difference = {"central": _central, "richardson": _richardson, "complex": _complex}[method]

    finite = np.abs(at_itself[np.isfinite(at_itself)]).astype(np.float64)
    digits = _Digits(eps, max(1.0, float(finite.max()) if finite.size else 0.0))
    with np.errstate(all="ignore"):
        columns = [difference(evaluated, at, k, float(h), digits) for k, h in enumerate(steps)]
        if method != "complex":
            value = at_itself.astype(np.float64)
            columns = [
                (
                    derivative,
                    np.where(_has_kink(evaluated, at, k, float(h), value, digits), np.inf, error),
                )
                for k, (h, (derivative, error)) in enumerate(zip(steps, columns, strict=True))
            ]
    jacobian = np.stack([derivative for derivative, _ in columns], axis=-1)
    error = np.stack([estimate for _, estimate in columns], axis=-1)
    return jacobian, error


@dataclass(frozen=True)
class _Digits:
    """How exactly a function is known: the last digit of its type, and its largest value.

    A small result may come out of large ones: the logarithm of a probability close to 1.
    """

    eps: float
    largest: float

    def noise(self, h: float) -> float:
        """Return how large a difference over h may be by rounding alone, in the function too."""
        return _NOISE * self.eps * self.largest / h


def _difference(
    function: Function, at: Vector, k: int, h: float, digits: _Digits
) -> tuple[Vector, Vector]:
    """Return the central difference over the step that was really taken, and its rounding."""
    ahead, behind = at.copy(), at.copy()
    ahead[k] += h
    behind[k] -= h
    above, below = function(ahead), function(behind)
    taken = ahead[k] - behind[k]
    return (above - below) / taken, digits.eps * (np.abs(above) + np.abs(below)) / taken


def _central(
    function: Function, at: Vector, k: int, h: float, digits: _Digits
) -> tuple[Vector, Vector]:
    derivative, rounding = _difference(function, at, k, h, digits)
    doubled, _ = _difference(function, at, k, 2 * h, digits)
    doubled_again, _ = _difference(function, at, k, 4 * h, digits)
    change, next_change = np.abs(doubled_again - doubled), np.abs(doubled - derivative)
    # An error in O(h^2) shrinks to a quarter when h is halved. One that does not is no error of
    # this order: the step is too large for the function, or it is noisy there.
    converges = next_change <= np.maximum(change / 2, digits.noise(h))
    return derivative, np.where(converges, next_change / 3 + rounding, np.inf)


def _has_kink(
    function: Function, at: Vector, k: int, h: float, value: Vector, digits: _Digits
) -> Vector:
    """Tell where the slopes on the two sides differ by as much however small the step is.

    A central difference alone takes the mean of the two slopes for the derivative.
    """
    jumps = []
    for step in (h, h / 4):
        ahead, behind = at.copy(), at.copy()
        ahead[k] += step
        behind[k] -= step
        jumps.append(np.abs(function(ahead) + function(behind) - 2 * value) / step)
    kink: Vector = jumps[1] > np.maximum(jumps[0] / 2, digits.noise(h / 4))
    return kink


def _richardson(
    function: Function, at: Vector, k: int, h: float, digits: _Digits
) -> tuple[Vector, Vector]:
    row, rounding = _difference(function, at, k, h, digits)
    table = [row]
    best, error = row, np.full_like(row, np.inf)
    for halving in range(1, _HALVINGS + 1):
        row, rounding = _difference(function, at, k, h / 2**halving, digits)
        extrapolated = [row]
        for order, coarser in enumerate(table, 1):
            finer = extrapolated[-1]
            extrapolated.append(finer + (finer - coarser) / (4**order - 1))
            estimate = np.maximum(
                np.abs(extrapolated[-1] - finer), np.abs(extrapolated[-1] - coarser)
            )
            estimate = estimate + rounding
            better = estimate < error
            best = np.where(better, extrapolated[-1], best)
            error = np.where(better, estimate, error)
        table = extrapolated
    # The table's own spread is no proof: a function that swings within h fools all of it.
    nearby = min(h, max(1.0, abs(float(at[k]))) * 2.0 ** round(np.log2(digits.eps) / 3))
    central, uncertain = _central(function, at, k, nearby, digits)
    agrees = np.abs(best - central) <= 4 * (error + uncertain) + digits.noise(nearby)
    return best, np.where(agrees, error, np.inf)


def _complex(
    function: Function, at: Vector, k: int, h: float, digits: _Digits
) -> tuple[Vector, Vector]:
    shifted = at.astype(np.complex128)
    shifted[k] += 1j * h
    try:
        value = np.asarray(function(shifted))
    except (TypeError, SoftmaxCliError) as error:
        raise _not_complex() from error
    if value.dtype.kind != "c":
        raise _not_complex()
    derivative = value.imag / h
    return derivative, 8 * digits.eps * np.abs(derivative)


def _not_complex() -> DomainError:
    return DomainError("the function does not take complex numbers", "use --method central")
