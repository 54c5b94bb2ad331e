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


class Bin(NamedTuple):
    """The numbers from `low` to below `high`; 0 and infinity have bins with low = high."""

    low: float
    high: float
    held: int


@dataclass
class Histogram(Metric):
    """Counts losses in bins with edges at 1, 2 and 5 times powers of ten.

    >>> histogram = Histogram().of_numbers(np.array([0.3, 0.4, 1.5, np.inf, np.nan]))
    >>> [tuple(each) for each in histogram.bins()]
    [(0.2, 0.5, 2), (0.5, 1.0, 0), (1.0, 2.0, 1), (inf, inf, 1)]

    is_asked  whether --histogram asks for it; else tables alone show it
    counts    how many numbers each bin holds
    """

    is_asked: bool = True
    counts: Counter[int] = field(default_factory=Counter)
    merged = ("counts",)

    def of(self, scored: Scored) -> Histogram:
        """Count the losses of rows."""
        return self.of_numbers(scored.losses[scored.counted])

    def of_numbers(self, values: NDArray[Any]) -> Histogram:
        """Count numbers; NaN is left out."""
        values = np.asarray(values, np.float64)
        inner = values[(values > 0) & (values < np.inf)]
        found = np.bincount(np.searchsorted(EDGES, inner, "right") - 1, minlength=1)
        used = np.flatnonzero(found)
        counts = Counter(dict(zip(used.tolist(), found[used].tolist(), strict=True)))
        counts[_ZERO] = int((values == 0).sum())
        counts[_BELOW] = int((values < 0).sum())
        counts[_INFINITE] = int((values == np.inf).sum())
        return replace(self, counts=counts)

    @property
    def is_shown(self) -> bool:
        """Whether a table shows it: if --histogram asks for it, or there are enough rows."""
        return self.count >= (1 if self.is_asked else FEWEST_ROWS)

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self.counts.total()

    def bins(self, most: int | None = None) -> list[Bin]:
        """Return the bins from the first to the last that hold a number.

        Of more bins than `most`, the ones with the least numbers are combined into one.
        """
        inner = sorted(place for place in +self.counts if 0 <= place < _INFINITE)
        between = range(inner[0], inner[-1] + 1) if inner else range(0)
        shown = between[-most:] if most is not None else between
        found = [self._bin(place) for place in shown]
        below, zero, infinite = (self.counts[place] for place in (_BELOW, _ZERO, _INFINITE))
        ends = [Bin(-np.inf, 0.0, below), Bin(0.0, 0.0, zero)]
        if len(shown) < len(between):
            rest = self.count - sum(each.held for each in found) - infinite
            ends = [Bin(-np.inf if below else 0.0, found[0].low, rest)]
        ends = [each for each in ends if each.held]
        return [*ends, *found, *([Bin(np.inf, np.inf, infinite)] if infinite else [])]

    def _bin(self, place: int) -> Bin:
        high = np.append(EDGES, np.inf)[place + 1]
        return Bin(float(EDGES[place]), float(high), self.counts[place])

    def report(self) -> dict[str, object]:
        """Return an object for each bin, if it is asked for."""
        if not self.is_asked:
            return {}
        keys = ("low", "high", "rows")
        return {"histogram": [dict(zip(keys, each, strict=True)) for each in self.bins()]}
