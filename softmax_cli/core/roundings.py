"""What a right gradient of a dtype may be off by, entry by entry, when its reference is exact.

An entry that is a difference, P - 1 at a label, is as exact as its terms are; one that is a product
or a quotient is as exact as itself, which the relative tolerance sees to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.softmax import softmax
from softmax_cli.core.twofold import Rows
from softmax_cli.core.weights import Wanted

# Units in the last place of the terms of a difference.
_UNITS = 8
# A gradient of so many units of its terms is zero to within rounding.
_ZERO = 4


class Judged(NamedTuple):
    """The tolerance of each entry, and which rows prove nothing.

    atol     (rows, ...)
    vacuous  (rows,)
    doubt    how far the reference may be off for a gradient computed in that dtype
    """

    atol: NDArray[Any]
    vacuous: NDArray[np.bool_]
    doubt: NDArray[Any] | float


@dataclass(frozen=True)
class Rounding:
    """The rounding of a dtype, and the tolerances that were asked for, if any.

    eps, smallest  spacing at 1, and the smallest number above 0
    """

    eps: float
    smallest: float
    rtol: float
    atol: float | None
    given: bool
    T: float

    def of_loss(self, n: Rows, a: Rows, wanted: Wanted, divisor: float) -> Judged:
        """Judge gradients n of losses of the logits a: differences of P_j sum_k Y_k and Y_j."""
        unit = 1 / (divisor * self.T)
        if wanted.is_soft:
            terms = wanted.scaled_targets() * unit
            size = terms.sum(axis=-1)
            atol = 2 * _UNITS * self.eps * terms + self._floor(size)[:, None]
        else:
            scale = np.ones((len(n), 1)) if wanted.scale is None else wanted.scale[0]
            size = scale[:, 0] * unit
            atol = np.empty_like(n)
            atol[:] = self._floor(size)[:, None]
            of_label = 2 * _UNITS * self.eps * size + self._floor(size)
            np.put_along_axis(atol, wanted.targets, of_label[:, None], -1)
        return self._judged(n, atol, size, self._conditioned(a, n))

    def of_jacobian(self, n: NDArray[Any], a: Rows, of: str) -> Judged:
        """Judge Jacobians (rows, N, N): on the diagonal S_i - S_i S_i, or 1 - S_i."""
        S = softmax(a, temperature=self.T)
        terms = (S if of == "softmax" else np.ones_like(S)) / self.T
        atol = np.empty_like(n)
        atol[:] = (self.eps**2 * terms + self.smallest)[:, :, None]
        diagonal = np.arange(a.shape[-1])
        atol[:, diagonal, diagonal] += _UNITS * self.eps * terms
        return self._judged(n, atol, terms.max(axis=-1), 0.0)

    def of_product(self, n: Rows, a: Rows, v: Rows, of: str) -> Judged:
        """Judge products v J: S_j (v_j - sum_k S_k v_k) / T, or (v_j - S_j sum_k v_k) / T."""
        S, size = softmax(a, temperature=self.T), np.abs(v)
        if of == "softmax":
            terms = S * (size + (S * size).sum(axis=-1, keepdims=True)) / self.T
        else:
            terms = (size + S * size.sum(axis=-1, keepdims=True)) / self.T
        largest = terms.max(axis=-1)
        atol = _UNITS * self.eps * terms + self._floor(largest)[:, None]
        return self._judged(n, atol, largest, self._conditioned(a, terms))

    def _floor(self, size: NDArray[Any]) -> NDArray[Any]:
        floor: NDArray[Any] = self.eps**2 * size + self.smallest
        return floor

    def _conditioned(self, a: Rows, terms: Rows) -> NDArray[Any] | float:
        """Return what dividing logits by T in the dtype does to terms, if it matters.

        A power of two divides exactly.
        """
        if math.frexp(self.T)[0] == 0.5:
            return 0.0
        size = np.abs(np.where(np.isfinite(a), a, 0)).max(axis=-1, keepdims=True)
        moved = self.eps * size / self.T
        matters = moved > self.rtol / 8
        return np.where(matters, moved, 0) * np.abs(terms) if matters.any() else 0.0

    def _judged(
        self, n: NDArray[Any], atol: NDArray[Any], size: NDArray[Any], doubt: NDArray[Any] | float
    ) -> Judged:
        """Let rows that are zero to within rounding be anything that is as small."""
        zero = _ZERO * self.eps * size + self.smallest
        largest = np.abs(n).max(axis=tuple(range(1, n.ndim)), initial=0)
        lost = largest <= zero
        if self.atol is not None:
            atol = np.array(self.atol)
        elif lost.any():
            atol[lost] = np.maximum(atol[lost], zero[lost].reshape(-1, *[1] * (n.ndim - 1)))
        if self.given:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            zeros = np.abs(n) <= atol + self.rtol * np.abs(n)
            lost |= zeros.all(axis=tuple(range(1, n.ndim)))
        return Judged(atol, lost, doubt)
