"""A row and what it is compared with, as its explanation takes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.row_losses import Source
from softmax_cli.core.loss.weights import Weights
from softmax_cli.core.softmax.softmax import log_softmax
from softmax_cli.explain.row import Row


@dataclass(frozen=True, eq=False)
class LossRow:
    """A row and what it is compared with.

    row      its values, logits or not; the T of others is 1
    kind     what the values are
    form     what they are compared with
    targets  (1,) a label or (1, classes) a distribution
    sample   its weight s, if it has one
    label    of one-hot targets
    base     of logarithms: its name and the number
    loss     what the row has come to, weighted and in the base; None if it is ignored
    divided  whether distributions are divided by their sums
    """

    row: Row
    kind: Source
    form: Literal["labels", "targets", "distributions"]
    targets: NDArray[Any]
    weights: Weights
    sample: float | None
    label: int | None
    base: tuple[str, float]
    loss: float | None
    divided: bool = False

    @property
    def samples(self) -> Rows | None:
        """The sample weight as an array (1,)."""
        return None if self.sample is None else np.array([self.sample])

    @cached_property
    def Y(self) -> Rows:  # noqa: N802
        """The targets as a distribution, (classes,)."""
        if self.targets.ndim == 1:
            one_hot: Rows = np.eye(1, self.row.classes, int(self.targets[0]))[0]
            return one_hot
        result: Rows = np.asarray(self.targets[0], np.float64)
        return result

    @cached_property
    def logarithms(self) -> Rows:
        """The natural logarithms of the probabilities, (classes,)."""
        if self.kind == "logits":
            return np.asarray(log_softmax(self.row.logits, temperature=self.row.T), np.float64)
        if self.kind == "log-probabilities":
            return self.row.logits
        with np.errstate(divide="ignore"):
            result: Rows = np.log(self.row.logits)
            return result

    @cached_property
    def smoothed(self) -> Rows:
        """The targets after smoothing, (classes,): Y'."""
        result: Rows = self.weights.smoothed(self.Y[None, :])[0]
        return result

    @cached_property
    def weighted(self) -> Rows:
        """What each logarithm is multiplied by, (classes,): s w Y'."""
        w = 1.0 if self.weights.of_classes is None else self.weights.of_classes
        result: Rows = self.smoothed * w * (1.0 if self.sample is None else self.sample)
        return result

    @cached_property
    def in_mean(self) -> float:
        """What the row weighs in a mean: s, and for a label times w of its class."""
        parts = self.weights.of_rows(self.targets, self.samples)
        return 1.0 if parts is None else float(parts[0][0])

    @property
    def is_plain(self) -> bool:
        """Whether nothing is weighted or smoothed."""
        return self.sample is None and not self.has_class_terms

    @property
    def has_class_terms(self) -> bool:
        """Whether the terms of a sum have weights of their own."""
        return self.weights.of_classes is not None or self.weights.smoothing > 0
