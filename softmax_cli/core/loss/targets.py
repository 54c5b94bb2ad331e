"""Labels and soft targets as rows: shape, range and ignored labels."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, floating
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import likeliest, rows_of
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def target_rows(targets: ArrayLike, logits: FloatArray, axis: int) -> NDArray[Any]:
    """Return labels as (rows,) or soft targets as (rows, classes); check that they fit."""
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
    return array.reshape(-1)


def check_labels(labels: NDArray[Any], classes: int) -> None:
    """Raise DomainError for the first label out of range."""
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise DomainError(
            f"label {labels[outside[0]]} of row {outside[0]} is out of range (0 to {classes - 1})"
        )


def are_one_hot(Y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows are 1 for one class and 0 for the others.

    >>> are_one_hot(np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 1.0]]))
    array([ True, False, False])
    """
    ones = Y == 1
    result: NDArray[np.bool_] = (ones | (Y == 0)).all(axis=-1) & (ones.sum(axis=-1) == 1)
    return result


def are_ignored(targets: NDArray[Any], ignored: Collection[int]) -> NDArray[np.bool_]:
    """Return which rows have an ignored label; DomainError for soft targets.

    >>> are_ignored(np.array([3, -100]), [-100])
    array([False,  True])
    """
    labels = targets
    if targets.ndim == 2:
        soft = np.flatnonzero(~are_one_hot(targets))
        if soft.size:
            raise DomainError(
                f"row {soft[0]} has soft targets, not a label that could be ignored",
                "give labels or one-hot targets",
            )
        labels = likeliest(targets)
    return np.isin(labels, list(ignored))


def without_ignored(
    targets: NDArray[Any], samples: Rows | None, ignored: NDArray[np.bool_]
) -> tuple[NDArray[Any], Rows]:
    """Return targets with class 0, and sample weights of 0, for the ignored rows."""
    result = targets.copy()
    result[ignored] = 0
    weights = np.ones(len(targets)) if samples is None else samples.copy()
    weights[ignored] = 0
    return result, weights
