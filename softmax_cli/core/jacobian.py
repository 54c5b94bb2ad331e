"""The Jacobians of softmax and log-softmax, and their products with a vector in O(classes)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import (
    FloatArray,
    checked_temperature,
    floating,
    wide,
    with_classes,
)
from softmax_cli.core.exponentials import Rows
from softmax_cli.core.rows import as_it_was, likeliest, parts, rows_of, whole_rows
from softmax_cli.core.softmax import probabilities
from softmax_cli.core.sums import row_sums, summed, sums_in_parts
from softmax_cli.errors import ShapeError

# Sums of rows in two parts.
Sums = Callable[[Rows], tuple[Rows, Rows]]
Product = Callable[[FloatArray, Rows, float, Sums], Rows]


def softmax_jacobian(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the derivative of every probability with respect to every logit.

        dS_i/da_j = S_i (delta_ij - S_j) / T      (Bendersky 2016)

    logits       (..., classes) real
    axis         the dimension of the classes; it goes last in the result
    temperature  T, positive, in the unit of the logits
    returns      (..., classes, classes): [..., i, j] is dS_i/da_j, per unit of logit; symmetric,
                 its rows sum to 0
    raises       as softmax

    >>> softmax_jacobian([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    return _jacobian(softmax_jacobian_lines, logits, axis, temperature)


def log_softmax_jacobian(
    logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return the derivative of every log-probability with respect to every logit.

        d log S_i/da_j = (delta_ij - S_j) / T

    logits       (..., classes) real
    axis         the dimension of the classes; it goes last in the result
    temperature  T, positive, in the unit of the logits
    returns      (..., classes, classes), in nats per unit of logit; its rows sum to 0
    raises       as softmax

    >>> log_softmax_jacobian([0.0, 0.0], temperature=2.0)
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    return _jacobian(log_softmax_jacobian_lines, logits, axis, temperature)


def softmax_jacobian_lines(
    a: FloatArray, start: int, stop: int, *, temperature: float, out: FloatArray
) -> None:
    """Write the lines `start:stop` of the softmax Jacobian of every row.

    a    (rows, classes)
    out  (rows, stop - start, classes); each entry is rounded once to it
    """
    S, quotients = _probabilities_and_quotients(a, temperature)
    np.multiply(S[:, start:stop, None], -quotients[:, None, :], out=out, casting="same_kind")
    diagonal = np.arange(stop - start)
    out[:, diagonal, diagonal + start] = (quotients * complement(S))[:, start:stop]


def log_softmax_jacobian_lines(
    a: FloatArray, start: int, stop: int, *, temperature: float, out: FloatArray
) -> None:
    """Write the lines `start:stop` of the log-softmax Jacobian of every row; as for softmax."""
    S, quotients = _probabilities_and_quotients(a, temperature)
    np.copyto(out, -quotients[:, None, :], casting="same_kind")
    diagonal = np.arange(stop - start)
    out[:, diagonal, diagonal + start] = (complement(S) / temperature)[:, start:stop]


def softmax_jvp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return the softmax Jacobian times a vector, J v, without forming the matrix.

        (J v)_i = S_i (v_i - sum_k S_k v_k) / T

    logits       (..., classes) real
    vector       (classes,) or the shape of the logits: a change of the logits
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      (..., classes): the change of the probabilities, in O(classes) a row
    raises       ShapeError if the vector does not fit; else as softmax

    >>> softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return _product(softmax_product, logits, vector, axis, temperature)


def softmax_vjp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return a vector times the softmax Jacobian, v J, without forming the matrix.

        (v J)_j = S_j (v_j - sum_k S_k v_k) / T      (J is symmetric: v J = J v)

    logits       (..., classes) real
    vector       (classes,) or the shape of the logits: a gradient for the probabilities
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      (..., classes): the gradient for the logits, in O(classes) a row
    raises       ShapeError if the vector does not fit; else as softmax

    >>> softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return softmax_jvp(logits, vector, axis=axis, temperature=temperature)


def log_softmax_jvp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return the log-softmax Jacobian times a vector, J v, without forming the matrix.

        (J v)_i = (v_i - sum_k S_k v_k) / T

    logits       (..., classes) real
    vector       (classes,) or the shape of the logits: a change of the logits
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      (..., classes): the change of the log-probabilities, in nats
    raises       ShapeError if the vector does not fit; else as softmax

    >>> log_softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return _product(log_softmax_jvp_product, logits, vector, axis, temperature)


def log_softmax_vjp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return a vector times the log-softmax Jacobian, v J, without forming the matrix.

        (v J)_j = (v_j - S_j sum_i v_i) / T

    logits       (..., classes) real
    vector       (classes,) or the shape of the logits: a gradient for the log-probabilities
    axis         the dimension of the classes
    temperature  T, positive, in the unit of the logits
    returns      (..., classes): the gradient for the logits
    raises       ShapeError if the vector does not fit; else as softmax

    >>> log_softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return _product(log_softmax_vjp_product, logits, vector, axis, temperature)


def row_products(
    product: Product,
    a: FloatArray,
    vectors: FloatArray,
    *,
    temperature: float,
    out: FloatArray,
) -> None:
    """Write a product of every row's Jacobian and vector; all (rows, classes)."""
    sums = sums_in_parts if a.dtype.itemsize == 8 else _plain_sums
    with whole_rows(a.shape[-1]), np.errstate(invalid="ignore", over="ignore"):
        for part in parts(a):
            result = product(a[part], wide(vectors[part]), temperature, sums)
            np.copyto(out[part], result, casting="same_kind")


def softmax_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return S_i (v_i - sum_k S_k v_k) / T."""
    S, quotients = _probabilities_and_quotients(a, T)
    result = less_its_mean(S, v, sums)
    result *= quotients
    return result


def log_softmax_jvp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_i - sum_k S_k v_k) / T."""
    (S,) = probabilities(a, T, 1.0)
    return _over(less_its_mean(S, v, sums), T)


def log_softmax_vjp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_j - S_j sum_k v_k) / T."""
    (S,) = probabilities(a, T, 1.0)
    return _over(less_its_share(S, v, sums), T)


def less_its_mean(S: Rows, v: Rows, sums: Sums) -> Rows:
    """Return v_i - sum_k S_k v_k, for the likeliest class without subtracting close numbers.

    >>> less_its_mean(np.array([[1.0, 1e-20]]), np.array([[1.0, 3.0]]), sums_in_parts)
    array([[-2.e-20,  2.e+00]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    with _without(S, top):
        complement_of_top = np.add(*sums(S))
        high, low = sums(S * v)
    of_top = v_top * complement_of_top - high - low
    # The likeliest class joins the others in two parts (Knuth 1969).
    term = S_top * v_top
    mean = high + term
    low += (high - (mean - (mean - high))) + (term - (mean - high))
    result = v - mean
    result -= low
    np.put_along_axis(result, top, of_top, -1)
    return result


def less_its_share(S: Rows, v: Rows, sums: Sums) -> Rows:
    """Return v_j - S_j sum_k v_k, for the likeliest class without subtracting close numbers.

    >>> less_its_share(np.array([[1.0, 1e-20]]), np.array([[1.0, 0.0]]), sums_in_parts)
    array([[ 1.e-20, -1.e-20]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    with _without(S, top):
        complement_of_top = np.add(*sums(S))
    others = v.copy(order="K")
    np.put_along_axis(others, top, 0, -1)
    of_others = np.add(*sums(others))
    result = v - S * (of_others + v_top)
    np.put_along_axis(result, top, v_top * complement_of_top - S_top * of_others, -1)
    return result


def complement(S: Rows) -> Rows:
    """Return 1 - S, for the likeliest class as the sum of the others so that no digit is lost.

    >>> complement(np.array([[1.0, 1e-20]]))
    array([[1.e-20, 1.e+00]])
    """
    top = likeliest(S)[:, None]
    result: Rows = 1 - S
    with _without(S, top):
        others = row_sums(S)
    np.put_along_axis(result, top, others, -1)
    return result


@contextmanager
def _without(S: Rows, top: NDArray[np.intp]) -> Iterator[None]:
    """Let the likeliest class have no probability for a while."""
    of_top = np.take_along_axis(S, top, -1)
    np.put_along_axis(S, top, 0, -1)
    try:
        yield
    finally:
        np.put_along_axis(S, top, of_top, -1)


def _plain_sums(terms: Rows) -> tuple[Rows, Rows]:
    """Return the sums of rows and nothing beside them, for what will lose digits anyway."""
    total = summed(terms)
    return total, np.zeros_like(total)


def _over(values: Rows, T: float) -> Rows:
    """Divide by T, in place."""
    if T != 1:
        values /= T
    return values


def _probabilities_and_quotients(a: FloatArray, T: float) -> tuple[Rows, Rows]:
    """Return S and S / T, each rounded once."""
    if T == 1:
        (S,) = probabilities(a, T, 1.0)
        return S, S
    S, quotients = probabilities(a, T, 1.0, T)
    return S, quotients


def _jacobian(
    write_lines: Callable[..., None], logits: ArrayLike, axis: int, temperature: float
) -> FloatArray:
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    rows = rows_of(array, axis)
    count, classes = rows.shape
    result = np.empty((count, classes, classes), array.dtype)
    write_lines(rows, 0, classes, temperature=T, out=result)
    leading = np.moveaxis(array, axis, -1).shape[:-1]
    return result.reshape(*leading, classes, classes)


def _product(
    product: Product, logits: ArrayLike, vector: ArrayLike, axis: int, temperature: float
) -> FloatArray:
    array = with_classes(logits, axis)
    T = checked_temperature(temperature)
    v = floating(vector, "the vector")
    if v.ndim == 1:
        if v.shape[0] != array.shape[axis]:
            raise ShapeError(
                f"the vector has {v.shape[0]} entries and the logits {array.shape[axis]} classes"
            )
        vectors = np.broadcast_to(v, rows_of(array, axis).shape)
    elif v.shape != array.shape:
        raise ShapeError(f"vectors of shape {v.shape} do not fit logits of shape {array.shape}")
    else:
        vectors = rows_of(v, axis)
    result = np.empty_like(rows_of(array, axis))
    row_products(product, rows_of(array, axis), vectors, temperature=T, out=result)
    return as_it_was(result, array, axis)
