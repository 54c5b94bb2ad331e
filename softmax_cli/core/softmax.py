"""softmax, log-softmax and logsumexp, and the shift that keeps them finite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import (
    FloatArray,
    checked_temperature,
    narrowed,
    with_classes,
    working_dtype,
)

FEW_CLASSES = 50


def softmax(
    logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0, out: FloatArray | None = None
) -> FloatArray:
    """Turn logits into probabilities.

        S[i, j] = exp(a[i, j] / T) / sum_k exp(a[i, k] / T)      (Bendersky 2016)

    logits       (..., classes) real; -inf is a masked class
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    out          where to compute, if given: an array of the logits' shape, or the logits themselves
    returns      the shape and dtype of the logits (float64 for integers); each row sums to 1,
                 and is NaN where it has no softmax (a NaN, a +inf, or every entry -inf)
    raises       ShapeError if there is no class; DomainError for logits that are not real or
                 a temperature that is not positive

    >>> softmax([1.0, 2.0, 3.0])
    array([0.09003057, 0.24472847, 0.66524096])
    """
    array = with_classes(logits, axis)
    shifted, _ = shift_by_maximum(array, axis, checked_temperature(temperature), out)
    exponentials = np.exp(shifted, out=shifted)
    exponentials /= summed(exponentials, axis)
    return narrowed(exponentials, array.dtype)


def log_softmax(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Turn logits into natural log-probabilities, exact where the probability is close to 1.

        log S[i, j] = (a[i, j] - m[i]) / T - log1p(sum_{k != argmax} exp((a[i, k] - m[i]) / T))

    with m the largest logit of the row, whose own term is the 1 of log1p.

    logits       (..., classes) real; -inf is a masked class
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      the shape and dtype of the logits, in nats; NaN where a row has no softmax
    raises       as softmax
    source       the formula of Bendersky 2016, shifted; scipy#19521 for why log1p

    >>> log_softmax([60.0, 0.0])
    array([-8.75651076e-27, -6.00000000e+01])
    """
    array = with_classes(logits, axis)
    shifted, _ = shift_by_maximum(array, axis, checked_temperature(temperature))
    shifted -= np.log1p(sum_of_others(shifted, axis))
    return narrowed(shifted, array.dtype)


def logsumexp(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the natural logarithm of the sum of exponentials.

        L[i] = log sum_k exp(a[i, k] / T)

    logits       (..., classes) real
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      the shape of the logits without `axis`, in nats; -inf for a row of -inf, +inf
                 for a row with a +inf, NaN for a row with a NaN
    raises       as softmax

    >>> logsumexp([[1000.0, 1000.0], [0.0, -np.inf]])
    array([1000.69314718,    0.        ])
    """
    array = with_classes(logits, axis)
    shifted, maximum = shift_by_maximum(array, axis, checked_temperature(temperature))
    with np.errstate(over="ignore"):
        scaled = maximum / maximum.dtype.type(temperature)
        total = scaled + np.log1p(sum_of_others(shifted, axis))
    result = narrowed(np.where(np.isinf(maximum), maximum, total), array.dtype)
    return np.squeeze(result, axis=axis)[()]


def shift_by_maximum(
    logits: FloatArray,
    axis: int,
    temperature: float,
    out: FloatArray | None = None,
    largest: NDArray[np.intp] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return (a - max a) / T, in `out` if it can hold it, and max a with its axis kept.

    `largest` is where the maximum lies, if that is known, with its axis kept.

    Subtracting first loses the least, and keeps 1e308 over a temperature of 0.01 finite; where
    the difference itself overflows, dividing first keeps it.
    """
    working = logits.astype(working_dtype(logits.dtype, temperature), copy=False)
    if largest is None:
        maximum: FloatArray = working.max(axis=axis, keepdims=True)
    else:
        maximum = np.take_along_axis(working, largest, axis)
    T = working.dtype.type(temperature)
    # Divided first, the logits are needed again.
    in_place = out is not None and out.dtype == working.dtype and T <= 1
    with np.errstate(invalid="ignore", over="ignore"):
        shifted: FloatArray = np.subtract(working, maximum, out=out if in_place else None)
        if T != 1:
            shifted /= T
        if T > 1 and np.isinf(shifted).any():
            np.copyto(shifted, working / T - maximum / T, where=np.isinf(shifted))
    return shifted, maximum


def sum_of_others(
    shifted: FloatArray,
    axis: int,
    out: FloatArray | None = None,
    largest: NDArray[np.intp] | None = None,
) -> FloatArray:
    """Return the sum of exp(shifted) without the first largest entry, whose exp is 1.

    `out`, which may be `shifted`, is left with the terms of that sum; `largest` is where the
    largest entries lie, if that is known.
    """
    if largest is None:
        largest = np.expand_dims(likeliest(shifted, axis), axis)
    exponentials = np.exp(shifted, out=out)
    # A row without a softmax is NaN there, and must stay NaN.
    keep_nan = np.take_along_axis(exponentials, largest, axis) * 0
    np.put_along_axis(exponentials, largest, keep_nan, axis)
    return summed(exponentials, axis)


def likeliest(logits: FloatArray, axis: int = -1) -> NDArray[np.intp]:
    """Return the class with the largest logit of each row, of several the first.

    >>> likeliest(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]))
    array([1, 0])
    """
    if logits.ndim == 1 or logits.shape[axis] >= FEW_CLASSES:
        first: NDArray[np.intp] = logits.argmax(axis=axis)
        return first
    entries = np.moveaxis(logits, axis, 0)
    largest = entries[0].copy()
    # Few classes have small numbers; bytes are compared many at a time.
    result = np.zeros(largest.shape, np.uint8)
    for number, entry in enumerate(entries[1:], 1):
        higher = (entry > largest).view(np.uint8)
        higher *= np.uint8(number)
        np.maximum(result, higher, out=result)
        np.maximum(largest, entry, out=largest)
    return result.astype(np.intp)


def summed(values: FloatArray, axis: int) -> FloatArray:
    """Return the sums along an axis, which is kept.

    Few entries are added one after the other: the digits must not depend on how many rows there
    are, nor on the order in which they lie in memory, and NumPy's depend on both.
    """
    if values.shape[axis] >= FEW_CLASSES:
        result: FloatArray = values.sum(axis=axis, keepdims=True)
        return result
    entries = np.moveaxis(values, axis, 0)
    total = np.array(entries[0])
    for entry in entries[1:]:
        total += entry
    return np.expand_dims(total, axis)


def laid_out(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in the memory order in which what is done along their classes is fastest.

    Few classes lie column by column: along ten entries NumPy spends its time on starting each
    row. From FEW_CLASSES on, moving them costs more than it saves (measured: from 50 on in
    float64, from 80 on in float32).
    """
    return np.asarray(rows, order="F" if rows.shape[-1] < FEW_CLASSES else "C")


def has_no_softmax(logits: ArrayLike, *, axis: int = -1) -> NDArray[np.bool_]:
    """Return which rows have no softmax: a NaN, a +inf, or every entry -inf.

    >>> has_no_softmax([[0.0, -np.inf], [np.nan, 0.0], [-np.inf, -np.inf]])
    array([False,  True,  True])
    """
    result: NDArray[np.bool_] = ~np.isfinite(with_classes(logits, axis).max(axis=axis))
    return result
