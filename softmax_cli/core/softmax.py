"""softmax, log-softmax and logsumexp, in float64 whatever they are given and rounded once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import (
    FloatArray,
    checked_temperature,
    narrowed,
    wide,
    with_classes,
)
from softmax_cli.core.exponentials import LARGEST, exponentials, in_parts, is_exact_divisor
from softmax_cli.core.rows import as_it_was, likeliest, parts, rows_of, whole_rows
from softmax_cli.core.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.twofold import Factor, Rows, factor, quotient

# Below this a sum of float64 exponentials may have lost what float32 still shows.
_SMALLEST = 2.0**-500
# Powers of two that keep small exponentials normal numbers beside the largest.
_RAISED = 500
# Their logarithm is 4, and a sum that is off by 8 units makes it wrong by 2.
_LONG_ODDS = 55.0


def softmax(
    logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0, out: FloatArray | None = None
) -> FloatArray:
    """Turn logits into probabilities.

        S[i, j] = exp(a[i, j] / T) / sum_k exp(a[i, k] / T)      (Bendersky 2016)

    logits       (..., classes) real; -inf is a masked class
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    out          for the result, if given: of the logits' shape, or the logits themselves
    returns      the shape and dtype of the logits (float64 for integers), off by at most 4 units
                 in the last place; each row sums to 1, and is NaN where it has no softmax (a NaN,
                 a +inf, or every entry -inf)
    raises       ShapeError if there is no class; DomainError for logits that are not real or
                 a temperature that is not positive

    >>> softmax([1.0, 2.0, 3.0])
    array([0.09003057, 0.24472847, 0.66524096])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty_like(rows) if out is None else rows_of(out, axis)
    largest_part = next(parts(rows), slice(0))
    # Memory that is new for each part would cost more than the arithmetic.
    rooms = [np.empty_like(rows[largest_part], np.float64) for _ in range(2)]
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            first, second = (room[: part.stop - part.start] for room in rooms)
            if rows.dtype.itemsize == 8:
                terms, sums = exponentials(wide(rows[part]), T, first)
                np.divide(terms, row_sums(terms, sums, second), out=result[part])
            else:
                terms, sums = _of_few_bits(rows[part], T, first)
                terms *= 1 / sums
                np.copyto(result[part], terms, casting="same_kind")
    shaped = as_it_was(result, array, axis)
    if out is not None and not np.shares_memory(out, result):
        out[...] = shaped
    return shaped


def log_softmax(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Turn logits into natural log-probabilities, exact where the probability is close to 1.

        log S[i, j] = (a[i, j] - m[i]) / T - log1p(sum_{k != argmax} exp((a[i, k] - m[i]) / T))

    with m the largest logit of the row, whose own term is the 1 of log1p.

    logits       (..., classes) real; -inf is a masked class
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      the shape and dtype of the logits, in nats, off by at most 4 units in the last
                 place; NaN where a row has no softmax
    raises       as softmax
    source       the formula of Bendersky 2016, shifted; scipy#19521 for why log1p

    >>> log_softmax([60.0, 0.0])
    array([-8.75651076e-27, -6.00000000e+01])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty_like(rows)
    write_log_probabilities(rows, T, result)
    return as_it_was(result, array, axis)


def logsumexp(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the natural logarithm of the sum of exponentials.

        L[i] = log sum_k exp(a[i, k] / T)

    logits       (..., classes) real
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      the shape of the logits without `axis`, in nats, off by at most 4 units in the
                 last place of |max a / T| + |L - max a / T|; -inf for a row of -inf, +inf for a
                 row with a +inf, NaN for a row with a NaN
    raises       as softmax

    >>> logsumexp([[1000.0, 1000.0], [0.0, -np.inf]])
    array([1000.69314718,    0.        ])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty((len(rows), 1), array.dtype)
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            odds = odds_against_likeliest(rows[part], T)
            maximum = wide(rows[part]).max(axis=-1, keepdims=True)
            total = np.where(np.isinf(maximum), maximum, maximum / T + odds.logarithm())
            result[part] = narrowed(total, array.dtype)
    return np.squeeze(as_it_was(result, array.take([0], axis), axis), axis)[()]


def _of_few_bits(a: FloatArray, T: float, out: Rows | None = None) -> tuple[Rows, Rows]:
    """Return exp(a / T) times a factor a row, and the rows' sums, for logits below float64.

    Their digits forgive what is rounded on the way.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        quotients = a if T == 1 else np.divide(a, T, out=out, dtype=np.float64)
        result = np.exp(quotients, out=out, dtype=np.float64)
        sums = summed(result)
        if not (sums.min(initial=1) > _SMALLEST and sums.max(initial=1) < LARGEST):
            unfit = ~((sums[:, 0] > _SMALLEST) & (sums[:, 0] < LARGEST))
            logits = wide(a[unfit])
            again = np.exp((logits - logits.max(axis=-1, keepdims=True)) / T)
            result[unfit], sums[unfit] = again, summed(again)
    return result, sums


def probabilities(a: FloatArray, T: float, *divisors: Factor, raised: int = 0) -> list[Rows]:
    """Return softmax over each divisor, off by 0.6 units of the logits' dtype; (rows, classes).

    They are `raised` by so many powers of two, so that small ones keep their digits.
    """
    if a.dtype.itemsize == 8:
        exponentials_ = in_parts(wide(a), T)
        return [exponentials_.over_their_sum(divisor, raised) for divisor in divisors]
    S, sums = _of_few_bits(a, T)
    S *= 2.0**raised / sums
    return [S if divisor.high == 1 else S / divisor.high for divisor in divisors]


def write_log_probabilities(
    rows: FloatArray, T: float, out: FloatArray, base: float = math.e
) -> None:
    """Write the logarithms of softmax to a base; both (rows, classes)."""
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            a = wide(rows[part])
            odds = odds_against_likeliest(rows[part], T)
            result = distances(a, np.take_along_axis(a, odds.top, -1), factor(T, base=base))
            np.subtract(0, result, out=result)
            result -= over(odds.logarithm(), factor(base=base))
            np.copyto(out[part], result, casting="same_kind")


def distances(a: Rows, maximum: Rows, divisor: Factor) -> Rows:
    """Return (maximum - a) over a divisor, the temperature for one.

    Subtracting first loses the least, and keeps 1e308 over a temperature of 0.01 finite; where
    the difference itself overflows, dividing first keeps it.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        result: Rows = over(maximum - a, divisor)
        if divisor.high > 1 and np.isinf(result).any():
            divided = maximum / divisor.high - a / divisor.high
            np.copyto(result, divided, where=np.isinf(result))
    return result


def over(values: Rows, divisor: Factor) -> Rows:
    """Return values over a divisor, in place."""
    if divisor.high != 1:
        values /= divisor.high
    if divisor.rest:
        correction = values * (divisor.rest / divisor.high)
        correction[~np.isfinite(correction)] = 0
        values -= correction
    return values


class Odds(NamedTuple):
    """The odds against the likeliest class m of each row, in two parts.

        odds = sum_{k != m} exp((a_k - a_m) / T) = (1 - S_m) / S_m

    top   (rows, 1) the likeliest class
    high  (rows, 1) NaN for a row that has no softmax; as exact as the logits' dtype asks for
    low   (rows, 1) what rounding left of it
    """

    top: NDArray[np.intp]
    high: Rows
    low: Rows

    def logarithm(self) -> Rows:
        """Return -log S_m = log1p(odds)."""
        result: Rows = np.log1p(self.high) + self.low / (1 + self.high)
        return result


def odds_against_likeliest(a: FloatArray, T: float, top: NDArray[np.intp] | None = None) -> Odds:
    """Return the odds against the likeliest class, which `top` (rows, 1) is if it is known."""
    if top is None:
        top = likeliest(a)[:, None]
    if a.dtype.itemsize < 8:
        others, of_top = _parted(_of_few_bits(a, T)[0], top)
        odds = summed(others) / of_top
        return Odds(top, odds, np.zeros_like(odds))
    beside = Beside.of(wide(a), T, top)
    found = beside.odds(*beside.sums_for_logarithms())
    tiny = found.high[:, 0] < 1 / LARGEST
    if tiny.any():
        _mend_tiny_odds(found, wide(a)[tiny], T, tiny)
    return found


def _mend_tiny_odds(found: Odds, a: Rows, T: float, tiny: NDArray[np.bool_]) -> None:
    """Take odds again whose terms are no normal numbers, raised by powers of two."""
    raised = in_parts(a, T)
    terms = np.ldexp(raised.head + raised.rest, raised.power + np.int32(_RAISED))
    others, of_top = _parted(terms, found.top[tiny])
    odds = row_sums(others, summed(others)) / of_top
    # The likeliest class was raised as well: the odds are what they were, and small.
    found.high[tiny] = odds
    found.low[tiny] = 0


@dataclass(frozen=True)
class Beside:
    """exp(a / T) times a factor a row, the likeliest class apart from the others.

    top     (rows, 1) the likeliest class
    others  (rows, classes) 0 for the likeliest, and NaN in a row that has no softmax
    of_top  (rows, 1) that of the likeliest class, and what its rounding left
    """

    top: NDArray[np.intp]
    others: Rows
    of_top: tuple[Rows, Rows]

    @classmethod
    def of(cls, a: Rows, T: float, top: NDArray[np.intp]) -> Beside:
        """Return the exponentials of rows of float64."""
        if is_exact_divisor(T):
            with np.errstate(over="ignore"):
                largest = np.exp(np.take_along_axis(a, top, -1) / T)
            terms, _ = exponentials(a, T, np.empty_like(a), largest)
            others, of_top = _parted(terms, top)
            return cls(top, others, (of_top, np.zeros_like(of_top)))
        exact = in_parts(a, T)
        others, of_top = _parted(exact.whole(), top)
        head, rest = (np.take_along_axis(part, top, -1) for part in (exact.head, exact.rest))
        return cls(top, others, (of_top, (head - of_top) + rest))

    def sums(self) -> tuple[Rows, Rows]:
        """Return the sums of the others."""
        return sums_in_parts(self.others, summed(self.others))

    def sums_for_logarithms(self) -> tuple[Rows, Rows]:
        """Return the sums of the others, exact where log1p of the odds shows it.

        Where the odds are long, their logarithm is a fraction as wrong as they are.
        """
        high = summed(self.others)
        short = ~(high[:, 0] > _LONG_ODDS * self.of_top[0][:, 0])
        if short.all():
            return sums_in_parts(self.others, high)
        low = np.zeros_like(high)
        if short.any():
            high[short], low[short] = sums_in_parts(self.others[short], high[short])
        return high, low

    def odds(self, high: Rows, low: Rows) -> Odds:
        """Return the odds against the likeliest class, from the sums of the others."""
        return Odds(self.top, *quotient(high, low, *self.of_top))


def _parted(terms: Rows, top: NDArray[Any]) -> tuple[Rows, Rows]:
    """Take the likeliest class out: 0 is left, and NaN in a row that has no softmax."""
    of_top = np.take_along_axis(terms, top, -1)
    with np.errstate(invalid="ignore"):
        np.put_along_axis(terms, top, of_top * 0, -1)
    return terms, of_top
