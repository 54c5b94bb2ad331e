"""Pairs of an analytic derivative and its reference at a point, and what a check makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.comparison import Comparison, tolerance
from softmax_cli.core.diagnosis import Diagnosis
from softmax_cli.core.references import STEPS, Method
from softmax_cli.core.report import Check

Array = NDArray[Any]

# The absolute tolerance is this part of the relative one, times the largest derivative there is.
ATOL_SHARE = 1e-3
# A derivative of this many times the noise of a difference is not told from zero.
_LOST = 256


@dataclass(frozen=True)
class Settings:
    """What was asked of the checks; None is what fits."""

    method: Method
    step: float | None
    rtol: float | None
    atol: float | None
    worst: int


@dataclass(frozen=True)
class Pair:
    """An analytic derivative at one point, its reference, and the error of that reference.

    noise   how far rounding may put off a value of the function, which a difference over a step
            divides; 0 if it is noisier than that
    least   absolute tolerance that rounding needs whatever the reference
    step    relative, as it was taken
    """

    analytic: Array
    reference: Array
    error: Array
    noise: float
    least: float
    step: float
    wrong: Mapping[str, Callable[[], Array]] = field(default_factory=dict)


def compared(
    name: str,
    pairs: Sequence[Pair],
    dtype: str,
    settings: Settings,
    diagnosis: Diagnosis,
) -> Check:
    """Compare all pairs, each with tolerances that fit the dtype and the size of its derivatives.

    One point with large derivatives must not hide a wrong one with small ones.
    """
    rtol = tolerance(dtype, settings.rtol)
    comparison = Comparison(rtol, settings.worst, len(pairs) > 1, diagnosis)
    for number, pair in enumerate(pairs):
        atol = settings.atol
        least = pair.least
        if settings.method != "complex":
            allowed = rtol * np.abs(pair.reference) + (atol or 0)
            lost = pair.error > np.maximum(allowed, rtol * ATOL_SHARE * largest(pair.reference))
            if lost.any():
                least = max(least, _LOST * pair.noise / STEPS["central"])
        zero = least
        if atol is None:
            atol = max(rtol * ATOL_SHARE * largest(pair.reference), pair.least)
            if largest(pair.reference) <= zero:
                atol = max(atol, zero)
        if settings.atol is not None or settings.rtol is not None:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            zero = max(zero, atol / (1 - rtol) if rtol < 1 else math.inf)
        comparison.add(
            pair.analytic[None],
            pair.reference[None],
            atol=atol,
            vacuous=largest(pair.reference) <= zero and bool(np.isfinite(pair.reference).all()),
            doubt=pair.error[None],
            offset=number,
            wrong={key: _upright(gradient) for key, gradient in pair.wrong.items()},
        )
    step = max((pair.step for pair in pairs), default=settings.step or STEPS[settings.method])
    return comparison.check(name, method=settings.method, step=step, dtype=dtype)


def renumbered(check: Check, columns: Sequence[NDArray[np.intp]]) -> Check:
    """Return the check of a sample with the numbers that entries have among all.

    columns  of each point, which ones the sample holds
    """

    def own(index: list[int]) -> list[int]:
        point = index[0] if len(columns) > 1 else 0
        return [*index[:-1], int(columns[point][index[-1]])]

    return replace(check, worst=[replace(entry, index=own(entry.index)) for entry in check.worst])


def largest(array: Array) -> float:
    """Return the largest size of the finite entries."""
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))


def wrong_matrices(J: Array) -> dict[str, Callable[[], Array]]:
    """Return what a Jacobian looks like that is wrong in a way that only matrices can be."""
    if J.ndim != 2:
        return {}
    wrong: dict[str, Callable[[], Array]] = {
        "a Jacobian with only its diagonal": lambda: J * np.eye(*J.shape)
    }
    if J.shape[0] == J.shape[1]:
        wrong["a transposed matrix"] = lambda: J.T
    return wrong


def common_factors(rows: int) -> dict[str, float]:
    """Return the factors that gradients at some rows or points are often wrong by."""
    return {
        "a factor of 2": 2.0,
        "a factor of 1/2": 0.5,
        "a missing division by the number of rows": float(rows),
        "a division by the number of rows too many": 1 / max(1, rows),
        "a factor of ln 2": math.log(2),
        "a factor of 1/ln 2, as of bits": 1 / math.log(2),
    }


def factors_of(count: int, of: str) -> dict[str, float]:
    """Return the factors of a number that is neither rows nor points."""
    return {
        f"a factor of N, the number of {of}": float(count),
        f"a division by N, the number of {of}": 1 / max(1, count),
    }


def _upright(gradient: Callable[[], Array]) -> Callable[[], Array]:
    return lambda: gradient()[None]
