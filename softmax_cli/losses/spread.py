"""Counts rows by their confidence, and by their loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.row_losses import Source as Kind
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.histogram import Histogram
from softmax_cli.losses.metric import Metric, Scored, needed_labels

FEWEST_ROWS = 8


class Reliability(Metric):
    """Counts rows by confidence."""

    def __init__(self, bins: int, kind: Kind, temperature: float, *, is_asked: bool = True) -> None:
        """Start with no row; soft targets are an error only if this `is_asked` for."""
        self.calibration = Calibration(bins)
        self.is_asked = is_asked
        self._kind, self._temperature = kind, temperature
        self._is_soft = False

    def add(self, scored: Scored) -> None:
        """Count a block."""
        if scored.labels is None and not self.is_asked:
            self._is_soft = True
            return
        labels = needed_labels(scored, "--calibration")
        counted = scored.counted
        predicted = np.asarray(scored.predicted)[counted]
        P = self._probabilities(scored.rows.chosen(counted).values)
        self.calibration.add(P, labels[counted], predicted)

    @property
    def ece(self) -> float | None:
        """The expected calibration error; None with soft targets."""
        return None if self._is_soft else self.calibration.ece()

    def _probabilities(self, values: FloatArray) -> Rows:
        if self._kind == "logits":
            return wide(softmax(wide(values), temperature=self._temperature))
        return np.exp(wide(values)) if self._kind == "log-probabilities" else wide(values).copy()

    def report(self) -> dict[str, object]:
        """Return the scores and the bins, if they are asked for."""
        if not self.is_asked:
            return {}
        calibration = self.calibration
        keys = ("low", "high", "rows", "confidence", "accuracy")
        return {
            "calibration": {
                "bins": len(calibration.bins()),
                "ece": calibration.ece(),
                "mce": calibration.mce(),
                "brier": calibration.brier(),
                "reliability": [dict(zip(keys, each, strict=True)) for each in calibration.bins()],
            }
        }

    def state(self) -> dict[str, Any]:
        """Return the counts and sums."""
        return {"calibration": self.calibration.state(), "is_soft": self._is_soft}

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts and sums."""
        self.calibration.add_state(state["calibration"])
        self._is_soft |= state["is_soft"]


class LossHistogram(Metric):
    """Counts the losses of rows by their size."""

    def __init__(self, *, is_asked: bool) -> None:
        """Start with no row; reports for programs have it only if this `is_asked` for."""
        self.losses = Histogram()
        self._is_asked = is_asked

    @property
    def is_shown(self) -> bool:
        """Whether a table shows it: unless it is asked for, fewer rows are seen one by one."""
        return self.losses.count >= (1 if self._is_asked else FEWEST_ROWS)

    def add(self, scored: Scored) -> None:
        """Count a block."""
        self.losses.add(scored.losses[scored.counted])

    def report(self) -> dict[str, object]:
        """Return an object a bin."""
        if not self._is_asked:
            return {}
        keys = ("low", "high", "rows")
        return {"histogram": [dict(zip(keys, each, strict=True)) for each in self.losses.bins()]}

    def state(self) -> dict[str, Any]:
        """Return the counts."""
        return self.losses.state()

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts."""
        self.losses.add_state(state)
