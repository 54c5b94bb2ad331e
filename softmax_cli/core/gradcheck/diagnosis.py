"""Finds out what a wrong gradient looks like: the common mistakes that explain the difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from softmax_cli.core.gradcheck.numerical.noise import Array

# Gradients with a common mistake, by its name.
Mistakes = Mapping[str, Callable[[], Array]]

# Up to this many entries are kept to look for shuffled ones.
_KEPT = 1 << 21
# At most this many mistakes are named.
_NAMED = 3


def common_factors(rows: int, T: float = 1.0) -> dict[str, float]:
    """Return factors by which gradients at some rows (or points) are often wrong."""
    return {
        "a missing 1/T": T,
        "1/T taken twice": 1 / T,
        "a factor of 2": 2.0,
        "a factor of 1/2": 0.5,
        "a missing division by the number of rows": float(rows),
        "a division by the number of rows too many": 1 / max(1, rows),
        "a factor of ln 2": math.log(2),
        "a factor of 1/ln 2, as of bits": 1 / math.log(2),
    }


def factors_of(count: int, of: str) -> dict[str, float]:
    """Return the factors N and 1/N, where N counts classes or inputs."""
    return {
        f"a factor of N, the number of {of}": float(count),
        f"a division by N, the number of {of}": 1 / max(1, count),
    }


def wrong_matrices(J: Array) -> dict[str, Callable[[], Array]]:
    """Return common wrong forms of a Jacobian, by name; none for a gradient."""
    if J.ndim != 2:
        return {}
    wrong = {"a Jacobian with only its diagonal": lambda: J * np.eye(*J.shape)}
    return wrong | ({"a transposed matrix": lambda: J.T} if J.shape[0] == J.shape[1] else {})


@dataclass
class Diagnosis:
    """Tracks which mistakes explain all entries seen so far, within the tolerance.

    factors   common wrong factors, by name
    counted   what the last dimension counts, to name shuffled entries
    low, high bounds of the factors that explain all entries
    explains  whether a mistake explains all entries, by its name
    kept      number of the first point, gradients, references and atol of each part, to recognize
              shuffled entries; None if there are too many

    >>> diagnosis = Diagnosis({"a factor of 2": 2.0})
    >>> n = np.array([[1.0, -3.0]])
    >>> diagnosis.merge(diagnosis.of(2 * n, n, 0.0, 1e-6, {}))
    >>> diagnosis.named(1e-6)
    'a factor of 2'
    """

    factors: Mapping[str, float]
    counted: str = "classes"
    low: float = -math.inf
    high: float = math.inf
    explains: dict[str, bool] = field(default_factory=dict)
    kept: list[tuple[int, Array, Array, Array]] | None = field(default_factory=list)
    entries: int = 0

    @np.errstate(all="ignore")
    def of(
        self, a: Array, n: Array, atol: Array | float, rtol: float, wrong: Mistakes
    ) -> Diagnosis:
        """Return the diagnosis of some points alone; arguments as in Comparison.of."""
        low, high = _factors_between(a, n, atol + rtol * np.abs(a))
        explains = {
            name: _agree(a, gradient(), atol, rtol)
            for name, gradient in wrong.items()
            if self.explains.get(name, True)
        }
        kept = None
        if self.kept is not None:
            kept = [(0, a.copy(), n.copy(), np.broadcast_to(atol, n.shape))]
        return Diagnosis(self.factors, self.counted, low, high, explains, kept, n.size)

    def merge(self, other: Diagnosis, start: int = 0) -> None:
        """Add a diagnosis of the same kind, whose first point has the number `start` here."""
        self.low, self.high = max(self.low, other.low), min(self.high, other.high)
        for name, explained in other.explains.items():
            self.explains[name] = self.explains.get(name, True) and explained
        self.entries += other.entries
        if self.kept is None or other.kept is None or self.entries > _KEPT:
            self.kept = None
        else:
            self.kept += [(first + start, a, n, atol) for first, a, n, atol in other.kept]

    @np.errstate(all="ignore")
    def named(self, rtol: float) -> str | None:
        """Return the mistakes that explain the whole difference, or None."""
        factors = {"a flipped sign": -1.0, **self.factors}
        names = [name for name, factor in factors.items() if self._is_factor(factor)]
        names += [name for name, explains in self.explains.items() if explains]
        if names := names or self._shuffled(rtol):
            return ", or ".join(dict.fromkeys(names[:_NAMED]))
        if self._is_factor(0.0):
            return "nothing but zeros"
        if -math.inf < self.low <= self.high < math.inf:
            factor = (self.low + self.high) / 2
            return f"a constant factor: the gradient is {factor:.6g} times the reference"
        return None

    def _is_factor(self, factor: float) -> bool:
        informed = -math.inf < self.low and self.high < math.inf
        return factor != 1 and informed and self.low <= factor <= self.high

    def _shuffled(self, rtol: float) -> list[str]:
        """Return the permutations of rows, columns or entries that explain the difference."""
        if not self.kept or len({part[2].shape[1:] for part in self.kept}) > 1:
            return []
        kept = sorted(self.kept, key=lambda part: part[0])
        a, n, atol = (np.concatenate([part[place] for part in kept]) for place in (1, 2, 3))
        if n.ndim > 2:
            # A single matrix is taken as it is; each of several becomes a row of entries.
            shape = n.shape[1:] if len(n) == 1 else (len(n), -1)
            a, n, atol = a.reshape(shape), n.reshape(shape), atol.reshape(shape)
        if n.ndim != 2 or not (np.isfinite(a).all() and np.isfinite(n).all()):
            return []
        found = []
        if len(n) > 1 and _are_permuted(a, n, atol, rtol):
            found.append("shuffled rows")
        if n.shape[1] > 1 and _are_permuted(a.T, n.T, atol.T, rtol):
            found.append(f"shuffled {self.counted}")
        if n.shape[0] == n.shape[1] > 1 and _agree(a, n.T, atol.T, rtol):
            found.append("a transposed matrix")
        return found


def _factors_between(a: Array, n: Array, allowed: Array) -> tuple[float, float]:
    """Return the bounds of c with |a - c n| <= allowed everywhere; low > high if there is none."""
    zero = n == 0
    all_finite = np.isfinite(a).all() and np.isfinite(n).all()
    if not all_finite or (np.abs(a) > allowed)[zero].any():
        return math.inf, -math.inf
    centre, reach = a / n, allowed / np.abs(n)
    low = np.where(zero, -np.inf, centre - reach)
    high = np.where(zero, np.inf, centre + reach)
    return float(low.max(initial=-np.inf)), float(high.min(initial=np.inf))


def _agree(a: Array, w: Array, atol: Array | float, rtol: float) -> bool:
    error = np.abs(a - w)
    agree = (error <= atol + rtol * np.maximum(np.abs(a), np.abs(w))) & np.isfinite(error)
    return bool(agree.all())


def _are_permuted(a: Array, n: Array, atol: Array, rtol: float) -> bool:
    """Return whether both have the same rows, perhaps in another order."""
    direction = np.random.default_rng(0).standard_normal(n.shape[1])
    order_a, order_n = (a @ direction).argsort(), (n @ direction).argsort()
    return _agree(a[order_a], n[order_n], atol[order_n], rtol)
