"""How far the confidence of probabilities is from their accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.sums import ExactSum, GroupedSums
from softmax_cli.core.loss.scores import scores_of_logits, scores_of_probabilities
from softmax_cli.losses.metric import Metric, Scored, needed_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ConfidenceBin(NamedTuple):
    """The rows with a confidence above `low` and up to `high`; None where there is no row."""

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None

    @property
    def gap(self) -> float:
        """The distance between mean confidence and accuracy."""
        if self.confidence is None or self.accuracy is None:
            return 0.0
        return abs(self.accuracy - self.confidence)


@dataclass
class Calibration(Metric):
    """Counts rows by confidence, the probability of the likeliest class.

        ECE = sum_b (n_b / n) |accuracy_b - confidence_b|,  MCE = max_b |accuracy_b - confidence_b|
        Brier = (1 / n) sum_i sum_k (P_i(k) - Y_i(k))^2, from 0 to 2

    over B bins of equal width, the b-th of confidences above (b - 1) / B and up to b / B, with
    confidence_b and accuracy_b the means of its n_b rows, unweighted.

    asked_by           the option that asks for it; "" if none, soft targets are then no error
    source             ECE and MCE: Naeini et al. 2015, Guo et al. 2017; the score: Brier 1950

    >>> P = np.array([[0.75, 0.25], [0.75, 0.25]])
    >>> empty = Calibration.empty(2)
    >>> calibration = empty.of_probabilities(P, np.array([0, 1]), np.array([0, 0]))
    >>> calibration.ece(), calibration.mce(), calibration.brier()
    (0.25, 0.25, 0.625)
    """

    asked_by: str
    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    confidences: GroupedSums
    squares: ExactSum
    is_soft: bool = False
    merged = ("rows", "right", "confidences", "squares", "is_soft")

    @classmethod
    def empty(cls, bins: int, asked_by: str = "--calibration") -> Calibration:
        """Return the counts of no row in so many bins."""
        zeros = np.zeros(bins, np.int64)
        return cls(asked_by, zeros, zeros.copy(), GroupedSums(bins), ExactSum())

    def of(self, scored: Scored) -> Calibration:
        if scored.labels is None and not self.asked_by:
            return replace(self.empty(len(self.rows), ""), is_soft=True)
        counted, labels = scored.counted, needed_labels(scored, self.asked_by)
        predicted = np.asarray(scored.predicted)[counted]
        kind, values = scored.settings.kind, scored.rows.chosen(counted).values
        labels = labels[counted]
        if kind == "logits":
            scores = scores_of_logits(values, labels, predicted, scored.settings.temperature)
            return self._of_scores(*scores, predicted == labels)
        values = wide(values)
        P = np.exp(values) if kind == "log-probabilities" else values.copy()
        return self.of_probabilities(P, labels, predicted)

    def of_probabilities(
        self, P: Rows, labels: NDArray[np.intp], likeliest: NDArray[np.intp]
    ) -> Calibration:
        """Count rows by their probabilities P, which are changed, labels and likeliest classes."""
        scores = scores_of_probabilities(P, labels, likeliest)
        return self._of_scores(*scores, likeliest == labels)

    def _of_scores(
        self, confidences: Rows, squares: Rows, are_right: NDArray[np.bool_]
    ) -> Calibration:
        bins = len(self.rows)
        found = self.empty(bins, self.asked_by)
        of = np.searchsorted(self._edges[1:-1], confidences, side="left")
        found.rows = np.bincount(of, minlength=bins)
        found.right = np.bincount(of[are_right], minlength=bins)
        found.confidences.add(confidences, of)
        found.squares.add(squares)
        return found

    @property
    def _edges(self) -> NDArray[np.float64]:
        bins = len(self.rows)
        return np.arange(bins + 1) / bins

    def state(self) -> dict[str, Any]:
        state = super().state()
        is_soft, brier = state.pop("is_soft"), state.pop("squares")
        return {"calibration": state | {"brier": brier}, "is_soft": is_soft}

    def from_state(self, state: dict[str, Any], first: int = 0) -> Calibration:
        counts = state["calibration"]
        flat = counts | {"squares": counts["brier"], "is_soft": state["is_soft"]}
        return super().from_state(flat, first)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.rows.sum())

    def bins(self) -> list[ConfidenceBin]:
        """Return the bins, from the least confidence on."""
        edges = self._edges.tolist()
        bins = []
        for number, (low, high) in enumerate(pairwise(edges)):
            rows, right = int(self.rows[number]), int(self.right[number])
            confidence = self.confidences.total(number, rows) if rows else None
            bins.append(ConfidenceBin(low, high, rows, confidence, right / rows if rows else None))
        return bins

    def ece(self) -> float:
        """Return the expected calibration error; NaN of no rows."""
        if not self.count:
            return math.nan
        return math.fsum(each.rows * each.gap for each in self.bins()) / self.count

    def mce(self) -> float:
        """Return the maximum calibration error."""
        return max(each.gap for each in self.bins())

    def brier(self) -> float:
        """Return the Brier score; NaN of no rows."""
        return self.squares.total(self.count) if self.count else math.nan

    def report(self) -> dict[str, object]:
        if not self.asked_by:
            return {}
        return {
            "calibration": {
                "bins": len(self.rows),
                "ece": self.ece(),
                "mce": self.mce(),
                "brier": self.brier(),
                "reliability": [each._asdict() for each in self.bins()],
            }
        }

    def figures(self) -> dict[str, float | None]:
        if not self.asked_by:
            return {}
        scores = {"ece": self.ece, "mce": self.mce, "brier": self.brier}
        return {key: score() if self.count else None for key, score in scores.items()}
