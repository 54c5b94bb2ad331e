"""Jacobians of softmax and log-softmax, and their products with a vector in O(classes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, checked_temperature, floating, with_classes
from softmax_cli.core.exact.rows import as_it_was, rows_of, whole_rows
from softmax_cli.core.softmax.jacobian_products import (
    Product,
    complement,
    log_softmax_jvp_product,
    log_softmax_vjp_product,
    probabilities_and_quotients,
    row_products,
    softmax_product,
    sums_for,
)
from softmax_cli.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def softmax_jacobian(logits: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> FloatArray:
    """Return the derivative of every probability with respect to every logit.

        dS_i/da_j = S_i (delta_ij - S_j) / T      (Bendersky 2016)

    logits, axis, temperature, raises   as in softmax
    returns   (..., classes, classes), whatever the axis: [..., i, j] is dS_i/da_j, per unit of
              logit; symmetric, its rows sum to 0

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

    logits, axis, temperature, raises   as in softmax
    returns   (..., classes, classes), in nats per unit of logit; its rows sum to 0

    >>> log_softmax_jacobian([0.0, 0.0], temperature=2.0)
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    return _jacobian(log_softmax_jacobian_lines, logits, axis, temperature)


def softmax_jacobian_lines(
    a: FloatArray, start: int, stop: int, *, temperature: float, out: FloatArray
) -> None:
    """Write lines `start:stop` of every row's softmax Jacobian, (rows, stop - start, classes)."""
    with whole_rows(a.shape[-1]):
        S, quotients, raised = probabilities_and_quotients(a, temperature)
        lines = out if raised == 0 else np.empty(out.shape)
        # 0 - x gives +0 where x is 0; lines of classes without probability are +0 too.
        negative = 0 - quotients[:, None]
        np.multiply(S[:, start:stop, None], negative, out=lines, casting="same_kind")
        diagonal = np.arange(stop - start)
        rest = complement(S, sums_for(a), raised)
        on_diagonal = quotients * rest
        infinite = np.isinf(quotients)
        if infinite.any():
            on_diagonal = np.where(infinite, S * rest / temperature, on_diagonal)
        lines[:, diagonal, diagonal + start] = on_diagonal[:, start:stop]
        lines[S[:, start:stop] == 0] = 0
        if raised:
            np.copyto(out, np.ldexp(lines, -2 * raised), casting="same_kind")


def log_softmax_jacobian_lines(
    a: FloatArray, start: int, stop: int, *, temperature: float, out: FloatArray
) -> None:
    """Write the lines `start:stop` of the log-softmax Jacobian; as softmax_jacobian_lines."""
    with whole_rows(a.shape[-1]):
        S, quotients, raised = probabilities_and_quotients(a, temperature)
        np.copyto(out, (0 - np.ldexp(quotients, -raised))[:, None], casting="same_kind")
        diagonal = np.arange(stop - start)
        on_diagonal = np.ldexp(complement(S, sums_for(a), raised) / temperature, -raised)
        out[:, diagonal, diagonal + start] = on_diagonal[:, start:stop]


def softmax_jvp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return the softmax Jacobian times a vector, J v, without forming the matrix.

        (J v)_i = S_i (v_i - sum_k S_k v_k) / T

    logits, axis, temperature, raises   as in softmax; ShapeError if the vector does not fit
    vector    (classes,) or the shape of the logits: a change of the logits
    returns   (..., classes): the change of the probabilities

    >>> softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return _product(softmax_product, logits, vector, axis, temperature)


def softmax_vjp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return a vector times the softmax Jacobian, v J, without forming the matrix.

        (v J)_j = S_j (v_j - sum_k S_k v_k) / T      (J is symmetric: v J = J v)

    logits, axis, temperature, raises   as in softmax; ShapeError if the vector does not fit
    vector    (classes,) or the shape of the logits: a gradient for the probabilities
    returns   (..., classes): the gradient for the logits

    >>> softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    return softmax_jvp(logits, vector, axis=axis, temperature=temperature)


def log_softmax_jvp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return the log-softmax Jacobian times a vector, J v, without forming the matrix.

        (J v)_i = (v_i - sum_k S_k v_k) / T

    logits, axis, temperature, raises   as in softmax; ShapeError if the vector does not fit
    vector    (classes,) or the shape of the logits: a change of the logits
    returns   (..., classes): the change of the log-probabilities, in nats

    >>> log_softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return _product(log_softmax_jvp_product, logits, vector, axis, temperature)


def log_softmax_vjp(
    logits: ArrayLike, vector: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> FloatArray:
    """Return a vector times the log-softmax Jacobian, v J, without forming the matrix.

        (v J)_j = (v_j - S_j sum_i v_i) / T

    logits, axis, temperature, raises   as in softmax; ShapeError if the vector does not fit
    vector    (classes,) or the shape of the logits: a gradient for the log-probabilities
    returns   (..., classes): the gradient for the logits

    >>> log_softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    return _product(log_softmax_vjp_product, logits, vector, axis, temperature)


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
