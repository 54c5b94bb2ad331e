"""Cross-entropy, entropy and Kullback-Leibler divergence of distributions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.exact.arrays import FloatArray, checked_base, narrowed, wide, with_classes
from softmax_cli.core.exact.double_double import Rows, factor, over
from softmax_cli.core.exact.rows import rows_of
from softmax_cli.core.loss.row_losses import expected_losses, row_losses
from softmax_cli.core.loss.weights import Weights
from softmax_cli.errors import DomainError, ShapeError


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
    p: Rows, q: Rows, *, base: float, weights: Weights, samples: Rows | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the entropy of p and the divergence KL(p||q) of each row, (rows,) each.

        H(p) = -s sum_k w(k) p'(k) log p'(k),  KL(p||q) = s sum_k w(k) p'(k) log (p'(k) / q(k))

    with sample weights s, class weights w, and p' smoothed; p and q (rows, classes).
    """
    smoothed = weights.smoothed(p)
    entropies = row_losses(
        smoothed, p, source="probabilities", base=base, weights=weights, samples=samples
    )
    weighted = weights.weighted(p, samples, slice(None))
    divergences = 0 - expected_losses(weighted.targets, _log_ratios(smoothed, q))[:, None]
    with np.errstate(invalid="ignore"):
        divergences = weighted.scaled(over(divergences, factor(base=base)))
    weighted.clear(divergences)
    return entropies, divergences[:, 0]


def _log_ratios(P: Rows, Q: Rows) -> Rows:
    """Return log(p / q), by log1p of the relative difference where the two are close."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result: Rows = np.where(np.abs(P - Q) < Q / 2, np.log1p((P - Q) / Q), np.log(P) - np.log(Q))
    return result
