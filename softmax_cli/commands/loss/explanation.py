"""`xent --explain`: the first rows, kept while the losses of all are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from softmax_cli.commands.options.shared import class_name
from softmax_cli.core.exact.arrays import wide
from softmax_cli.display.alignment import DEFAULT_PRECISION
from softmax_cli.display.parts import Step
from softmax_cli.explain.loss import LossRow, loss_steps, reduction_step
from softmax_cli.explain.rows import EXPLAINED, Digits, steps_of_rows
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.metric import Metric, Scored
from softmax_cli.losses.running_loss import RunningLoss


@dataclass
class Explanation(Metric):
    """The first rows, as the formula takes them, and their losses."""

    names: Sequence[str | int]
    precision: int | None
    kept: dict[int, tuple[LossRows, float]] = field(default_factory=dict)

    def of(self, scored: Scored) -> Explanation:
        kept = {}
        for place, loss in enumerate(scored.losses[:EXPLAINED].tolist()):
            number = scored.block.number(place)
            if number >= EXPLAINED:
                break
            rows = scored.rows.chosen(np.arange(len(scored.losses)) == place)
            # Copied, because the block may be computed in place.
            rows = replace(rows, values=rows.values.copy(), targets=rows.targets.copy())
            kept[number] = rows, loss
        return replace(self, kept=kept)

    def merge(self, other: Explanation) -> None:
        self.kept |= other.kept

    def steps(self, losses: RunningLoss) -> list[Step]:
        """Return the steps to the loss of each kept row, and to the loss of all rows."""
        settings, reduced = losses.settings, losses.reduced
        reduction, are_logits = settings.reduction, settings.kind == "logits"
        digits, steps = Digits(self.precision or DEFAULT_PRECISION), dict[int, list[Step]]()
        for number, (rows, loss) in self.kept.items():
            label = rows.label(0)
            values, kind = settings.for_losses(rows.values)
            row = LossRow(
                wide(values[0]),
                settings.dtypes[-1],
                settings.temperature if are_logits else 1.0,
                class_name(self.names),
                digits,
                settings.on_bad_row,
                also=() if label is None else (label,),
                masked=settings.weights.masked if are_logits else (),
                label_base=settings.label_base,
                kind=kind,
                form=settings.form,
                targets=rows.targets,
                weights=settings.weights,
                samples=rows.samples,
                label=label,
                base=settings.base,
                loss=loss if rows.used[0] else None,
                divided=settings.normalize,
                p=rows.p,
            )
            steps[number] = loss_steps(row)
        total, denominator = reduced.loss("sum"), reduced.denominator(reduction)
        return [
            *steps_of_rows(steps, losses.rows),
            reduction_step(reduction, total, denominator, losses.loss(), digits, settings.base),
        ]
