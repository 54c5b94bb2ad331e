"""Finds out what a wrong gradient looks like: the common mistakes that explain the difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Up to this many entries are kept to look for shuffled ones.
_KEPT = 1 << 21
# At most this many mistakes are named.
_NAMED = 3
_STATE = ("low", "high", "explains", "kept", "kept_entries", "rtol")


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
    wrong: dict[str, Callable[[], Array]] = {
        "a Jacobian with only its diagonal": lambda: J * np.eye(*J.shape)
    }
    if J.shape[0] == J.shape[1]:
        wrong["a transposed matrix"] = lambda: J.T
    return wrong


class Diagnosis:
    """Tracks which mistakes explain all entries added so far, within the tolerance.

    factors  multiples of the reference, by name
    of       what the last dimension counts, for shuffled ones

    >>> diagnosis = Diagnosis({"a factor of 2": 2.0})
    >>> n = np.array([[1.0, -3.0]])
    >>> diagnosis.add(2 * n, n, 0.0, 1e-6, 0, {})
    >>> diagnosis.named()
    'a factor of 2'
    """

    def __init__(self, factors: Mapping[str, float], of: str = "classes") -> None:
        """Start with no entries."""
        self.factors = {"a flipped sign": -1.0, **factors}
        self._of = of
        # Every factor that explains all entries lies between these.
        self._low, self._high = -math.inf, math.inf
        self._explains: dict[str, bool] = {}
        self._kept: list[tuple[int, Array, Array, Array]] | None = []
        self._kept_entries = 0
        self._lock = Lock()

    def add(
        self,
        a: Array,
        n: Array,
        atol: Array | float,
        rtol: float,
        offset: int,
        wrong: Mapping[str, Callable[[], Array]],
    ) -> None:
        """Add points; the arguments are those of Comparison.add."""
        with np.errstate(all="ignore"):
            low, high = _factors_between(a, n, atol + rtol * np.abs(a))
            explains = {
                name: _agree(a, gradient(), atol, rtol)
                for name, gradient in wrong.items()
                if self._explains.get(name, True)
            }
        kept = None
        if self._kept is not None:
            kept = [(offset, a.copy(), n.copy(), np.broadcast_to(atol, n.shape))]
        found = (low, high, explains, kept, n.size, rtol)
        self.add_state(dict(zip(_STATE, found, strict=True)), 0)

    def state(self) -> dict[str, Any]:
        """Return what was found so far, for `add_state` of a diagnosis of the same kind."""
        return {name: getattr(self, f"_{name}", None) for name in _STATE}

    def add_state(self, state: dict[str, Any], offset: int) -> None:
        """Add the state of a diagnosis whose first point has the number `offset` here."""
        if not state["kept_entries"]:
            return
        with self._lock:
            self._rtol = state["rtol"]
            self._low, self._high = max(self._low, state["low"]), min(self._high, state["high"])
            for name, explained in state["explains"].items():
                self._explains[name] = self._explains.get(name, True) and explained
            self._kept_entries += state["kept_entries"]
            if self._kept is None or state["kept"] is None or self._kept_entries > _KEPT:
                self._kept = None
            else:
                self._kept += [(first + offset, *arrays) for first, *arrays in state["kept"]]

    def named(self) -> str | None:
        """Return the mistakes that explain the whole difference, or None."""
        with np.errstate(all="ignore"):
            names = [
                *(name for name, factor in self.factors.items() if self._is_factor(factor)),
                *(name for name, explains in self._explains.items() if explains),
            ]
            if not names:
                names = self._shuffled()
        if names:
            return ", or ".join(dict.fromkeys(names[:_NAMED]))
        if self._is_factor(0.0):
            return "nothing but zeros"
        if -math.inf < self._low <= self._high < math.inf:
            factor = (self._low + self._high) / 2
            return f"a constant factor: the gradient is {factor:.6g} times the reference"
        return None

    def _is_factor(self, factor: float) -> bool:
        informed = -math.inf < self._low and self._high < math.inf
        return factor != 1 and informed and self._low <= factor <= self._high

    def _shuffled(self) -> list[str]:
        """Return the permutations of rows, columns or entries that explain the difference."""
        if not self._kept or len({part[2].shape[1:] for part in self._kept}) > 1:
            return []
        kept = sorted(self._kept, key=lambda part: part[0])
        a, n, atol = (np.concatenate([part[place] for part in kept]) for place in (1, 2, 3))
        if n.ndim > 2:
            # A single matrix is taken as it is; each of several becomes a row of entries.
            shape = n.shape[1:] if len(n) == 1 else (len(n), -1)
            a, n, atol = a.reshape(shape), n.reshape(shape), atol.reshape(shape)
        if n.ndim != 2 or not (np.isfinite(a).all() and np.isfinite(n).all()):
            return []
        found = []
        if len(n) > 1 and _are_permuted(a, n, atol, self._rtol):
            found.append("shuffled rows")
        if n.shape[1] > 1 and _are_permuted(a.T, n.T, atol.T, self._rtol):
            found.append(f"shuffled {self._of}")
        if n.shape[0] == n.shape[1] > 1 and _agree(a, n.T, atol.T, self._rtol):
            found.append("a transposed matrix")
        return found


def _factors_between(a: Array, n: Array, allowed: Array) -> tuple[float, float]:
    """Return the bounds of c with |a - c n| <= allowed everywhere; low > high if there is none."""
    if not np.isfinite(a).all() or not np.isfinite(n).all():
        return math.inf, -math.inf
    zero = n == 0
    if (np.abs(a) > allowed)[zero].any():
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
