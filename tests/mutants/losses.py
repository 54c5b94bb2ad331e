"""Cross-entropy of rows of logits, by the formula alone, and gradients of it in any type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tests.mutants.cases import Array, Random
from tests.mutants.dtypes import Rounding

IGNORED = -100
Reduction = Literal["mean", "batch-mean", "sum", "none"]


def _unrounded(values: Array) -> Array:
    return values


@dataclass(frozen=True)
class Loss:
    """The cross-entropy of some rows, as `xent --help` has it.

    labels          (rows,), IGNORED for a row that is left out; None with soft targets
    soft            (rows, classes), or None
    class_weights   (classes,), or None for 1
    sample_weights  (rows,), or None for 1
    masked          a class that leaves the denominator
    """

    classes: int
    labels: Array | None = None
    soft: Array | None = None
    temperature: float = 1.0
    smoothing: float = 0.0
    class_weights: Array | None = None
    sample_weights: Array | None = None
    masked: int | None = None
    reduction: Reduction = "mean"
    base: float = np.e

    @cached_property
    def used(self) -> Array:
        """Which rows count."""
        if self.labels is None:
            return np.ones(len(self.rows), bool)
        return np.not_equal(self.labels, IGNORED)

    @property
    def rows(self) -> Array:
        """The labels, or the targets: something of each row."""
        given = self.soft if self.labels is None else self.labels
        assert given is not None
        return given

    @cached_property
    def kept(self) -> Array:
        """Which classes are not masked."""
        kept: Array = np.arange(self.classes) != (-1 if self.masked is None else self.masked)
        return kept

    @cached_property
    def targets(self) -> Array:
        """Targets with smoothing and class weights: what multiplies -log P, (rows, classes)."""
        if self.labels is None:
            Y = np.asarray(self.soft)
        else:
            Y = np.eye(self.classes)[np.where(self.used, self.labels, 0)]
        Y = (1 - self.smoothing) * Y + self.smoothing * self.kept / self.kept.sum()
        weighted: Array = Y if self.class_weights is None else Y * self.class_weights
        return weighted

    @cached_property
    def row_weights(self) -> Array:
        """What multiplies the loss of each row in the reduced one."""
        weights = self.used * (1.0 if self.sample_weights is None else self.sample_weights)
        in_mean = weights
        if self.labels is not None and self.class_weights is not None:
            in_mean = weights * self.class_weights[np.where(self.used, self.labels, 0)]
        divisors = {"mean": in_mean.sum(), "batch-mean": self.used.sum()}
        result: Array = weights / divisors.get(self.reduction, 1.0) / np.log(self.base)
        return result

    def value(self, flat: Array) -> float:
        """Return the reduced loss of the flattened logits."""
        z = flat.reshape(-1, self.classes)[:, self.kept] / self.temperature
        z -= z.max(axis=1, keepdims=True)
        z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
        return float(-(self._kept_targets * z).sum())

    @cached_property
    def _kept_targets(self) -> Array:
        weighted: Array = self.row_weights[:, None] * self.targets[:, self.kept]
        return weighted

    def probabilities(self, logits: Array, rounded: Rounding = _unrounded) -> Array:
        """Return P, each step of which is rounded."""
        z = np.where(self.kept, rounded(logits / self.temperature), -np.inf)
        exponentials = rounded(np.exp(rounded(z - z.max(axis=-1, keepdims=True))))
        return rounded(exponentials / rounded(exponentials.sum(axis=-1, keepdims=True)))

    def gradient(self, logits: Array, rounded: Rounding = _unrounded) -> Array:
        """Return d loss / d logits, (rows, classes), each step of which is rounded."""
        P, Y = self.probabilities(logits, rounded), rounded(self.targets)
        difference = rounded(P * rounded(Y.sum(axis=-1, keepdims=True)) - Y)
        return rounded(difference * self.row_weights[:, None] / self.temperature)


Family = Callable[[Random], tuple[Loss, Array]]


def rows_of(
    rows: int = 6,
    classes: int = 5,
    *,
    spread: float = 2.0,
    soft: bool = False,
    smoothing: float = 0.0,
    temperature: float = 1.0,
    class_weights: bool = False,
    sample_weights: bool = False,
    ignored: bool = False,
    masked: bool = False,
    reduction: Reduction = "mean",
    base: float = np.e,
) -> Family:
    """Return what draws logits and a loss of them with these settings.

    The first two rows are those that are ignored; the last class is the masked one.
    """

    def draw(random: Random) -> tuple[Loss, Array]:
        labels = random.integers(classes - masked, size=rows)
        labels[:2] = IGNORED if ignored else labels[:2]
        targets = random.dirichlet(np.ones(classes), size=rows)
        loss = Loss(
            classes,
            None if soft else labels,
            targets if soft else None,
            temperature,
            smoothing,
            random.uniform(0.2, 3, classes) if class_weights else None,
            random.uniform(0.2, 3, rows) if sample_weights else None,
            classes - 1 if masked else None,
            reduction,
            base,
        )
        return loss, spread * random.standard_normal((rows, classes))

    return draw


def off_label(probability: float, rows: int = 6, classes: int = 5) -> Family:
    """Return rows of which one has an off-label class of this probability, the smallest entry."""

    def draw(random: Random) -> tuple[Loss, Array]:
        labels = random.integers(classes, size=rows)
        logits = random.uniform(-1, 1, (rows, classes))
        row = int(random.integers(rows))
        other = (int(labels[row]) + 1) % classes
        logits[row, other] = np.log(probability) + np.log(classes)
        return Loss(classes, labels), logits

    return draw


def confident(gap: float, *, right: bool = True, rows: int = 4, classes: int = 5) -> Family:
    """Return rows whose label, or another class, leads by a gap."""

    def draw(random: Random) -> tuple[Loss, Array]:
        labels = random.integers(classes, size=rows)
        logits = random.standard_normal((rows, classes))
        logits[np.arange(rows), labels if right else (labels + 1) % classes] += gap
        return Loss(classes, labels), logits

    return draw


def with_offset(offset: float) -> Family:
    """Return rows whose logits are all large."""

    def draw(random: Random) -> tuple[Loss, Array]:
        loss, logits = rows_of()(random)
        return loss, logits + offset

    return draw


def low_weight(random: Random) -> tuple[Loss, Array]:
    """Return rows of which the first weighs a millionth of the others."""
    loss, logits = rows_of(sample_weights=True)(random)
    assert loss.sample_weights is not None
    loss.sample_weights[0] = 1e-6
    return loss, logits
