"""The rows of a loss as the formula takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import likeliest
from softmax_cli.core.loss.targets import are_one_hot
from softmax_cli.core.loss.weights import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CountedRows:
    """What decides how much each row counts in a mean.

    targets  (rows,) labels or (rows, classes) distributions; class 0, or zeros, if ignored
    samples  (rows,) sample weights, 0 for ignored rows; None for 1
    used     (rows,) which rows are not ignored
    """

    targets: NDArray[Any]
    samples: Rows | None
    used: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LossRows(CountedRows):
    """The rows of a block as the formula takes them.

    values     (rows, classes) logits, probabilities or log-probabilities, without masked classes
    weights    (rows,) what each row counts in a mean, as a double-double; None for 1
    divided    how many distributions did not sum to 1, and were divided by their sums
    p          (rows, classes) if there is p: of the kind of the values, whose probabilities are
               the targets
    likeliest  (rows,) the class of the largest value, if known
    """

    values: FloatArray
    weights: Parts | None
    divided: int = 0
    p: Rows | None = None
    likeliest: NDArray[np.intp] | None = None

    def chosen(self, rows: NDArray[np.bool_]) -> LossRows:
        """Return some of the rows; without a copy if they are all."""
        if rows.all():
            return self
        samples = None if self.samples is None else self.samples[rows]
        weights = None if self.weights is None else (self.weights[0][rows], self.weights[1][rows])
        return replace(
            self,
            targets=self.targets[rows],
            samples=samples,
            used=self.used[rows],
            values=self.values[rows],
            weights=weights,
            p=None if self.p is None else self.p[rows],
            likeliest=None if self.likeliest is None else self.likeliest[rows],
        )

    def label(self, row: int) -> int | None:
        """Return the label of one row; None if it has soft targets."""
        if self.targets.ndim == 1:
            return int(self.targets[row])
        targets = self.targets[row : row + 1]
        return int(targets.argmax()) if are_one_hot(targets)[0] else None

    def labels(self) -> NDArray[np.intp] | None:
        """Return the label of each row; None if a row that is used has soft targets."""
        if self.targets.ndim == 1:
            return self.targets
        if not (are_one_hot(self.targets) | ~self.used).all():
            return None
        return likeliest(self.targets)
