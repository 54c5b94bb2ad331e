"""Double-double arithmetic: a number as the sum of a float64 and its rounding error."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

Rows: TypeAlias = "NDArray[np.float64]"

# Sums and divisors up to this do not overflow in later steps.
LARGEST = 2.0**1000


class Factor(NamedTuple):
    """A double-double scalar: its float64 value and the rest."""

    high: float
    rest: float


@cache
def factor(T: float = 1.0, count: float | Fraction = 1.0, base: float = math.e) -> Factor:
    """Return T * count * log(base) as a double-double.

    `math.e` stands for e itself, whose logarithm is 1; a count may be a fraction.

    >>> factor(base=2.0)
    Factor(high=0.6931471805599453, rest=2.3190468138462996e-17)
    """
    if base == math.e and isinstance(count, (int, float)) and (T == 1 or count == 1):
        return Factor(T * count, 0.0)
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 60
        over, under = count.as_integer_ratio()
        unit = 1 if base == math.e else Decimal(base).ln()
        exact = Decimal(T) * Decimal(over) / Decimal(under) * unit
        high = float(exact)
        return Factor(high, float(exact - Decimal(high)) if math.isfinite(high) else 0.0)


def two_sum(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Return a + b and its rounding error (Knuth 1969)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def times(a: Rows, b: Any) -> tuple[Rows, Rows]:
    """Return a * b and its rounding error, 0 where that overflows (Dekker 1971)."""
    result = a * b
    a_head, a_rest = halves(a)
    b_head, b_rest = halves(b)
    error = a_head * b_head - result + a_head * b_rest + a_rest * b_head + a_rest * b_rest
    return result, np.where(np.isfinite(error), error, 0)


def product(high: Rows, low: Rows, by: Factor) -> tuple[Rows, Rows]:
    """Return (high + low) times a factor as a double-double."""
    result, left = times(high, np.float64(by.high))
    return result, left + low * by.high + high * by.rest


def reciprocal(high: Rows, low: Rows) -> tuple[Rows, Rows]:
    """Return 1 / (high + low) as a double-double whose first part has 26 bits."""
    rounded = 1 / high
    inverse, _ = halves(rounded)
    head, rest = halves(high)
    left = 1 - head * inverse - rest * inverse - low * inverse
    return inverse, left * rounded


def quotient(high: Rows, low: Rows, by: Any, by_rest: Any) -> tuple[Rows, Rows]:
    """Return (high + low) / (by + by_rest) as a double-double; its rest is 0 where it overflows."""
    result = high / by
    head, rest = halves(result)
    by_head, by_tail = halves(by)
    left = high - head * by_head - head * by_tail - rest * by_head - rest * by_tail
    correction = (left + low - result * by_rest) / by
    return result, np.where(np.isfinite(correction), correction, 0)


def halves(values: Any) -> tuple[Rows, Rows]:
    """Split values into the sum of two numbers of 26 bits (Dekker 1971)."""
    scaled = values * (2.0**27 + 1)
    head: Rows = np.asarray(scaled - (scaled - values))
    return head, np.asarray(values - head)


def over(values: Rows, divisor: Factor) -> Rows:
    """Divide values by a divisor, in place."""
    if divisor.high != 1:
        values /= divisor.high
    if divisor.rest:
        correction = values * (divisor.rest / divisor.high)
        correction[~np.isfinite(correction)] = 0
        values -= correction
    return values
