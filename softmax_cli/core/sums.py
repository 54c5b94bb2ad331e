"""Sums of many numbers, exact, and so the same for any order and any grouping."""

from __future__ import annotations

import math
from collections import defaultdict
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


class ExactSum:
    """A running sum of float64 numbers that is rounded once, at its end; threads may add to it.

    Numbers are cut into whole multiples of powers of two, so few bits long that a block of them
    adds up without rounding, and the multiples are added as Python's integers.

    >>> total = ExactSum()
    >>> total.add([1e300, 1.0])
    >>> total.add([-1e300])
    >>> total.total()
    1.0
    """

    def __init__(self) -> None:
        """Start at 0."""
        self._multiples: defaultdict[int, int] = defaultdict(int)
        self._not_finite = 0.0
        self._lock = Lock()

    def add(self, numbers: ArrayLike) -> None:
        """Add numbers; infinities and NaN add up as in floating point."""
        rest = np.array(numbers, dtype=np.float64).reshape(-1)
        largest = float(np.abs(rest).max(initial=0))
        if not math.isfinite(largest):
            finite = np.isfinite(rest)
            with np.errstate(invalid="ignore"), self._lock:
                self._not_finite += float(rest[~finite].sum())
            rest = rest[finite]
            largest = float(np.abs(rest).max(initial=0))
        # Sums of whole numbers up to 2^53 are exact.
        bits = 52 - len(rest).bit_length()
        while largest:
            power = max(math.frexp(largest)[1] - bits, -1074)
            multiples = np.trunc(_scaled(rest, -power))
            with self._lock:
                self._multiples[power] += int(multiples.sum())
            rest -= _scaled(multiples, power)
            largest = float(np.abs(rest).max())

    def total(self) -> float:
        """Return the sum, correctly rounded."""
        if self._not_finite != 0:
            return self._not_finite
        smallest = min(self._multiples, default=0)
        whole = sum(count << (power - smallest) for power, count in self._multiples.items())
        try:
            return whole / (1 << -smallest) if smallest < 0 else float(whole << smallest)
        except OverflowError:
            return math.copysign(math.inf, whole)


def _scaled(numbers: Numbers, power: int) -> Numbers:
    """Return numbers times a power of two; multiplying is faster where that is a number."""
    if -1022 <= power <= 1023:
        return numbers * 2.0**power
    result: Numbers = np.ldexp(numbers, power)
    return result
