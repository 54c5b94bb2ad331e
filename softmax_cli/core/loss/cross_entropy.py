"""Cross-entropy losses and gradients for labels and soft targets."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import (
    FloatArray,
    checked_base,
    checked_temperature,
    narrowed,
    with_classes,
)
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import as_it_was, rows_of
from softmax_cli.core.loss.reduction import ReducedLoss, Reduction
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from softmax_cli.core.loss.targets import are_ignored, check_labels, target_rows, without_ignored
from softmax_cli.core.loss.weights import Weights, checked_weights
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    base: float = math.e,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_labels: Collection[int] = (),
    mask_classes: Collection[int] = (),
) -> FloatArray:
    """Return the cross-entropy loss of logits for labels or for soft targets.

        loss = -s sum_k w(k) Y'(k) log P(k),  Y'(k) = (1 - E) Y(k) + E / N,  P = softmax(a / T)

    which is -log P(y) for a label y, without weights and smoothing (Bendersky 2016).

    logits           (..., classes) real
    targets          (...) integer labels y from 0, or (..., classes) soft targets Y; 0 log 0 = 0
    axis             the dimension of the classes, in logits and in soft targets
    temperature      T, positive, in the unit of the logits
    reduction        "mean" divides the sum of losses by the sum of the used rows' weights: s w(y)
                     for labels, s for soft targets; "batch-mean" by their number; "sum" does not
                     divide; "none" returns one loss per row
    base             of the logarithm: e gives nats, 2 bits, 10 decimal digits
    class_weights    (classes,) w, 0 or more; default 1
    sample_weights   (...) s, 0 or more; default 1
    label_smoothing  E, from 0 to 1
    ignore_labels    labels, of any number, whose rows have loss 0 and do not count; then targets
                     must be labels or one-hot
    mask_classes     classes left out of the softmax, like a logit of -inf, and of N
    returns          a scalar, or (...) with reduction "none", in the dtype of the logits, at least
                     float32; off by at most 4 units in the last place
    raises           ShapeError for shapes that do not fit; DomainError for labels, weights or
                     smoothing out of range, and if no row is used
    source           mean as torch.nn.functional.cross_entropy; smoothing as Szegedy et al. 2016

    >>> cross_entropy([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], [2, 0], reduction="none")
    array([0.40760596, 1.09861229])
    >>> float(cross_entropy([[0.0, 0.0]], [1], base=2))
    1.0
    >>> float(cross_entropy([[0.0, 0.0], [9.0, 0.0]], [1, -100], ignore_labels=[-100], base=2))
    1.0
    """
    weights = Weights.of(class_weights, label_smoothing, mask_classes)
    given = _Given.of(logits, targets, axis, weights, sample_weights, ignore_labels)
    T = checked_temperature(temperature)
    losses = row_losses(
        given.rows,
        given.Y,
        temperature=T,
        base=checked_base(base),
        weights=given.weights,
        samples=given.samples,
    )
    reduced = given.reduced(reduction, losses).loss(reduction)
    dtype = np.promote_types(given.array.dtype, np.float32)
    if reduction == "none":
        leading = np.moveaxis(given.array, axis, -1).shape[:-1]
        return narrowed(losses, dtype).reshape(leading)[()]
    return narrowed(np.array(reduced), dtype)[()]


def cross_entropy_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    base: float = math.e,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_labels: Collection[int] = (),
    mask_classes: Collection[int] = (),
) -> FloatArray:
    """Return the gradient of the reduced cross-entropy loss with respect to the logits.

        d loss / da_j = s (P_j sum_k w(k) Y'(k) - w(j) Y'(j)) / T,  Y'(k) = (1 - E) Y(k) + E / N

    divided by the divisor of the reduction. At a label y, P_y - 1 is computed as minus the sum of
    the other probabilities, without cancellation.

    arguments, raises   as in cross_entropy; ignored rows and masked classes get the gradient 0
    returns   the shape and dtype of the logits, in units of the loss per unit of logit; off by
              at most 4 units in the last place, of P_j sum_k Y'_k + Y'_j for soft targets

    >>> cross_entropy_gradient([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    weights = Weights.of(class_weights, label_smoothing, mask_classes)
    given = _Given.of(logits, targets, axis, weights, sample_weights, ignore_labels)
    T = checked_temperature(temperature)
    result = np.empty_like(given.rows)
    row_losses_and_gradients(
        given.rows,
        given.Y,
        temperature=T,
        count=given.reduced(reduction).divisor(reduction),
        base=checked_base(base),
        out=result,
        weights=given.weights,
        samples=given.samples,
    )
    return as_it_was(result, given.array, axis)


class _Given(NamedTuple):
    """The checked arguments as rows; masked logits are -inf, those of ignored rows 0.

    array    the logits in their original shape
    Y        (rows,) labels, or (rows, classes) soft targets
    samples  (rows,) sample weights, 0 for ignored rows; None for 1
    """

    array: FloatArray
    rows: FloatArray
    Y: NDArray[Any]
    weights: Weights
    samples: Rows | None
    used: int

    @classmethod
    def of(
        cls,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int,
        weights: Weights,
        sample_weights: ArrayLike | None,
        ignored: Collection[int],
    ) -> _Given:
        array = with_classes(logits, axis)
        rows, Y = rows_of(array, axis), target_rows(targets, array, axis)
        weights = weights.over(rows.shape[-1])
        samples, used, ignores = None, len(rows), None
        if len(ignored):
            ignores = are_ignored(Y, ignored)
        if sample_weights is not None:
            leading = np.moveaxis(array, axis, -1).shape[:-1]
            samples = checked_weights(sample_weights, leading, "sample weights", but=ignores)
        masked = list(weights.masked)
        if masked or ignores is not None:
            rows = rows.copy(order="K")
            rows[:, masked] = -np.inf
        if ignores is not None:
            Y, samples = without_ignored(Y, samples, ignores)
            rows[ignores] = 0
            used -= int(ignores.sum())
        if Y.ndim == 1:
            check_labels(Y, rows.shape[-1])
        return cls(array, rows, Y, weights, samples, used)

    def reduced(
        self, reduction: Reduction, losses: NDArray[np.float64] | None = None
    ) -> ReducedLoss:
        """Return the reduced loss; without losses, only its divisor is defined."""
        if not self.used and len(self.rows):
            raise DomainError("every row is ignored", "the loss needs at least one other row")
        result = ReducedLoss()
        result.count(self.used, self.weights.of_rows(self.Y, self.samples))
        if not result.divisor(reduction):
            if not len(self.rows):
                raise ShapeError("the mean of zero rows is undefined")
            raise DomainError("all rows have weight 0", "at least one weight must be positive")
        if losses is not None:
            result.losses.add(losses)
        return result
