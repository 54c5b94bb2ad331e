"""`xent --explain`: the first rows, kept while the losses of all are counted."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.display.parts import Step
from softmax_cli.explain.loss import loss_steps
from softmax_cli.explain.loss_row import LossRow
from softmax_cli.explain.reduction import reduction_step
from softmax_cli.explain.row import Digits, Row
from softmax_cli.explain.rows import EXPLAINED, rows_left
from softmax_cli.formats.table.sink import DEFAULT_PRECISION
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.metric import Metric, Scored

if TYPE_CHECKING:
    from softmax_cli.losses.running_loss import RunningLoss


@dataclass(frozen=True)
class _Kept:
    """A row as the formula takes it, and its loss."""

    rows: LossRows
    loss: float


class Explanation(Metric):
    """Keeps the first rows."""

    def __init__(
        self, names: tuple[str, ...] | None, dtype: np.dtype[Any], precision: int | None
    ) -> None:
        """Keep none yet."""
        self._names, self._dtype = names, dtype
        self._digits = Digits(precision or DEFAULT_PRECISION)
        self._kept: dict[int, _Kept] = {}
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Keep what is wanted of a block."""
        for place in range(len(scored.losses)):
            number = scored.block.number(place)
            if number >= EXPLAINED:
                break
            is_it = np.arange(len(scored.losses)) == place
            rows = scored.rows.chosen(is_it)
            # What is computed on in place later must stay as it is here.
            copied = rows._replace(values=rows.values.copy(), targets=rows.targets.copy())
            with self._lock:
                self._kept[number] = _Kept(copied, float(scored.losses[place]))

    def steps(self, losses: RunningLoss) -> list[Step]:
        """Return the steps of each row that was kept, and the one from them to the loss."""
        steps = [
            step
            for number, kept in sorted(self._kept.items())
            for step in loss_steps(self._row(number, kept, losses))
        ]
        reduced = losses.reduced
        total, denominator = reduced.loss("sum"), reduced.denominator(losses.reduction)
        return [
            *steps,
            *rows_left(len(self._kept), losses.rows),
            reduction_step(
                losses.reduction, total, denominator, losses.loss(), self._digits, losses.base
            ),
        ]

    def _row(self, number: int, kept: _Kept, losses: RunningLoss) -> LossRow:
        form, rows = losses.form, kept.rows
        label = rows.label(0)
        T = losses.temperature if form.kind == "logits" else 1.0
        also = () if label is None else (label,)
        row = Row(
            number,
            wide(rows.values[0]),
            self._dtype,
            T,
            self._names,
            self._digits,
            also,
            form.weights.masked if form.kind == "logits" else (),
            losses.on_bad_row,
        )
        return LossRow(
            row,
            form.kind,
            form.form,
            rows.targets,
            form.weights,
            None if rows.samples is None else float(rows.samples[0]),
            label,
            (losses.base, BASES[losses.base]),
            kept.loss if rows.used[0] else None,
            form.normalize,
        )

    def report(self) -> dict[str, object]:
        """Return nothing: the steps need the loss of all rows."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return nothing: many files are not explained."""
        return {}

    def add_state(self, state: dict[str, Any], first: int) -> None:
        """Add nothing."""
