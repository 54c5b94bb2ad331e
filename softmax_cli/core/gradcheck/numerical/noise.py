"""The noise of a function: how much its values jump between neighbouring points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from softmax_cli.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Function = Callable[[Array], Array]
FloatType = type[np.floating[Any]]

EPS = float(np.finfo(np.float64).eps)
# Relative spacing of the points: smooth functions hardly curve over it, it exceeds the precision of
# float32, and it is not a short binary number, so casts to float32 show.
_SPACING = 1.1e-6
_EVALUATIONS, _DEGREE = 16, 5
_WIDENINGS, _WIDER, _WIDEST = 8, 32, 0.04
# Noise of more ULP than this is not rounding.
_ROUNDING = 256
# Noise that only wide spacings show is rounding up to this many ULP.
_HIDDEN = 64


class Evaluated:
    """A function of points rounded to its dtype; eps is that of the lowest precision seen."""

    def __init__(self, function: Function, dtype: FloatType = np.float64) -> None:
        self._function, self._dtype = function, dtype
        self.eps = float(np.finfo(dtype).eps)
        self._shape: tuple[int, ...] | None = None

    def rounded(self, x: Array) -> Array:
        """Return the point that the function receives, as float64."""
        return x.astype(self._dtype).astype(np.float64)

    def __call__(self, x: Array) -> Array:
        # Copies: a function may change its argument, or return the same buffer each time.
        value = np.array(self._function(x.astype(self._dtype)))
        self._shape = self._shape or value.shape
        if value.shape != self._shape:
            problem = f"a function returned the shape {value.shape} after {self._shape}"
            raise ShapeError(problem, "return the same shape at every point")
        if value.dtype.kind == "f":
            self.eps = max(self.eps, float(np.finfo(value.dtype).eps))
        return value.astype(np.promote_types(value.dtype, np.float64)).ravel()


class Noise(NamedTuple):
    """The noise of a function at a point.

    value     (outputs,) at the point
    level     (outputs,) estimated error of each value
    eps       machine epsilon of the precision in which the function computes
    is_noisy  whether the values jump by more than rounding explains
    """

    value: Array
    level: Array
    eps: float
    is_noisy: bool

    @property
    def rounding(self) -> float:
        """The largest rounding error of a value; 0 if there is more noise than rounding."""
        return 0.0 if self.is_noisy else float(self.level.max(initial=0.0))


def noise_at(function: Evaluated, at: Array) -> Noise:
    """Return the noise of a function, estimated from its values along a short line.

    A smooth function is a polynomial there, and the residual of the fit is noise. (More and Wild,
    Estimating computational noise, 2011, use differences of high order instead.)

    >>> noise_at(Evaluated(lambda x: x**2), np.array([3.0])).is_noisy
    False
    >>> noise_at(Evaluated(lambda x: x.astype(np.float32) ** 2.0), np.array([3.0])).eps > 1e-8
    True
    """
    # A direction along which functions change; softmax is constant along all ones.
    rng = np.random.default_rng(0)
    uneven = rng.uniform(0.5, 1.5, at.shape) * rng.choice([-1.0, 1.0], at.shape)
    along = uneven * _SPACING * np.maximum(unit_of(at), np.abs(at))
    value = function(at)
    values, level = _along(function, value, at, along)
    size = max(1.0, largest(value))
    # If the values take few steps, widen the line until it shows how high the steps are.
    for _ in range(_WIDENINGS):
        coarse = _are_few(values)
        along = along * _WIDER
        if not coarse.any() or (np.abs(along) > _WIDEST * np.maximum(1.0, np.abs(at))).any():
            break
        values, wider = _along(function, value, at, along)
        wider = np.minimum(wider, _HIDDEN * function.eps * size)
        level = np.where(coarse, np.maximum(level, wider), level)
    # A function that computes in lower precision inside returns values without more digits.
    eps = function.eps
    for narrow in (np.float32, np.float16):
        if (values.astype(narrow) == values).all() and not _are_few(values).all():
            eps = max(eps, float(np.finfo(narrow).eps))
    scale = max(size, float(np.abs(at).max(initial=0.0)))
    noisy = bool((level > _ROUNDING * eps * scale).any())
    return Noise(value, np.maximum(eps * np.abs(value) / 2, level), eps, noisy)


def largest(values: Array) -> float:
    """Return the largest absolute value of the finite entries, or 0."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def unit_of(at: Array) -> float:
    """Return the largest absolute value of a point's numbers, at most 1, or 1 for zeros."""
    return min(1.0, float(np.abs(at).max(initial=0.0))) or 1.0


def _along(function: Evaluated, value: Array, at: Array, along: Array) -> tuple[Array, Array]:
    """Return values along a line, (evaluations, outputs), and their noise, (outputs,)."""
    # Rounding may repeat itself over an even spacing.
    places = np.sort(np.random.default_rng(1).uniform(0, _EVALUATIONS, _EVALUATIONS - 1))
    values = np.stack([value, *(function(at + place * along) for place in places)])
    scaled = np.concatenate([[0.0], places]) / _EVALUATIONS * 2 - 1
    basis = np.linalg.qr(np.polynomial.legendre.legvander(scaled, _DEGREE)).Q
    moved = values - value
    rest = moved - basis @ (basis.T @ moved)
    level = np.sqrt((rest**2).sum(axis=0) / (_EVALUATIONS - 1 - _DEGREE))
    return values, np.where(np.isfinite(level), level, 0.0)


def _are_few(values: Array) -> Array:
    """Return which outputs take few different values along the line."""
    moves = (np.diff(np.sort(values, axis=0), axis=0) > 0).sum(axis=0)
    return np.asarray(moves < _EVALUATIONS // 2)
