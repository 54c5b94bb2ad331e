"""The Jacobians of softmax and log-softmax, and their products with a vector in O(classes)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_cli.core.arrays import (
    FloatArray,
    checked_temperature,
    floating,
    narrowed,
    working_dtype,
)
from softmax_cli.core.softmax import likeliest, softmax, summed
from softmax_cli.errors import ShapeError


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
    S = _last(softmax(_wide(logits, temperature), axis=axis, temperature=temperature), axis)
    lines = softmax_jacobian_lines(S, 0, S.shape[-1], temperature=temperature)
    return _as_given(lines, logits)


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
    S = _last(softmax(_wide(logits, temperature), axis=axis, temperature=temperature), axis)
    lines = log_softmax_jacobian_lines(S, 0, S.shape[-1], temperature=temperature)
    return _as_given(lines, logits)


def softmax_jacobian_lines(
    S: FloatArray, start: int, stop: int, *, temperature: float
) -> FloatArray:
    """Return the lines `start:stop` of the softmax Jacobian, from the probabilities.

    (..., classes) -> (..., stop - start, classes)
    """
    S_i = S[..., start:stop]
    lines = S_i[..., :, None] * -S[..., None, :]
    diagonal = np.arange(stop - start)
    lines[..., diagonal, diagonal + start] = S_i * complement(S)[..., start:stop]
    return _over(lines, temperature)


def log_softmax_jacobian_lines(
    S: FloatArray, start: int, stop: int, *, temperature: float
) -> FloatArray:
    """Return the lines `start:stop` of the log-softmax Jacobian, from the probabilities.

    (..., classes) -> (..., stop - start, classes)
    """
    lines = np.repeat(-S[..., None, :], stop - start, axis=-2)
    diagonal = np.arange(stop - start)
    lines[..., diagonal, diagonal + start] = complement(S)[..., start:stop]
    return _over(lines, temperature)


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
    S, v = _probabilities_and_vector(logits, vector, axis, temperature)
    products = _centred(S, v, axis)
    products *= S
    return _as_given(_over(products, temperature), logits)


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
    S, v = _probabilities_and_vector(logits, vector, axis, temperature)
    return _as_given(_over(_centred(S, v, axis), temperature), logits)


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
    S, v = _probabilities_and_vector(logits, vector, axis, temperature)
    return _as_given(_over(-excess(S, v, axis), temperature), logits)


def complement(S: FloatArray) -> FloatArray:
    """Return 1 - S, for the likeliest class as the sum of the others so that no digit is lost.

    >>> complement(np.array([[1.0, 1e-20]]))
    array([[1.e-20, 1.e+00]])
    """
    largest = likeliest(S)[..., None]
    result: FloatArray = 1 - S
    np.put_along_axis(result, largest, _sum_without(S, largest, -1), axis=-1)
    return result


def excess(S: FloatArray, v: FloatArray, axis: int) -> FloatArray:
    """Return S_j sum_k v_k - v_j, for the likeliest class without subtracting close numbers.

    With S_j = 1 - (sum of the other S) it is there sum_{k != j} v_k - (1 - S_j) sum_k v_k.

    >>> excess(np.array([1.0, 1e-20]), np.array([1.0, 0.0]), -1)
    array([-1.e-20,  1.e-20])
    """
    largest = np.expand_dims(likeliest(S, axis), axis)
    with np.errstate(invalid="ignore"):
        total = summed(v, axis)
        result: FloatArray = S * total - v
        but_likeliest = _sum_without(v, largest, axis) - _sum_without(S, largest, axis) * total
    np.put_along_axis(result, largest, but_likeliest, axis)
    return result


def _centred(S: FloatArray, v: FloatArray, axis: int) -> FloatArray:
    """Return v_i - sum_k S_k v_k, counted from the likeliest class, whose part is then exact."""
    largest = np.expand_dims(likeliest(S, axis), axis)
    with np.errstate(invalid="ignore"):
        centred: FloatArray = v - np.take_along_axis(v, largest, axis)
        centred -= summed(S * centred, axis)
    return centred


def _over(values: FloatArray, temperature: float) -> FloatArray:
    """Divide by T, in place."""
    if temperature != 1:
        values /= values.dtype.type(temperature)
    return values


def _sum_without(values: FloatArray, left_out: NDArray[np.intp], axis: int) -> FloatArray:
    others = values.copy()
    np.put_along_axis(others, left_out, 0, axis)
    return summed(others, axis)


def _wide(logits: ArrayLike, temperature: float) -> FloatArray:
    array = floating(logits)
    return array.astype(working_dtype(array.dtype, temperature), copy=False)


def _as_given(result: FloatArray, logits: ArrayLike) -> FloatArray:
    return narrowed(result, floating(logits).dtype)


def _last(S: FloatArray, axis: int) -> FloatArray:
    return np.moveaxis(S, axis, -1)


def _probabilities_and_vector(
    logits: ArrayLike, vector: ArrayLike, axis: int, temperature: float
) -> tuple[FloatArray, FloatArray]:
    T = checked_temperature(temperature)
    v = floating(vector, "the vector")
    wide = np.promote_types(_wide(logits, T).dtype, v.dtype)
    S = softmax(floating(logits).astype(wide, copy=False), axis=axis, temperature=T)
    v = v.astype(wide, copy=False)
    if v.ndim == 1:
        if v.shape[0] != S.shape[axis]:
            raise ShapeError(
                f"the vector has {v.shape[0]} entries and the logits {S.shape[axis]} classes"
            )
        v = np.moveaxis(np.broadcast_to(v, np.moveaxis(S, axis, -1).shape), -1, axis)
    elif v.shape != S.shape:
        raise ShapeError(f"vectors of shape {v.shape} do not fit logits of shape {S.shape}")
    return S, v
