"""softmax, log-softmax and logsumexp, computed in float64 and rounded once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.exact.arrays import (
    FloatArray,
    checked_temperature,
    narrowed,
    wide,
    with_classes,
)
from softmax_cli.core.exact.double_double import Factor, Rows, factor, over
from softmax_cli.core.exact.exponentials import exponentials, in_parts, low_precision_exponentials
from softmax_cli.core.exact.odds import distances, odds_against_likeliest
from softmax_cli.core.exact.rows import as_it_was, parts, rows_of, whole_rows
from softmax_cli.core.exact.sums import row_sums
from softmax_cli.core.kernel import compiled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def softmax(
    logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0, out: FloatArray | None = None
) -> FloatArray:
    """Return the softmax probabilities of logits.

        S[i, j] = exp(a[i, j] / T) / sum_k exp(a[i, k] / T)      (Bendersky 2016)

    logits       (..., classes) real; -inf is a masked class
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    out          array for the result, of the logits' shape; may be the logits themselves
    returns      the shape and dtype of the logits (float64 for integers), off by at most 4 units
                 in the last place; each row sums to 1, and is NaN where it has no softmax (a NaN,
                 a +inf, or every entry -inf)
    raises       ShapeError without a class; DomainError unless logits are real, T positive

    >>> softmax([1.0, 2.0, 3.0])
    array([0.09003057, 0.24472847, 0.66524096])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty_like(rows) if out is None else rows_of(out, axis)
    if compiled.computes(rows, T):
        compiled.softmax(rows, T, result)
    else:
        _write_softmax(rows, T, result)
    shaped = as_it_was(result, array, axis)
    if out is not None and not np.shares_memory(out, result):
        out[...] = shaped
    return shaped


def _write_softmax(rows: FloatArray, T: float, result: FloatArray) -> None:
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            if rows.dtype.itemsize == 8:
                terms, sums = exponentials(wide(rows[part]), T)
                np.divide(terms, row_sums(terms, sums), out=result[part])
            else:
                terms, sums = low_precision_exponentials(rows[part], T)
                terms *= 1 / sums
                np.copyto(result[part], terms, casting="same_kind")


def log_softmax(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the natural logarithms of the softmax, accurate for probabilities close to 1.

        log S[i, j] = (a[i, j] - m[i]) / T - log1p(sum_{k != argmax} exp((a[i, k] - m[i]) / T))

    where m is the largest logit of the row (Bendersky 2016, shifted; scipy#19521 explains log1p).

    logits, axis, temperature, raises   as in softmax
    returns   the shape and dtype of the logits, in nats, off by at most 4 units in the last place;
              NaN where a row has no softmax

    >>> log_softmax([60.0, 0.0])
    array([-8.75651076e-27, -6.00000000e+01])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty_like(rows)
    write_log_probabilities(rows, T, result)
    return as_it_was(result, array, axis)


def logsumexp(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the natural logarithm of the sum of exponentials.

        L[i] = log sum_k exp(a[i, k] / T)

    logits, axis, temperature, raises   as in softmax
    returns   the shape of the logits without `axis`, in nats, off by at most 4 units in the last
              place of |max a / T| + |L - max a / T|; -inf for a row of -inf, +inf for a row with
              a +inf, NaN for a row with a NaN

    >>> logsumexp([[1000.0, 1000.0], [0.0, -np.inf]])
    array([1000.69314718,    0.        ])
    """
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    result = np.empty((len(rows), 1), array.dtype)
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            if compiled.computes(rows, T):
                maximum, logarithms = compiled.log_odds(rows[part], T)
            else:
                logarithms = odds_against_likeliest(rows[part], T).logarithm()
                maximum = wide(rows[part]).max(axis=-1, keepdims=True)
            total = np.where(np.isinf(maximum), maximum, maximum / T + logarithms)
            result[part] = narrowed(total, array.dtype)
    return np.squeeze(as_it_was(result, array.take([0], axis), axis), axis)[()]


def probabilities(a: FloatArray, T: float, *divisors: Factor, raised: int = 0) -> list[Rows]:
    """Return softmax / divisor * 2^raised for each divisor, to 0.6 ULP of the logits' dtype."""
    if compiled.computes(a, T, *(divisor.high for divisor in divisors)):
        found = [np.empty(a.shape) for _ in divisors]
        for divisor, result in zip(divisors, found, strict=True):
            compiled.softmax(a, T, result, divisor, raised)
        return found
    if a.dtype.itemsize == 8:
        exponentials_ = in_parts(wide(a), T)
        return [exponentials_.over_their_sum(divisor, raised) for divisor in divisors]
    S, sums = low_precision_exponentials(a, T)
    S *= 2.0**raised / sums
    return [S if divisor.high == 1 else S / divisor.high for divisor in divisors]


def write_log_probabilities(
    rows: FloatArray, T: float, out: FloatArray, base: float = math.e
) -> None:
    """Write the logarithms of the softmax in a base; both arrays (rows, classes)."""
    if compiled.computes(rows, T):
        compiled.log_softmax(rows, T, out, factor(base=base))
        return
    with whole_rows(rows.shape[-1]):
        for part in parts(rows):
            a = wide(rows[part])
            odds = odds_against_likeliest(rows[part], T)
            result = distances(a, np.take_along_axis(a, odds.top, -1), factor(T, base=base))
            np.subtract(0, result, out=result)
            result -= over(odds.logarithm(), factor(base=base))
            np.copyto(out[part], result, casting="same_kind")
