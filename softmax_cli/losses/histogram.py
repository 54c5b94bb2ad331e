"""How many rows have which loss, in bins with round edges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.losses.metric import Metric, Scored

# 1, 2 and 5 times each power of ten that float64 has.
EDGES = np.array(sorted({float(f"{d}e{k}") for k in range(-324, 309) for d in "125"} - {0.0}))
_BELOW, _ZERO, _INFINITE = -2, -1, len(EDGES)
# Fewer rows are read one by one.
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

    is_asked  whether --histogram asks for it; else tables alone show it
    counts    how many losses each bin holds
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
        counts = Counter({bin: int(found[bin]) for bin in np.flatnonzero(found).tolist()})
        ends = {_ZERO: losses == 0, _BELOW: losses < 0, _INFINITE: losses == np.inf}
        counts.update({bin: int(held.sum()) for bin, held in ends.items()})
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

        Of more bins than `most`, the ones with the least losses are combined into one.
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
