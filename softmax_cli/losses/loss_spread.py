"""How losses are spread: a histogram with round edges, and the rows with the largest losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.losses.metric import Metric, Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

# 1, 2 and 5 times each power of ten that float64 has.
EDGES = np.array(sorted({float(f"{d}e{k}") for k in range(-324, 309) for d in "125"} - {0.0}))
_BELOW, _ZERO, _INFINITE = -2, -1, len(EDGES)
# Fewer rows have no histogram, unless --histogram asks for one.
FEWEST_ROWS = 8


class LossBin(NamedTuple):
    """The losses from `low` to below `high`; 0 and infinity have bins with low = high."""

    low: float
    high: float
    rows: int


@dataclass
class Histogram(Metric):
    """Counts losses in bins with edges at 1, 2 and 5 times powers of ten.

    >>> histogram = Histogram().of_numbers(np.array([0.3, 0.4, 1.5, np.inf, np.nan]))
    >>> [tuple(each) for each in histogram.bins()]
    [(0.2, 0.5, 2), (0.5, 1.0, 0), (1.0, 2.0, 1), (inf, inf, 1)]

    is_asked  whether --histogram asks for it; otherwise only tables show it
    counts    of the losses in each bin
    """

    is_asked: bool = True
    counts: Counter[int] = field(default_factory=Counter)
    merged = ("counts",)

    def of(self, scored: Scored) -> Histogram:
        return self.of_numbers(scored.losses[scored.counted])

    def of_numbers(self, losses: NDArray[Any]) -> Histogram:
        """Count losses; NaN is left out."""
        inner = losses[(losses > 0) & (losses < np.inf)]
        found = np.bincount(np.searchsorted(EDGES, inner, "right") - 1)
        counts = Counter({number: int(found[number]) for number in np.flatnonzero(found).tolist()})
        ends = {_ZERO: losses == 0, _BELOW: losses < 0, _INFINITE: losses == np.inf}
        counts.update({number: int(held.sum()) for number, held in ends.items()})
        return replace(self, counts=counts)

    @property
    def is_shown(self) -> bool:
        """Whether a table shows it: if --histogram asks for it, or there are enough rows."""
        return self.count >= (1 if self.is_asked else FEWEST_ROWS)

    @property
    def count(self) -> int:
        """How many losses there are."""
        return self.counts.total()

    def bins(self, most: int | None = None) -> list[LossBin]:
        """Return the bins from the first to the last that hold a loss.

        If there are more than `most`, those of the smallest losses are combined into one.
        """
        inner = [number for number in +self.counts if 0 <= number < _INFINITE]
        between = range(min(inner), max(inner) + 1) if inner else range(0)
        shown = between[-most:] if most is not None else between
        edges = [*EDGES.tolist(), np.inf]
        found = [LossBin(edges[each], edges[each + 1], self.counts[each]) for each in shown]
        below, zero, infinite = (self.counts[each] for each in (_BELOW, _ZERO, _INFINITE))
        ends = [LossBin(-np.inf, 0.0, below), LossBin(0.0, 0.0, zero)]
        if len(shown) < len(between):
            rest = self.count - sum(each.rows for each in found) - infinite
            ends = [LossBin(-np.inf if below else 0.0, found[0].low, rest)]
        ends = [each for each in ends if each.rows]
        return [*ends, *found, *([LossBin(np.inf, np.inf, infinite)] if infinite else [])]

    def report(self) -> dict[str, object]:
        return {"histogram": [each._asdict() for each in self.bins()]} if self.is_asked else {}


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
        if scored.settings.form == "entries":
            label = predicted = None
        return WorstRow(
            block.number(row),
            None if label is None else self.names[label],
            "" if predicted is None else self.names[predicted[row]],
            float(scored.losses[row]),
            () if block.ids is None else block.ids.texts(row),
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
