"""The temperature that minimises a loss, by a safeguarded Newton iteration.

The loss is convex in the inverse temperature b = 1 / T, with a row of logits a, targets Y:

    d loss / db   = sum_k Y_k (E a - a_k)       with E a = sum_k P_k a_k, the mean under softmax
    d2 loss / db2 = sum_k Y_k (E a^2 - (E a)^2)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.mergeable import Mergeable
from softmax_cli.core.exact.rows import likeliest, parts, whole_rows
from softmax_cli.core.exact.sums import ExactSum, summed
from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.weights import WeightedTargets, Weights
from softmax_cli.errors import DomainError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Newton steps double the correct digits; after a step this small all are correct.
_CLOSE = 2.0**-30
_MOST_STEPS = 1000
# The largest factor by which the inverse temperature changes in a step.
_LONGEST = 16.0


@dataclass
class Slopes(Mergeable):
    """Running derivatives of the summed loss at a temperature, and in the limits 0 and infinity.

    first, second   at the temperature
    coldest         first derivative as T goes to 0; 0 if no class is likelier than the label
    hottest         first derivative as T goes to infinity, where all classes are equally likely
    """

    temperature: float
    first: ExactSum = field(default_factory=ExactSum)
    second: ExactSum = field(default_factory=ExactSum)
    coldest: ExactSum = field(default_factory=ExactSum)
    hottest: ExactSum = field(default_factory=ExactSum)
    merged = ("first", "second", "coldest", "hottest")

    def add(
        self,
        logits: FloatArray,
        targets: NDArray[Any],
        weights: Weights,
        samples: Rows | None,
        largest: NDArray[np.intp] | None = None,
    ) -> None:
        """Add rows; arguments as of `row_losses`."""
        with whole_rows(logits.shape[-1]):
            for part in parts(logits):
                weighted = weights.weighted(targets, samples, part)
                top = likeliest(logits[part]) if largest is None else largest[part]
                slopes = _slopes(logits[part], weighted, self.temperature, top)
                for name, of_rows in zip(self.merged, slopes, strict=True):
                    total = getattr(self, name)
                    scaled = weighted.scaled(of_rows)
                    weighted.clear(scaled)
                    total.add(scaled)


def _slopes(
    logits: FloatArray, weighted: WeightedTargets, T: float, top: NDArray[np.intp]
) -> list[Rows]:
    """Return the derivatives of rows, (rows, 1) each: first, second, coldest, hottest."""
    if compiled.computes(logits, T):
        return np.hsplit(compiled.slopes(logits, weighted, T, top), 4)
    a = wide(logits)
    lower = a - np.take_along_axis(a, top[:, None], -1)
    if weighted.is_soft:
        Y = wide(weighted.targets)
        total, at_targets = summed(Y), summed(np.where(Y == 0, 0, Y * lower))
    else:
        total, at_targets = np.ones((len(a), 1)), np.take_along_axis(lower, weighted.targets, -1)
    P = np.exp(lower / T)
    P /= summed(P)
    masked = np.isneginf(lower)
    lower[masked] = 0
    N = lower.shape[-1] - masked.sum(axis=-1, keepdims=True)
    of_even = summed(lower) / N
    terms = P * lower
    mean = summed(terms)
    terms *= lower
    variance = np.maximum(summed(terms) - mean * mean, 0)
    return [total * mean - at_targets, total * variance, -at_targets, total * of_even - at_targets]


class Fitted(NamedTuple):
    temperature: float
    steps: int


def fitted_temperature(slopes_at: Callable[[float], Slopes], start: float) -> Fitted:
    """Return the temperature where the first derivative of the loss is 0, by Newton's method.

        b <- b - (d loss / db) / (d2 loss / db2)

    within the bracket of inverse temperatures where the slope changes its sign, and by a factor
    of at most 16 per step. Each call of `slopes_at` reads all rows.

    raises   DomainError if the loss has no minimum at a positive, finite temperature

    >>> def slopes_at(T: float) -> Slopes:
    ...     slopes = Slopes(T)
    ...     rows, labels = np.array([[3.0, 0.0]] * 4), np.array([0, 0, 0, 1])
    ...     slopes.add(rows, labels, Weights(), None)
    ...     return slopes
    >>> fitted = fitted_temperature(slopes_at, 1.0).temperature
    >>> print(f"{fitted:.9f} {3 / np.log(3):.9f}")  # softmax is then 3/4, 1/4
    2.730717680 2.730717680
    """
    b, low, high = 1 / start, 0.0, np.inf
    for step in range(_MOST_STEPS):
        slopes = slopes_at(1 / b)
        if not step:
            _check_ends(slopes)
        slope, curvature = slopes.first.total(), slopes.second.total()
        if slope == 0:
            return Fitted(1 / b, step)
        low, high = (b, high) if slope < 0 else (low, b)
        is_curved = 0 < curvature < np.inf
        newton = b - slope / curvature if is_curved else np.inf if slope < 0 else 0.0
        newton = min(max(newton, b / _LONGEST), b * _LONGEST)
        if abs(newton - b) <= _CLOSE * b:
            return Fitted(1 / newton, step + 1)
        is_inside = low < newton < high
        b = newton if is_inside else math.sqrt(low) * math.sqrt(high)
    raise DomainError("no temperature was found", f"{_MOST_STEPS} were tried")


def _check_ends(slopes: Slopes) -> None:
    if not np.isfinite(slopes.coldest.total()):
        problem = "the loss is infinite at every temperature: the probability of a label is 0"
        raise DomainError(problem, "leave such rows out")
    if slopes.coldest.total() <= 0 <= slopes.hottest.total():
        # The slope never falls as T goes to 0: it is 0 all the way.
        problem = "the loss is the same at every temperature: all finite logits of a row are equal"
        raise DomainError(problem, "fit the temperature on rows whose logits differ")
    if slopes.coldest.total() <= 0:
        problem = "the loss falls as the temperature goes to 0: each label has the largest logit"
        raise DomainError(problem, "fit the temperature on rows with wrong predictions too")
    if slopes.hottest.total() >= 0:
        problem = "the loss falls as the temperature goes to infinity: equal logits fit better"
        raise DomainError(problem, "check that the labels belong to these logits")
