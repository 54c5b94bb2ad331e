"""Keeps the rows with the largest losses."""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.formats.text.quoting import cell_text
from softmax_cli.losses.metric import ClassNames, Metric, Scored


class WorstRow(NamedTuple):
    """A row with a large loss; it has no label with soft targets."""

    row: int
    label: str | int | None
    predicted: str | int
    loss: float
    ids: tuple[str, ...]


class Worst(Metric):
    """Keeps the rows with the largest losses, of equals the first ones."""

    def __init__(self, k: int, names: ClassNames, id_names: tuple[str, ...]) -> None:
        """Keep none yet."""
        self.rows: list[WorstRow] = []
        self.id_names = id_names
        self._k, self._names = k, names
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Keep the worst rows of a block and of those before."""
        chosen = np.flatnonzero(scored.counted & ~np.isnan(scored.losses))
        losses = scored.losses[chosen]
        if len(chosen) > self._k:
            least = np.partition(losses, -self._k)[-self._k]
            chosen = chosen[losses >= least]
            order = np.argsort(-scored.losses[chosen], kind="stable")
            chosen = chosen[order[: self._k]]
        found = [self._row(scored, row) for row in chosen.tolist()]
        self._keep(found)

    def _keep(self, found: list[WorstRow]) -> None:
        with self._lock:
            worst = sorted([*self.rows, *found], key=lambda each: (-each.loss, each.row))
            self.rows = worst[: self._k]

    def _row(self, scored: Scored, row: int) -> WorstRow:
        block, label, predicted = scored.block, scored.rows.label(row), scored.predicted
        return WorstRow(
            block.number(row),
            None if label is None else self._name(label),
            "" if predicted is None else self._name(predicted[row]),
            float(scored.losses[row]),
            () if block.ids is None else tuple(map(cell_text, block.ids[row])),
        )

    def _name(self, number: int | np.intp) -> str | int:
        return int(number) if self._names is None else self._names[number]

    def report(self) -> dict[str, object]:
        """Return an object a row; with id columns, their cells by name."""
        rows = []
        for each in self.rows:
            known: dict[str, object] = each._asdict()
            ids = known.pop("ids")
            rows.append(known | ({"ids": ids} if self.id_names else {}))
        return {"worst": rows}

    def state(self) -> dict[str, Any]:
        """Return the rows."""
        return {"worst": [each._asdict() for each in self.rows]}

    def add_state(self, state: dict[str, Any], first: int) -> None:
        """Keep the worst of another's rows and of those before."""
        found = [WorstRow(**told) for told in state["worst"]]
        self._keep(
            [
                each._replace(row=each.row + first, loss=float(each.loss), ids=tuple(each.ids))
                for each in found
            ]
        )
