"""Compares gradients with references: the rule, the counts, the worst entries."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.gradcheck.diagnosis import Diagnosis, Mistakes
from softmax_cli.core.gradcheck.numerical.noise import Array
from softmax_cli.core.gradcheck.report import Check, Counts, Entry
from softmax_cli.core.gradcheck.rounding import RowComparison
from softmax_cli.errors import DomainError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """

    rtol: float
    worst_kept: int = 3
    numbered: bool = True
    diagnosis: Diagnosis | None = None
    counts: Counts = field(default_factory=Counts)
    worst: list[Entry] = field(default_factory=list)

    @np.errstate(all="ignore")
    def of(
        self,
        analytic: Array,
        reference: Array,
        *,
        atol: Array | float = 0.0,
        vacuous: Array | bool = False,
        doubt: Array | float = 0.0,
        wrong: Mistakes | None = None,
    ) -> Comparison:
        """Return the comparison of some points alone, to be merged; any thread may call this.

        analytic, reference   (points, ...)
        atol     absolute tolerance of each entry
        vacuous  (points,) points that prove nothing: their derivative is zero to within rounding
        doubt    estimated error of the reference
        wrong    gradients with a common mistake, by its name, for the diagnosis
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
        agrees = error <= allowed
        all_finite = float(error.max(initial=0.0)) < np.inf
        finite: Any = True
        if not all_finite:
            # The rule allows an infinite entry an infinite error.
            finite = np.isfinite(a) & np.isfinite(n)
            agrees &= finite
        over = int(n.size - np.count_nonzero(agrees))
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
        worst = self._worst(a, n, error, allowed)
        # 0 / 0 is NaN, which fmax ignores: it is no error.
        max_abs_error, max_rel_error = (
            float(np.fmax.reduce(each, None, initial=0.0, where=finite))
            for each in (error, np.divide(error, larger, out=larger))
        )
        counts = Counts(
            atol=float(atol.max(initial=0.0)),
            max_abs_error=max_abs_error,
            max_rel_error=max_rel_error,
            entries=n.size,
            over_tolerance=over,
            non_finite=0 if all_finite else int((~finite).sum()),
            proven_wrong=proven,
            undecided=undecided,
            points=len(n),
            vacuous=int(vacuous.sum()),
        )
        return replace(self, diagnosis=diagnosis, counts=counts, worst=worst)

    def of_rows(
        self, compared: RowComparison, classes: int, start: int
    ) -> tuple[Comparison, NDArray[np.intp]]:
        """Return the comparison of rows that are clear, and the rows that are left for `of`.

        Those that may hold one of the worst entries are left. The first row is point `start`.
        """
        errors, vacuous, unclear = compared
        # Of equally bad entries the first are taken.
        order = np.argsort(np.where(unclear, 0, -errors.excess), kind="stable")
        worst, left = order[: self.worst_kept], unclear.copy()
        left[worst[~self._holds_worse_than(errors.excess[worst], start)]] = True
        kept = np.flatnonzero(~left)
        atol, absolute, relative = (
            float(each[kept].max(initial=0.0))
            for each in (errors.atol, errors.largest_abs, errors.largest_rel)
        )
        over = int(errors.over[kept].sum())
        counts = Counts(
            atol,
            absolute,
            relative,
            entries=len(kept) * classes,
            over_tolerance=over,
            proven_wrong=over,
            points=len(kept),
            vacuous=int(vacuous[kept].sum()),
        )
        return replace(self, counts=counts, worst=[]), np.flatnonzero(left)

    def merge(
        self, other: Comparison, start: int = 0, points: NDArray[np.intp] | None = None
    ) -> None:
        """Add another comparison, whose first point has the number `start` here.

        points  the numbers of its points, from `start` on, if some are left out
        """
        ours, theirs = astuple(self.counts), astuple(other.counts)
        self.counts = Counts(
            *map(max, ours[:_MAXIMA], theirs[:_MAXIMA]), *map(add, ours[_MAXIMA:], theirs[_MAXIMA:])
        )
        moved = []
        for entry in other.worst:
            point, *inner = entry.index
            number = point if points is None else int(points[point])
            moved.append(replace(entry, index=[start + number, *inner]))
        ordered = sorted(self.worst + moved, key=lambda entry: (-_excess(entry), entry.index))
        self.worst = ordered[: self.worst_kept]
        if self.diagnosis and other.diagnosis:
            self.diagnosis.merge(other.diagnosis, start)

    def state(self) -> dict[str, Any]:
        """Return the counts, worst entries and rtol as JSON values, without the diagnosis."""
        worst = [{"excess": _excess(entry), **asdict(entry)} for entry in self.worst]
        return asdict(self.counts) | {"worst": worst, "rtol": self.rtol}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Comparison:
        """Return the comparison that a state holds."""
        worst = [
            Entry(entry["index"], *(float(entry[each.name]) for each in fields(Entry)[1:]))
            for entry in state["worst"]
        ]
        counts: list[Any] = [state[each.name] for each in fields(Counts)]
        counts[:_MAXIMA] = map(float, counts[:_MAXIMA])
        return cls(float(state["rtol"]), counts=Counts(*counts), worst=worst)

    def check(self, name: str, *, method: str, step: float | None, dtype: str) -> Check:
        """Return the result; the caller adds its subject, and the command that repeats it."""
        verdict, worst, diagnosis = self.counts.verdict, self.worst, None
        if self.diagnosis and verdict == "fail":
            diagnosis = self.diagnosis.named(self.rtol)
        if not self.numbered:
            worst = [replace(entry, index=entry.index[1:]) for entry in worst]
        return Check(name, verdict, method, step, dtype, self.rtol, self.counts, worst, diagnosis)

    def _worst(self, a: Array, n: Array, error: Array, allowed: Array) -> list[Entry]:
        """Return the entries that may be among the worst of all."""
        if not (self.worst_kept and n.size):
            return []
        excess = error / allowed
        if self._holds_worse_than(excess.max()):
            return []
        excess = np.where(np.isfinite(error), excess, np.inf).ravel()
        excess[((error == 0) & (allowed == 0)).ravel()] = 0
        count = min(self.worst_kept, n.size)
        # Of equally bad entries the first are taken.
        edge = np.partition(excess, -count)[-count]
        chosen = [*np.flatnonzero(excess > edge), *np.flatnonzero(excess == edge)[:count]][:count]
        worst = []
        for place in np.transpose(np.unravel_index(chosen, n.shape)).tolist():
            claim, truth, difference, most = (
                float(each[tuple(place)]) for each in (a, n, error, allowed)
            )
            relative = difference / (max(abs(claim), abs(truth)) or 1.0)
            worst.append(Entry(place, claim, truth, difference, relative, most))
        return worst

    def _holds_worse_than(self, excess: Any, start: int = 0) -> Any:
        """Return whether entries with such an excess, from point `start` on, are not kept."""
        if not 0 < len(self.worst) == self.worst_kept:
            return excess < 0
        last = self.worst[-1]
        return excess <= _excess(last) if last.index[0] < start else excess < _excess(last)


def _excess(entry: Entry) -> float:
    """Return the error divided by what is allowed."""
    if entry.abs_error == 0:
        return 0.0
    is_infinite = not math.isfinite(entry.abs_error) or entry.allowed == 0
    return math.inf if is_infinite else entry.abs_error / entry.allowed
