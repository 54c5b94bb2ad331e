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
    with_classes,
    working_dtype,
)
from softmax_cli.core.jacobian import excess
from softmax_cli.core.softmax import (
    likeliest,
    log_softmax,
    shift_by_maximum,
    softmax,
    sum_of_others,
    summed,
)
from softmax_cli.errors import DomainError, ShapeError

Reduction = Literal["mean", "batch-mean", "sum", "none"]
Source = Literal["logits", "probabilities", "log-probabilities"]


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
    returns      a scalar, or (...) with reduction "none"
    raises       ShapeError if the targets do not fit, DomainError for a label that is no class

    >>> cross_entropy([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], [2, 0], reduction="none")
    array([0.40760596, 1.09861229])
    >>> float(cross_entropy([[0.0, 0.0]], [1], base=2))
    1.0
    """
    array = np.moveaxis(with_classes(logits, axis), axis, -1)
    Y = _targets(targets, array.shape, axis)
    losses = row_losses(array, Y, temperature=checked_temperature(temperature))
    return reduced(losses / losses.dtype.type(checked_base(base)), reduction)


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
    returns      the shape and dtype of the logits, in units of the loss per unit of logit
    raises       as cross_entropy

    >>> cross_entropy_gradient([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    array = np.moveaxis(with_classes(logits, axis), axis, -1)
    Y = _targets(targets, array.shape, axis)
    gradient = row_gradients(array, Y, temperature=checked_temperature(temperature))
    gradient /= gradient.dtype.type(checked_base(base) * denominator(array[..., 0].size, reduction))
    return narrowed(np.moveaxis(gradient, -1, axis), array.dtype)


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
    P, Q = _distributions(p, q, axis)
    with np.errstate(divide="ignore"):
        losses = expected_losses(P, np.log(Q), axis=axis)
    losses /= losses.dtype.type(checked_base(base))
    return losses


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
    P, Q = _distributions(p, q, axis)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Where p and q are close, the quotient is close to 1 and its logarithm keeps no digit of
        # their difference unless that is taken first.
        ratio = np.where(np.abs(P - Q) < Q / 2, np.log1p((P - Q) / Q), np.log(P) - np.log(Q))
        divergences = 0 - expected_losses(P, ratio, axis=axis)
    divergences /= divergences.dtype.type(checked_base(base))
    return divergences


def _distributions(p: ArrayLike, q: ArrayLike, axis: int) -> tuple[FloatArray, FloatArray]:
    P, Q = with_classes(p, axis, "p"), with_classes(q, axis, "q")
    if P.shape != Q.shape:
        raise ShapeError(f"p of shape {P.shape} and q of shape {Q.shape} differ")
    for name, distribution in (("p", P), ("q", Q)):
        if (distribution < 0).any():
            raise DomainError(f"{name} has a negative probability")
    wide = np.promote_types(np.promote_types(P.dtype, Q.dtype), np.float32)
    return P.astype(wide), Q.astype(wide)


def row_losses(
    values: FloatArray,
    targets: NDArray[Any],
    *,
    temperature: float = 1.0,
    source: Source = "logits",
    out: FloatArray | None = None,
    largest: NDArray[np.intp] | None = None,
) -> FloatArray:
    """Return the loss of every row in nats; labels are (...), soft targets (..., classes).

    `source` says what the values are; probabilities and log-probabilities are taken as they are.
    `out` is room of the shape of the values to compute in, or the values themselves; `largest` is
    the class of the largest logit of each row, if it is known.
    """
    if targets.ndim == values.ndim:
        return expected_losses(targets, _log_probabilities(values, temperature, source), axis=-1)
    label = targets[..., None]
    if source != "logits":
        log_probabilities = _log_probabilities(values, temperature, source)
        chosen: FloatArray = np.take_along_axis(log_probabilities, label, -1)[..., 0]
        losses: FloatArray = 0 - chosen
        return losses
    at_largest = _at_largest(values, largest)
    shifted, _ = shift_by_maximum(values, -1, temperature, out, at_largest)
    of_label = np.take_along_axis(shifted, label, axis=-1)
    # Two terms of one sign: nothing cancels, however confident the row is.
    others = sum_of_others(shifted, -1, shifted, at_largest)
    loss: FloatArray = (np.log1p(others) - of_label)[..., 0]
    return loss


def _at_largest(logits: FloatArray, largest: NDArray[np.intp] | None) -> NDArray[np.intp]:
    known = likeliest(logits) if largest is None else largest
    return known[..., None]


def row_gradients(
    logits: FloatArray, targets: NDArray[Any], *, temperature: float = 1.0
) -> FloatArray:
    """Return the gradient of every row's loss in nats, in the working dtype of the logits."""
    wide = logits.astype(working_dtype(logits.dtype, temperature), copy=False)
    if targets.ndim < logits.ndim:
        return row_losses_and_gradients(wide, targets, temperature=temperature)[1]
    P = softmax(wide, temperature=temperature)
    gradient = excess(P, targets.astype(P.dtype, copy=False), -1)
    gradient /= gradient.dtype.type(temperature)
    return gradient


def row_losses_and_gradients(
    logits: FloatArray,
    labels: NDArray[Any],
    *,
    temperature: float = 1.0,
    divisor: float = 1.0,
    out: FloatArray | None = None,
    largest: NDArray[np.intp] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the loss of every row in nats, and its gradient over the divisor, in one go.

    `out` and `largest` as in row_losses; the gradient is computed in `out`.
    """
    label = labels[..., None]
    at_largest = _at_largest(logits, largest)
    shifted, _ = shift_by_maximum(logits, -1, temperature, out, at_largest)
    of_label = np.take_along_axis(shifted, label, axis=-1)
    others = sum_of_others(shifted, -1, shifted, at_largest)
    losses: FloatArray = (np.log1p(others) - of_label)[..., 0]
    gradients, total = shifted, 1 + others
    np.put_along_axis(gradients, at_largest, 1, axis=-1)
    # P - 1 is minus the sum of the other probabilities: of the likeliest class it is known.
    P_label = np.take_along_axis(gradients, label, axis=-1)
    but_label = np.where(label == at_largest, -others, P_label - total)
    np.put_along_axis(gradients, label, but_label, axis=-1)
    gradients /= total * total.dtype.type(temperature * divisor)
    return losses, gradients


def expected_losses(weights: NDArray[Any], logarithms: FloatArray, *, axis: int) -> FloatArray:
    """Return -sum_k weights(k) logarithms(k), where a weight of 0 meets no logarithm."""
    with np.errstate(invalid="ignore"):
        terms = np.where(weights == 0, 0, weights * logarithms)
    losses: FloatArray = 0 - np.squeeze(summed(terms, axis), axis=axis)
    return losses


def reduced(losses: FloatArray, reduction: Reduction) -> FloatArray:
    """Return the losses put together as `reduction` says."""
    if reduction == "none":
        return losses
    if not losses.size and reduction != "sum":
        raise ShapeError("no rows have no mean loss")
    with np.errstate(over="ignore"):
        total: FloatArray = losses.sum() / denominator(losses.size, reduction)
    return total


def denominator(rows: int, reduction: Reduction) -> float:
    """Return what the sum of the losses is divided by.

    >>> [denominator(4, reduction) for reduction in ("mean", "batch-mean", "sum", "none")]
    [4.0, 4.0, 1.0, 1.0]
    """
    if reduction not in ("mean", "batch-mean", "sum", "none"):
        raise DomainError(f"no reduction {reduction!r}", "mean, batch-mean, sum or none")
    return float(rows) if reduction in ("mean", "batch-mean") else 1.0


def _log_probabilities(values: FloatArray, temperature: float, source: Source) -> FloatArray:
    if source == "logits":
        wide = values.astype(working_dtype(values.dtype, temperature), copy=False)
        return log_softmax(wide, temperature=temperature)
    if source == "log-probabilities":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        result: FloatArray = np.log(values)
    return result


def _targets(targets: ArrayLike, shape: tuple[int, ...], axis: int) -> NDArray[Any]:
    array = np.asarray(targets)
    if array.ndim == len(shape):
        soft = np.moveaxis(floating(array, "the targets"), axis, -1)
        if soft.shape != shape:
            raise ShapeError(f"targets of shape {soft.shape} do not fit logits of shape {shape}")
        return soft
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
    return array
