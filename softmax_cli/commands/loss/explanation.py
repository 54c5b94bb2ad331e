"""`xent --explain`: the first rows, kept while the losses of all are counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.display.steps import Step
from softmax_cli.explain.loss import loss_steps
from softmax_cli.explain.loss_row import LossRow
from softmax_cli.explain.reduction import reduction_step
from softmax_cli.explain.row import Digits, Row
from softmax_cli.explain.rows import EXPLAINED, rows_left
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.metric import Metric, Scored

if TYPE_CHECKING:
    from softmax_cli.losses.running_loss import RunningLoss


@dataclass(frozen=True)
class _Kept:
    """A row as the formula takes it, and its loss."""

    rows: LossRows
    loss: float


@dataclass
class Explanation(Metric):
    """Keeps the first rows."""

    names: tuple[str, ...] | None
    dtype: np.dtype[Any]
    digits: Digits
    kept: dict[int, _Kept] = field(default_factory=dict)

    def of(self, scored: Scored) -> Explanation:
        """Keep the rows of a block that are among the first."""
        kept = {}
        for place in range(len(scored.losses)):
            number = scored.block.number(place)
            if number >= EXPLAINED:
                break
            rows = scored.rows.chosen(np.arange(len(scored.losses)) == place)
            # What is computed on in place later must stay as it is here.
            copied = rows._replace(values=rows.values.copy(), targets=rows.targets.copy())
            kept[number] = _Kept(copied, float(scored.losses[place]))
        return replace(self, kept=kept)

    def merge(self, other: Explanation) -> None:
        """Keep the rows of both."""
        self.kept |= other.kept

    def steps(self, losses: RunningLoss) -> list[Step]:
        """Return the steps of each row that was kept, and the one from them to the loss."""
        steps = [
            step
            for number, kept in sorted(self.kept.items())
            for step in loss_steps(self._row(number, kept, losses))
        ]
        reduced, settings = losses.reduced, losses.settings
        total, denominator = reduced.loss("sum"), reduced.denominator(settings.reduction)
        return [
            *steps,
            *rows_left(len(self.kept), losses.rows),
            reduction_step(
                settings.reduction, total, denominator, losses.loss(), self.digits, settings.base
            ),
        ]

    def _row(self, number: int, kept: _Kept, losses: RunningLoss) -> LossRow:
        settings, rows = losses.settings, kept.rows
        form = settings.form
        label = rows.label(0)
        T = settings.temperature if form.kind == "logits" else 1.0
        also = () if label is None else (label,)
        row = Row(
            number,
            wide(rows.values[0]),
            self.dtype,
            T,
            self.names,
            self.digits,
            also,
            form.weights.masked if form.kind == "logits" else (),
            settings.on_bad_row,
        )
        return LossRow(
            row,
            form.kind,
            form.form,
            rows.targets,
            form.weights,
            None if rows.samples is None else float(rows.samples[0]),
            label,
            (settings.base, BASES[settings.base]),
            kept.loss if rows.used[0] else None,
            form.normalize,
        )
