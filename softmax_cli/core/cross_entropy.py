"""Cross-entropy losses and their gradients: of labels, of soft targets, of two distributions."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import (
    FloatArray,
    checked_base,
    checked_temperature,
    floating,
    narrowed,
    wide,
    with_classes,
)
from softmax_cli.core.row_losses import expected_losses, row_losses, row_losses_and_gradients
from softmax_cli.core.rows import as_it_was, rows_of
from softmax_cli.core.sums import ExactSum
from softmax_cli.core.twofold import Rows, factor, over
from softmax_cli.errors import DomainError, ShapeError

Reduction = Literal["mean", "batch-mean", "sum", "none"]


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    base: float = math.e,
) -> FloatArray:
    """Return the cross-entropy loss of logits for labels or for soft targets.

        xent(Y, P) = -sum_k Y(k) log P(k),  P = softmax(a / T)      (Bendersky 2016)

    With a label y it is -log P(y).

    logits       (..., classes) real
    targets      (...) whole numbers, the label of each row from 0; or (..., classes) weights Y,
                 one-hot or soft, whose zeros meet no logarithm (0 log 0 = 0)
    axis         the dimension of the classes, in logits and in soft targets
    temperature  T, positive, in the unit of the logits
    reduction    "mean" and "batch-mean" divide the sum of the losses by the number of rows,
                 "sum" does not, "none" returns one loss a row
    base         of the logarithm: e gives nats, 2 bits, 10 decimal digits
    returns      a scalar, or (...) with reduction "none", in the dtype of the logits, at least
                 float32; off by at most 4 units in the last place
    raises       ShapeError if the targets do not fit, DomainError for a label that is no class

    >>> cross_entropy([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], [2, 0], reduction="none")
    array([0.40760596, 1.09861229])
    >>> float(cross_entropy([[0.0, 0.0]], [1], base=2))
    1.0
    """
    array = with_classes(logits, axis)
    rows, Y = rows_of(array, axis), _targets(targets, array, axis)
    T = checked_temperature(temperature)
    losses = row_losses(rows, Y, temperature=T, base=checked_base(base))
    dtype = np.promote_types(array.dtype, np.float32)
    if reduction == "none":
        leading = np.moveaxis(array, axis, -1).shape[:-1]
        return narrowed(losses, dtype).reshape(leading)[()]
    return narrowed(np.array(reduced(losses, reduction)), dtype)[()]


def cross_entropy_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    base: float = math.e,
) -> FloatArray:
    """Return the gradient of the reduced cross-entropy loss with respect to the logits.

        d xent / da_j = (P_j sum_k Y_k - Y_j) / T

    divided by the number of rows for "mean" and "batch-mean". At a label y the entry P_y - 1 is
    computed as minus the sum of the other probabilities, which loses no digit.

    logits       (..., classes) real
    targets      labels or soft targets, as in cross_entropy
    axis, temperature, reduction, base   as in cross_entropy
    returns      the shape and dtype of the logits, in units of the loss per unit of logit; off by
                 at most 4 units in the last place, of P_j sum_k Y_k + Y_j for soft targets
    raises       as cross_entropy

    >>> cross_entropy_gradient([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    array = with_classes(logits, axis)
    rows, Y = rows_of(array, axis), _targets(targets, array, axis)
    result = np.empty_like(rows)
    T, count = checked_temperature(temperature), denominator(len(rows), reduction)
    row_losses_and_gradients(
        rows, Y, temperature=T, count=count, base=checked_base(base), out=result
    )
    return as_it_was(result, array, axis)


def distribution_cross_entropy(
    p: ArrayLike, q: ArrayLike, *, axis: int = -1, base: float = math.e
) -> FloatArray:
    """Return the cross-entropy of two distributions.

        xent(p, q) = -sum_k p(k) log q(k),  with 0 log 0 = 0      (Bendersky 2016)

    p, q         (..., classes) probabilities that sum to 1 along the axis (not checked)
    axis         the dimension of the classes
    base         of the logarithm: e gives nats, 2 bits, 10 decimal digits
    returns      (...): the entropy of p plus the divergence KL(p||q); inf where q is 0 and p not
    raises       ShapeError if the shapes differ, DomainError for a negative probability

    >>> print(f"{distribution_cross_entropy([0.5, 0.5], [0.25, 0.75], base=2):.12f}")
    1.207518749639
    """
    P, Q, like = _distributions(p, q, axis)
    with np.errstate(divide="ignore"):
        losses = expected_losses(P, np.log(Q))
    return narrowed(over(losses, factor(base=checked_base(base))), like.dtype).reshape(like.shape)[
        ()
    ]


def kl_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: int = -1, base: float = math.e
) -> FloatArray:
    """Return the Kullback-Leibler divergence of two distributions.

        KL(p||q) = sum_k p(k) log (p(k) / q(k)) = xent(p, q) - H(p),  with 0 log 0 = 0

    p, q, axis, base   as in distribution_cross_entropy
    returns            (...): at least 0 for distributions; inf where q is 0 and p is not
    raises             as distribution_cross_entropy
    source             Bendersky 2016

    >>> print(f"{kl_divergence([0.5, 0.5], [0.25, 0.75], base=2):.12f}")
    0.207518749639
    """
    P, Q, like = _distributions(p, q, axis)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Where p and q are close, the quotient is close to 1 and its logarithm keeps no digit of
        # their difference unless that is taken first.
        ratio = np.where(np.abs(P - Q) < Q / 2, np.log1p((P - Q) / Q), np.log(P) - np.log(Q))
    divergences = 0 - expected_losses(P, ratio)
    return narrowed(over(divergences, factor(base=checked_base(base))), like.dtype).reshape(
        like.shape
    )[()]


def _distributions(p: ArrayLike, q: ArrayLike, axis: int) -> tuple[Rows, Rows, FloatArray]:
    """Return the rows of both, and an array of the shape and dtype of a result."""
    P, Q = with_classes(p, axis, "p"), with_classes(q, axis, "q")
    if P.shape != Q.shape:
        raise ShapeError(f"p of shape {P.shape} and q of shape {Q.shape} differ")
    for name, distribution in (("p", P), ("q", Q)):
        if (distribution < 0).any():
            raise DomainError(f"{name} has a negative probability")
    dtype = np.promote_types(np.promote_types(P.dtype, Q.dtype), np.float32)
    like = np.empty(np.moveaxis(P, axis, -1).shape[:-1], dtype)
    return wide(rows_of(P, axis)), wide(rows_of(Q, axis)), like


def reduced(losses: NDArray[np.float64], reduction: Reduction) -> float:
    """Return the losses put together as `reduction` says, rounded once."""
    if not losses.size and reduction != "sum":
        raise ShapeError("no rows have no mean loss")
    total = ExactSum()
    total.add(losses)
    return total.total(denominator(losses.size, reduction))


def denominator(rows: int, reduction: Reduction) -> float:
    """Return what the sum of the losses is divided by.

    >>> [denominator(4, reduction) for reduction in ("mean", "batch-mean", "sum", "none")]
    [4.0, 4.0, 1.0, 1.0]
    """
    if reduction not in ("mean", "batch-mean", "sum", "none"):
        raise DomainError(f"no reduction {reduction!r}", "mean, batch-mean, sum or none")
    return float(rows) if reduction in ("mean", "batch-mean") else 1.0


def _targets(targets: ArrayLike, logits: FloatArray, axis: int) -> NDArray[Any]:
    """Return targets that fit the logits: labels as (rows,), soft ones as (rows, classes)."""
    array = np.asarray(targets)
    shape = np.moveaxis(logits, axis, -1).shape
    if array.ndim == len(shape):
        soft = np.moveaxis(floating(array, "the targets"), axis, -1)
        if soft.shape != shape:
            raise ShapeError(f"targets of shape {soft.shape} do not fit logits of shape {shape}")
        return rows_of(soft, -1)
    if array.shape != shape[:-1]:
        raise ShapeError(f"labels of shape {array.shape} do not fit logits of shape {shape}")
    if array.dtype.kind not in "iu":
        raise DomainError(f"labels of dtype {array.dtype} are not whole numbers")
    outside = np.flatnonzero((array < 0) | (array >= shape[-1]))
    if outside.size:
        raise DomainError(
            f"row {outside[0]} has the label {array.flat[outside[0]]}",
            f"labels are 0 to {shape[-1] - 1}",
        )
    return array.reshape(-1)
