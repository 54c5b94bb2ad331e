"""Comparing a gradient with a reference: the rule, the counts, the verdict, the diagnosis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.report import Check, Entry, Verdict
from softmax_cli.errors import DomainError

Array = NDArray[Any]

# What a right gradient of each type keeps to, beside a reference in float64.
RTOL = {"float64": 1e-6, "float32": 1e-3, "float16": 2e-2, "bfloat16": 0.15}
# The absolute tolerance is this part of the relative one, times the largest gradient there is.
ATOL_SHARE = 1e-3
# How many times the estimate of the reference's error a difference must exceed to prove anything.
_MARGIN = 4


@dataclass(frozen=True)
class Hypothesis:
    """A way to be wrong: what the gradient would then be, from the reference."""

    diagnosis: str
    wrong: Callable[[Array], Array]


def tolerances(
    dtype: str, scale: float, rtol: float | None = None, atol: float | None = None
) -> tuple[float, float]:
    """Return the tolerances that were asked for, or those that fit the dtype and the scale.

    >>> tolerances("float64", scale=1.0)
    (1e-06, 1e-09)
    """
    for name, asked in (("rtol", rtol), ("atol", atol)):
        if asked is not None and not 0 <= asked < math.inf:
            raise DomainError(f"{name} is {asked:g}", "it must be 0 or more, and finite")
    default = RTOL.get(dtype, RTOL["float64"])
    return (
        default if rtol is None else rtol,
        default * ATOL_SHARE * scale if atol is None else atol,
    )


@dataclass
class Comparison:
    """Compares block after block; a pair agrees when |a - n| <= atol + rtol max(|a|, |n|).

    zero        a derivative no larger than this is zero to within rounding
    hypotheses  the ways to be wrong that are tried; one that explains every pair is named
    """

    rtol: float
    atol: float
    zero: float
    worst_kept: int = 3
    hypotheses: Sequence[Hypothesis] = ()
    entries: int = 0
    over_tolerance: int = 0
    non_finite: int = 0
    proven_wrong: int = 0
    undecided: int = 0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    largest: float = 0.0
    zero_agrees: bool = True
    worst: list[tuple[float, Entry]] = field(default_factory=list)
    factor: float | None = None
    factor_explains: bool = True
    explained: list[Hypothesis] | None = None

    def add(
        self,
        analytic: Array,
        reference: Array,
        uncertainty: Array | float = 0.0,
        first: tuple[int, ...] = (),
        offset: int = 0,
    ) -> None:
        """Compare arrays of one shape.

        first    goes before the index of each entry: which array of several this is
        offset   of the leading index: where a block of one long array starts
        """
        with np.errstate(all="ignore"):
            self._add(
                analytic.astype(np.float64),
                reference.astype(np.float64),
                np.nan_to_num(np.asarray(uncertainty), nan=np.inf, posinf=np.inf),
                first,
                offset,
            )

    def _add(
        self, a: Array, n: Array, uncertainty: Array, first: tuple[int, ...], offset: int
    ) -> None:
        error, allowed, agrees = self._judge(a, n)
        finite = np.isfinite(a) & np.isfinite(n)
        doubtful = np.broadcast_to(uncertainty, n.shape)
        self.zero_agrees = self.zero_agrees and bool(self._judge(np.zeros_like(n), n)[2].all())
        # A difference that the reference's own error explains proves nothing, nor does an
        # agreement within an error that is larger than what is allowed.
        certain = ~np.isfinite(a) | (error > allowed + _MARGIN * doubtful)
        undecided = ~certain & (~agrees | (doubtful > allowed))
        self.entries += n.size
        self.over_tolerance += int((~agrees).sum())
        self.non_finite += int((~finite).sum())
        self.proven_wrong += int((~agrees & certain).sum())
        self.undecided += int(undecided.sum())
        if finite.any():
            self.largest = max(self.largest, float(np.abs(n[finite]).max()))
            self.max_abs_error = max(self.max_abs_error, float(error[finite].max()))
            relative = error[finite] / _larger(a, n)[finite]
            self.max_rel_error = max(self.max_rel_error, float(relative.max()))
        self._keep_worst(a, n, error, allowed, first, offset)
        self._try_hypotheses(a, n)

    def verdict(self) -> Verdict:
        """Return what the compared pairs prove."""
        # Where a gradient of zeros would agree as well, agreement proves nothing.
        vacuous = self.zero_agrees or (self.largest <= self.zero and not self.non_finite)
        if 2 * self.undecided > self.entries:
            # A reference that is mostly in doubt proves nothing by the rest either.
            return "vacuous" if vacuous else "inconclusive"
        if self.proven_wrong:
            return "fail"
        if vacuous:
            return "vacuous"
        return "inconclusive" if self.undecided else "pass"

    def diagnosis(self) -> str | None:
        """Return what the failure looks like, if one way to be wrong explains all of it."""
        if self.verdict() != "fail":
            return None
        if self.explained:
            return self.explained[0].diagnosis
        if self.factor is not None and self.factor_explains:
            return f"a constant factor: the gradient is {self.factor:.6g} times the reference"
        return None

    def check(
        self, name: str, *, method: str, step: float | None, dtype: str, reproduce: str
    ) -> Check:
        """Return the outcome."""
        return Check(
            name=name,
            verdict=self.verdict(),
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
            diagnosis=self.diagnosis(),
            reproduce=reproduce,
        )

    def _judge(self, a: Array, n: Array) -> tuple[Array, Array, Array]:
        error = np.abs(a - n)
        allowed = self.atol + self.rtol * np.maximum(np.abs(a), np.abs(n))
        return error, allowed, np.isfinite(a) & np.isfinite(n) & (error <= allowed)

    def _keep_worst(
        self,
        a: Array,
        n: Array,
        error: Array,
        allowed: Array,
        first: tuple[int, ...],
        offset: int,
    ) -> None:
        excess = np.where(np.isfinite(error), error / allowed, np.inf)
        excess = np.where((error == 0) & (allowed == 0), 0.0, excess).ravel()
        count = min(self.worst_kept, excess.size)
        found = np.argpartition(-excess, count - 1)[:count] if count else np.empty(0, np.intp)
        for flat in found:
            place = np.unravel_index(int(flat), n.shape)
            leading, *rest = map(int, place)
            index = [*first, leading + offset, *rest]
            relative = float(error[place] / _larger(a, n)[place])
            entry = Entry(
                index,
                float(a[place]),
                float(n[place]),
                float(error[place]),
                relative,
                float(allowed[place]),
            )
            self.worst.append((float(excess[flat]), entry))
        self.worst.sort(key=lambda scored: -scored[0])
        del self.worst[self.worst_kept :]

    def _try_hypotheses(self, a: Array, n: Array) -> None:
        if self.explained is None:
            self.explained = list(self.hypotheses)
        self.explained = [
            hypothesis
            for hypothesis in self.explained
            if self._judge(a, hypothesis.wrong(n))[2].all()
        ]
        if self.factor is None and n.size:
            largest = np.unravel_index(int(np.abs(np.nan_to_num(n)).argmax()), n.shape)
            if n[largest] and math.isfinite(n[largest]):
                self.factor = float(a[largest] / n[largest])
        if self.factor is not None and self.factor_explains:
            self.factor_explains = bool(self.factor) and bool(
                self._judge(a, n * self.factor)[2].all()
            )


def _larger(a: Array, n: Array) -> Array:
    larger = np.maximum(np.abs(a), np.abs(n))
    result: Array = np.where(larger == 0, 1.0, larger)
    return result


def constant_factors(factors: dict[str, float]) -> list[Hypothesis]:
    """Return the hypotheses that the gradient is a named multiple of the reference."""
    return [
        Hypothesis(name, partial(np.multiply, factor))
        for name, factor in factors.items()
        if factor != 1
    ]


def _transposed(n: Array) -> Array:
    if n.shape[-1] != n.shape[-2]:
        return np.full_like(n, np.nan)
    return np.swapaxes(n, -1, -2)


FLIPPED_SIGN = Hypothesis("a flipped sign", lambda n: -n)
TRANSPOSED = Hypothesis("a transposed matrix", _transposed)
DIAGONAL_ONLY = Hypothesis(
    "a Jacobian with only its diagonal", lambda n: n * np.eye(n.shape[-2], n.shape[-1])
)
