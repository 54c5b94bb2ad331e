"""A row, what it is compared with, and its loss."""

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
    """A row, what it is compared with, and its loss.

    row      its values; T is 1 unless they are logits
    kind     what the values are
    form     what they are compared with
    targets  (1,) a label or (1, classes) a distribution
    samples  (1,) the sample weight s, if there is one
    label    of one-hot targets
    base     of logarithms: its name and the number
    loss     of the row, weighted and in the base; None if the row is ignored
    divided  whether distributions are divided by their sums
    """

    row: Row
    kind: Source
    form: Literal["labels", "targets", "distributions"]
    targets: NDArray[Any]
    weights: Weights
    samples: Rows | None
    label: int | None
    base: tuple[str, float]
    loss: float | None
    divided: bool

    @property
    def symbols(self) -> tuple[str, str]:
        """The targets and the probabilities in formulas."""
        return ("p", "q") if self.form == "distributions" else ("Y", "P")

    @property
    def s(self) -> str:
        """The sample weight in formulas, if there is one."""
        return "" if self.samples is None else "s "

    @property
    def w(self) -> str:
        """The class weights in formulas, if there are any."""
        return "" if self.weights.of_classes is None else "w(k) "

    @property
    def target(self) -> str:
        """A target in formulas, with a prime if it is smoothed."""
        return self.symbols[0] + ("'(k)" if self.weights.smoothing else "(k)")

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
        """The factors of the logarithms, (classes,): s w Y'."""
        w = 1.0 if self.weights.of_classes is None else self.weights.of_classes
        result: Rows = self.smoothed * w * (1.0 if self.samples is None else self.samples[0])
        return result

    @property
    def is_plain(self) -> bool:
        """True if nothing is weighted or smoothed."""
        return self.samples is None and not self.has_class_terms

    @property
    def is_one_term(self) -> bool:
        """True if the sum has one term, that of the label."""
        return self.label is not None and not self.has_class_terms

    @property
    def has_class_terms(self) -> bool:
        """True if classes are weighted or targets are smoothed."""
        return self.weights.of_classes is not None or self.weights.smoothing > 0
