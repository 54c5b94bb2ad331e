"""Odds against the likeliest class, for log-probabilities and losses without cancellation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import LARGEST, Factor, Rows, over, quotient
from softmax_cli.core.exact.exponentials import (
    RAISED,
    exponentials,
    in_parts,
    is_exact_divisor,
    low_precision_exponentials,
)
from softmax_cli.core.exact.rows import likeliest
from softmax_cli.core.exact.sums import row_sums, summed, sums_in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The logarithm of these odds is 4; a sum off by 8 ULP makes it wrong by 2 ULP.
_LONG_ODDS = 55.0


def distances(a: Rows, maximum: Rows, divisor: Factor) -> Rows:
    """Return (maximum - a) / divisor; where the difference overflows, division comes first."""
    with np.errstate(invalid="ignore", over="ignore"):
        result: Rows = over(maximum - a, divisor)
        if divisor.high > 1 and np.isinf(result).any():
            divided = maximum / divisor.high - a / divisor.high
            np.copyto(result, divided, where=np.isinf(result))
    return result


class Odds(NamedTuple):
    """The odds against the likeliest class m of each row, (rows, 1) as a double-double.

        odds = sum_{k != m} exp((a_k - a_m) / T) = (1 - S_m) / S_m

    They are as accurate as the logits' dtype needs, and NaN for a row without a softmax.
    """

    top: NDArray[np.intp]
    high: Rows
    low: Rows

    def logarithm(self) -> Rows:
        """Return -log S_m = log1p(odds)."""
        result: Rows = np.log1p(self.high) + self.low / (1 + self.high)
        return result


def odds_against_likeliest(a: FloatArray, T: float, top: NDArray[np.intp] | None = None) -> Odds:
    """Return the odds against the likeliest class `top`, (rows, 1) if it is known."""
    if top is None:
        top = likeliest(a)[:, None]
    if a.dtype.itemsize < 8:
        others, of_top = _split_top(low_precision_exponentials(a, T)[0], top)
        odds = summed(others) / of_top
        return Odds(top, odds, np.zeros_like(odds))
    split = SplitExponentials.of(a, T, top)
    return split.odds(*split.sums_for_logarithms())


class SplitExponentials(NamedTuple):
    """exp(a / T), each row scaled by a factor, with the likeliest class apart from the others.

    top     (rows, 1) the likeliest class
    others  (rows, classes) 0 for the likeliest class, NaN in a row without a softmax
    of_top  (rows, 1) the likeliest class, as a double-double
    """

    a: FloatArray
    T: float
    top: NDArray[np.intp]
    others: Rows
    of_top: tuple[Rows, Rows]

    @classmethod
    def of(cls, a: FloatArray, T: float, top: NDArray[np.intp]) -> SplitExponentials:
        """Return the exponentials of rows with float64 accuracy, whatever their dtype."""
        if is_exact_divisor(T):
            with np.errstate(over="ignore"):
                largest = np.exp(wide(np.take_along_axis(a, top, -1)) / T)
            terms, _ = exponentials(a, T, np.empty_like(a, np.float64), largest)
            others, of_top = _split_top(terms, top)
            return cls(a, T, top, others, (of_top, np.zeros_like(of_top)))
        exact = in_parts(a, T)
        others, of_top = _split_top(exact.whole(), top)
        head, rest = (np.take_along_axis(part, top, -1) for part in (exact.head, exact.rest))
        return cls(a, T, top, others, (of_top, (head - of_top) + rest))

    def sums(self) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
        """Return the exact sums of the others, and those of `sums_for_logarithms`."""
        plain = summed(self.others)
        high, low = sums_in_parts(self.others, plain)
        short = self._has_short_odds(plain)[:, None]
        return (high, low), (np.where(short, high, plain), np.where(short, low, 0))

    def sums_for_logarithms(self) -> tuple[Rows, Rows]:
        """Return the sums of the others, exact where log1p(odds) needs it: for short odds."""
        high = summed(self.others)
        short = self._has_short_odds(high)
        if short.all():
            return sums_in_parts(self.others, high)
        low = np.zeros_like(high)
        if short.any():
            high[short], low[short] = sums_in_parts(self.others[short], high[short])
        return high, low

    def _has_short_odds(self, sums: Rows) -> NDArray[np.bool_]:
        short: NDArray[np.bool_] = ~(sums[:, 0] > _LONG_ODDS * self.of_top[0][:, 0])
        return short

    def odds(self, high: Rows, low: Rows) -> Odds:
        """Return the odds against the likeliest class, from the sums of the others."""
        found = Odds(self.top, *quotient(high, low, *self.of_top))
        tiny = found.high[:, 0] < 1 / LARGEST
        if tiny.any():
            # Their terms may be subnormal; recompute them multiplied by a power of two.
            parts = in_parts(self.a[tiny], self.T)
            terms = np.ldexp(parts.head + parts.rest, parts.power + np.int32(RAISED))
            others, of_top = _split_top(terms, self.top[tiny])
            found.high[tiny], found.low[tiny] = row_sums(others, summed(others)) / of_top, 0
        return found


def _split_top(terms: Rows, top: NDArray[Any]) -> tuple[Rows, Rows]:
    """Take out the likeliest class, leaving 0, or NaN in a row without a softmax."""
    of_top = np.take_along_axis(terms, top, -1)
    with np.errstate(invalid="ignore"):
        np.put_along_axis(terms, top, of_top * 0, -1)
    return terms, of_top
