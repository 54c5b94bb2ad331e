"""Sums that do not depend on the order of their terms: along rows, and of any number of blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.exact.double_double import LARGEST, two_sum
from softmax_cli.core.exact.rows import FEW_CLASSES

if TYPE_CHECKING:
    from fractions import Fraction

Numbers = NDArray[np.float64]

# Sums are rounded on a grid that fits all between two powers of two this far apart.
_GRID_BITS = 20
# Every number of float64 is a whole multiple of this power of two.
_SMALLEST = -1074


def summed(values: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each row, which keeps its axis.

    Few entries are added one after the other: the digits must not depend on how many rows there
    are, nor on the order in which they lie in memory, and NumPy's depend on both.
    """
    if values.shape[-1] >= FEW_CLASSES:
        result: NDArray[Any] = values.sum(axis=-1, keepdims=True)
        return result
    entries = values.T
    total = np.array(entries[0])
    for entry in entries[1:]:
        total += entry
    return total[:, None]


def sums_in_parts(
    terms: Numbers, sizes: Numbers | None = None, room: Numbers | None = None
) -> tuple[Numbers, Numbers]:
    """Return the sum of each row, and what rounding left, to 2^-57 of the sum of the terms' sizes.

    Each term is cut in two on a grid so coarse that the first parts add up without rounding, and
    so fine that what is left of the second ones is no matter (Rump, Ogita, Oishi 2008).

    terms    (rows, classes)
    sizes    (rows, 1) the sum of their absolute values, or about as much, if it is known
    room     of the shape of the terms, to compute in, if there is some
    returns  (rows, 1) twice; a sum that is not finite, or above 2^1000, is rounded once a term
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sizes is None:
            sizes = summed(np.abs(terms, out=room))
        least, most = float(sizes.min(initial=LARGEST)), float(sizes.max(initial=0))
        # A scalar is added in less time.
        grids = {_grid(math.frexp(size)[1]) for size in (least, most)}
        uniform = least > 0 and most < LARGEST and len(grids) == 1
        power = _grid(np.frexp(sizes)[1] if not uniform else math.frexp(most)[1])
        anchor = np.ldexp(1.5, power)
        first = np.add(terms, anchor, out=room)
        first -= anchor
        high = summed(first)
        high, low = two_sum(high, summed(np.subtract(terms, first, out=first)))
        if not most < LARGEST:
            rounded = ~(sizes < LARGEST)
            high[rounded] = summed(terms)[rounded]
            low[rounded] = 0
    return high, low


def _grid(power: Any) -> Any:
    """Return the power of two of what, added to terms and subtracted again, puts them on the grid.

    It is the same for all sums whose power of two lies between two multiples of _GRID_BITS.
    """
    return power // _GRID_BITS * _GRID_BITS + _GRID_BITS + 1


def row_sums(terms: Numbers, sizes: Numbers | None = None, room: Numbers | None = None) -> Numbers:
    """Return the sum of each row, rounded once; arguments as of `sums_in_parts`."""
    high, low = sums_in_parts(terms, sizes, room)
    high += low
    return high


class ExactSum:
    """A running sum of float64 numbers that is rounded once, at its end; `+=` adds another.

    >>> total = ExactSum()
    >>> total.add([1e300, 1.0])
    >>> total.add([-1e300])
    >>> total.total()
    1.0
    """

    def __init__(self) -> None:
        """Start at 0."""
        self._units = 0
        self._not_finite = 0.0

    def add(self, numbers: ArrayLike) -> None:
        """Add numbers; infinities and NaN add up as in floating point."""
        rest = np.array(numbers, dtype=np.float64).reshape(-1)
        finite = np.isfinite(rest)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                self._not_finite += float(rest[~finite].sum())
            rest = rest[finite]
        for power, multiples in _multiples(rest):
            self._units += int(multiples.sum()) << (power - _SMALLEST)

    def __iadd__(self, other: Self) -> Self:
        """Add the terms of another sum."""
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

    def exact(self) -> Fraction:
        """Return the sum of the finite numbers as it is."""
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
        return _spelt(self._units, self._not_finite)

    @classmethod
    def from_state(cls, state: str) -> Self:
        """Return the sum that a state holds."""
        total = cls()
        total._units, total._not_finite = _read_back(state)
        return total


class GroupedSums:
    """Running sums of float64 numbers, one a group, each as an ExactSum.

    >>> sums = GroupedSums(2)
    >>> sums.add([1e300, 5.0, -1e300, 1.0], [0, 1, 0, 0])
    >>> sums.total(0), sums.total(1, 2.0)
    (1.0, 2.5)
    """

    def __init__(self, groups: int) -> None:
        """Start at 0 in every group."""
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
        """Add the terms of another's sums, which has as many groups."""
        self._units += other._units
        with np.errstate(invalid="ignore"):
            self._not_finite += other._not_finite
        return self

    def total(self, group: int, divisor: float | GroupedSums = 1.0) -> float:
        """Return the sum of a group over a positive divisor, or the group's sum in another."""
        if self._not_finite[group] != 0:
            return float(self._not_finite[group])
        if isinstance(divisor, GroupedSums):
            return _quotient(self._units[group], divisor._units[group])
        over, under = divisor.as_integer_ratio()
        return _quotient(self._units[group] * under, over << -_SMALLEST)

    def state(self) -> list[str]:
        """Return the exact sums, which `from_state` reads."""
        return list(map(_spelt, self._units.tolist(), self._not_finite.tolist()))

    @classmethod
    def from_state(cls, state: list[str]) -> Self:
        """Return the sums that a state holds."""
        sums = cls(len(state))
        for group, each in enumerate(state):
            sums._units[group], sums._not_finite[group] = _read_back(each)
        return sums


def _multiples(rest: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Cut numbers into whole multiples of powers of two, in place, the largest power first.

    The multiples have so few bits that all of them add up without rounding.
    """
    # Sums of whole numbers up to 2^53 are exact.
    bits = 52 - len(rest).bit_length()
    while largest := float(np.abs(rest).max(initial=0)):
        power = max(math.frexp(largest)[1] - bits, _SMALLEST)
        multiples = np.trunc(_scaled(rest, -power))
        yield power, multiples
        rest -= _scaled(multiples, power)


def _spelt(units: int, not_finite: float) -> str:
    """Return a sum in hexadecimal, and behind it what is not finite of it."""
    zeros = (units & -units).bit_length() - 1 if units else -_SMALLEST
    finite = f"{units >> zeros:#x}p{zeros + _SMALLEST}"
    return f"{finite} {not_finite}" if not_finite else finite


def _read_back(state: str) -> tuple[int, float]:
    finite, _, rest = state.partition(" ")
    whole, power = finite.split("p")
    return int(whole, 16) << int(power) - _SMALLEST, float(rest or 0)


def _quotient(a: int, b: int) -> float:
    try:
        return a / b
    except OverflowError:
        return math.inf if a > 0 else -math.inf


def _scaled(numbers: Numbers, power: int) -> Numbers:
    """Return numbers times a power of two; multiplying is faster where that is a number."""
    if -1022 <= power <= 1023:
        return numbers * 2.0**power
    result: Numbers = np.ldexp(numbers, power)
    return result
