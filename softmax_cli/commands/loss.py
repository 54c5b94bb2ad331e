"""The running loss of xent: rows in, one report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.options import BASES
from softmax_cli.core.arrays import FloatArray, checked_temperature, narrowed, unrounded, wide
from softmax_cli.core.cross_entropy import (
    Reduction,
    denominator,
    distribution_cross_entropy,
    kl_divergence,
)
from softmax_cli.core.row_losses import Source as Kind
from softmax_cli.core.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.core.rows import likeliest
from softmax_cli.core.sums import ExactSum, row_sums
from softmax_cli.core.twofold import LARGEST, factor
from softmax_cli.errors import InputError
from softmax_cli.formats.blocks import Block, OnBadRow

# A distribution typed with four digits still sums to 1 within this.
SUM_TOLERANCE = 1e-3
# How many rows of infinite loss are named.
NAMED = 10
UNITS = {"e": "nats", "2": "bits", "10": "decimal digits"}


@dataclass
class Losses:
    """How the losses are computed, and what they have come to so far.

    partner  how errors name what is paired with the values
    dtype    of the gradients
    gradient_divisor  the count that the gradients are divided by; without it there are none
    """

    form: Literal["distributions", "labels", "targets"]
    source: Kind
    temperature: float
    reduction: Reduction
    base: str
    normalize: bool
    on_bad_row: OnBadRow
    partner: str
    dtype: np.dtype[Any]
    gradient_divisor: float | None = None
    rows: int = 0
    correct: int = 0
    soft: bool = False
    infinite: int = 0
    infinite_rows: list[tuple[int, str]] = field(default_factory=list)
    unlike_probabilities: bool = False
    sum_: ExactSum = field(default_factory=ExactSum)
    entropy: ExactSum = field(default_factory=ExactSum)
    divergence: ExactSum = field(default_factory=ExactSum)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Check what can be checked before any row is read."""
        checked_temperature(self.temperature)

    def of(self, block: Block) -> tuple[FloatArray, FloatArray | None]:
        """Return the losses of a block's rows and add them to what is known, in any thread.

        With a `gradient_divisor`, the gradient of the reduced loss comes beside them.
        """
        gradients: FloatArray | None = None
        largest: NDArray[np.intp] | None = None
        values: FloatArray = block.values
        partner = np.asarray(block.partner)
        if self.form == "distributions":
            losses = self._of_distributions(block, wide(values), partner)
        else:
            if self.source == "probabilities":
                values = self._distribution(block, values, "probabilities")
            elif self.source == "log-probabilities":
                self._check_log_probabilities(block, wide(values))
            else:
                self._compare_with_probabilities(values)
            if self.form == "labels":
                wanted: NDArray[Any] = checked_labels(block, values.shape[-1])
                largest = likeliest(block.values)
                self._count_correct(block.values, largest, wanted)
            else:
                wanted = self._partner_distribution(block, partner, "the targets")
                if ((wanted == 0) | (wanted == 1)).all():
                    self._count_correct(block.values, likeliest(block.values), likeliest(wanted))
                else:
                    self.soft = True
            losses, gradients = self._losses_and_gradients(values, wanted, largest)
        if self.on_bad_row == "zero":
            bad = np.isnan(losses)
            losses[bad] = 0
            if gradients is not None:
                gradients[bad] = 0
        self._note_infinite(block, losses)
        with self.lock:
            self.rows += len(losses)
        self.sum_.add(losses)
        return losses, gradients

    def _losses_and_gradients(
        self, values: FloatArray, wanted: NDArray[Any], largest: NDArray[np.intp] | None
    ) -> tuple[FloatArray, FloatArray | None]:
        T, base = self.temperature, BASES[self.base]
        if self.gradient_divisor is None:
            losses = row_losses(
                values, wanted, temperature=T, source=self.source, base=base, largest=largest
            )
            return losses, None
        gradients = np.empty_like(values, unrounded(self.dtype))
        losses = row_losses_and_gradients(
            values,
            wanted,
            temperature=T,
            count=self.gradient_divisor,
            base=base,
            out=gradients,
            largest=largest,
        )
        return losses, narrowed(gradients, self.dtype)

    def loss(self) -> float | None:
        """Return the reduced loss; None if every row keeps its own."""
        if self.reduction == "none":
            return None
        return self.sum_.total(denominator(self.rows, self.reduction))

    def report(self) -> dict[str, object]:
        """Return the object of the command's contract."""
        mean = self.sum_.total(self.rows)
        with np.errstate(over="ignore"):
            perplexity = float(np.exp(mean * factor(base=BASES[self.base]).high))
        no_accuracy = self.soft or self.form == "distributions"
        report: dict[str, object] = {
            "command": "xent",
            "loss": self.loss(),
            "reduction": self.reduction,
            "base": self.base,
            "rows": self.rows,
            "used": self.rows,
            "ignored": 0,
            "denominator": denominator(self.rows, self.reduction),
            "perplexity": perplexity,
            "accuracy": None if no_accuracy else self.correct / self.rows,
        }
        if self.form == "distributions":
            divisor = denominator(self.rows, self.reduction)
            report["entropy"] = self.entropy.total(divisor)
            report["kl_divergence"] = self.divergence.total(divisor)
        return report

    def _of_distributions(self, block: Block, q: FloatArray, p: NDArray[Any]) -> FloatArray:
        q = self._distribution(block, q, "q")
        p = self._partner_distribution(block, p, "p")
        base = BASES[self.base]
        known = ~np.isnan(q).any(axis=-1) if self.on_bad_row == "zero" else slice(None)
        self.entropy.add(distribution_cross_entropy(p[known], p[known], base=base))
        self.divergence.add(kl_divergence(p[known], q[known], base=base))
        return distribution_cross_entropy(p, q, base=base)

    def _distribution(self, block: Block, values: NDArray[Any], name: str) -> FloatArray:
        """Return the values as rows that sum to 1; a NaN is here by --on-bad-row alone."""
        remedy = "--normalize divides by the sum"
        if name == "probabilities":
            remedy += ", --from says what the values are"
        return self._summing_to_1(values, name, block.place, remedy, may_be_nan=True)

    def _partner_distribution(self, block: Block, rows: NDArray[Any], name: str) -> FloatArray:
        """Return the partner's rows as rows that sum to 1."""

        def place(row: int) -> str:
            return f"{self.partner}: row {block.start + row}"

        remedy = "--normalize divides by the sum"
        return self._summing_to_1(rows, name, place, remedy, may_be_nan=False)

    def _summing_to_1(
        self,
        values: NDArray[Any],
        name: str,
        place: Callable[[int], str],
        remedy: str,
        *,
        may_be_nan: bool,
    ) -> FloatArray:
        rows = wide(values)
        negative = (rows < 0).any(axis=-1)
        if negative.any():
            row = int(negative.argmax())
            raise InputError(f"{name} with a negative entry", "they are 0 or more", place(row))
        if self.normalize and (rows > LARGEST).any():
            rows = np.where((rows > LARGEST).any(axis=-1, keepdims=True), rows / LARGEST, rows)
        sums = row_sums(rows)[:, 0]
        right = (
            (sums > 0) & np.isfinite(sums) if self.normalize else np.abs(sums - 1) <= SUM_TOLERANCE
        )
        wrong = ~right & ~(np.isnan(sums) & may_be_nan)
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(f"{name} with the sum {sums[row]:.6g}, not 1", remedy, place(row))
        return rows / sums[:, None] if self.normalize else rows

    def _check_log_probabilities(self, block: Block, values: FloatArray) -> None:
        with np.errstate(over="ignore"):
            sums = np.exp(values).sum(axis=-1)
        wrong = np.abs(sums - 1) > SUM_TOLERANCE
        if wrong.any():
            row = int(wrong.argmax())
            problem = f"log-probabilities whose exponentials sum to {sums[row]:.6g}, not to 1"
            raise InputError(problem, "--from says what the values are", block.place(row))

    def _count_correct(
        self, values: FloatArray, largest: NDArray[np.intp], labels: NDArray[Any]
    ) -> None:
        """Count the rows whose label is the likeliest class, of several the first."""
        right = (largest == labels) & ~np.isnan(values[:, 0])
        with self.lock:
            self.correct += int(right.sum())

    def _compare_with_probabilities(self, values: FloatArray) -> None:
        """Note whether a row is not as probabilities are; it settles it, and often is the first."""
        if self.unlike_probabilities:
            return
        if not (_like_probabilities(values[:1]) and _like_probabilities(values)):
            self.unlike_probabilities = True

    def _note_infinite(self, block: Block, losses: FloatArray) -> None:
        infinite = np.flatnonzero(np.isinf(losses))
        if infinite.size:
            named = [(block.start + int(row), block.place(int(row))) for row in infinite[:NAMED]]
            with self.lock:
                self.infinite += infinite.size
                self.infinite_rows = sorted([*self.infinite_rows, *named])[:NAMED]


def checked_labels(block: Block, classes: int) -> NDArray[np.intp]:
    """Return a block's labels as class numbers; one that is no class is named by its row."""
    labels = np.asarray(block.partner)[:, 0]
    outside = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"its label is {labels[row]:g}, which is no class",
            f"labels are whole numbers from 0 to {classes - 1}",
            block.place(row),
        )
    return labels.astype(np.intp)


def _like_probabilities(values: FloatArray) -> bool:
    """Tell whether all rows are probabilities rather than logits: in 0..1, with the sum 1."""
    within = ((values >= 0) & (values <= 1)).all()
    return bool(within and (np.abs(values.sum(axis=-1) - 1) < SUM_TOLERANCE).all())
