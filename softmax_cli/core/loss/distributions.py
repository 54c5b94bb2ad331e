"""Cross-entropy, entropy and Kullback-Leibler divergence of distributions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, checked_base, narrowed, wide, with_classes
from softmax_cli.core.exact.double_double import LARGEST, Rows, factor, over, quotient, two_sum
from softmax_cli.core.exact.rows import likeliest, rows_of
from softmax_cli.core.exact.sums import row_sums
from softmax_cli.core.loss.row_losses import Kind, expected_losses, finite, row_losses
from softmax_cli.core.loss.weights import Weights
from softmax_cli.core.softmax.softmax import log_softmax, softmax
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PROBABILITIES: Kind = "probabilities"
# From here on exp(-d) dominates exp(-d) - 1 + d.
_FAR = 3.0
# The series of exp(-x) - 1 + x, for x below 1, is exact after this many terms.
_TERMS = 20


def distribution_cross_entropy(
    p: ArrayLike, q: ArrayLike, *, axis: int = -1, base: float = math.e
) -> FloatArray:
    """Return the cross-entropy of two distributions.

        xent(p, q) = -sum_k p(k) log q(k),  with 0 log 0 = 0      (Bendersky 2016)

    p, q         (..., classes) probabilities that sum to 1 along `axis` (not checked)
    base         of the logarithm: e gives nats, 2 bits, 10 decimal digits
    returns      (...): H(p) + KL(p||q); inf where q is 0 and p is not
    raises       ShapeError if the shapes differ, DomainError for a negative probability

    >>> print(f"{distribution_cross_entropy([0.5, 0.5], [0.25, 0.75], base=2):.12f}")
    1.207518749639
    """
    P, Q, like = _distributions(p, q, axis)
    with np.errstate(divide="ignore"):
        losses = expected_losses(P, np.log(Q))
    return _in_base(losses, base, like)


def kl_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: int = -1, base: float = math.e
) -> FloatArray:
    """Return the Kullback-Leibler divergence of two distributions.

        KL(p||q) = sum_k p(k) log (p(k) / q(k)) = xent(p, q) - H(p),  with 0 log 0 = 0

    p, q, axis, base, raises   as in distribution_cross_entropy (Bendersky 2016)
    returns   (...): at least 0 for distributions; inf where q is 0 and p is not

    >>> print(f"{kl_divergence([0.5, 0.5], [0.25, 0.75], base=2):.12f}")
    0.207518749639
    """
    P, Q, like = _distributions(p, q, axis)
    divergences = 0 - expected_losses(P, _log_ratios(P, Q))
    return _in_base(divergences, base, like)


def _in_base(nats: NDArray[np.float64], base: float, like: FloatArray) -> FloatArray:
    result = narrowed(over(nats, factor(base=checked_base(base))), like.dtype)
    return result.reshape(like.shape)[()]


def _distributions(p: ArrayLike, q: ArrayLike, axis: int) -> tuple[Rows, Rows, FloatArray]:
    """Return the rows of both, and an empty array of the result's shape and dtype."""
    P, Q = with_classes(p, axis, "p"), with_classes(q, axis, "q")
    if P.shape != Q.shape:
        raise ShapeError(f"p of shape {P.shape} and q of shape {Q.shape} differ")
    for name, distribution in (("p", P), ("q", Q)):
        if (distribution < 0).any():
            raise DomainError(f"{name} has a negative probability")
    dtype = np.promote_types(np.promote_types(P.dtype, Q.dtype), np.float32)
    like = np.empty(np.moveaxis(P, axis, -1).shape[:-1], dtype)
    return wide(rows_of(P, axis)), wide(rows_of(Q, axis)), like


def entropies_and_divergences(
    p: Rows,
    q: Rows,
    *,
    base: float,
    weights: Weights,
    samples: Rows | None,
    source: Kind = _PROBABILITIES,
    temperature: float = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the entropy of p and the divergence KL(p||q) of each row, (rows,) each.

        H(p) = -s sum_k w(k) p'(k) log p'(k),  KL(p||q) = s sum_k w(k) p'(k) log (p'(k) / q(k))

    with sample weights s, class weights w, and p' smoothed; p and q (rows, classes) of the kind
    `source`.
    """
    P = as_probabilities(p, source, temperature)
    smoothed = weights.smoothed(P)
    # Smoothing makes probabilities of logits.
    p, source_of_p = (smoothed, _PROBABILITIES) if weights.smoothing else (p, source)
    shared: dict[str, Any] = {"base": base, "weights": weights, "samples": samples}
    entropies = row_losses(p, P, source=source_of_p, temperature=temperature, **shared)
    weighted = weights.weighted(P, samples, slice(None))
    if source == "logits" and weights.of_classes is None and not weights.smoothing:
        divergences = divergences_of_logits(p, q, temperature)
    else:
        if source == "probabilities":
            ratios = _log_ratios(smoothed, q)
        else:
            with np.errstate(invalid="ignore"):
                logs_of_p = _logarithms(p, source_of_p, temperature)
                ratios = logs_of_p - _logarithms(q, source, temperature)
        divergences = 0 - expected_losses(weighted.targets, ratios)
    divergences = divergences[:, None]
    with np.errstate(invalid="ignore"):
        divergences = weighted.scaled(over(divergences, factor(base=base)))
    weighted.clear(divergences)
    return entropies, divergences[:, 0]


def as_probabilities(values: Rows, source: Kind, temperature: float = 1.0) -> Rows:
    """Return the probabilities (rows, classes) that values of this kind stand for."""
    if source == "logits":
        return wide(softmax(wide(values), temperature=temperature))
    return np.exp(values) if source == "log-probabilities" else values


def _logarithms(values: Rows, source: Kind, temperature: float) -> Rows:
    if source == "logits":
        return wide(log_softmax(wide(values), temperature=temperature))
    with np.errstate(divide="ignore"):
        return np.log(values) if source == "probabilities" else values


def divergences_of_logits(a: Rows, b: Rows, temperature: float) -> NDArray[np.float64]:
    """Return KL(p||q) of each row of the logits a of p and b of q, (rows,), without cancellation.

        KL(p||q) = log1p(sum_k p(k) (exp(-d_k) - 1 + d_k)),  d_k = (a_k - b_k) / T - mean

    where the mean under p makes sum_k p(k) d_k = 0. No term is negative, and an error in the mean
    changes the divergence by a product of both.
    """
    a, b, T = wide(a), wide(b), temperature
    P, top = as_probabilities(a, "logits", T), likeliest(a)[:, None]
    with np.errstate(all="ignore"):
        d, rest = _less_that_of(top, *quotient(*_sum(a, -b), T, 0.0))
        mean = row_sums(np.where(P > 0, P * d, 0))
        d, left = _sum(d, 0 - mean)
        d, rest = _sum(d, rest + left)
        # Where q, up to a factor, is much larger than p, it is not computed as a multiple of p.
        gap, of_gap = _less_that_of(top, *quotient(b, np.zeros_like(b), T, 0.0))
        power, left = _sum(gap, 0 - np.take_along_axis(d, top, -1))
        left = left + of_gap - np.take_along_axis(rest, top, -1)
        of_q = np.take_along_axis(P, top, -1) * np.exp(power) * (1 + left)
        far = of_q + np.where(P > 0, P * d - P, 0)
        terms = np.where(-d > _FAR, far, np.where(P > 0, P * _above_tangent(d, rest), 0))
        total = row_sums(terms)[:, 0]
        result: NDArray[np.float64] = np.log1p(total)
    if not (is_near := total < LARGEST).all():
        # The cross-entropy is so large that nothing cancels.
        of = (P[~is_near],)
        large, small = (row_losses(each[~is_near], *of, temperature=T) for each in (b, a))
        result[~is_near] = large - small
    result[(np.isneginf(b) & (a > -np.inf)).any(axis=-1)] = np.inf
    return result


def _less_that_of(top: NDArray[np.intp], high: Rows, rest: Rows) -> tuple[Rows, Rows]:
    """Subtract from each row its number at one class; return double-doubles."""
    of_top, rest_of_top = (np.take_along_axis(part, top, -1) for part in (high, rest))
    difference, left = _sum(high, 0 - of_top)
    return _sum(difference, left + rest - rest_of_top)


def _sum(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Return a + b and its rounding error, 0 where a number is infinite."""
    total, rest = two_sum(a, b)
    return total, finite(rest)


def _above_tangent(x: Rows, rest: Rows) -> Rows:
    """Return exp(-x) - 1 + x at x + rest, by its series where that cancels."""
    series = np.ones_like(x)
    for n in range(_TERMS, 2, -1):
        series = 1 - series * x / n
    slope = np.expm1(-x)
    return np.where(np.abs(x) < 1, x * x / 2 * series, slope + x) - slope * rest


def _log_ratios(P: Rows, Q: Rows) -> Rows:
    """Return log(p / q), by log1p of the relative difference where the two are close."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result: Rows = np.where(np.abs(P - Q) < Q / 2, np.log1p((P - Q) / Q), np.log(P) - np.log(Q))
    return result
