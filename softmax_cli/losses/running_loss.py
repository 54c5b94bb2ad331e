"""The running loss of xent: rows in, one report out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

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
from softmax_cli.losses.distributions import like_probabilities
from softmax_cli.losses.loss_rows import LossForm, LossRows
from softmax_cli.losses.metric import Mergeable, Metric, Scored

if TYPE_CHECKING:
    from fractions import Fraction

# How many rows of infinite loss are named.
NAMED = 10


@dataclass(frozen=True)
class LossSettings:
    """How the losses of rows are computed and reduced.

    dtype             of the gradients
    gradient_divisor  what the gradients are divided by; None if there are none
    """

    form: LossForm
    temperature: float
    reduction: Reduction
    base: str
    on_bad_row: OnBadRow
    dtype: np.dtype[Any]
    gradient_divisor: Fraction | float | None = None

    def __post_init__(self) -> None:
        """Check the temperature before any row is read."""
        checked_temperature(self.temperature)

    def losses_and_gradients(
        self, rows: LossRows, largest: NDArray[np.intp] | None
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the loss of each row and, if there is a divisor, the gradient.

        largest  (rows,) the likeliest classes, if they are known
        """
        if self.gradient_divisor is None:
            losses = row_losses(
                rows.values,
                rows.targets,
                temperature=self.temperature,
                source=self.form.kind,
                base=BASES[self.base],
                largest=largest,
                weights=self.form.weights,
                samples=rows.samples,
            )
            return losses, None
        gradients = np.empty_like(rows.values, unrounded(self.dtype))
        losses = row_losses_and_gradients(
            rows.values,
            rows.targets,
            temperature=self.temperature,
            count=self.gradient_divisor,
            base=BASES[self.base],
            out=gradients,
            largest=largest,
            weights=self.form.weights,
            samples=rows.samples,
        )
        return losses, narrowed(gradients, self.dtype)


class BlockLosses(NamedTuple):
    """The losses of a block's rows, their gradients if there are any, and what they come to."""

    losses: FloatArray
    gradients: FloatArray | None
    found: RunningLoss


@dataclass
class RunningLoss(Mergeable):
    """Sums and counts over the rows so far.

    divided        distributions that were divided by their sum
    infinite       rows of infinite loss; the first are named by number and place
    infinite_rows  (number, place) of the first of them
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
        "rows", "divided", "infinite", "unlike_probabilities", "reduced", "entropy", "divergence",
    )  # fmt: skip

    def of(self, block: Block) -> BlockLosses:
        """Return the losses of a block's rows, to be merged; in any thread."""
        settings, form = self.settings, self.settings.form
        rows = form.rows(block)
        labels = None if form.form == "distributions" else rows.labels()
        wants_largest = labels is not None or self.metrics
        largest = likeliest(rows.values) if wants_largest else None
        losses, gradients = settings.losses_and_gradients(rows, largest)
        bad = np.isnan(rows.values[:, 0]) & rows.used
        if settings.on_bad_row in ("nan", "zero") and bad.any():
            filling = np.nan if settings.on_bad_row == "nan" else 0
            losses[bad] = filling
            if gradients is not None:
                gradients[bad] = filling
        scored = Scored(block, rows, labels, largest, losses, rows.used & ~bad)
        infinite = np.flatnonzero(np.isinf(losses)).tolist()
        found = RunningLoss(
            settings,
            [metric.of(scored) for metric in self.metrics],
            rows=len(losses),
            divided=rows.divided,
            infinite=len(infinite),
            infinite_rows=[(block.number(row), block.place(row)) for row in infinite[:NAMED]],
            unlike_probabilities=form.kind == "logits" and _unlike_probabilities(rows, form),
            accuracy=self.accuracy.of(scored),
        )
        found.reduced.count(int(rows.used.sum()), rows.weights)
        found.reduced.add(losses)
        if form.form == "distributions":
            found._add_entropies(rows, bad)
        return BlockLosses(losses, gradients, found)

    def _add_entropies(self, rows: LossRows, bad: NDArray[np.bool_]) -> None:
        settings = self.settings
        known = ~bad if settings.on_bad_row == "zero" else np.ones(len(bad), bool)
        entropies, divergences = entropies_and_divergences(
            rows.targets[known],
            wide(rows.values[known]),
            base=BASES[settings.base],
            weights=settings.form.weights,
            samples=None if rows.samples is None else rows.samples[known],
        )
        self.entropy.add(entropies)
        self.divergence.add(divergences)

    def merge(self, other: RunningLoss) -> None:
        """Add the losses of other rows."""
        super().merge(other)
        self.infinite_rows = sorted([*self.infinite_rows, *other.infinite_rows])[:NAMED]
        self.accuracy.merge(other.accuracy)
        for metric, others in zip(self.metrics, other.metrics, strict=True):
            metric.merge(others)

    def state(self) -> dict[str, Any]:
        """Return the sums and counts for JSON, which loses no digit of them."""
        counts = super().state()
        numbers = {name: counts.pop(name) for name in ("rows", "divided", "infinite")}
        return {
            **numbers,
            "infinite_rows": self.infinite_rows,
            **counts,
            "accuracy": self.accuracy.state(),
            "tallies": [metric.state() for metric in self.metrics],
        }

    def from_state(self, state: dict[str, Any], first: int) -> RunningLoss:
        """Return the losses that a state holds, of rows from row number `first` on."""
        each = zip(self.metrics, state["tallies"], strict=True)
        return replace(
            super().from_state(state, first),
            infinite_rows=[(number + first, place) for number, place in state["infinite_rows"]],
            accuracy=self.accuracy.from_state(state["accuracy"], first),
            metrics=[metric.from_state(found, first) for metric, found in each],
        )

    def check(self, place: str) -> None:
        """Refuse a loss of no rows, or of rows whose weights are all 0, once all are read."""
        if not self.reduced.used:
            problem = "every row is ignored, so there is no loss"
            raise InputError(problem, "--ignore-label must leave a row", place)
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
        if settings.form.kind == "logits":
            report["temperature"] = settings.temperature
        if settings.form.form == "distributions":
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
        is_of_logits = self.settings.form.kind == "logits"
        return is_of_logits and bool(self.rows) and not self.unlike_probabilities

    def perplexity(self) -> float:
        """Return exp of the mean loss in nats; NaN if all weights are 0."""
        if not self.reduced.divisor("mean"):
            return math.nan
        to_nats = factor(base=BASES[self.settings.base]).high
        with np.errstate(over="ignore"):
            return float(np.exp(self.reduced.loss("mean") * to_nats))


def _unlike_probabilities(rows: LossRows, form: LossForm) -> bool:
    """Return true if a row that is used does not look like probabilities; often the first."""
    used = np.flatnonzero(rows.used)
    return bool(used.size) and not (
        like_probabilities(rows.values[used[:1]], form.dtypes)
        and like_probabilities(rows.values[used], form.dtypes)
    )
