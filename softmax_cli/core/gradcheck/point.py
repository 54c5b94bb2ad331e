"""A function at a point, and the derivative that is claimed for it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.comparison import tolerance
from softmax_cli.core.gradcheck.numerical.noise import Evaluated, Noise, noise_at
from softmax_cli.core.gradcheck.numerical.reference import closer_looks, reference_jacobian
from softmax_cli.core.gradcheck.tolerances import (
    Pair,
    Settings,
    largest,
    left_of_larger,
    lost,
    wrong_matrices,
)
from softmax_cli.errors import ShapeError

Array = NDArray[Any]
# Of more inputs than these, not every entry is compared.
LARGE = 1024
# How many entries are compared then, and how many inputs go along one direction at most.
_SAMPLE = 64
_ALONG = 256
_DIRECTIONS = 512
_SMALLEST = 1e-290


class Compared(NamedTuple):
    """A pair to compare, and the spacing at 1 of the least exact type that it was computed in."""

    pair: Pair
    eps: float


@dataclass(frozen=True)
class Point:
    """What is compared at a point: a function, and what is claimed to be its derivative.

    function  takes (inputs,) and returns (outputs,)
    claimed   takes (inputs,) and returns (inputs,), or (outputs, inputs)
    at        (inputs,)
    is_scalar  whether the function returns a number, whose derivative is a vector
    dtype     of the points that the function takes
    """

    function: Callable[[Array], Array]
    claimed: Callable[[Array], Array]
    at: NDArray[np.float64]
    name: str
    is_scalar: bool
    dtype: type[np.floating[Any]] = np.float64

    def compared(self, settings: Settings) -> Compared:
        """Return the claimed derivative beside its reference."""
        analytic = self.claimed(self.at)
        self._check_shape(analytic)
        rtol = tolerance(analytic.dtype.name, settings.rtol)
        J, error, noise, step = reference_jacobian(
            self.function, self.at, settings.method, settings.step, rtol=rtol, dtype=self.dtype
        )
        is_gradient = self.is_scalar or (analytic.shape == self.at.shape and len(J) == 1)
        if is_gradient:
            J, error = J[0], error[0]
        wrong = wrong_matrices(J)
        if is_gradient:
            wrong["the missing -1 at the label"] = lambda: _one_more(analytic, J)
        if settings.step is None and settings.method != "complex":
            error = self._doubted(np.asarray(analytic, np.float64), J, error, noise, rtol)
        of_claimed = noise_at(Evaluated(lambda x: self.claimed(x).ravel(), self.dtype), self.at)
        slack = of_claimed.level.reshape(analytic.shape)
        eps = max(noise.eps, float(np.finfo(analytic.dtype).eps))
        # Below the normal numbers nothing has the digits that are asked for.
        least = max(4 * eps * largest(noise.value), _SMALLEST)
        smallest = lost(settings.method, noise, step, of_claimed.of_rounding)
        left = left_of_larger(of_claimed, noise)
        pair = Pair(analytic, J, error, least, smallest, step, left, slack=slack, wrong=wrong)
        return Compared(pair, eps)

    def _doubted(self, a: Array, J: Array, error: Array, noise: Noise, rtol: float) -> Array:
        """Return the error, infinite where a closer look sides with the claim, not the reference.

        The step may be longer than what a function does in it: what is right is not refused then.
        """
        with np.errstate(all="ignore"):
            apart = np.abs(a - J) > rtol * np.maximum(np.abs(a), np.abs(J)) + 4 * error
            inputs = np.flatnonzero(np.atleast_2d(apart).any(axis=0))
            if not inputs.size:
                return error
            result = np.array(error)
            for looks, its_error in closer_looks(self.function, self.at, inputs, noise, self.dtype):
                look, unsure = (
                    looks.reshape(*J.shape[:-1], -1),
                    its_error.reshape(*J.shape[:-1], -1),
                )
                claimed, reference = a[..., inputs], J[..., inputs]
                sides = np.abs(claimed - look) <= rtol * np.abs(claimed) + 4 * unsure
                sides &= np.abs(look - reference) > 4 * (unsure + error[..., inputs])
                sides &= apart[..., inputs]
                result[..., inputs] = np.where(sides, np.inf, result[..., inputs])
        return result

    def _check_shape(self, analytic: Array) -> None:
        """Refuse a derivative of another shape, before the function is evaluated many times."""
        inputs, outputs = self.at.size, self.function(self.at.astype(self.dtype)).size
        expected: tuple[int, ...] = (inputs,) if self.is_scalar else (outputs, inputs)
        if analytic.shape != expected and not (outputs == 1 and analytic.shape == (inputs,)):
            raise ShapeError(
                f"the gradient of {self.name} has the shape {analytic.shape}",
                f"the derivative at this point has the shape {expected}",
            )

    def along(self, rng: np.random.Generator) -> Point:
        """Return the point with directions for inputs, which together move every input.

        Their signs are random, so that errors do not cancel, and no two inputs move alike.
        """
        inputs = self.at.size
        count = min(_DIRECTIONS, -(-inputs // _ALONG))
        group = rng.permutation(inputs) % count
        size = rng.uniform(0.5, 1.5, inputs) * np.maximum(1, np.abs(self.at))
        vector = size * rng.choice([-1.0, 1.0], inputs)

        def moved(t: Array) -> Array:
            return self.function(self._typed(self.at + vector * t[group]))

        def product(t: Array) -> Array:
            claimed = self.claimed(self.at + vector * t[group])
            weighted = np.atleast_2d(claimed * vector)
            sums = np.stack([np.bincount(group, row, minlength=count) for row in weighted])
            return sums.reshape(*claimed.shape[:-1], count)

        return Point(moved, product, np.zeros(count), self.name, self.is_scalar)

    def _typed(self, x: Array) -> Array:
        return x if x.dtype.kind == "c" else x.astype(self.dtype)

    def at_entries(self, rng: np.random.Generator) -> tuple[Point, NDArray[np.intp]]:
        """Return the point with a sample of its inputs, and which they are.

        It holds the entries that are claimed to be the largest, and others at random.
        """
        claimed = np.abs(np.atleast_2d(self.claimed(self.at))).max(axis=0)
        chosen = some_inputs(self.at.size, claimed, rng)

        def whole(x: Array) -> Array:
            point = self.at.astype(np.promote_types(x.dtype, np.float64))
            point[chosen] = x
            return self._typed(point)

        def function(x: Array) -> Array:
            return self.function(whole(x))

        def entries(x: Array) -> Array:
            return self.claimed(whole(x))[..., chosen]

        sample = Point(function, entries, self.at[chosen], self.name, self.is_scalar, self.dtype)
        return sample, chosen


def some_inputs(inputs: int, sizes: Array, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return a sample of inputs: those of the largest sizes, and others at random."""
    biggest = np.argsort(-sizes, kind="stable")[: _SAMPLE // 4]
    others = rng.permutation(np.setdiff1d(np.arange(inputs), biggest))
    return np.sort(np.concatenate([biggest, others[: _SAMPLE - biggest.size]]))


def _one_more(analytic: Array, reference: Array) -> Array:
    wrong = reference.copy()
    wrong[np.nan_to_num(analytic - reference).argmax()] += 1
    return wrong
