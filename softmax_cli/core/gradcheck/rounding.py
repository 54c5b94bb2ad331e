"""Absolute tolerances of gradients computed in a dtype, compared with exact references.

Entries that are differences, such as P - 1 at a label, are as exact as their terms. Products and
quotients are as exact as themselves, which the relative tolerance covers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.gradcheck.numerical.noise import Array
from softmax_cli.core.loss.row_errors import RowErrors, Rule
from softmax_cli.core.loss.weights import WeightedTargets
from softmax_cli.core.softmax.softmax import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

# ULP of the terms of a difference, for wide dtypes and for 16 bits.
_UNITS, _UNITS_OF_HALVES = 8, 3
# A gradient of at most this many ULP of its terms is zero to within rounding.
_ZERO = 4
# Dtypes with a larger epsilon have 16 bits.
_HALF = 1e-5
# Subnormal entries may be off by this many times the smallest number.
_LOST = 4
_LEAST = 1e-8
# If rounding changes a logit by this much, its probability is unknown.
_UNKNOWN = 0.5


# Takes the rule; None where rows have to be compared entry by entry.
CompareRows: TypeAlias = "Callable[[Rule], RowErrors | None]"


class RowComparison(NamedTuple):
    """The errors of rows of gradients, (rows,) each.

    vacuous  which rows prove nothing
    unclear  which rows have to be compared entry by entry
    """

    errors: RowErrors
    vacuous: NDArray[np.bool_]
    unclear: NDArray[np.bool_]


class Tolerances(NamedTuple):
    """Tolerances of rows of gradients.

    atol     (rows, ...) absolute tolerance of each entry
    vacuous  (rows,) which rows prove nothing
    doubt    error of the reference for a gradient computed in that dtype
    """

    atol: Array
    vacuous: NDArray[np.bool_]
    doubt: Array | float


@dataclass(frozen=True)
class Rounding:
    """The rounding of a dtype.

    eps, smallest  machine epsilon and smallest positive number
    rtol, atol     tolerances; atol is None unless the user gave it
    given          whether the user gave a tolerance
    """

    eps: float
    smallest: float
    rtol: float
    atol: float | None
    given: bool
    T: float

    def of_loss(
        self, n: Rows, a: FloatArray, weighted: WeightedTargets, divisor: float
    ) -> Tolerances:
        """Return tolerances of loss gradients n."""
        terms, size, rule = self._of_terms(a, weighted, divisor)
        floor, share = rule.floor[:, None], rule.share[:, None]
        if weighted.is_soft:
            atol = rule.units * terms + floor
            if share.any():
                atol += share * (np.abs(n) + terms)
        else:
            atol = np.tile(floor, n.shape[-1])
            np.put_along_axis(atol, weighted.targets, rule.units * terms + floor, -1)
        return self._tolerances(n, atol, size, self._conditioned(a, n))

    def _of_terms(
        self, a: FloatArray, weighted: WeightedTargets, divisor: float
    ) -> tuple[Rows, Rows, Rule]:
        """Return the terms Y_j of loss gradients P_j sum_k Y_k - Y_j, their sums, and the rule.

        The terms are (rows, classes), or those of labels alone, (rows, 1).
        """
        N, unit = a.shape[-1], 1 / (divisor * self.T)
        Y = weighted.scaled_targets() if weighted.is_soft else weighted.scaled(np.ones((len(a), 1)))
        terms = Y * unit
        size = terms.sum(axis=-1)
        share = np.zeros(len(a))
        if weighted.is_soft:
            # Where P and Y cancel, the error of a / T matters relative to the terms.
            share += np.minimum(self._moved(a)[:, 0], self.rtol)
            if self.eps >= _HALF:
                # Each term of sum_k Y_k may be subnormal and lose a part of the smallest number.
                share += self.smallest * N / np.maximum(size, self.smallest)
        floor = self._floor(size, size * divisor)
        units, none = 2 * self._units(N) * self.eps, np.zeros(len(a))
        return terms, size, Rule(self.rtol, units, unit, floor, share, none)

    def rows_of_loss(
        self, a: FloatArray, weighted: WeightedTargets, divisor: float, compare: CompareRows
    ) -> RowComparison | None:
        """Compare rows of loss gradients without a tolerance for each entry, where that is enough.

        compare  takes the rule
        """
        _, size, rule = self._of_terms(a, weighted, divisor)
        if self.atol is not None:
            rule = rule._replace(units=0.0, floor=np.full(len(a), self.atol), share=rule.least)
        if (errors := compare(rule)) is None:
            return None
        zero, small = self._small(size, a.shape[-1])
        vacuous, is_small = errors.largest <= zero, errors.largest <= small
        unclear = np.isnan(errors.over) | (self._moved(a)[:, 0] > min(self.rtol / 8, _UNKNOWN))
        if self.atol is None:
            vacuous |= is_small & (errors.zeros_over == 0)
        else:
            # What is vacuous depends on tolerances that were not compared with.
            unclear |= is_small
        if self.given:
            vacuous |= errors.zeros_over == 0
        if self.atol is None and (vacuous & (zero > rule.floor)).any():
            errors = compare(rule._replace(least=np.where(vacuous, zero, 0))) or errors
        return RowComparison(errors, vacuous, unclear)

    def of_jacobian(self, n: Array, a: Rows, of: str) -> Tolerances:
        """Return tolerances of Jacobians (rows, N, N): S_i - S_i S_i or 1 - S_i on the diagonal."""
        S = softmax(a, temperature=self.T)
        terms = (S if of == "softmax" else np.ones_like(S)) / self.T
        atol = np.tile(self._floor(terms, terms)[:, :, None], a.shape[-1])
        diagonal = np.arange(a.shape[-1])
        atol[:, diagonal, diagonal] += self._units(a.shape[-1]) * self.eps * terms
        return self._tolerances(n, atol, terms.max(axis=-1), 0.0)

    def of_product(self, n: Rows, a: Rows, v: Rows, of: str) -> Tolerances:
        """Return tolerances of v J: S_j (v_j - sum_k S_k v_k) / T or (v_j - S_j sum_k v_k) / T."""
        S, size = softmax(a, temperature=self.T), np.abs(v)
        if of == "softmax":
            terms = S * (size + (S * size).sum(axis=-1, keepdims=True)) / self.T
        else:
            terms = (size + S * size.sum(axis=-1, keepdims=True)) / self.T
        largest = terms.max(axis=-1)
        units = self._units(a.shape[-1]) * self.eps
        atol = units * terms + self._floor(largest, largest)[:, None]
        return self._tolerances(n, atol, largest, self._conditioned(a, terms))

    def _units(self, classes: int) -> float:
        """Return the error in ULP of sums over the classes; 16-bit dtypes are summed in float32."""
        return _UNITS + math.sqrt(classes) if self.eps < _HALF else _UNITS_OF_HALVES

    def _floor(self, size: Array, undivided: Array) -> Array:
        """Return the tolerance of tiny entries: subnormal terms times weights and 1 / T."""
        if self.eps < _HALF:
            # Many processors flush subnormal numbers to 0.
            return np.asarray(self.smallest / self.eps * np.maximum(1, undivided))
        # 16-bit frameworks store log P; only bfloat16 has probabilities this small.
        return np.asarray(_LEAST * size + _LOST * self.smallest * np.maximum(1, undivided))

    def _moved(self, a: FloatArray) -> Rows:
        """Return the relative error of a probability that the rounding of a / T causes."""
        if math.frexp(self.T)[0] == 0.5:
            return np.zeros((len(a), 1))
        size = wide(np.abs(np.where(np.isfinite(a), a, 0)).max(axis=-1, keepdims=True))
        return np.asarray(self.eps * size / self.T)

    def _conditioned(self, a: FloatArray, terms: Rows) -> Array | float:
        """Return the error of terms that the rounding of a / T causes, if it matters."""
        moved = self._moved(a)
        matters = moved > self.rtol / 8
        if not matters.any():
            return 0.0
        # Beyond this, another class may be the likeliest.
        unknown = np.where(moved > _UNKNOWN, np.inf, 0)
        return np.asarray(np.maximum(np.where(matters, moved, 0) * np.abs(terms), unknown))

    def _small(self, size: Rows, classes: int) -> tuple[Rows, Rows]:
        """Return the largest entry of rows that are zero to within rounding, and of small rows."""
        zero = _ZERO * self.eps * size + self.smallest
        return zero, 4 * self._units(classes) * self.eps * size + zero

    def _tolerances(self, n: Array, atol: Array, size: Array, doubt: Array | float) -> Tolerances:
        """Return tolerances, higher for rows that are zero to within rounding."""
        inner = tuple(range(1, n.ndim))
        zero, small = self._small(size, n.shape[-1])
        largest = np.abs(n).max(axis=inner, initial=0)
        vacuous = largest <= zero
        # Where a gradient of zeros would agree as well, agreement proves nothing.
        few = np.flatnonzero(largest <= small)
        if few.size:
            sizes = np.abs(n[few])
            vacuous[few] |= (sizes <= atol[few] + self.rtol * sizes).all(axis=inner)
        if self.atol is not None:
            atol = np.array(self.atol)
        elif vacuous.any():
            least = zero[vacuous].reshape(-1, *[1] * (n.ndim - 1))
            atol[vacuous] = np.maximum(atol[vacuous], least)
        if self.given:
            vacuous |= (np.abs(n) <= atol + self.rtol * np.abs(n)).all(axis=inner)
        return Tolerances(atol, vacuous, doubt)
