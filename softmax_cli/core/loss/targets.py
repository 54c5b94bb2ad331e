"""Labels and soft targets as rows: which are ignored, and whether the others are classes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.exact.arrays import FloatArray, floating
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import likeliest, rows_of
from softmax_cli.errors import DomainError, ShapeError


def target_rows(targets: ArrayLike, logits: FloatArray, axis: int) -> NDArray[Any]:
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
    return array.reshape(-1)


def check_labels(labels: NDArray[Any], classes: int) -> None:
    """Refuse a label that is no class, and name its row."""
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise DomainError(
            f"row {outside[0]} has the label {labels[outside[0]]}",
            f"labels are 0 to {classes - 1}",
        )


def are_one_hot(Y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows of targets are 1 for one class and 0 for the others.

    >>> are_one_hot(np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 1.0]]))
    array([ True, False, False])
    """
    ones = Y == 1
    result: NDArray[np.bool_] = (ones | (Y == 0)).all(axis=-1) & (ones.sum(axis=-1) == 1)
    return result


def are_ignored(targets: NDArray[Any], ignored: Collection[int]) -> NDArray[np.bool_]:
    """Return which rows have one of the labels that are ignored; soft targets have no label.

    >>> are_ignored(np.array([3, -100]), [-100])
    array([False,  True])
    """
    labels = targets
    if targets.ndim == 2:
        soft = np.flatnonzero(~are_one_hot(targets))
        if soft.size:
            raise DomainError(
                f"row {soft[0]} has soft targets, and so no label that could be ignored",
                "one-hot targets have one",
            )
        labels = likeliest(targets)
    return np.isin(labels, list(ignored))


def without_ignored(
    targets: NDArray[Any], samples: Rows | None, ignored: NDArray[np.bool_]
) -> tuple[NDArray[Any], Rows]:
    """Return targets with class 0 for the ignored rows, and sample weights that are 0 there."""
    result = targets.copy()
    result[ignored] = 0
    weights = np.ones(len(targets)) if samples is None else samples.copy()
    weights[ignored] = 0
    return result, weights
