"""How far the confidence of probabilities is from their accuracy."""

from __future__ import annotations

import math
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.sums import ExactSum, GroupedSums, summed


class Bin(NamedTuple):
    """The rows whose confidence is above `low` and at most `high`; None where there is no row."""

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None

    @property
    def gap(self) -> float:
        """How far mean confidence and accuracy are apart."""
        if self.confidence is None or self.accuracy is None:
            return 0.0
        return abs(self.accuracy - self.confidence)


class Calibration:
    """Running counts of rows by confidence, the probability of the likeliest class.

        ECE = sum_b (n_b / n) |accuracy_b - confidence_b|,  MCE = max_b |accuracy_b - confidence_b|
        Brier = (1 / n) sum_i sum_k (P_i(k) - Y_i(k))^2, from 0 to 2

    over B bins of equal width, the b-th of confidences above (b - 1) / B and up to b / B, with
    confidence_b and accuracy_b the means of its n_b rows; rows count alike, whatever they weigh.

    source   ECE and MCE: Naeini et al. 2015, Guo et al. 2017; the score: Brier 1950

    >>> calibration = Calibration(bins=2)
    >>> P = np.array([[0.75, 0.25], [0.75, 0.25]])
    >>> calibration.add(P, np.array([0, 1]), np.array([0, 0]))
    >>> calibration.ece(), calibration.mce(), calibration.brier()
    (0.25, 0.25, 0.625)
    """

    def __init__(self, bins: int) -> None:
        """Start with no row."""
        self._edges = np.arange(bins + 1) / bins
        self._rows = np.zeros(bins, np.int64)
        self._right = np.zeros(bins, np.int64)
        self._confidences = GroupedSums(bins)
        self._brier = ExactSum()
        self._lock = Lock()

    def add(self, P: Rows, labels: NDArray[np.intp], likeliest: NDArray[np.intp]) -> None:
        """Count rows, in any thread.

        P          (rows, classes) probabilities that sum to 1; they are changed
        labels     (rows,)
        likeliest  (rows,) the class with the largest probability
        """
        bins = len(self._rows)
        confidences = np.take_along_axis(P, likeliest[:, None], -1)[:, 0]
        of = np.searchsorted(self._edges[1:-1], confidences, side="left")
        right = np.bincount(of[likeliest == labels], minlength=bins)
        with self._lock:
            self._rows += np.bincount(of, minlength=bins)
            self._right += right
        self._confidences.add(confidences, of)
        # 1 - P of the label is the sum of the others, and loses no digit as that.
        np.put_along_axis(P, labels[:, None], 0, -1)
        missing = summed(P)[:, 0]
        self._brier.add(summed(P * P)[:, 0] + missing * missing)

    def state(self) -> dict[str, Any]:
        """Return the counts and sums as they are; `add_state` adds them to others."""
        return {
            "rows": self._rows.tolist(),
            "right": self._right.tolist(),
            "confidences": self._confidences.state(),
            "brier": self._brier.state(),
        }

    def add_state(self, state: dict[str, Any]) -> None:
        """Add what a state of as many bins tells."""
        with self._lock:
            self._rows += np.array(state["rows"], np.int64)
            self._right += np.array(state["right"], np.int64)
        self._confidences.add_state(state["confidences"])
        self._brier.add_state(state["brier"])

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._rows.sum())

    def bins(self) -> list[Bin]:
        """Return the bins, from the least confidence on."""
        return [self._bin(number) for number in range(len(self._rows))]

    def _bin(self, number: int) -> Bin:
        low, high = self._edges[number : number + 2].tolist()
        rows = int(self._rows[number])
        if not rows:
            return Bin(low, high, 0, None, None)
        confidence = self._confidences.total(number, rows)
        return Bin(low, high, rows, confidence, int(self._right[number]) / rows)

    def ece(self) -> float:
        """Return the expected calibration error; NaN of no rows."""
        if not self.rows:
            return math.nan
        return math.fsum(each.rows * each.gap for each in self.bins()) / self.rows

    def mce(self) -> float:
        """Return the maximum calibration error."""
        return max(each.gap for each in self.bins())

    def brier(self) -> float:
        """Return the Brier score; NaN of no rows."""
        return self._brier.total(self.rows) if self.rows else math.nan
