"""A function and its claimed derivative at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.gradcheck.comparison import tolerance
from softmax_cli.core.gradcheck.derivative_pairs import DerivativePair, Settings
from softmax_cli.core.gradcheck.diagnosis import wrong_matrices
from softmax_cli.core.gradcheck.numerical.differences import Differences
from softmax_cli.core.gradcheck.numerical.noise import (
    Array,
    Evaluated,
    FloatType,
    Function,
    Noise,
    largest,
    noise_at,
)
from softmax_cli.core.gradcheck.numerical.reference import SMALLER, Reference, reference_jacobian
from softmax_cli.core.gradcheck.report import Check

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

# With more inputs than this, only some entries are compared.
LARGE = 1024
# The number of these entries, and how many inputs one direction combines at most.
_SAMPLE = 64
_INPUTS_PER_DIRECTION = 256
_DIRECTIONS = 512
# Below this, numbers are too close to the subnormal ones to have all digits.
_SMALLEST = 1e-290
# A claim that is known to fewer units than this may be what rounding left of larger terms.
_REST_UNITS = 1024


@dataclass(frozen=True)
class Point:
    """A function and its claimed derivative at one point.

    function   takes (inputs,) and returns a number or (outputs,)
    claimed    takes (inputs,) and returns (inputs,), or (outputs, inputs)
    is_scalar  whether the function returns a number, whose derivative is a vector
    dtype      of the points that the function takes
    floor      absolute tolerance that rounding needs
    inputs     numbers of the inputs, if they are a sample
    """

    function: Function
    claimed: Function
    at: NDArray[np.float64]
    is_scalar: bool
    dtype: FloatType = np.float64
    floor: float = 0.0
    inputs: NDArray[np.intp] | None = None

    def pair(self, settings: Settings) -> DerivativePair:
        """Return the claim with its reference."""
        method = settings.method
        analytic = self.claimed(self.at)
        rtol = tolerance(analytic.dtype.name, settings.rtol)
        J, error, noise, step = reference_jacobian(
            self.function, self.at, method, settings.step, rtol=rtol, dtype=self.dtype
        )
        is_gradient = self.is_scalar or (analytic.shape == self.at.shape and len(J) == 1)
        if is_gradient:
            J, error = J[0], error[0]
        wrong = wrong_matrices(J)
        if is_gradient:
            label = np.nan_to_num(analytic - J).argmax()
            wrong["the missing -1 at the label"] = lambda: J + (np.arange(J.size) == label)
        if settings.step is None and method != "complex":
            error = self._doubted(np.asarray(analytic, np.float64), J, error, noise, rtol)
        claimed = noise_at(Evaluated(lambda x: self.claimed(x).ravel(), self.dtype), self.at)
        eps, size = max(noise.eps, float(np.finfo(analytic.dtype).eps)), largest(noise.value)
        # A claim of a few units of the function's value, or of 1, may be a rest of them, as P - 1.
        units = 4 * noise.eps * max(1.0, size)
        return DerivativePair(
            analytic,
            Reference(J, error, noise, step),
            wrong,
            zero=max(4 * eps * size, _SMALLEST),
            floor=self.floor,
            slack=claimed.level.reshape(analytic.shape),
            rounding=claimed.rounding,
            rest=max(units, claimed.rounding / (_REST_UNITS * claimed.eps)),
            eps=eps,
            inputs=self.inputs,
        )

    @np.errstate(all="ignore")
    def _doubted(self, a: Array, J: Array, error: Array, noise: Noise, rtol: float) -> Array:
        """Return the error, infinite where the claim is right over smaller steps alone."""
        apart = np.abs(a - J) > rtol * np.maximum(np.abs(a), np.abs(J)) + 4 * error
        inputs = np.flatnonzero(np.atleast_2d(apart).any(axis=0))
        if not inputs.size:
            return error
        result = np.array(error)
        claimed, reference = a[..., inputs], J[..., inputs]
        evaluated = Evaluated(self.function, self.dtype)
        for part in SMALLER:
            steps = part * noise.eps ** (1 / 3) * np.maximum(1.0, np.abs(self.at[inputs]))
            look = Differences(evaluated, self.at, noise, inputs, steps).settled()
            closer, unsure = (each.reshape(*J.shape[:-1], -1) for each in look)
            agrees = np.abs(claimed - closer) <= rtol * np.abs(claimed) + 4 * unsure
            agrees &= np.abs(closer - reference) > 4 * (unsure + error[..., inputs])
            agrees &= apart[..., inputs]
            result[..., inputs] = np.where(agrees, np.inf, result[..., inputs])
        return result

    def along_directions(self, rng: Generator) -> Point:
        """Return the point with directions as inputs; each input is part of one direction."""
        inputs = self.at.size
        count = min(_DIRECTIONS, -(-inputs // _INPUTS_PER_DIRECTION))
        group = rng.permutation(inputs) % count
        size = rng.uniform(0.5, 1.5, inputs) * np.maximum(1, np.abs(self.at))
        # Signs are random, so errors do not cancel.
        vector = size * rng.choice([-1.0, 1.0], inputs)

        def moved(t: Array) -> Array:
            return self.function(self._typed(self.at + vector * t[group]))

        def product(t: Array) -> Array:
            terms = self.claimed(self.at + vector * t[group]) * vector
            return np.apply_along_axis(lambda row: np.bincount(group, row, count), -1, terms)

        return replace(self, function=moved, claimed=product, at=np.zeros(count), dtype=np.float64)

    def at_sample(self, rng: Generator) -> Point:
        """Return the point with those inputs that have the largest claimed entries, and others."""
        sizes = np.abs(np.atleast_2d(self.claimed(self.at))).max(axis=0)
        inputs = input_sample(self.at.size, sizes, rng)

        def whole(x: Array) -> Array:
            return self._typed(with_inputs(self.at, inputs, x))

        return replace(
            self,
            function=lambda x: self.function(whole(x)),
            claimed=lambda x: self.claimed(whole(x))[..., inputs],
            at=self.at[inputs],
            inputs=inputs,
        )

    def _typed(self, x: Array) -> Array:
        return x if x.dtype.kind == "c" else x.astype(self.dtype)


def check_parts(
    points: list[Point],
    rng: Generator,
    settings: Settings,
    check: Callable[[list[DerivativePair], str], Check],
) -> list[Check]:
    """Return checks along directions that cover all inputs, and of a sample of the entries."""
    along = [point.along_directions(rng) for point in points]
    samples = [point.at_sample(rng) for point in points]
    parts = {" (directions)": along, " (entries)": samples}
    return [check([p.pair(settings) for p in points], part) for part, points in parts.items()]


def input_sample(inputs: int, sizes: Array, rng: Generator) -> NDArray[np.intp]:
    """Return the numbers of the inputs with the largest sizes, and of random others."""
    biggest = np.argsort(-sizes, kind="stable")[: _SAMPLE // 4]
    others = rng.permutation(np.setdiff1d(np.arange(inputs), biggest))
    return np.sort(np.concatenate([biggest, others[: _SAMPLE - biggest.size]]))


def with_inputs(at: Array, inputs: NDArray[np.intp], x: Array) -> Array:
    """Return the point with some inputs replaced by x, which may be complex."""
    point = at.astype(np.promote_types(x.dtype, np.float64))
    point[inputs] = x
    return point
