"""bfloat16: the upper half of a float32, which NumPy holds as two raw bytes.

In memory its numbers are float32 or wider; BFLOAT16 is the dtype of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.kernel import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

BFLOAT16: np.dtype[Any] = np.dtype("V2")
_SMALLEST_SUBNORMAL = 2.0**-133
_SMALLEST_NORMAL = 2.0**-126


def dtype_named(name: str) -> np.dtype[Any]:
    """Return the dtype that `--dtype` calls so."""
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype, as in `--dtype`."""
    return "bfloat16" if dtype == BFLOAT16 else dtype.name


def limits_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the machine epsilon and the smallest positive number of a dtype.

    >>> limits_of(BFLOAT16)[0], limits_of(np.dtype(np.float16))[0]
    (0.0078125, 0.0009765625)
    """
    if dtype == BFLOAT16:
        return 2.0**-7, _SMALLEST_SUBNORMAL
    limits = np.finfo(dtype)
    return float(limits.eps), float(limits.smallest_subnormal)


def in_memory(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in memory for a file's dtype."""
    return np.dtype(np.float32) if dtype == BFLOAT16 else dtype


def widened(halves: NDArray[Any]) -> NDArray[np.float32]:
    """Return raw bfloat16 numbers as float32, which holds all of them.

    >>> widened(np.array([0x3F80, 0xFF80], np.uint16).view(BFLOAT16))
    array([  1., -inf], dtype=float32)
    """
    words = np.ascontiguousarray(halves).view(np.uint16).astype(np.uint32)
    words <<= 16
    return words.view(np.float32)


def nearest(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return numbers as float32, rounded once to the nearest bfloat16, ties to even.

    >>> nearest(np.array([1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-8, 1e39]))
    array([1.0078125, 1.       ,       inf], dtype=float32)
    """
    if compiled.computes(values):
        return widened(packed(values))
    with np.errstate(invalid="ignore"):
        wide = np.asarray(values, np.float64)
    bits = wide.view(np.int64)
    # Drop 45 of 52 bits: add half of the last remaining bit, minus one unit if that bit is even.
    rounded = bits + ((bits >> 45) & 1) + ((1 << 44) - 1)
    rounded &= -(1 << 45)
    # Subnormal numbers are whole multiples of the smallest one.
    grid = 1.5 * _SMALLEST_SUBNORMAL * 2.0**52
    result = np.where(np.abs(wide) < _SMALLEST_NORMAL, (wide + grid) - grid, rounded.view("f8"))
    with np.errstate(over="ignore"):
        return np.where(np.isfinite(wide), np.copysign(result, wide), wide).astype(np.float32)


def packed(values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Return numbers as raw bfloat16.

    >>> widened(packed(np.array([[0.5, -3.0]])))
    array([[ 0.5, -3. ]], dtype=float32)
    """
    if compiled.computes(values):
        halves = np.empty(values.shape, BFLOAT16)
        compiled.convert(values, halves)
        return halves
    words = np.ascontiguousarray(nearest(values)).view(np.uint32) >> np.uint32(16)
    return words.astype(np.uint16).view(BFLOAT16)
