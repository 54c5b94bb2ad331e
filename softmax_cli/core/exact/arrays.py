"""Checks and conversions of the arrays and scalars that functions of core take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = "NDArray[np.floating[Any]]"


def floating(values: ArrayLike, name: str = "logits") -> FloatArray:
    """Return `values` as an array of floating point numbers; integers become float64."""
    array = np.asarray(values)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        remedy = "astype(np.float32) holds all of them" if array.dtype.name == "bfloat16" else ""
        raise DomainError(f"{name} of dtype {array.dtype} are not real numbers", remedy)
    return array


def with_classes(values: ArrayLike, axis: int, name: str = "logits") -> FloatArray:
    """Return `values` as floats with at least one class along `axis`."""
    array = floating(values, name)
    if array.ndim == 0:
        raise ShapeError(f"{name} without dimensions have no classes", "give at least a vector")
    if not -array.ndim <= axis < array.ndim:
        raise ShapeError(f"{name} of {array.ndim} dimensions have no axis {axis}")
    if array.shape[axis] == 0:
        raise ShapeError(f"{name} of shape {array.shape} have no class along axis {axis}")
    return array


def checked_temperature(temperature: float) -> float:
    """Return the temperature if it is positive and finite."""
    if not 0 < temperature < np.inf:
        raise DomainError(f"temperature must be positive and finite, got {temperature}")
    return float(temperature)


def checked_base(base: float) -> float:
    """Return the base of a logarithm if it exceeds 1 and is finite."""
    if not 1 < base < np.inf:
        raise DomainError(f"base must be finite and greater than 1, got {base}")
    return float(base)


def wide(values: FloatArray) -> NDArray[np.float64]:
    """Return values as float64, the dtype of all computations."""
    return values.astype(np.float64, copy=False)


def unrounded(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float64 for bfloat16, which NumPy lacks; `narrowed` then rounds the results."""
    return np.dtype(np.float64) if dtype == BFLOAT16 else dtype


def narrowed(result: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return a result rounded once to a dtype; what is too large becomes infinite."""
    if dtype == BFLOAT16:
        return nearest(result)
    with np.errstate(over="ignore"):
        return result.astype(dtype, copy=False)
