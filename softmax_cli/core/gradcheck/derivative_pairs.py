"""Checks of claimed derivatives at points: the tolerances of each point, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.gradcheck.comparison import Comparison, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis, Mistakes
from softmax_cli.core.gradcheck.numerical.noise import EPS, Array, largest
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method, Reference
from softmax_cli.core.gradcheck.report import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The absolute tolerance is at most this part of the relative one, times the largest derivative.
_ATOL_SHARE = 0.5
# The absolute tolerance is at least this many units of the largest derivative.
_UNITS = 64
# The rounding of the claim adds to the tolerance, at most this many times the tolerance.
_SLACK = 5
# A derivative below this many times the noise of a difference, or the rounding of the claim,
# cannot be distinguished from zero.
_INDISTINCT = 8192
_SMALLEST_STEP = 5e-3
_KINK = "a kink or noise in the function"
_TOO_SMALL = "a derivative too small to distinguish from the rounding of the function"


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
    """A claimed derivative at one point, and its reference in the same shape.

    wrong     common wrong forms of the reference, by name
    zero      derivatives up to this size are zero to within rounding
    floor     absolute tolerance that rounding needs, however exact the reference is
    slack     rounding error of each entry of the claim
    rounding  the largest rounding error of the claim
    rest      claims up to this size may be what rounding left of larger terms
    eps       machine epsilon of the lowest precision seen
    inputs    numbers of the inputs, if they are a sample
    """

    analytic: Array
    reference: Reference
    wrong: Mistakes
    zero: float
    floor: float = 0.0
    slack: Array | float = 0.0
    rounding: float = 0.0
    rest: float = math.inf
    eps: float = EPS
    inputs: NDArray[np.intp] | None = None

    def tolerances(
        self, scale: float, rtol: float, atol: float | None
    ) -> tuple[Array | float, Array]:
        """Return the absolute tolerance and the doubt of each entry."""
        error = self.reference.error
        if atol is not None:
            return atol, error + self.slack
        # A tight tolerance finds wrong entries that are much smaller than the others.
        least = max(self.floor, self.zero if scale <= self.zero else 0.0)
        needed = np.clip(4 * error, _UNITS * EPS * scale, rtol * _ATOL_SHARE * scale)
        slack = np.minimum(4 * np.asarray(self.slack), _SLACK * rtol * scale)
        # Noise beyond this is not rounding.
        return np.maximum(needed, least) + slack, error + np.maximum(0, self.slack - slack)


def check_pairs(
    name: str, pairs: Sequence[DerivativePair], dtype: str, settings: Settings, diagnosis: Diagnosis
) -> Check:
    """Compare all pairs with tolerances that fit the dtype and the derivatives of each point."""
    # A point with large derivatives must not hide a wrong one with small derivatives.
    rtol = tolerance(dtype, settings.rtol)
    comparison = Comparison(rtol, settings.worst, len(pairs) > 1, diagnosis)
    too_small = has_kink = False
    for number, pair in enumerate(pairs):
        n, error, noise, step = pair.reference
        scale = largest(n)
        atol, doubt = pair.tolerances(scale, rtol, settings.atol)
        allowed = atol + rtol * np.abs(n)
        in_doubt = bool((doubt > allowed).any())
        # A difference divides the noise by the step; a complex step has no difference.
        is_complex = settings.method == "complex"
        rounding = 0.0 if is_complex else noise.rounding / min(step, _SMALLEST_STEP)
        indistinct = _INDISTINCT * max(rounding, pair.rounding)
        vacuous = scale <= (max(pair.zero, indistinct) if in_doubt else pair.zero)
        if vacuous and in_doubt and largest(pair.analytic) > max(pair.zero, pair.rest):
            # The claim exceeds zero; a reference in doubt does not prove that it is zero.
            vacuous, too_small = False, True
        if settings.atol is not None or settings.rtol is not None:
            # Where a gradient of zeros would agree as well, agreement proves nothing.
            vacuous = vacuous or bool((np.abs(n) <= allowed).all())
        found = comparison.of(
            pair.analytic[None],
            n[None],
            atol=np.broadcast_to(atol, n.shape)[None],
            vacuous=vacuous and bool(np.isfinite(n + error).all()),
            doubt=doubt[None],
            wrong=pair.wrong,
        )
        if pair.inputs is not None:
            # Entries are numbered among all inputs, not those of the sample.
            for entry in found.worst:
                entry.index[-1] = int(pair.inputs[entry.index[-1]])
        comparison.merge(found, number)
        has_kink |= bool((np.isinf(error) & np.isfinite(n)).any())
    steps = [pair.reference.step for pair in pairs]
    step = max(steps, default=settings.step or STEPS[settings.method])
    check = comparison.check(name, method=settings.method, step=step, dtype=dtype)
    if check.verdict == "inconclusive" and (has_kink or too_small):
        return replace(check, diagnosis=_KINK if has_kink else _TOO_SMALL)
    return check
