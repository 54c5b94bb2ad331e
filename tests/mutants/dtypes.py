"""Arithmetic in a type: every step rounded to it, as a framework in that type would have it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.mutants.cases import Array

Rounding = Callable[[Array], Array]


def rounding(dtype: str) -> Rounding:
    """Return what rounds float64 numbers to those of a type, and leaves them float64."""
    if dtype == "bfloat16":
        return lambda values: widened(raw_bfloat16(values))
    return lambda values: np.asarray(values).astype(dtype).astype(np.float64)


def stored(values: Array, dtype: str) -> Array:
    """Return numbers as a file of the type holds them: bfloat16 as raw bytes."""
    return raw_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)


def raw_bfloat16(values: Array) -> Array:
    """Return the upper halves of float32 numbers, rounded to the nearest, ties to even.

    >>> raw_bfloat16(np.array([1.0, -2.0])).view(np.uint16).tolist() == [0x3F80, 0xC000]
    True
    """
    single = np.asarray(values, dtype=np.float32)
    words = single.view(np.uint32).astype(np.uint64)
    halves = (words + 0x7FFF + ((words >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
    quiet = np.where(np.isnan(single), np.uint64(0x7FC0), halves)
    return np.ascontiguousarray(quiet.astype(np.uint16)).view("V2")


def widened(halves: Array) -> Array:
    """Return raw bfloat16 numbers as float64."""
    words = halves.view(np.uint16).astype(np.uint32) << np.uint32(16)
    result: Array = words.view(np.float32).astype(np.float64)
    return result
