"""How many numbers lie between which round ones."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# 1, 2 and 5 times each power of ten that float64 has.
EDGES = np.array(sorted({float(f"{d}e{k}") for k in range(-324, 309) for d in "125"} - {0.0}))
_BELOW, _ZERO, _INFINITE = -2, -1, len(EDGES)


class Bin(NamedTuple):
    """The numbers from `low` to below `high`; 0 and infinity, with low = high, are their own."""

    low: float
    high: float
    held: int


class Histogram:
    """Running counts of numbers, in bins with edges at 1, 2 and 5 times powers of ten.

    >>> histogram = Histogram()
    >>> histogram.add(np.array([0.3, 0.4, 1.5, np.inf, np.nan]))
    >>> [tuple(each) for each in histogram.bins()]
    [(0.2, 0.5, 2), (0.5, 1.0, 0), (1.0, 2.0, 1), (inf, inf, 1)]
    """

    def __init__(self) -> None:
        """Start with none."""
        self._counts: Counter[int] = Counter()
        self._lock = Lock()

    def add(self, values: NDArray[Any]) -> None:
        """Count numbers, in any thread; what is no number is left out."""
        values = np.asarray(values, np.float64)
        inner = values[(values > 0) & (values < np.inf)]
        bins = np.searchsorted(EDGES, inner, "right") - 1
        found = np.bincount(bins, minlength=1)
        used = np.flatnonzero(found)
        with self._lock:
            self._counts.update(dict(zip(used.tolist(), found[used].tolist(), strict=True)))
            self._counts[_ZERO] += int((values == 0).sum())
            self._counts[_BELOW] += int((values < 0).sum())
            self._counts[_INFINITE] += int((values == np.inf).sum())

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return self._counts.total()

    def bins(self, most: int | None = None) -> list[Bin]:
        """Return the bins from the first to the last that hold a number.

        Of more bins than `most`, all but the last ones are put together, from the least number on.
        """
        inner = sorted(place for place in +self._counts if 0 <= place < _INFINITE)
        between = range(inner[0], inner[-1] + 1) if inner else range(0)
        shown = between[-most:] if most is not None else between
        found = [self._bin(place) for place in shown]
        ends = [
            Bin(low, high, count)
            for low, high, count in (
                (-np.inf, 0.0, self._counts[_BELOW]),
                (0.0, 0.0, self._counts[_ZERO]),
            )
            if count
        ]
        if len(shown) < len(between):
            below = self.count - sum(each.held for each in found) - self._counts[_INFINITE]
            low = -np.inf if self._counts[_BELOW] else 0.0
            ends = [Bin(low, found[0].low, below)]
        infinite = self._counts[_INFINITE]
        return [*ends, *found, *([Bin(np.inf, np.inf, infinite)] if infinite else [])]

    def _bin(self, place: int) -> Bin:
        high = np.append(EDGES, np.inf)[place + 1]
        return Bin(float(EDGES[place]), float(high), self._counts[place])

    def state(self) -> dict[str, Any]:
        """Return the counts as they are."""
        return {"counts": {str(place): count for place, count in self._counts.items() if count}}

    def add_state(self, state: dict[str, Any]) -> None:
        """Add another's counts."""
        with self._lock:
            self._counts.update({int(place): count for place, count in state["counts"].items()})
