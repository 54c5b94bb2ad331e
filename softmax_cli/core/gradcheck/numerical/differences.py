"""Derivatives with respect to one input, by finite differences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from softmax_cli.core.gradcheck.numerical.noise import Evaluated, Noise, Vector

# A derivative and its estimated error.
Estimate = tuple[Vector, Vector]

# Differences that deviate by this many times the noise indicate a kink.
NOISY = 32
_HALVINGS = 6


@dataclass
class Column:
    """Derivatives of all outputs with respect to input k, over steps of about h."""

    function: Evaluated
    at: Vector
    noise: Noise
    k: int
    h: float

    def __post_init__(self) -> None:
        """Start a cache of function values by step."""
        self._known: dict[float, tuple[Vector, Vector, float]] = {}

    def central(self) -> Estimate:
        """Return the central difference; its error is estimated by doubling the step twice."""
        h, rounding = self.h, self._rounding(self.h)
        once, doubled, again = (self._difference(step) for step in (h, 2 * h, 4 * h))
        change, next_change = np.abs(again - doubled), np.abs(doubled - once)
        # An error in O(h^2) shrinks to a quarter when h is halved. If it does not, the step is too
        # large for the function, or the function is noisy.
        converges = next_change <= np.maximum(0.4 * change, NOISY * rounding)
        error = next_change / 3 + rounding
        # A function that oscillates within the step may converge by chance, but not to h / 4.
        finer = np.abs(self._difference(h / 4) - once)
        converges &= finer <= 2 * error + NOISY * self._rounding(h / 4)
        return once, np.where(converges, error, np.inf)

    def settled(self, *, extrapolate: bool = False) -> Estimate:
        """Return the difference, central or extrapolated, with an infinite error at a kink."""
        derivative, error = self.extrapolated(self.h) if extrapolate else self.central()
        return derivative, np.where(self._has_kink(), np.inf, error)

    def extrapolated_once(self) -> Estimate:
        """Return the central difference, extrapolated to remove errors in h^2 and h^4."""
        once, doubled, again = (self._difference(step * self.h) for step in (1, 2, 4))
        finer, coarser = (4 * once - doubled) / 3, (4 * doubled - again) / 3
        best = (16 * finer - coarser) / 15
        return best, np.abs(best - finer) + 2 * self._rounding(self.h)

    def extrapolated(self, h: float) -> Estimate:
        """Return the best entry of Ridders' table of extrapolated differences, from h down."""
        h = max(h, self.h)
        table = [self._difference(h)]
        best, error = table[0], np.full_like(table[0], np.inf)
        for halving in range(1, _HALVINGS + 1):
            row = [self._difference(h / 2**halving)]
            rounding = self._rounding(h / 2**halving)
            for order, coarser in enumerate(table, 1):
                finer = row[-1]
                row.append(finer + (finer - coarser) / (4**order - 1))
                change = np.maximum(np.abs(row[-1] - finer), np.abs(row[-1] - coarser))
                estimate = change + rounding
                best = np.where(estimate < error, row[-1], best)
                error = np.where(estimate < error, estimate, error)
            table = row
        # The spread within the table proves little: a function may oscillate within h.
        size = max(1.0, abs(float(self.at[self.k])))
        nearby = replace(self, h=min(h, size * 2.0 ** round(np.log2(self.function.eps) / 3)))
        central, uncertain = nearby.central()
        allowed = 4 * (error + uncertain) + NOISY * self._rounding(nearby.h)
        return best, np.where(np.abs(best - central) <= allowed, error, np.inf)

    def agrees_closer_by(self, derivative: Vector, error: Vector) -> Vector:
        """Return where a derivative agrees with the difference over a quarter of the step."""
        allowed = error + NOISY * self._rounding(self.h / 4)
        return np.asarray(np.abs(self._difference(self.h / 4) - derivative) <= allowed)

    def is_unchanged(self, h: float) -> Vector:
        """Return which outputs do not change within the step."""
        above, below, _ = self._values(h)
        return np.asarray((above == self.noise.value) & (below == self.noise.value))

    def _has_kink(self) -> Vector:
        """Return where one-sided slopes differ at any step; a central difference is their mean."""
        jumps = []
        for step in (4 * self.h, self.h, self.h / 4):
            above, below, _ = self._values(step)
            jumps.append(np.abs(above + below - 2 * self.noise.value) / step)
        here = jumps[2] > np.maximum(jumps[1] / 2, NOISY * self._rounding(self.h / 4))
        # For a smooth function, four times the step makes the jump 4 times as large, or 64 times at
        # a point of inflection.
        within = jumps[0] > np.maximum(256 * jumps[1], NOISY * self._rounding(self.h))
        return np.asarray(here | within)

    def _rounding(self, h: float) -> Vector:
        """Return the rounding error of a difference over 2h."""
        above, below, taken = self._values(h)
        # Values that do not change may hide a slope below their last digit.
        size = np.maximum(1.0, np.abs(self.noise.value))
        hidden = np.where(self.is_unchanged(h), 4 * self.function.eps * size, 0)
        digits = self.function.eps * (np.abs(above) + np.abs(below))
        return np.asarray(np.maximum(np.maximum(digits, 2 * self.noise.level), hidden) / taken)

    def _difference(self, h: float) -> Vector:
        above, below, taken = self._values(h)
        return (above - below) / taken

    def _values(self, h: float) -> tuple[Vector, Vector, float]:
        """Return the values ahead and behind, and the actual step between the two points."""
        if h not in self._known:
            ahead, behind = self.at.copy(), self.at.copy()
            ahead[self.k] += h
            behind[self.k] -= h
            ahead, behind = self.function.rounded(ahead), self.function.rounded(behind)
            taken = float(ahead[self.k] - behind[self.k])
            self._known[h] = self.function(ahead), self.function(behind), taken
        return self._known[h]
