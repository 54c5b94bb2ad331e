"""The running loss of xent: rows in, one report out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.arrays import FloatArray, checked_temperature, narrowed, unrounded, wide
from softmax_cli.core.exact.double_double import factor
from softmax_cli.core.exact.rows import likeliest
from softmax_cli.core.exact.sums import ExactSum
from softmax_cli.core.loss.distributions import entropies_and_divergences
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.core.loss.reduction import ReducedLoss, Reduction
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import OnBadRow
from softmax_cli.losses.accuracy import Accuracy
from softmax_cli.losses.loss_rows import LossForm, LossRows, like_probabilities
from softmax_cli.losses.metric import Metric, Scored

if TYPE_CHECKING:
    from fractions import Fraction

# How many rows of infinite loss are named.
NAMED = 10
_COUNTED = ("rows", "divided", "infinite")


@dataclass
class RunningLoss:
    """How the losses are computed, and what they have come to so far.

    dtype    of the gradients
    tallies  what is counted beside the loss
    gradient_divisor  what the gradients are divided by; without it there are none
    """

    form: LossForm
    temperature: float
    reduction: Reduction
    base: str
    on_bad_row: OnBadRow
    dtype: np.dtype[Any]
    metrics: Sequence[Metric] = ()
    gradient_divisor: Fraction | float | None = None
    rows: int = 0
    divided: int = 0
    reduced: ReducedLoss = field(default_factory=ReducedLoss)
    accuracy: Accuracy = field(default_factory=Accuracy)
    infinite: int = 0
    infinite_rows: list[tuple[int, str]] = field(default_factory=list)
    _unlike_probabilities: bool = False
    _entropy: ExactSum = field(default_factory=ExactSum)
    _divergence: ExactSum = field(default_factory=ExactSum)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Check what can be checked before any row is read."""
        checked_temperature(self.temperature)

    def of(self, block: Block) -> tuple[FloatArray, FloatArray | None]:
        """Return the losses of a block's rows and add them to what is known, in any thread.

        With a `gradient_divisor`, the gradient of the reduced loss comes beside them.
        """
        rows = self.form.rows(block)
        if self.form.kind == "logits" and not self._unlike_probabilities:
            self._compare_with_probabilities(rows)
        labels = None if self.form.form == "distributions" else rows.labels()
        wants_largest = labels is not None or self.metrics
        largest = likeliest(rows.values) if wants_largest else None
        losses, gradients = self._losses_and_gradients(rows, largest)
        bad = np.isnan(rows.values[:, 0]) & rows.used
        if self.form.form == "distributions":
            self._add_entropies(rows, bad)
        if self.on_bad_row in ("nan", "zero") and bad.any():
            filling = np.nan if self.on_bad_row == "nan" else 0
            losses[bad] = filling
            if gradients is not None:
                gradients[bad] = filling
        self._note_infinite(block, losses)
        with self.lock:
            self.rows += len(losses)
            self.divided += rows.divided
        self.reduced.count(int(rows.used.sum()), rows.weights)
        self.reduced.add(losses)
        scored = Scored(block, rows, labels, largest, losses, rows.used & ~bad)
        for tally in (self.accuracy, *self.metrics):
            tally.add(scored)
        return losses, gradients

    def _losses_and_gradients(
        self, rows: LossRows, largest: NDArray[np.intp] | None
    ) -> tuple[FloatArray, FloatArray | None]:
        form, T, base = self.form, self.temperature, BASES[self.base]
        if self.gradient_divisor is None:
            losses = row_losses(
                rows.values,
                rows.targets,
                temperature=T,
                source=form.kind,
                base=base,
                largest=largest,
                weights=form.weights,
                samples=rows.samples,
            )
            return losses, None
        gradients = np.empty_like(rows.values, unrounded(self.dtype))
        losses = row_losses_and_gradients(
            rows.values,
            rows.targets,
            temperature=T,
            count=self.gradient_divisor,
            base=base,
            out=gradients,
            largest=largest,
            weights=form.weights,
            samples=rows.samples,
        )
        return losses, narrowed(gradients, self.dtype)

    def check(self, place: str) -> None:
        """Refuse a loss of no rows, or of rows that weigh nothing, once all are read."""
        if not self.reduced.used:
            problem = "every row is ignored, so there is no loss"
            raise InputError(problem, "--ignore-label must leave a row", place)
        if not self.reduced.divisor(self.reduction):
            problem = "no row weighs anything, so there is no mean loss"
            raise InputError(problem, "a row needs weights above 0", place)

    def loss(self) -> float | None:
        """Return the reduced loss; None if every row keeps its own, or none weighs anything."""
        is_one = self.reduction != "none" and self.reduced.divisor(self.reduction)
        return self.reduced.loss(self.reduction) if is_one else None

    def state(self) -> dict[str, Any]:
        """Return what the losses have come to as it is, so that JSON loses no digit of it."""
        return {
            **{name: getattr(self, name) for name in _COUNTED},
            "infinite_rows": self.infinite_rows,
            "unlike_probabilities": self._unlike_probabilities,
            **{name: part.state() for name, part in self._parts().items()},
            "accuracy": self.accuracy.state(),
            "tallies": [tally.state() for tally in self.metrics],
        }

    def add_state(self, state: dict[str, Any], first: int) -> None:
        """Add what the state of others tells, whose rows begin with this number."""
        rows = [(number + first, place) for number, place in state["infinite_rows"]]
        with self.lock:
            for name in _COUNTED:
                setattr(self, name, getattr(self, name) + state[name])
            self.infinite_rows = sorted([*self.infinite_rows, *rows])[:NAMED]
            self._unlike_probabilities |= state["unlike_probabilities"]
        for name, part in self._parts().items():
            part.add_state(state[name])
        for tally, told in zip(self.metrics, state["tallies"], strict=True):
            tally.add_state(told, first)
        self.accuracy.add_state(state["accuracy"], first)

    def _parts(self) -> dict[str, ReducedLoss | ExactSum]:
        return {
            "reduced": self.reduced,
            "entropy": self._entropy,
            "divergence": self._divergence,
        }

    def report(self) -> dict[str, object]:
        """Return the object of the command's contract."""
        report: dict[str, object] = {
            "command": "xent",
            "loss": self.loss(),
            "reduction": self.reduction,
            "base": self.base,
            "rows": self.rows,
            "used": self.reduced.used,
            "ignored": self.rows - self.reduced.used,
            "denominator": self.reduced.denominator(self.reduction),
            "perplexity": self.perplexity(),
            "accuracy": self.accuracy.share(self.reduced.used),
        }
        if self.form.kind == "logits":
            report["temperature"] = self.temperature
        if self.form.form == "distributions":
            report["entropy"], report["kl_divergence"] = self.entropies()
        for tally in self.metrics:
            report |= tally.report()
        return report

    def entropies(self) -> tuple[float, float]:
        """Return the entropy of p and the divergence KL(p||q), reduced as the loss is."""
        divisor = self.reduced.divisor(self.reduction)
        if not divisor:
            return math.nan, math.nan
        return self._entropy.total(divisor), self._divergence.total(divisor)

    @property
    def are_like_probabilities(self) -> bool:
        """Whether all rows were taken as logits, and each looks like probabilities."""
        return self.form.kind == "logits" and bool(self.rows) and not self._unlike_probabilities

    def perplexity(self) -> float:
        """Return exp of the mean loss in nats; NaN if no row weighs anything."""
        if not self.reduced.divisor("mean"):
            return math.nan
        with np.errstate(over="ignore"):
            return float(np.exp(self.reduced.loss("mean") * factor(base=BASES[self.base]).high))

    def _add_entropies(self, rows: LossRows, bad: NDArray[np.bool_]) -> None:
        known = ~bad if self.on_bad_row == "zero" else np.ones(len(bad), bool)
        entropies, divergences = entropies_and_divergences(
            rows.targets[known],
            wide(rows.values[known]),
            base=BASES[self.base],
            weights=self.form.weights,
            samples=None if rows.samples is None else rows.samples[known],
        )
        self._entropy.add(entropies)
        self._divergence.add(divergences)

    def _compare_with_probabilities(self, rows: LossRows) -> None:
        """Note whether a row is not as probabilities are; it settles it, and often is the first."""
        used = np.flatnonzero(rows.used)
        first = used[:1]
        if first.size and not (
            like_probabilities(rows.values[first], self.form.dtypes)
            and like_probabilities(rows.values[used], self.form.dtypes)
        ):
            self._unlike_probabilities = True

    def _note_infinite(self, block: Block, losses: FloatArray) -> None:
        infinite = np.flatnonzero(np.isinf(losses))
        if infinite.size:
            named = [(block.number(int(row)), block.place(int(row))) for row in infinite[:NAMED]]
            with self.lock:
                self.infinite += infinite.size
                self.infinite_rows = sorted([*self.infinite_rows, *named])[:NAMED]
