"""Pairs of an analytic derivative and its reference at a point, and what a check makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.comparison import Comparison, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.differences import EPS
from softmax_cli.core.gradcheck.numerical.noise import Noise
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Check

Array = NDArray[Any]

# What the reference may need of absolute tolerance, as a part of the relative one, times the
# largest derivative there is.
_ATOL_SHARE = 0.5
# A derivative of this many times the noise of a difference is not told from zero; nor is one of
# which the one that is claimed is itself that much rounded.
_LOST = 8192
_SMALLEST_STEP = 5e-3
# What is claimed is a number of its own if it is known to so many units.
_UNITS_LEFT = 1024
_LOST_ONE = "a derivative too small to be told from the rounding of the function"
# The rounding of a derivative that is claimed is allowed, up to so many times the tolerance.
_SLACK = 5
# So many units of the largest derivative are allowed in any case.
_NEEDED = 64


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

    least   a derivative no larger is zero to within rounding
    lost    one no larger is so as well, if its reference is in doubt, and the claim is no more
            than `left`
    floor   absolute tolerance that rounding needs whatever the reference
    step    relative, as it was taken
    left    a claim no larger may be what rounding left of larger terms
    slack   how far rounding may put off each entry of the analytic derivative
    """

    analytic: Array
    reference: Array
    error: Array
    least: float
    lost: float
    step: float
    left: float = math.inf
    floor: float = 0.0
    slack: Array | float = 0.0
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
    lost_ones = 0
    for number, pair in enumerate(pairs):
        scale = largest(pair.reference)
        atol, doubt = _tolerance(pair, scale, rtol, settings.atol)
        in_doubt = bool((doubt > rtol * np.abs(pair.reference) + atol).any())
        zero = max(pair.least, pair.lost) if in_doubt else pair.least
        # What is claimed to be more than zero is not known to be zero by a reference in doubt.
        is_lost = scale <= zero and in_doubt and largest(pair.analytic) > max(pair.least, pair.left)
        lost_ones += is_lost
        vacuous = scale <= zero and not is_lost
        if settings.atol is not None or settings.rtol is not None:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            zeros = np.abs(pair.reference) <= atol + rtol * np.abs(pair.reference)
            vacuous = vacuous or bool(zeros.all())
        comparison.add(
            pair.analytic[None],
            pair.reference[None],
            atol=np.broadcast_to(atol, pair.reference.shape)[None],
            vacuous=vacuous and bool(np.isfinite(pair.reference + pair.error).all()),
            doubt=doubt[None],
            offset=number,
            wrong={key: _upright(gradient) for key, gradient in pair.wrong.items()},
        )
    step = max((pair.step for pair in pairs), default=settings.step or STEPS[settings.method])
    check = comparison.check(name, method=settings.method, step=step, dtype=dtype)
    unknown = (np.isinf(pair.error) & np.isfinite(pair.reference) for pair in pairs)
    if check.verdict == "inconclusive" and any(entries.any() for entries in unknown):
        return replace(check, diagnosis="a kink or noise in the function")
    if check.verdict == "inconclusive" and lost_ones:
        return replace(check, diagnosis=_LOST_ONE)
    return check


def _tolerance(
    pair: Pair, scale: float, rtol: float, asked: float | None
) -> tuple[Array | float, Array]:
    """Return the absolute tolerance of each entry, and what is in doubt of it.

    It is what the reference needs, within bounds: a wrong entry that is small beside the others
    is found where the reference is exact enough.
    """
    doubt = pair.error
    if asked is not None:
        return asked, doubt + pair.slack
    needed = np.clip(4 * pair.error, _NEEDED * EPS * scale, rtol * _ATOL_SHARE * scale)
    if scale <= pair.least:
        needed = np.maximum(needed, pair.least)
    needed = np.maximum(needed, pair.floor)
    slack = np.minimum(4 * np.asarray(pair.slack), _SLACK * rtol * scale)
    # Noise of more than that is none of rounding.
    return needed + slack, doubt + np.maximum(0, pair.slack - slack)


def lost(method: Method, noise: Noise, step: float, rounding: float = 0.0) -> float:
    """Return how small a derivative must be to be lost in rounding.

    noise     of the function, whose values a difference divides by a step
    rounding  how far rounding may put off the derivative that is claimed
    """
    of_difference = 0.0
    if method != "complex":
        of_difference = noise.of_rounding / min(step, _SMALLEST_STEP)
    return _LOST * max(of_difference, rounding)


def left_of_larger(claimed: Noise, noise: Noise) -> float:
    """Return how small a claim must be to be what rounding left of larger terms, as P - 1 may be.

    No more than a few units of the function, or of 1, is such a rest as well.

    claimed  what is known of the values that are claimed
    noise    of the function
    """
    units = 4 * noise.eps * max(1.0, largest(noise.value))
    return max(units, claimed.of_rounding / (_UNITS_LEFT * claimed.eps))


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


def common_factors(rows: int, T: float = 1.0) -> dict[str, float]:
    """Return the factors that gradients at some rows or points are often wrong by."""
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
    """Return the factors of a number that is neither rows nor points."""
    return {
        f"a factor of N, the number of {of}": float(count),
        f"a division by N, the number of {of}": 1 / max(1, count),
    }


def _upright(gradient: Callable[[], Array]) -> Callable[[], Array]:
    return lambda: gradient()[None]
