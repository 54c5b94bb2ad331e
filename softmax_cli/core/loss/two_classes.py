"""`--binary`: one number per row, taken as the second of two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.row_losses import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray


def two_classes(numbers: FloatArray, kind: Kind) -> FloatArray:
    """Return (rows, 2) of (rows, 1): (0, z) of logits, (1 - p, p), or (log(1 - p), log p).

    >>> two_classes(np.array([[0.25]]), "probabilities").tolist()
    [[0.75, 0.25]]
    """
    if kind == "logits":
        return np.concatenate([np.zeros_like(numbers), numbers], axis=-1)
    numbers = wide(numbers)
    other = 1 - numbers if kind == "probabilities" else _log_of_other(numbers)
    return np.concatenate([other, numbers], axis=-1)


def logarithms(values: FloatArray) -> Rows:
    """Return (log(1 - p), log p) of (1 - p, p), even where 1 - p has lost digits of p.

    >>> logarithms(np.array([[1.0, 1e-20]]))
    array([[-1.00000000e-20, -4.60517019e+01]])
    """
    p = wide(values[:, 1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([np.log1p(-p), np.log(p)], axis=-1)


def by_number(derivatives: NDArray[Any]) -> NDArray[Any]:
    """Return the derivatives with respect to z, given those with respect to (0, z)."""
    return derivatives[..., 1:]


def _log_of_other(logs: Rows) -> Rows:
    """Return log(1 - exp(x)) without cancellation (Maechler 2012); -inf for x > 0, an error."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        near_1 = np.log(-np.expm1(np.minimum(logs, 0)))
        result = np.where(logs > -np.log(2), near_1, np.log1p(-np.exp(logs)))
    return np.where(logs > 0, -np.inf, result)
