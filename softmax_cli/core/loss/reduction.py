"""Reduction of row losses: exact sums of losses and weights, and the divisor of each reduction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from softmax_cli.core.exact.mergeable import Mergeable
from softmax_cli.core.exact.sums import ExactSum
from softmax_cli.core.loss.weights import Parts
from softmax_cli.errors import DomainError

if TYPE_CHECKING:
    from fractions import Fraction

Reduction = Literal["mean", "batch-mean", "sum", "none"]


@dataclass
class ReducedLoss(Mergeable):
    """Running exact sums of weighted losses and of weights, rounded once at the end.

        mean        sum of the losses / sum of the weights of the rows used
        batch-mean  sum of the losses / number of the rows used
        sum         sum of the losses

    >>> import numpy as np
    >>> reduced = ReducedLoss()
    >>> reduced.count(2, (np.array([3.0, 1.0]), np.zeros(2)))
    >>> reduced.losses.add([6.0, 2.0])
    >>> reduced.loss("mean"), reduced.loss("batch-mean"), reduced.loss("sum")
    (2.0, 4.0, 8.0)
    """

    used: int = 0
    losses: ExactSum = field(default_factory=ExactSum)
    weights: ExactSum = field(default_factory=ExactSum)
    merged = ("used", "losses", "weights")

    def count(self, used: int, weights: Parts | None = None) -> None:
        """Count used rows and add their weights, 1 by default."""
        self.used += used
        for part in [[used]] if weights is None else weights:
            self.weights.add(part)

    def divisor(self, reduction: Reduction) -> Fraction | float:
        """Return the exact divisor of the sum of losses; 0 if all weights are 0."""
        if reduction not in ("mean", "batch-mean", "sum", "none"):
            raise DomainError(f"no reduction {reduction!r}", "give mean, batch-mean, sum or none")
        if reduction == "mean":
            return self.weights.exact()
        return float(self.used) if reduction == "batch-mean" else 1.0

    def denominator(self, reduction: Reduction) -> float:
        """Return the divisor, rounded."""
        return self.weights.total() if reduction == "mean" else float(self.divisor(reduction))

    def loss(self, reduction: Reduction) -> float:
        """Return the reduced loss, correctly rounded; for "none" the sum."""
        return self.losses.total(self.divisor(reduction))
