"""Derivatives with respect to some inputs, by finite differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softmax_cli.core.gradcheck.numerical.noise import Array, Evaluated, Noise

# Derivatives and their estimated errors, (outputs, inputs) each.
Estimate = tuple[Array, Array]

# Differences that deviate by this many times the noise indicate a kink.
NOISY = 32
_HALVINGS = 6


@dataclass
class Differences:
    """Derivatives with respect to some inputs, given by number, over steps h, (inputs,)."""

    function: Evaluated
    at: Array
    noise: Noise
    inputs: Array
    h: Array

    def __post_init__(self) -> None:
        self._value = self.noise.value[:, None]
        self._known: dict[float, tuple[Array, Array, Array]] = {}

    def over(self, h: Array, chosen: Array | slice = slice(None)) -> Differences:
        """Return differences over other steps, (inputs,), for chosen ones of the inputs."""
        return Differences(self.function, self.at, self.noise, self.inputs[chosen], h[chosen])

    def central(self) -> Estimate:
        """Return central differences; their error is estimated by doubling the step twice."""
        once, doubled, again = (self._difference(scale) for scale in (1, 2, 4))
        change, next_change = np.abs(again - doubled), np.abs(doubled - once)
        # An error in O(h^2) shrinks to a quarter when h is halved. If it does not, the step is too
        # large for the function, or the function is noisy.
        converges = next_change <= np.maximum(0.4 * change, NOISY * self._rounding())
        error = next_change / 3 + self._rounding()
        # A function that oscillates within the step may converge by chance, but not to h / 4.
        finer = np.abs(self._difference(1 / 4) - once)
        converges &= finer <= 2 * error + NOISY * self._rounding(1 / 4)
        return once, np.where(converges, error, np.inf)

    def settled(self, *, extrapolate: bool = False) -> Estimate:
        """Return differences, central or extrapolated, with an infinite error at a kink."""
        derivative, error = self.extrapolated() if extrapolate else self.central()
        return derivative, np.where(self._has_kink(), np.inf, error)

    def extrapolated_once(self) -> Estimate:
        """Return central differences, extrapolated to remove errors in h^2 and h^4."""
        once, doubled, again = (self._difference(scale) for scale in (1, 2, 4))
        finer, coarser = (4 * once - doubled) / 3, (4 * doubled - again) / 3
        best = (16 * finer - coarser) / 15
        return best, np.abs(best - finer) + 2 * self._rounding()

    def extrapolated(self) -> Estimate:
        """Return the best entries of Ridders' table of extrapolated differences, from h down."""
        table = [self._difference()]
        best, error = table[0], np.full_like(table[0], np.inf)
        for halving in range(1, _HALVINGS + 1):
            row = [self._difference(0.5**halving)]
            rounding = self._rounding(0.5**halving)
            for order, coarser in enumerate(table, 1):
                finer = row[-1]
                row.append(finer + (finer - coarser) / (4**order - 1))
                change = np.maximum(np.abs(row[-1] - finer), np.abs(row[-1] - coarser))
                estimate = change + rounding
                best = np.where(estimate < error, row[-1], best)
                error = np.where(estimate < error, estimate, error)
            table = row
        # The spread within the table proves little: a function may oscillate within h.
        size = np.maximum(1.0, np.abs(self.at[self.inputs]))
        nearby = self.over(np.minimum(self.h, size * 2.0 ** round(np.log2(self.function.eps) / 3)))
        central, uncertain = nearby.central()
        allowed = 4 * (error + uncertain) + NOISY * nearby._rounding()
        return best, np.where(np.abs(best - central) <= allowed, error, np.inf)

    def agree_closer_by(self, derivative: Array, error: Array) -> Array:
        """Return where derivatives agree with differences over a quarter of the step."""
        allowed = error + NOISY * self._rounding(1 / 4)
        return np.asarray(np.abs(self._difference(1 / 4) - derivative) <= allowed)

    def are_unchanged(self, scale: float = 1) -> Array:
        """Return which outputs do not change within the step."""
        above, below, _ = self._values(scale)
        return np.asarray((above == self._value) & (below == self._value))

    def _has_kink(self) -> Array:
        """Return where one-sided slopes differ at any step; a central difference is their mean."""
        jumps = []
        for scale in (4, 1, 1 / 4):
            above, below, _ = self._values(scale)
            jumps.append(np.abs(above + below - 2 * self._value) / (scale * self.h))
        here = jumps[2] > np.maximum(jumps[1] / 2, NOISY * self._rounding(1 / 4))
        # For a smooth function, four times the step makes the jump 4 times as large, or 64 times at
        # a point of inflection.
        within = jumps[0] > np.maximum(256 * jumps[1], NOISY * self._rounding())
        return np.asarray(here | within)

    def _rounding(self, scale: float = 1) -> Array:
        """Return the rounding errors of differences."""
        above, below, taken = self._values(scale)
        # Values that do not change may hide a slope below their last digit.
        size = np.maximum(1.0, np.abs(self._value))
        hidden = np.where(self.are_unchanged(scale), 4 * self.function.eps * size, 0)
        digits = self.function.eps * (np.abs(above) + np.abs(below))
        level = 2 * self.noise.level[:, None]
        return np.asarray(np.maximum(np.maximum(digits, level), hidden) / taken)

    def _difference(self, scale: float = 1) -> Array:
        above, below, taken = self._values(scale)
        return (above - below) / taken

    def _values(self, scale: float) -> tuple[Array, Array, Array]:
        """Return the values ahead and behind, and the actual steps between the two points."""
        if scale not in self._known:
            found = []
            for k, step in zip(self.inputs, scale * self.h, strict=True):
                ahead, behind = self.at.copy(), self.at.copy()
                ahead[k] += step
                behind[k] -= step
                ahead, behind = self.function.rounded(ahead), self.function.rounded(behind)
                found.append((self.function(ahead), self.function(behind), ahead[k] - behind[k]))
            above, below, taken = (np.stack(each, axis=-1) for each in zip(*found, strict=True))
            self._known[scale] = above, below, taken
        return self._known[scale]
