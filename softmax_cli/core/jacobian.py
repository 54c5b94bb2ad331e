"""The Jacobians of softmax and log-softmax, and their products with a vector in O(classes)."""

from __future__ import annotations

from collections.abc import Callable

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
from softmax_cli.core.sums import row_sums, summed
from softmax_cli.errors import ShapeError

Sums = Callable[[Rows], Rows]
Product = Callable[[Rows, Rows, Sums], Rows]


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
    return _product(less_its_mean, logits, vector, axis, temperature)


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
    return _product(less_its_share, logits, vector, axis, temperature)


def row_products(
    product: Product,
    a: FloatArray,
    vectors: FloatArray,
    *,
    temperature: float,
    out: FloatArray,
) -> None:
    """Write a product of every row's probabilities and vector over T; all (rows, classes)."""
    sums = row_sums if a.dtype.itemsize == 8 else summed
    with whole_rows(a.shape[-1]), np.errstate(invalid="ignore", over="ignore"):
        for part in parts(a):
            S = probabilities(a[part], temperature)
            result = product(S, wide(vectors[part]), sums)
            if temperature != 1:
                result /= temperature
            np.copyto(out[part], result, casting="same_kind")


def softmax_product(S: Rows, v: Rows, sums: Sums) -> Rows:
    """Return S_i (v_i - sum_k S_k v_k)."""
    result = less_its_mean(S, v, sums)
    result *= S
    return result


def less_its_mean(S: Rows, v: Rows, sums: Sums) -> Rows:
    """Return v_i - sum_k S_k v_k, for the likeliest class without subtracting close numbers.

    >>> less_its_mean(np.array([[1.0, 1e-20]]), np.array([[1.0, 3.0]]), row_sums)
    array([[-2.e-20,  2.e+00]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    terms = S * v
    np.put_along_axis(terms, top, 0, -1)
    of_others = sums(terms)
    result = v - (of_others + S_top * v_top)
    of_top = v_top * _without(S, top, sums) - of_others
    np.put_along_axis(result, top, of_top, -1)
    return result


def less_its_share(S: Rows, v: Rows, sums: Sums) -> Rows:
    """Return v_j - S_j sum_k v_k, for the likeliest class without subtracting close numbers.

    >>> less_its_share(np.array([[1.0, 1e-20]]), np.array([[1.0, 0.0]]), row_sums)
    array([[ 1.e-20, -1.e-20]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    others = _without(v, top, sums)
    result = v - S * (others + v_top)
    of_top = v_top * _without(S, top, sums) - S_top * others
    np.put_along_axis(result, top, of_top, -1)
    return result


def complement(S: Rows) -> Rows:
    """Return 1 - S, for the likeliest class as the sum of the others so that no digit is lost.

    >>> complement(np.array([[1.0, 1e-20]]))
    array([[1.e-20, 1.e+00]])
    """
    top = likeliest(S)[:, None]
    result: Rows = 1 - S
    np.put_along_axis(result, top, _without(S, top, row_sums), axis=-1)
    return result


def _without(values: Rows, left_out: NDArray[np.intp], sums: Sums) -> Rows:
    """Return the sum of each row without one entry."""
    others = values.copy(order="K")
    np.put_along_axis(others, left_out, 0, -1)
    return sums(others)


def _probabilities_and_quotients(a: FloatArray, T: float) -> tuple[Rows, Rows]:
    """Return S and S / T, each rounded once."""
    S = probabilities(a, T)
    return S, S if T == 1 else probabilities(a, T, T)


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
