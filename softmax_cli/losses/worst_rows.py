"""The rows with the largest losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.formats.text.cells import cell_text
from softmax_cli.losses.metric import Metric, Scored


class WorstRow(NamedTuple):
    """A row with a large loss; it has no label if its targets are soft."""

    row: int
    label: str | int | None
    predicted: str | int
    loss: float
    ids: tuple[str, ...]


@dataclass
class Worst(Metric):
    """Keeps the K rows with the largest losses, the first ones of equals."""

    k: int
    names: Sequence[str | int]
    id_names: tuple[str, ...]
    rows: list[WorstRow] = field(default_factory=list)

    def of(self, scored: Scored) -> Worst:
        chosen = np.flatnonzero(scored.counted & ~np.isnan(scored.losses))
        losses = scored.losses[chosen]
        if len(chosen) > self.k:
            least = np.partition(losses, -self.k)[-self.k]
            chosen = chosen[losses >= least]
            order = np.argsort(-scored.losses[chosen], kind="stable")
            chosen = chosen[order[: self.k]]
        return replace(self, rows=[self._row(scored, row) for row in chosen.tolist()])

    def _row(self, scored: Scored, row: int) -> WorstRow:
        block, label, predicted = scored.block, scored.rows.label(row), scored.predicted
        return WorstRow(
            block.number(row),
            None if label is None else self.names[label],
            "" if predicted is None else self.names[predicted[row]],
            float(scored.losses[row]),
            () if block.ids is None else tuple(map(cell_text, block.ids[row])),
        )

    def merge(self, other: Worst) -> None:
        worst = sorted([*self.rows, *other.rows], key=lambda each: (-each.loss, each.row))
        self.rows = worst[: self.k]

    def report(self) -> dict[str, object]:
        hidden = () if self.id_names else ("ids",)
        rows = [each._asdict().items() for each in self.rows]
        return {"worst": [{key: cell for key, cell in row if key not in hidden} for row in rows]}

    def state(self) -> dict[str, Any]:
        return {"worst": [each._asdict() for each in self.rows]}

    def from_state(self, state: dict[str, Any], first: int = 0) -> Worst:
        rows = [WorstRow(**row) for row in state["worst"]]
        # JSON has no tuples, and infinities as strings.
        rows = [
            each._replace(row=each.row + first, loss=float(each.loss), ids=tuple(each.ids))
            for each in rows
        ]
        return replace(self, rows=rows)
