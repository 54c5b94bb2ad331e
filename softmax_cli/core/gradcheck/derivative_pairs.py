"""Pairs of a claimed derivative and its reference at a point: their tolerances and their check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.comparison import Comparison, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.noise import EPS, Noise
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Check

Array = NDArray[Any]

# The absolute tolerance is at most this part of the relative one, times the largest derivative.
_ATOL_SHARE = 0.5
# A derivative below this many times the noise of a difference, or the rounding of the claim,
# cannot be distinguished from zero.
_INDISTINCT = 8192
_SMALLEST_STEP = 5e-3
# A claim that is known to fewer units than this may be what rounding left of larger terms.
_REST_UNITS = 1024
_KINK = "a kink or noise in the function"
_TOO_SMALL = "a derivative too small to be told from the rounding of the function"
# The rounding of the claim adds to the tolerance, at most this many times the tolerance.
_SLACK = 5
# The absolute tolerance is at least this many units of the largest derivative.
_UNITS = 64


@dataclass(frozen=True)
class Settings:
    """Settings of the checks; None stands for a default that fits the function."""

    method: Method
    step: float | None
    rtol: float | None
    atol: float | None
    worst: int


@dataclass(frozen=True)
class DerivativePair:
    """A claimed derivative at one point, its reference, and the estimated error of the reference.

    zero       derivatives up to this size are zero to within rounding
    indistinct if the reference is in doubt, derivatives up to this size cannot be distinguished
               from zero, unless the claim exceeds `rest`
    step       relative step of the reference
    rest       claims up to this size may be what rounding left of larger terms
    floor      absolute tolerance that rounding needs, however exact the reference is
    slack      rounding error of each entry of the claim
    wrong      common wrong forms of the reference, by name
    """

    analytic: Array
    reference: Array
    error: Array
    zero: float
    indistinct: float
    step: float
    rest: float = math.inf
    floor: float = 0.0
    slack: Array | float = 0.0
    wrong: Mapping[str, Callable[[], Array]] = field(default_factory=dict)

    def tolerances(
        self, scale: float, rtol: float, atol: float | None
    ) -> tuple[Array | float, Array]:
        """Return the absolute tolerance and the doubt of each entry.

        The tolerance is what the reference needs, within bounds: where the reference is exact,
        wrong entries that are much smaller than the others are found.
        """
        if atol is not None:
            return atol, self.error + self.slack
        needed = np.clip(4 * self.error, _UNITS * EPS * scale, rtol * _ATOL_SHARE * scale)
        if scale <= self.zero:
            needed = np.maximum(needed, self.zero)
        needed = np.maximum(needed, self.floor)
        slack = np.minimum(4 * np.asarray(self.slack), _SLACK * rtol * scale)
        # Noise beyond this is not rounding.
        return needed + slack, self.error + np.maximum(0, self.slack - slack)


def check_pairs(
    name: str, pairs: Sequence[DerivativePair], dtype: str, settings: Settings, diagnosis: Diagnosis
) -> Check:
    """Compare all pairs with tolerances that fit the dtype and the derivatives of each point.

    A point with large derivatives must not hide a wrong one with small derivatives.
    """
    rtol = tolerance(dtype, settings.rtol)
    comparison = Comparison(rtol, settings.worst, len(pairs) > 1, diagnosis)
    too_small = False
    for number, pair in enumerate(pairs):
        scale = largest(pair.reference)
        atol, doubt = pair.tolerances(scale, rtol, settings.atol)
        allowed = atol + rtol * np.abs(pair.reference)
        in_doubt = bool((doubt > allowed).any())
        vacuous = scale <= (max(pair.zero, pair.indistinct) if in_doubt else pair.zero)
        if vacuous and in_doubt and largest(pair.analytic) > max(pair.zero, pair.rest):
            # The claim exceeds zero; a reference in doubt does not prove that it is zero.
            vacuous, too_small = False, True
        if settings.atol is not None or settings.rtol is not None:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            vacuous = vacuous or bool((np.abs(pair.reference) <= allowed).all())
        found = comparison.of(
            pair.analytic[None],
            pair.reference[None],
            atol=np.broadcast_to(atol, pair.reference.shape)[None],
            vacuous=vacuous and bool(np.isfinite(pair.reference + pair.error).all()),
            doubt=doubt[None],
            wrong={key: partial(_one_point, gradient) for key, gradient in pair.wrong.items()},
        )
        comparison.merge(found, number)
    step = max((pair.step for pair in pairs), default=settings.step or STEPS[settings.method])
    check = comparison.check(name, method=settings.method, step=step, dtype=dtype)
    if check.verdict == "inconclusive":
        if any((np.isinf(pair.error) & np.isfinite(pair.reference)).any() for pair in pairs):
            return replace(check, diagnosis=_KINK)
        if too_small:
            return replace(check, diagnosis=_TOO_SMALL)
    return check


def indistinct_from_zero(
    method: Method, noise: Noise, step: float, claim_rounding: float = 0.0
) -> float:
    """Return the size up to which a derivative cannot be distinguished from zero.

    A difference divides the noise of the function by the step; a complex step has no difference.
    """
    rounding = 0.0 if method == "complex" else noise.rounding / min(step, _SMALLEST_STEP)
    return _INDISTINCT * max(rounding, claim_rounding)


def rest_of_larger_terms(claimed: Noise, noise: Noise) -> float:
    """Return the size up to which a claim may be what rounding left of larger terms, as in P - 1.

    A claim of a few units of the function's value, or of 1, may be such a rest as well.
    """
    units = 4 * noise.eps * max(1.0, largest(noise.value))
    return max(units, claimed.rounding / (_REST_UNITS * claimed.eps))


def renumbered(check: Check, columns: Sequence[NDArray[np.intp]]) -> Check:
    """Return the check with the worst entries numbered among all inputs, not those of a sample.

    columns  inputs in the sample of each point
    """
    worst = []
    for entry in check.worst:
        *leading, column = entry.index
        point = leading[0] if len(columns) > 1 else 0
        worst.append(replace(entry, index=[*leading, int(columns[point][column])]))
    return replace(check, worst=worst)


def largest(array: Array) -> float:
    """Return the largest absolute value of the finite entries, or 0."""
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _one_point(gradient: Callable[[], Array]) -> Array:
    return gradient()[None]
