"""Exact and compensated sums, along rows and over any number of blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from softmax_cli.core.exact.double_double import LARGEST, two_sum
from softmax_cli.core.exact.rows import FEW_CLASSES
from softmax_cli.core.kernel import compiled

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, NDArray

Numbers: TypeAlias = "NDArray[np.float64]"

# Sums whose powers of two lie in one interval of this length share a grid.
_GRID_BITS = 20
# Every float64 is a whole multiple of 2 to this power.
_SMALLEST = -1074


def summed(values: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each row, (rows, 1); its digits do not depend on the other rows."""
    if values.shape[-1] >= FEW_CLASSES:
        result: NDArray[Any] = values.sum(axis=-1, keepdims=True)
        return result
    entries = values.T
    total = np.array(entries[0])
    for entry in entries[1:]:
        total += entry
    return total[:, None]


def sums_in_parts(terms: Numbers, sizes: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """Return the sum of each row as a double-double, to 2^-57 of the sum of absolute values.

    Each term is split on a grid: coarse enough for the first parts to add without rounding, fine
    enough for errors in the second parts not to matter (Rump, Ogita, Oishi 2008).

    sizes are approximate sums of absolute values, (rows, 1), if known. Sums that are not
    finite, or above 2^1000, are plain ones.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sizes is None:
            sizes = summed(np.abs(terms))
        anchor = np.ldexp(1.5, _grid(np.frexp(sizes)[1]))
        first = terms + anchor
        first -= anchor
        high = summed(first)
        high, low = two_sum(high, summed(np.subtract(terms, first, out=first)))
        rounded = ~(sizes < LARGEST)
        if rounded.any():
            high[rounded] = summed(terms)[rounded]
            low[rounded] = 0
    return high, low


def _grid(power: Any) -> Any:
    """Return the power of two that rounds terms to the grid when it is added and subtracted."""
    return power // _GRID_BITS * _GRID_BITS + _GRID_BITS + 1


def row_sums(terms: Numbers, sizes: Numbers | None = None) -> Numbers:
    """Return the sum of each row, rounded once; arguments as of `sums_in_parts`."""
    high, low = sums_in_parts(terms, sizes)
    high += low
    return high


class ExactSum:
    """A running exact sum of float64 numbers, rounded once at the end; `+=` adds another.

    >>> total = ExactSum()
    >>> total.add([1e300, 1.0])
    >>> total.add([-1e300])
    >>> total.total()
    1.0
    """

    def __init__(self) -> None:
        self._units = 0
        self._not_finite = 0.0

    def add(self, numbers: ArrayLike) -> None:
        """Add numbers; infinities and NaN add up as in floating point."""
        rest = np.asarray(numbers, dtype=np.float64).reshape(-1)
        if compiled.computes(rest):
            units, others = compiled.exact_sum(rest)
            self._units += units
            self._not_finite += others
            return
        finite = np.isfinite(rest)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                self._not_finite += float(rest[~finite].sum())
            rest = rest[finite]
        for power, multiples in _multiples(rest.copy()):
            self._units += int(multiples.sum()) << (power - _SMALLEST)

    def __iadd__(self, other: Self) -> Self:
        self._units += other._units
        self._not_finite += other._not_finite
        return self

    def total(self, divisor: float | Fraction = 1.0) -> float:
        """Return the sum over a positive divisor, correctly rounded.

        >>> total = ExactSum()
        >>> total.add([1.5e308, 1.5e308])
        >>> total.total(), total.total(2), total.total(total.exact())
        (inf, 1.5e+308, 1.0)
        """
        if self._not_finite != 0:
            return self._not_finite
        over, under = divisor.as_integer_ratio()
        return _quotient(self._units * under, over << -_SMALLEST)

    def exact(self) -> Fraction | int:
        """Return the sum of the finite numbers, exactly."""
        whole, rest = divmod(self._units, 1 << -_SMALLEST)
        if not rest:
            return whole
        from fractions import Fraction

        return Fraction(self._units, 1 << -_SMALLEST)

    def state(self) -> str:
        """Return the exact sum in hexadecimal, which `from_state` reads.

        >>> total = ExactSum()
        >>> total.add([0.75, 2.0])
        >>> total.state()
        '0xbp-2'
        >>> ExactSum.from_state(total.state()).total()
        2.75
        """
        return _to_hex(self._units, self._not_finite)

    @classmethod
    def from_state(cls, state: str) -> Self:
        total = cls()
        total._units, total._not_finite = _from_hex(state)
        return total


class GroupedSums:
    """Running exact sums of float64 numbers, one per group.

    >>> sums = GroupedSums(2)
    >>> sums.add([1e300, 5.0, -1e300, 1.0], [0, 1, 0, 0])
    >>> sums.total(0), sums.total(1, 2.0)
    (1.0, 2.5)
    """

    def __init__(self, groups: int) -> None:
        self._units: NDArray[np.object_] = np.full(groups, 0, dtype=object)
        self._not_finite = np.zeros(groups)

    def add(self, numbers: ArrayLike, groups: ArrayLike) -> None:
        """Add each number to its group; infinities and NaN add up as in floating point."""
        rest, of = np.array(numbers, dtype=np.float64), np.asarray(groups)
        finite = np.isfinite(rest)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                np.add.at(self._not_finite, of[~finite], rest[~finite])
            rest, of = rest[finite], of[finite]
        for power, multiples in _multiples(rest):
            wholes = np.bincount(of, weights=multiples, minlength=len(self._units))
            hit = np.flatnonzero(wholes)
            multiples_hit = wholes[hit].astype(np.int64).astype(object)
            self._units[hit] += multiples_hit * (1 << (power - _SMALLEST))

    def __iadd__(self, other: Self) -> Self:
        self._units += other._units
        with np.errstate(invalid="ignore"):
            self._not_finite += other._not_finite
        return self

    def total(self, group: int, divisor: float | GroupedSums = 1.0) -> float:
        """Return the sum of a group over a positive divisor, or over that group of other sums."""
        if self._not_finite[group] != 0:
            return float(self._not_finite[group])
        if isinstance(divisor, GroupedSums):
            return _quotient(self._units[group], divisor._units[group])
        over, under = divisor.as_integer_ratio()
        return _quotient(self._units[group] * under, over << -_SMALLEST)

    def state(self) -> list[str]:
        return list(map(_to_hex, self._units.tolist(), self._not_finite.tolist()))

    @classmethod
    def from_state(cls, state: list[str]) -> Self:
        sums = cls(len(state))
        for group, each in enumerate(state):
            sums._units[group], sums._not_finite[group] = _from_hex(each)
        return sums


def _multiples(rest: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Split numbers, in place, into whole multiples of powers of two whose sums are exact."""
    # Sums of whole numbers are exact up to 2^53.
    bits = 52 - len(rest).bit_length()
    while largest := float(np.abs(rest).max(initial=0)):
        power = max(math.frexp(largest)[1] - bits, _SMALLEST)
        multiples = np.trunc(_scaled(rest, -power))
        yield power, multiples
        rest -= _scaled(multiples, power)


def _to_hex(units: int, not_finite: float) -> str:
    """Return a sum in hexadecimal, followed by its infinite or NaN part if there is one."""
    zeros = (units & -units).bit_length() - 1 if units else -_SMALLEST
    finite = f"{units >> zeros:#x}p{zeros + _SMALLEST}"
    return f"{finite} {not_finite}" if not_finite else finite


def _from_hex(state: str) -> tuple[int, float]:
    finite, _, rest = state.partition(" ")
    whole, power = finite.split("p")
    return int(whole, 16) << int(power) - _SMALLEST, float(rest or 0)


def _quotient(a: int, b: int) -> float:
    try:
        return a / b
    except OverflowError:
        return math.inf if a > 0 else -math.inf


def _scaled(numbers: Numbers, power: int) -> Numbers:
    """Return numbers times a power of two; multiplication is faster than ldexp if it fits."""
    if -1022 <= power <= 1023:
        return numbers * 2.0**power
    result: Numbers = np.ldexp(numbers, power)
    return result
