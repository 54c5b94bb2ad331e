"""Arrays as rows of classes: views, memory layout, cache-sized parts, the likeliest class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, with_classes
from softmax_cli.core.kernel import compiled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEW_CLASSES = 50
# This many float64, with their buffers, fit into a level-2 or level-3 cache.
_PART = 512 << 10
# This many bytes stay in cache while they are read once per column.
_AT_ONCE = 256 << 10
# So many largest numbers of a row are found one after another; for more, all are sorted.
_FEW_RANKS = 32
# NumPy's default buffer size, in entries.
_BUFFER = 8192


def rows_of(array: FloatArray, axis: int) -> FloatArray:
    """Return the array as (rows, classes), copied if NumPy would add its rows in another order."""
    rows = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    by_columns = rows.flags.f_contiguous and rows.shape[-1] < FEW_CLASSES
    return rows if by_columns and not compiled.computes(rows) else np.ascontiguousarray(rows)


def as_it_was(rows: FloatArray, array: FloatArray, axis: int) -> FloatArray:
    """Return the rows in the shape of the array; the inverse of `rows_of`."""
    shape = np.moveaxis(array, axis, -1).shape
    return np.moveaxis(rows.reshape(shape), -1, axis)


def parts(rows: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of rows that fit into the cache."""
    count, classes = rows.shape
    # Columns whose length is a power of two would share cache lines.
    step = max(1, _PART // classes - (16 if classes < FEW_CLASSES else 0))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


@contextmanager
def whole_rows(classes: int) -> Iterator[None]:
    """Silence overflow and NaN, and keep NumPy from copying a number per row into buffers."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if 100 <= classes <= _BUFFER:
            np.setbufsize(classes // 16 * 16)
        yield


def likeliest(logits: FloatArray) -> NDArray[np.intp]:
    """Return the class with the largest logit of each row, the first one if there are several.

    >>> likeliest(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]))
    array([1, 0])
    """
    if compiled.computes(logits):
        return compiled.likeliest(logits)[0]
    if logits.shape[-1] >= FEW_CLASSES:
        first: NDArray[np.intp] = logits.argmax(axis=-1)
        return first
    entries = logits.T
    largest = entries[0].copy()
    # A few classes fit into bytes, which are compared many at a time.
    result = np.zeros(largest.shape, np.uint8)
    for number, entry in enumerate(entries[1:], 1):
        higher = (entry > largest).view(np.uint8)
        higher *= np.uint8(number)
        np.maximum(result, higher, out=result)
        np.maximum(largest, entry, out=largest)
    return result.astype(np.intp)


def most_likely(logits: FloatArray, count: int) -> NDArray[np.intp]:
    """Return the classes of the `count` largest logits of each row, the largest first.

    Of equal logits the lower class comes first.

    >>> most_likely(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), 2)
    array([[1, 2],
           [0, 2]])
    """
    if count > _FEW_RANKS:
        return np.argsort(-logits, axis=-1, kind="stable")[:, :count]
    result = np.empty((len(logits), count), np.intp)
    rows, left = np.arange(len(logits)), logits.copy(order="K")
    is_sure = (logits == logits).all(axis=-1)
    for rank in range(count):
        result[:, rank] = top = likeliest(left)
        # Classes that are found are -inf from then on, so others that are cannot be told apart.
        is_sure &= np.isfinite(left[rows, top])
        left[rows, top] = -np.inf
    others = np.flatnonzero(~is_sure)
    result[others] = np.argsort(-logits[others], axis=-1, kind="stable")[:, :count]
    return result


def to_kernel_layout(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in the memory order that is fastest for operations along the classes.

    Few classes are stored by columns, because NumPy spends most of its time starting each short
    row (measured: up to 50 classes in float64, 80 in float32).
    """
    if rows.shape[-1] >= FEW_CLASSES or compiled.computes(rows):
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
    return bad_and_likeliest(np.moveaxis(with_classes(logits, axis), axis, -1))[0]


def bad_and_likeliest(logits: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.intp] | None]:
    """Return which rows have no softmax; and the likeliest classes, if the same pass finds them."""
    top: NDArray[np.intp] | None = None
    largest: FloatArray
    if logits.ndim == 2 and compiled.computes(logits):
        top, largest = compiled.likeliest(logits)
    elif logits.shape[-1] < FEW_CLASSES:
        largest = logits.max(axis=-1)
    else:
        # argmax takes two thirds of the time of max.
        top = logits.argmax(axis=-1)
        largest = np.take_along_axis(logits, np.expand_dims(top, -1), -1).squeeze(-1)
    return ~np.isfinite(largest), top
