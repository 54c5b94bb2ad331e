"""Comparing gradients with references: the rule, the counts, the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.report import Check, Entry, Verdict
from softmax_cli.errors import DomainError

Array = NDArray[Any]

# What a right gradient of each type keeps to, beside a reference in float64.
RTOL = {"float64": 1e-6, "float32": 1e-3, "float16": 2e-2, "bfloat16": 0.15}
# How many times the estimate of the reference's error a difference must exceed to prove anything.
_MARGIN = 4
_LARGEST = ("atol", "max_abs_error", "max_rel_error")
_COUNTED = (
    *("entries", "over_tolerance", "non_finite", "proven_wrong"),
    *("undecided", "points", "vacuous"),
)
_ENTRY = [field.name for field in fields(Entry)]


def tolerance(dtype: str, asked: float | None) -> float:
    """Return the relative tolerance that was asked for, or the one that fits the dtype.

    >>> tolerance("float64", None), tolerance("float32", 1e-4)
    (1e-06, 0.0001)
    """
    return RTOL.get(dtype, RTOL["float64"]) if asked is None else asked


def check_tolerances(rtol: float | None, atol: float | None) -> None:
    """Refuse tolerances out of range."""
    for name, asked in (("rtol", rtol), ("atol", atol)):
        if asked is not None and not 0 <= asked < math.inf:
            raise DomainError(f"{name} is {asked:g}", "it must be 0 or more, and finite")


@dataclass
class Comparison:
    """Compares points, or rows; a pair agrees when |a - n| <= atol + rtol max(|a|, |n|).

    worst_kept  how many of the worst entries are kept
    numbered    whether the index of an entry begins with the number of its point
    diagnosis   what the difference could be, if that is asked
    """

    rtol: float
    worst_kept: int = 3
    numbered: bool = True
    diagnosis: Diagnosis | None = None
    atol: float = 0.0
    entries: int = 0
    over_tolerance: int = 0
    non_finite: int = 0
    proven_wrong: int = 0
    undecided: int = 0
    points: int = 0
    vacuous: int = 0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    worst: list[tuple[float, Entry]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(
        self,
        analytic: Array,
        reference: Array,
        *,
        atol: Array | float = 0.0,
        vacuous: Array | bool = False,
        doubt: Array | float = 0.0,
        offset: int = 0,
        wrong: Mapping[str, Callable[[], Array]] | None = None,
    ) -> None:
        """Compare some points, in any thread.

        analytic, reference   (points, ...)
        atol    absolute tolerance of each entry
        vacuous (points,) which points prove nothing: their derivatives are zero to within rounding
        doubt   how far the reference may be off
        offset  the number of the first point
        wrong   ways to be wrong, and the gradients that they would give, for the diagnosis
        """
        with np.errstate(all="ignore"):
            self._add(
                np.asarray(analytic, np.float64),
                np.asarray(reference, np.float64),
                np.asarray(atol, np.float64),
                np.broadcast_to(vacuous, len(reference)),
                np.asarray(doubt, np.float64),
                offset,
                wrong or {},
            )

    def _add(
        self,
        a: Array,
        n: Array,
        atol: Array,
        vacuous: NDArray[np.bool_],
        doubt: Array,
        offset: int,
        wrong: Mapping[str, Callable[[], Array]],
    ) -> None:
        larger = np.abs(n)
        np.maximum(larger, np.abs(a), out=larger)
        allowed = self.rtol * larger
        allowed += atol
        error = np.subtract(a, n)
        np.abs(error, out=error)
        peak = float(error.max(initial=0.0))
        all_finite = peak < np.inf
        agrees = error <= allowed
        finite = None
        if not all_finite:
            # An infinite one would be allowed to be infinitely far off.
            finite = np.isfinite(a) & np.isfinite(n)
            agrees &= finite
        over = int(agrees.size - np.count_nonzero(agrees))
        proven, undecided = over, 0
        if not all_finite or doubt.any():
            doubt = np.where(np.isnan(doubt), np.inf, doubt)
            certain = ~np.isfinite(a) | (error > allowed + _MARGIN * doubt)
            # A difference that the reference's own error explains proves nothing, nor does an
            # agreement within an error that is larger than what is allowed. A derivative that is
            # exactly 0 on both sides is none of these, unless nothing is known of it; nor is one
            # that is zero to within rounding.
            told = vacuous.reshape(-1, *[1] * (n.ndim - 1))
            unclear = (
                ~certain
                & ~told
                & (~agrees | ((doubt > allowed) & ((larger > 0) | np.isinf(doubt))))
            )
            proven, undecided = int((~agrees & certain).sum()), int(unclear.sum())
        if self.diagnosis is not None:
            self.diagnosis.add(a, n, atol, self.rtol, offset, wrong)
        excess = np.divide(error, allowed)
        worst = self._worst(a, n, error, allowed, excess, offset)
        relative = np.divide(error, larger, out=larger)
        with self._lock:
            self.atol = max(self.atol, float(atol.max(initial=0.0)))
            self.entries += n.size
            self.over_tolerance += over
            self.non_finite += 0 if finite is None else int(finite.size - finite.sum())
            self.proven_wrong += proven
            self.undecided += undecided
            self.points += len(n)
            self.vacuous += int(vacuous.sum())
            self.max_abs_error = max(self.max_abs_error, _largest(error, finite))
            self.max_rel_error = max(self.max_rel_error, _largest(relative, finite))
            self._keep(worst)

    def _keep(self, worst: list[tuple[float, Entry]]) -> None:
        """Keep the worst of these entries and of those before."""
        known = [*self.worst, *worst]
        known.sort(key=lambda scored: (-scored[0], scored[1].index))
        self.worst = known[: self.worst_kept]

    def state(self) -> dict[str, Any]:
        """Return what was found so far, for `add_state` of another; without the diagnosis."""
        return {name: getattr(self, name) for name in (*_LARGEST, *_COUNTED)} | {
            "worst": [{"excess": excess, **asdict(entry)} for excess, entry in self.worst]
        }

    def add_state(self, state: dict[str, Any], offset: int = 0) -> None:
        """Add what a state tells of the points from this one on."""
        worst = []
        for told in state["worst"]:
            excess, (first, *rest), *errors = (told[name] for name in ("excess", *_ENTRY))
            entry = Entry([first + offset, *rest], *map(float, errors))
            worst.append((float(excess), entry))
        with self._lock:
            for name in _COUNTED:
                setattr(self, name, getattr(self, name) + state[name])
            for name in _LARGEST:
                setattr(self, name, max(getattr(self, name), float(state[name])))
            self._keep(worst)

    def verdict(self) -> Verdict:
        """Return what the compared pairs prove."""
        if 2 * self.undecided > self.entries:
            # A reference that is mostly in doubt proves nothing by the rest either.
            return "inconclusive"
        if self.proven_wrong:
            return "fail"
        if self.vacuous == self.points:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            return "vacuous"
        return "inconclusive" if self.undecided else "pass"

    def check(self, name: str, *, method: str, step: float | None, dtype: str) -> Check:
        """Return the outcome; how to repeat it is for the caller to say."""
        verdict = self.verdict()
        failed = self.diagnosis if verdict == "fail" else None
        return Check(
            name=name,
            verdict=verdict,
            method=method,
            step=step,
            dtype=dtype,
            rtol=self.rtol,
            atol=self.atol,
            entries=self.entries,
            over_tolerance=self.over_tolerance,
            non_finite=self.non_finite,
            max_abs_error=self.max_abs_error,
            max_rel_error=self.max_rel_error,
            worst=[entry for _, entry in self.worst],
            diagnosis=None if failed is None else failed.named(),
            reproduce="",
            points=self.points,
            vacuous=self.vacuous,
        )

    def _worst(
        self, a: Array, n: Array, error: Array, allowed: Array, excess: Array, offset: int
    ) -> list[tuple[float, Entry]]:
        """Return the worst entries of these that could be among the worst of all."""
        if not self.worst_kept or not n.size:
            return []
        known = self.worst
        if len(known) == self.worst_kept and float(excess.max()) < known[-1][0]:
            return []
        excess = np.where(np.isfinite(error), excess, np.inf)
        excess[(error == 0) & (allowed == 0)] = 0
        flat = excess.ravel()
        count = min(self.worst_kept, flat.size)
        # Of equally bad ones the first, whatever the threads do.
        edge = np.partition(flat, flat.size - count)[flat.size - count]
        chosen = np.concatenate(
            [np.flatnonzero(flat > edge), np.flatnonzero(flat == edge)[:count]]
        )[:count]
        worst = []
        for number in chosen:
            place = np.unravel_index(int(number), n.shape)
            leading, *rest = map(int, place)
            largest = max(abs(float(a[place])), abs(float(n[place])))
            entry = Entry(
                [leading + offset, *rest] if self.numbered else rest,
                float(a[place]),
                float(n[place]),
                float(error[place]),
                float(error[place]) / (largest or 1.0),
                float(allowed[place]),
            )
            worst.append((float(flat[number]), entry))
        return worst


def _largest(errors: Array, finite: Array | None) -> float:
    if finite is not None:
        errors = errors[finite]
    # 0 of 0 is NaN, and no error.
    return float(np.fmax.reduce(errors, None, initial=0.0))
