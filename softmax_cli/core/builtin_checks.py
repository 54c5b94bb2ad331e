"""Checks of the built-in derivatives, against formulas that know nothing of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.builtin import Builtin
from softmax_cli.core.diagnosis import Diagnosis
from softmax_cli.core.pairs import (
    Pair,
    Settings,
    common_factors,
    compared,
    factors_of,
    wrong_matrices,
)
from softmax_cli.core.references import EPS, reference_jacobian
from softmax_cli.core.report import Check
from softmax_cli.core.rows import has_no_softmax
from softmax_cli.errors import DomainError


def check_builtin(
    builtin: Builtin,
    points: list[NDArray[np.float64]],
    rng: np.random.Generator,
    T: float,
    dtype: str,
    settings: Settings,
) -> list[Check]:
    """Compare one derivative with the differentiated formula at all points."""
    pairs = [_pair(builtin, point.astype(dtype), rng, T, settings) for point in points]
    classes = len(points[0]) if len({len(point) for point in points}) == 1 else 1
    factors = {
        "a missing 1/T": T,
        "1/T taken twice": 1 / T,
        **common_factors(len(points)),
        **factors_of(classes, "classes"),
    }
    return [compared(builtin.name, pairs, dtype, settings, Diagnosis(factors))]


def _pair(
    builtin: Builtin, a: NDArray[Any], rng: np.random.Generator, T: float, settings: Settings
) -> Pair:
    if has_no_softmax(a):
        raise DomainError("a point has no softmax", "it holds a NaN, a +inf, or nothing but -inf")
    # The formula is taken over the classes that are not masked. What a masked logit would change
    # is 0, but for its own log-probability, which has no derivative.
    kept = np.flatnonzero(np.isfinite(a))
    drawn = builtin.draw(rng, kept.size)
    extra, J, error = np.zeros(a.size), np.zeros((a.size, a.size)), np.zeros((a.size, a.size))
    extra[kept] = drawn

    def formula(x: NDArray[Any]) -> NDArray[Any]:
        return builtin.function(x, T, drawn)

    at = a[kept].astype(np.float64)
    found, found_error, noise, step = reference_jacobian(
        formula, at, settings.method, settings.step, rtol=settings.rtol or 1e-6
    )
    outputs = kept if len(found) > 1 or kept.size == 1 else np.array([0])
    J[np.ix_(outputs, kept)] = found
    error[np.ix_(outputs, kept)] = found_error
    analytic = np.asarray(builtin.analytic(a, T, extra))
    reference, error = builtin.combine(J, extra), builtin.combine(error, np.abs(extra))
    if not builtin.masked_outputs:
        analytic, reference, error = analytic[kept], reference[kept], error[kept]
    wrong = wrong_matrices(reference)
    return Pair(analytic, reference, error, float(noise.level.max()), 4 * EPS / T, step, wrong)
