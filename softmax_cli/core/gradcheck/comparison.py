"""Compares gradients with references: the rule, the counts, the worst entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.report import Check, Counts, Entry, Setup
from softmax_cli.errors import DomainError

Array = NDArray[Any]

# Default relative tolerance of a gradient of each dtype, compared with a float64 reference.
RTOL = {"float64": 1e-6, "float32": 1e-3, "float16": 2e-2, "bfloat16": 0.15}
# A difference proves something if it exceeds the estimated error of the reference this many times.
_MARGIN = 4
# The first fields of Counts are maxima, the others sums.
_MAXIMA = 3


def tolerance(dtype: str, asked: float | None) -> float:
    """Return the relative tolerance that was asked for, or the default of the dtype.

    >>> tolerance("float64", None), tolerance("float32", 1e-4)
    (1e-06, 0.0001)
    """
    return RTOL.get(dtype, RTOL["float64"]) if asked is None else asked


def check_tolerances(rtol: float | None, atol: float | None) -> None:
    """Raise DomainError for tolerances out of range."""
    for name, asked in (("rtol", rtol), ("atol", atol)):
        if asked is not None and not 0 <= asked < math.inf:
            raise DomainError(f"{name} is {asked:g}", "it must be 0 or more, and finite")


@dataclass
class Comparison:
    """Compares points or rows; entries agree if |a - n| <= atol + rtol max(|a|, |n|).

    worst_kept  how many of the worst entries are kept
    numbered    whether the index of an entry begins with the number of its point
    diagnosis   finds out what a wrong gradient looks like
    worst       the worst entries, each with its error divided by what is allowed
    """

    rtol: float
    worst_kept: int = 3
    numbered: bool = True
    diagnosis: Diagnosis | None = None
    counts: Counts = field(default_factory=Counts)
    worst: list[tuple[float, Entry]] = field(default_factory=list)

    @np.errstate(all="ignore")
    def of(
        self,
        analytic: Array,
        reference: Array,
        *,
        atol: Array | float = 0.0,
        vacuous: Array | bool = False,
        doubt: Array | float = 0.0,
        wrong: Mapping[str, Callable[[], Array]] | None = None,
    ) -> Comparison:
        """Return the comparison of some points alone, to be merged; any thread may call this.

        analytic, reference   (points, ...)
        atol     absolute tolerance of each entry
        vacuous  (points,) points that prove nothing: their derivative is zero to within rounding
        doubt    estimated error of the reference
        wrong    what the gradients would be if wrong in some way, by name, for the diagnosis
        """
        a, n = np.asarray(analytic, np.float64), np.asarray(reference, np.float64)
        atol, doubt = np.asarray(atol, np.float64), np.asarray(doubt, np.float64)
        vacuous = np.broadcast_to(vacuous, len(n))
        larger = np.abs(n)
        np.maximum(larger, np.abs(a), out=larger)
        allowed = self.rtol * larger
        allowed += atol
        error = np.subtract(a, n)
        np.abs(error, out=error)
        all_finite = float(error.max(initial=0.0)) < np.inf
        agrees = error <= allowed
        finite = None
        if not all_finite:
            # The rule allows an infinite entry an infinite error.
            finite = np.isfinite(a) & np.isfinite(n)
            agrees &= finite
        over = int(agrees.size - np.count_nonzero(agrees))
        proven, undecided = over, 0
        if not all_finite or doubt.any():
            doubt = np.where(np.isnan(doubt), np.inf, doubt)
            certain = ~np.isfinite(a) | (error > allowed + _MARGIN * doubt)
            # Undecided: a difference that the error of the reference explains, and an agreement
            # with a reference whose error exceeds the tolerance. Vacuous points are excluded, and
            # derivatives that are exactly 0 on both sides unless the error is infinite.
            unsure = (doubt > allowed) & ((larger > 0) | np.isinf(doubt))
            unclear = ~certain & (~agrees | unsure)
            unclear &= ~vacuous.reshape(-1, *[1] * (n.ndim - 1))
            proven, undecided = int((~agrees & certain).sum()), int(unclear.sum())
        diagnosis = self.diagnosis and self.diagnosis.of(a, n, atol, self.rtol, wrong or {})
        worst = self._worst(a, n, error, allowed, np.divide(error, allowed))
        relative = np.divide(error, larger, out=larger)
        counts = Counts(
            float(atol.max(initial=0.0)),
            _largest(error, finite),
            _largest(relative, finite),
            n.size,
            over,
            0 if finite is None else int(finite.size - finite.sum()),
            proven,
            undecided,
            len(n),
            int(vacuous.sum()),
        )
        return replace(self, diagnosis=diagnosis, counts=counts, worst=worst)

    def merge(self, other: Comparison, start: int = 0) -> None:
        """Add another comparison, whose first point has the number `start` here."""
        before, new = astuple(self.counts), astuple(other.counts)
        self.counts = Counts(
            *map(max, before[:_MAXIMA], new[:_MAXIMA]), *map(add, before[_MAXIMA:], new[_MAXIMA:])
        )
        known = list(self.worst)
        for excess, entry in other.worst:
            first, *rest = entry.index
            known.append((excess, replace(entry, index=[first + start, *rest])))
        known.sort(key=lambda scored: (-scored[0], scored[1].index))
        self.worst = known[: self.worst_kept]
        if self.diagnosis and other.diagnosis:
            self.diagnosis.merge(other.diagnosis, start)

    def state(self) -> dict[str, Any]:
        """Return the counts, worst entries and rtol as JSON values, without the diagnosis."""
        worst = [{"excess": excess, **asdict(entry)} for excess, entry in self.worst]
        return asdict(self.counts) | {"worst": worst, "rtol": self.rtol}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Comparison:
        """Return the comparison that a state holds."""
        worst = []
        for scored in state["worst"]:
            index, *errors = (scored[each.name] for each in fields(Entry))
            worst.append((float(scored["excess"]), Entry(index, *map(float, errors))))
        values: list[Any] = [state[each.name] for each in fields(Counts)]
        values[:_MAXIMA] = map(float, values[:_MAXIMA])
        return cls(float(state["rtol"]), counts=Counts(*values), worst=worst)

    def check(self, name: str, *, method: str, step: float | None, dtype: str) -> Check:
        """Return the result; the caller adds its origin and the command that repeats it."""
        verdict = self.counts.verdict
        diagnosis = self.diagnosis if verdict == "fail" else None
        worst = [entry for _, entry in self.worst]
        if not self.numbered:
            worst = [replace(entry, index=entry.index[1:]) for entry in worst]
        return Check(
            name,
            verdict,
            Setup(method, step, dtype, self.rtol),
            self.counts,
            worst,
            diagnosis.named(self.rtol) if diagnosis else None,
        )

    def _worst(
        self, a: Array, n: Array, error: Array, allowed: Array, excess: Array
    ) -> list[tuple[float, Entry]]:
        """Return the entries that may be among the worst of all."""
        if not self.worst_kept or not n.size:
            return []
        known = self.worst
        if len(known) == self.worst_kept and float(excess.max()) < known[-1][0]:
            return []
        excess = np.where(np.isfinite(error), excess, np.inf)
        excess[(error == 0) & (allowed == 0)] = 0
        flat = excess.ravel()
        count = min(self.worst_kept, flat.size)
        # Of equally bad entries the first are taken.
        edge = np.partition(flat, flat.size - count)[flat.size - count]
        chosen = np.concatenate(
            [np.flatnonzero(flat > edge), np.flatnonzero(flat == edge)[:count]]
        )[:count]
        worst = []
        for number in chosen:
            place = np.unravel_index(int(number), n.shape)
            largest = max(abs(float(a[place])), abs(float(n[place])))
            entry = Entry(
                list(map(int, place)),
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
    # 0 / 0 is NaN; it is no error.
    return float(np.fmax.reduce(errors, None, initial=0.0))
