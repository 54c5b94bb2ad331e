"""The running loss of xent: rows in, one report out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, narrowed, unrounded, wide
from softmax_cli.core.exact.double_double import factor
from softmax_cli.core.exact.mergeable import Mergeable
from softmax_cli.core.exact.rows import likeliest
from softmax_cli.core.exact.sums import ExactSum
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.core.loss.two_classes import by_number
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.distributions import like_probabilities
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.metric import Accuracy, Metric, Scored
from softmax_cli.losses.settings import LossSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many rows of infinite loss are named.
NAMED = 10


@dataclass
class RunningLoss(Mergeable):
    """Sums and counts of the rows so far.

    divided               distributions that were divided by their sum
    infinite              rows of infinite loss
    infinite_rows         (number, place) of the first of them
    unlike_probabilities  whether a row taken as logits does not look like probabilities
    """

    settings: LossSettings
    metrics: Sequence[Metric] = ()
    rows: int = 0
    divided: int = 0
    infinite: int = 0
    infinite_rows: list[tuple[int, str]] = field(default_factory=list)
    unlike_probabilities: bool = False
    reduced: ReducedLoss = field(default_factory=ReducedLoss)
    entropy: ExactSum = field(default_factory=ExactSum)
    divergence: ExactSum = field(default_factory=ExactSum)
    accuracy: Accuracy = field(default_factory=Accuracy)
    merged = (
        "rows",
        "divided",
        "infinite",
        "infinite_rows",
        "unlike_probabilities",
        "reduced",
        "entropy",
        "divergence",
        "accuracy",
    )

    def of(self, block: Block) -> tuple[FloatArray, FloatArray | None, RunningLoss]:
        """Return the losses of a block, their gradients if any, and the counts; in any thread."""
        settings, on_bad_row = self.settings, self.settings.on_bad_row
        rows = settings.rows(block)
        labels = rows.labels() if settings.form in ("labels", "targets") else None
        wants_largest = labels is not None or self.metrics
        largest = rows.likeliest
        if largest is None and wants_largest:
            largest = likeliest(rows.values)
        losses, gradients = self._losses_and_gradients(rows, largest)
        bad = np.zeros(len(losses), bool)
        if on_bad_row in ("nan", "zero"):
            bad = np.isnan(rows.values[:, 0]) & rows.used
        if bad.any():
            for results in (losses, gradients):
                if results is not None:
                    results[bad] = np.nan if on_bad_row == "nan" else 0
        scored = Scored(settings, block, rows, labels, largest, losses, rows.used & ~bad)
        are_infinite = np.isinf(losses)
        infinite = np.flatnonzero(are_infinite).tolist() if are_infinite.any() else []
        found = RunningLoss(
            settings,
            [metric.of(scored) for metric in self.metrics],
            rows=len(losses),
            divided=rows.divided,
            infinite=len(infinite),
            infinite_rows=[(block.number(row), block.place(row)) for row in infinite[:NAMED]],
            unlike_probabilities=_unlike_probabilities(rows, settings),
            accuracy=self.accuracy.of(scored),
        )
        found.reduced.count(int(np.count_nonzero(rows.used)), rows.weights)
        found.reduced.losses.add(losses)
        if rows.p is not None:
            from softmax_cli.core.loss.distributions import entropies_and_divergences

            known = ~bad if on_bad_row == "zero" else np.ones(len(bad), bool)
            entropies, divergences = entropies_and_divergences(
                rows.p[known],
                wide(rows.values[known]),
                source=settings.kind,
                temperature=settings.temperature,
                base=BASES[settings.base],
                weights=settings.weights,
                samples=None if rows.samples is None else rows.samples[known],
            )
            found.entropy.add(entropies)
            found.divergence.add(divergences)
        return losses, gradients, found

    def _losses_and_gradients(
        self, rows: LossRows, largest: NDArray[np.intp] | None
    ) -> tuple[FloatArray, FloatArray | None]:
        settings = self.settings
        values, divisor = rows.values, settings.gradient_divisor
        shared: dict[str, Any] = {
            "temperature": settings.temperature,
            "base": BASES[settings.base],
            "largest": largest,
            "weights": settings.weights,
            "samples": rows.samples,
        }
        if divisor is None:
            values, kind = settings.for_losses(values)
            return row_losses(values, rows.targets, source=kind, **shared), None
        dtype = settings.dtypes[-1]
        out = np.empty_like(values, unrounded(dtype))
        losses = row_losses_and_gradients(values, rows.targets, count=divisor, out=out, **shared)
        gradients = narrowed(out, dtype)
        return losses, gradients if settings.column is None else by_number(gradients)

    def merge(self, other: RunningLoss) -> None:
        super().merge(other)
        self.infinite_rows = sorted(self.infinite_rows)[:NAMED]
        for metric, others in zip(self.metrics, other.metrics, strict=True):
            metric.merge(others)

    def state(self) -> dict[str, Any]:
        return super().state() | {"tallies": [metric.state() for metric in self.metrics]}

    def from_state(self, state: dict[str, Any], first: int = 0) -> RunningLoss:
        each = zip(self.metrics, state["tallies"], strict=True)
        return replace(
            super().from_state(state, first),
            infinite_rows=[(number + first, place) for number, place in state["infinite_rows"]],
            metrics=[metric.from_state(found, first) for metric, found in each],
        )

    def check(self, place: str) -> None:
        """Refuse a loss of no rows, or of rows whose weights are all 0, once all are read."""
        if not self.reduced.used:
            raise every_row_is_ignored(place, entries=self.settings.form == "entries")
        if not self.reduced.divisor(self.settings.reduction):
            problem = "every weight is 0, so there is no mean loss"
            raise InputError(problem, "at least one row needs a weight above 0", place)

    def loss(self) -> float | None:
        """Return the reduced loss; None if every row keeps its own, or all weights are 0."""
        reduction = self.settings.reduction
        is_one = reduction != "none" and self.reduced.divisor(reduction)
        return self.reduced.loss(reduction) if is_one else None

    def report(self) -> dict[str, object]:
        """Return the JSON object of the command."""
        settings, used = self.settings, self.reduced.used
        report: dict[str, object] = {
            "command": "xent",
            "loss": self.loss(),
            "reduction": settings.reduction,
            "base": settings.base,
            "rows": self.rows,
            "used": used,
            "ignored": self.rows - used,
            "denominator": self.reduced.denominator(settings.reduction),
            "perplexity": self.perplexity(),
            "accuracy": self.accuracy.share(used),
        }
        if settings.kind == "logits":
            report["temperature"] = settings.temperature
        if settings.form == "distributions":
            report["entropy"], report["kl_divergence"] = self.entropies()
        for metric in self.metrics:
            report |= metric.report()
        return report

    def entropies(self) -> tuple[float, float]:
        """Return the entropy of p and the divergence KL(p||q), reduced as the loss is."""
        divisor = self.reduced.divisor(self.settings.reduction)
        if not divisor:
            return math.nan, math.nan
        return self.entropy.total(divisor), self.divergence.total(divisor)

    @property
    def are_like_probabilities(self) -> bool:
        """Whether all rows were taken as logits, and each looks like probabilities."""
        is_of_logits = self.settings.kind == "logits"
        return is_of_logits and bool(self.rows) and not self.unlike_probabilities

    def perplexity(self) -> float:
        """Return exp of the mean loss in nats; NaN if all weights are 0."""
        if not self.reduced.divisor("mean"):
            return math.nan
        to_nats = factor(base=BASES[self.settings.base]).high
        with np.errstate(over="ignore"):
            return float(np.exp(self.reduced.loss("mean") * to_nats))


def _unlike_probabilities(rows: LossRows, settings: LossSettings) -> bool:
    """Return true if a row of logits does not look like probabilities; often the first one."""
    if settings.kind != "logits" or not rows.used.any():
        return False
    if settings.column is not None:
        numbers = rows.values[rows.used, 1]
        return not ((numbers >= 0) & (numbers <= 1)).all()
    first = [int(rows.used.argmax())]
    return not all(like_probabilities(rows.values[i], settings.dtypes) for i in (first, rows.used))


def every_row_is_ignored(place: str, *, entries: bool = False) -> InputError:
    """Return the error of a loss whose rows are all ignored."""
    problem = "every row is ignored, so there is no loss"
    if entries:
        return InputError("every log-probability is missing", "give at least one", place)
    return InputError(problem, "--ignore-label must leave a row", place)
