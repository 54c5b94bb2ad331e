"""Rows of classes: views of any array as rows, parts of them, and what is asked of a row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.exact.arrays import FloatArray, with_classes

FEW_CLASSES = 50
# So many float64 and the room to compute with them stay in a level-2 or level-3 cache.
_PART = 512 << 10
# So many bytes are read once a column without going back to memory.
_AT_ONCE = 256 << 10
# NumPy's own number of entries that it converts at a time.
_BUFFER = 8192


def rows_of(array: FloatArray, axis: int) -> FloatArray:
    """Return the classes along an axis as (rows, classes); a view where that can be.

    What lies in memory in no order, or many classes column by column, is copied: NumPy would add
    or even compute them in another way, and give other digits.
    """
    rows = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    by_columns = rows.flags.f_contiguous and rows.shape[-1] < FEW_CLASSES
    return rows if by_columns else np.ascontiguousarray(rows)


def as_it_was(rows: FloatArray, array: FloatArray, axis: int) -> FloatArray:
    """Return rows that `rows_of` made, in the shape of the array that they came from."""
    shape = np.moveaxis(array, axis, -1).shape
    return np.moveaxis(rows.reshape(shape), -1, axis)


def parts(rows: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of so many rows that what is computed with them stays in a cache.

    A power of two is avoided: columns of that length fall on the same lines of the cache.
    """
    count, classes = rows.shape
    step = max(1, _PART // classes - (16 if classes < FEW_CLASSES else 0))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


@contextmanager
def whole_rows(classes: int) -> Iterator[None]:
    """Let NumPy take rows one by one where one of its operands is a number a row.

    Else it copies that number side by side into a buffer, which takes as long as computing. In
    rows of less than a hundred it is the faster way. What is too large becomes infinite, and what
    has no value NaN, without a warning.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if 100 <= classes <= _BUFFER:
            np.setbufsize(classes // 16 * 16)
        yield


def likeliest(logits: FloatArray) -> NDArray[np.intp]:
    """Return the class with the largest logit of each row, of several the first.

    >>> likeliest(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]))
    array([1, 0])
    """
    if logits.shape[-1] >= FEW_CLASSES:
        first: NDArray[np.intp] = logits.argmax(axis=-1)
        return first
    entries = logits.T
    largest = entries[0].copy()
    # Few classes have small numbers; bytes are compared many at a time.
    result = np.zeros(largest.shape, np.uint8)
    for number, entry in enumerate(entries[1:], 1):
        higher = (entry > largest).view(np.uint8)
        higher *= np.uint8(number)
        np.maximum(result, higher, out=result)
        np.maximum(largest, entry, out=largest)
    return result.astype(np.intp)


def to_kernel_layout(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in the memory order in which what is done along their classes is fastest.

    Few classes lie column by column: along ten entries NumPy spends its time on starting each
    row. From FEW_CLASSES on, moving them costs more than it saves (measured: from 50 on in
    float64, from 80 on in float32).
    """
    if rows.shape[-1] >= FEW_CLASSES:
        return np.ascontiguousarray(rows)
    result = np.empty_like(rows, order="F")
    step = _AT_ONCE // (rows.shape[-1] * rows.itemsize)
    for start in range(0, len(rows), step):
        result[start : start + step] = rows[start : start + step]
    return result


def has_no_softmax(logits: ArrayLike, *, axis: int = -1) -> NDArray[np.bool_]:
    """Return which rows have no softmax: a NaN, a +inf, or every entry -inf.

    >>> has_no_softmax([[0.0, -np.inf], [np.nan, 0.0], [-np.inf, -np.inf]])
    array([False,  True,  True])
    """
    array = with_classes(logits, axis)
    if array.shape[axis] < FEW_CLASSES:
        largest = array.max(axis=axis)
    else:
        # Where the largest stands is found in two thirds of the time that it is itself.
        place = np.expand_dims(array.argmax(axis=axis), axis)
        largest = np.take_along_axis(array, place, axis).squeeze(axis)
    result: NDArray[np.bool_] = ~np.isfinite(largest)
    return result
