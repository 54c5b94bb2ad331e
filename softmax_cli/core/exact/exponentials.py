"""exp(a / T) for rows of float64, accurate to about 0.5 ULP however large a / T is.

exp((a - max a) / T) would round a difference and a quotient first, which costs hundreds of ULP.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import LARGEST, Factor, Rows, product, reciprocal, two_sum
from softmax_cli.core.exact.sums import summed, sums_in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Exponentials of numbers below this are subnormal and lose digits.
_LOWEST = -708.0
# A smaller sum of float64 exponentials may have lost digits that float32 shows.
_SMALLEST = 2.0**-500
# 2^RAISED times a probability is a normal number for every probability above 0.
RAISED = 200
# A class this many T below the likeliest has no normal probability.
_REACH = 750
# Steps per power of two in the table of 2^(j / 64).
_STEPS = 64


def exponentials(
    a: FloatArray, T: float, out: Rows | None = None, sizes: Rows | None = None
) -> tuple[Rows, Rows]:
    """Return exp(a / T), each row perhaps scaled by a power of two, and approximate row sums.

    a, out (rows, classes); sizes (rows, 1), the largest exponentials, are returned as the sums.
    Normal entries that matter are accurate to 0.53 ULP; a row without a softmax is NaN.
    """
    if not is_exact_divisor(T):
        whole = in_parts(a, T).whole(out)
        return whole, summed(whole)
    # A quotient by a power of two is exact, and nothing is subtracted, so nothing is rounded.
    with np.errstate(over="ignore"):
        quotients = a if T == 1 else np.multiply(a, 1 / T, out=out, dtype=np.float64)
        result = np.exp(quotients, out=out, dtype=np.float64)
        sums = summed(result) if sizes is None else sizes
    if not (sums.min(initial=1) >= 1 and sums.max(initial=1) < LARGEST):
        unfit = ~((sums[:, 0] > 0) & (sums[:, 0] < LARGEST))
        small = np.flatnonzero(~unfit & (sums[:, 0] < 1))
        logits = a[small]
        unfit[small] = ((logits < _LOWEST * T) & (logits > -np.inf)).any(axis=-1)
        result[unfit] = in_parts(a[unfit], T).whole()
        sums[unfit] = summed(result[unfit])
    return result, sums


def low_precision_exponentials(
    a: FloatArray, T: float, out: Rows | None = None
) -> tuple[Rows, Rows]:
    """Return exp(a / T), each row scaled by a factor, and the row sums, for float32 and float16."""
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


def is_exact_divisor(T: float) -> bool:
    """Return whether division by T is exact: T is a power of two."""
    return math.frexp(T)[0] == 0.5 and 1 / LARGEST < T < LARGEST


class Parts(NamedTuple):
    """exp(a / T) = (head + rest) 2^power, each row scaled by a power of two; relative error 2^-59.

    Heads have 26 bits, whose products are exact; rests are below 1/100 of them, powers at most 0.
    """

    head: Rows
    rest: Rows
    power: NDArray[np.int32]

    def whole(self, out: Rows | None = None) -> Rows:
        result: Rows = np.ldexp(self.head + self.rest, self.power, out=out)
        return result

    def over_their_sum(self, divisor: Factor, raised: int = 0) -> Rows:
        """Return the exponentials over (row sum * divisor), times 2^raised, accurate to 0.6 ULP."""
        fraction, power = math.frexp(divisor.high)
        with np.errstate(invalid="ignore", over="ignore"):
            heads = np.ldexp(self.head, self.power)
            high, low = sums_in_parts(heads, summed(heads))
            total, rest = two_sum(high, low + summed(np.ldexp(self.rest, self.power)))
            by = Factor(fraction, math.ldexp(divisor.rest, -power))
            inverse, correction = reciprocal(*product(total, rest, by))
            result = self.head * correction
            result += self.rest * (inverse + correction)
            result += self.head * inverse
            scaled: Rows = np.ldexp(result, self.power + np.int32(raised - power), out=result)
        return scaled


def in_parts(logits: FloatArray, T: float) -> Parts:
    """Return exp(a / T) as head, rest and power of two.

        exp(a / T) = 2^(n / 64) exp(r),  n = round(64 a / (T ln 2)),  r = (a - n T ln 2 / 64) / T

    T ln 2 / 64 is a double-double, which makes r exact to 2^-60. 2^(n / 64) comes from a table of
    double-doubles, and exp(r) - 1, with r below 1/180, is its power series (Tang 1989).
    """
    a = wide(logits)
    if T > LARGEST:
        return in_parts(a / LARGEST, T / LARGEST)
    table, step = _table(), _step(T)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        maximum = a.max(axis=-1, keepdims=True)
        # Where this shifts, all logits that matter are within a factor of two of the maximum, so
        # their differences are exact.
        r = a - np.where(np.abs(maximum) >= 2 * _REACH * T, maximum, 0)
        np.maximum(r, -5 * _REACH * T, out=r)
        np.ldexp(r, -step.power, out=r)
        n = r * (1 / step.width)
        np.rint(n, out=n)
        steps = n * step.width
        r -= steps
        np.multiply(n, step.width_rest, out=steps)
        r -= steps
        r *= 1 / step.fraction
        series = np.multiply(r, 1 / 720, out=steps)
        for factorial in (120, 24, 6, 2, 1):
            series += 1 / factorial
            series *= r
        power = n.astype(np.int32)
        place = power & (_STEPS - 1)
        power >>= _STEPS.bit_length() - 1
        power -= power.max(axis=-1, keepdims=True)
        head = table.heads.take(place, out=n, mode="clip")
        rest = table.rests.take(place, out=r, mode="clip")
        series *= head + rest
        rest += series
    return Parts(head, rest, power)


class _Table(NamedTuple):
    """2^(j / 64) for every j below 64, as heads of 26 bits and the rests."""

    heads: Rows
    rests: Rows


class _Step(NamedTuple):
    """T = fraction 2^power, and fraction ln 2 / 64 as a width of 32 bits and the rest."""

    fraction: float
    power: int
    width: float
    width_rest: float


@cache
def _table() -> _Table:
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 50
        powers = [Decimal(2) ** (Decimal(j) / _STEPS) for j in range(_STEPS)]
        heads = [round(power * 2**25) / 2.0**25 for power in powers]
        rests = [float(power - Decimal(head)) for power, head in zip(powers, heads, strict=True)]
    return _Table(np.array(heads), np.array(rests))


@cache
def _step(T: float) -> _Step:
    from decimal import Decimal, localcontext

    fraction, power = math.frexp(T)
    with localcontext() as context:
        context.prec = 50
        width = Decimal(fraction) * Decimal(2).ln() / _STEPS
        # The product of 32 bits of width and a whole number of 20 bits is exact.
        unit = 2.0 ** (math.frexp(float(width))[1] - 32)
        head = round(width / Decimal(unit)) * unit
        return _Step(fraction, power, head, float(width - Decimal(head)))
