"""Reduction of row losses: exact sums of losses and weights, and the divisor of each reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from numpy.typing import ArrayLike

from softmax_cli.core.exact.sums import ExactSum
from softmax_cli.core.loss.weights import Parts
from softmax_cli.errors import DomainError

if TYPE_CHECKING:
    from fractions import Fraction

Reduction = Literal["mean", "batch-mean", "sum", "none"]


class ReducedLoss:
    """Running exact sums of weighted losses and of weights, rounded once at the end.

        mean        sum of the losses / sum of the weights of the rows used
        batch-mean  sum of the losses / number of the rows used
        sum         sum of the losses

    >>> import numpy as np
    >>> reduced = ReducedLoss()
    >>> reduced.count(2, (np.array([3.0, 1.0]), np.zeros(2)))
    >>> reduced.add([6.0, 2.0])
    >>> reduced.loss("mean"), reduced.loss("batch-mean"), reduced.loss("sum")
    (2.0, 4.0, 8.0)
    """

    def __init__(self) -> None:
        self.used = 0
        self._losses, self._weights = ExactSum(), ExactSum()

    def count(self, used: int, weights: Parts | None = None) -> None:
        """Count used rows and add their weights, 1 by default."""
        self.used += used
        for part in [[used]] if weights is None else weights:
            self._weights.add(part)

    def add(self, losses: ArrayLike) -> None:
        self._losses.add(losses)

    def state(self) -> dict[str, Any]:
        losses, weights = self._losses.state(), self._weights.state()
        return {"used": self.used, "losses": losses, "weights": weights}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        reduced = cls()
        reduced.used = state["used"]
        reduced._losses = ExactSum.from_state(state["losses"])
        reduced._weights = ExactSum.from_state(state["weights"])
        return reduced

    def __iadd__(self, other: Self) -> Self:
        self.used += other.used
        self._losses += other._losses
        self._weights += other._weights
        return self

    def divisor(self, reduction: Reduction) -> Fraction | float:
        """Return the exact divisor of the sum of losses; 0 if all weights are 0."""
        if reduction not in ("mean", "batch-mean", "sum", "none"):
            raise DomainError(f"no reduction {reduction!r}", "give mean, batch-mean, sum or none")
        if reduction == "mean":
            return self._weights.exact()
        return float(self.used) if reduction == "batch-mean" else 1.0

    def denominator(self, reduction: Reduction) -> float:
        """Return the divisor, rounded."""
        return self._weights.total() if reduction == "mean" else float(self.divisor(reduction))

    def loss(self, reduction: Reduction) -> float:
        """Return the reduced loss, correctly rounded; for "none" the sum."""
        return self._losses.total(self.divisor(reduction))
