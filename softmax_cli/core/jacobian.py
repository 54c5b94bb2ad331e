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
from softmax_cli.core.exponentials import LARGEST
from softmax_cli.core.rows import as_it_was, likeliest, parts, rows_of, whole_rows
from softmax_cli.core.softmax import over, probabilities
from softmax_cli.core.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.twofold import Factor, Rows, factor, two_sum
from softmax_cli.errors import ShapeError

ONE = Factor(1.0, 0.0)
# Products of probabilities below this may lose digits that a division gives back.
_SMALLEST = 2.0**-500
_RAISED = 200
_LARGEST_ENTRY = 2.0**450
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
    with whole_rows(a.shape[-1]):
        S, quotients, raised = _probabilities_and_quotients(a, temperature)
        lines = out if raised == 0 else np.empty(out.shape)
        # 0 less a 0 has no sign; nor has the line of a class without probability.
        negative = 0 - quotients[:, None]
        np.multiply(S[:, start:stop, None], negative, out=lines, casting="same_kind")
        diagonal = np.arange(stop - start)
        on_diagonal = _on_diagonal(S, quotients, temperature, raised)
        lines[:, diagonal, diagonal + start] = on_diagonal[:, start:stop]
        lines[S[:, start:stop] == 0] = 0
        if raised:
            np.copyto(out, np.ldexp(lines, -2 * raised), casting="same_kind")


def log_softmax_jacobian_lines(
    a: FloatArray, start: int, stop: int, *, temperature: float, out: FloatArray
) -> None:
    """Write the lines `start:stop` of the log-softmax Jacobian of every row; as for softmax."""
    with whole_rows(a.shape[-1]):
        S, quotients, raised = _probabilities_and_quotients(a, temperature)
        np.copyto(out, (0 - np.ldexp(quotients, -raised))[:, None], casting="same_kind")
        diagonal = np.arange(stop - start)
        on_diagonal = np.ldexp(complement(S, raised) / temperature, -raised)
        out[:, diagonal, diagonal + start] = on_diagonal[:, start:stop]


def _on_diagonal(S: Rows, quotients: Rows, T: float, raised: int) -> Rows:
    """Return S_i (1 - S_i) / T, raised twice as S and S / T are."""
    rest = complement(S, raised)
    result: Rows = quotients * rest
    infinite = np.isinf(quotients)
    return np.where(infinite, S * rest / T, result) if infinite.any() else result


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
    with whole_rows(a.shape[-1]):
        for part in parts(a):
            v, scale = _summable(wide(vectors[part]))
            result = product(a[part], v, temperature, sums)
            np.copyto(out[part], result if scale is None else result * scale, casting="same_kind")


def _summable(v: Rows) -> tuple[Rows, Rows | None]:
    """Return vectors whose sums are finite if they are, and what gives them back their size."""
    largest = np.abs(v).max(axis=-1, keepdims=True)
    if not (largest > _LARGEST_ENTRY).any():
        return v, None
    scale = np.where(largest > _LARGEST_ENTRY, 2.0**580, 1)
    return v / scale, scale


def softmax_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return S_i (v_i - sum_k S_k v_k) / T."""
    S, quotients, raised = _probabilities_and_quotients(a, T)
    result = less_its_mean(S, v, sums, raised)
    infinite = np.isinf(quotients)
    if infinite.any():
        result = np.where(infinite, result * S / T, result * quotients)
    else:
        result *= quotients
    return result if raised == 0 else np.ldexp(result, -2 * raised)


def log_softmax_jvp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_i - sum_k S_k v_k) / T."""
    S, _, raised = _probabilities_and_quotients(a, T, S_alone=True)
    return np.ldexp(over(less_its_mean(S, v, sums, raised), factor(T)), -raised)


def log_softmax_vjp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_j - S_j sum_k v_k) / T."""
    if not 1 / LARGEST < T < LARGEST:
        (S,) = probabilities(a, T, ONE)
        return less_its_share(S, v, v, sums) / T
    return share_over(a, v, T, factor(T), sums)


def share_over(a: FloatArray, v: Rows, T: float, divisor: Factor, sums: Sums) -> Rows:
    """Return (v_j - S_j sum_k v_k) over a divisor."""
    alone, raised = over(v.copy(order="K"), divisor), 0
    (quotients,) = probabilities(a, T, divisor)
    if _has_small(quotients, a):
        raised = _RAISED
        alone = np.ldexp(alone, raised)
        (quotients,) = probabilities(a, T, divisor, raised=raised)
    result = less_its_share(quotients, v, alone, sums)
    return result if raised == 0 else np.ldexp(result, -raised)


def less_its_mean(S: Rows, v: Rows, sums: Sums, raised: int = 0) -> Rows:
    """Return v_i - sum_k S_k v_k, for the likeliest class without subtracting close numbers.

    S and the result are raised by so many powers of two.

    >>> less_its_mean(np.array([[1.0, 1e-20]]), np.array([[1.0, 3.0]]), sums_in_parts)
    array([[-2.e-20,  2.e+00]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    with without(S, top):
        complement_of_top = np.add(*sums(S))
        terms = S * v
    np.put_along_axis(terms, top, S_top * 0, -1)
    high, low = sums(terms)
    of_top = v_top * complement_of_top - high - low
    # The likeliest class joins the others in two parts.
    mean, left = two_sum(high, S_top * v_top)
    low += left
    result = (v if raised == 0 else np.ldexp(v, raised)) - mean
    result -= np.where(np.isfinite(mean), low, 0)
    np.put_along_axis(result, top, of_top, -1)
    return result


def less_its_share(S: Rows, v: Rows, v_alone: Rows, sums: Sums) -> Rows:
    """Return v_j - S_j sum_k v_k, for the likeliest class without subtracting close numbers.

    Where S is over some divisor, so is `v_alone`, the first v_j.

    >>> v = np.array([[1.0, 0.0]])
    >>> less_its_share(np.array([[1.0, 1e-20]]), v, v, sums_in_parts)
    array([[ 1.e-20, -1.e-20]])
    """
    top = likeliest(S)[:, None]
    S_top, v_top = np.take_along_axis(S, top, -1), np.take_along_axis(v, top, -1)
    with without(S, top):
        complement_of_top = np.add(*sums(S))
    others = v.copy(order="K")
    np.put_along_axis(others, top, 0, -1)
    of_others = np.add(*sums(others))
    result = v_alone - S * (of_others + v_top)
    np.put_along_axis(result, top, v_top * complement_of_top - S_top * of_others, -1)
    return result


def complement(S: Rows, raised: int = 0) -> Rows:
    """Return 1 - S, for the likeliest class as the sum of the others so that no digit is lost.

    S and the result are raised by so many powers of two.

    >>> complement(np.array([[1.0, 1e-20]]))
    array([[1.e-20, 1.e+00]])
    """
    top = likeliest(S)[:, None]
    result: Rows = 2.0**raised - S
    with without(S, top):
        others = row_sums(S, summed(S))
    np.put_along_axis(result, top, others, -1)
    return result


@contextmanager
def without(S: Rows, top: NDArray[np.intp]) -> Iterator[None]:
    """Let the likeliest class have no probability for a while; a NaN stays."""
    of_top = np.take_along_axis(S, top, -1)
    np.put_along_axis(S, top, of_top * 0, -1)
    try:
        yield
    finally:
        np.put_along_axis(S, top, of_top, -1)


def _plain_sums(terms: Rows) -> tuple[Rows, Rows]:
    """Return the sums of rows and nothing beside them, for what will lose digits anyway."""
    total = summed(terms)
    return total, np.zeros_like(total)


def _probabilities_and_quotients(
    a: FloatArray, T: float, *, S_alone: bool = False
) -> tuple[Rows, Rows, int]:
    """Return S and S / T, each rounded once, and by how many powers of two they are raised.

    They are where a probability is no normal number, and what is made of it may be.
    """
    divisors = (ONE,) if T == 1 or S_alone else (ONE, factor(T))
    found, raised = probabilities(a, T, *divisors), 0
    if _has_small(found[0], a):
        raised = _RAISED
        found = probabilities(a, T, *divisors, raised=raised)
    return found[0], found[-1], raised


def _has_small(S: Rows, a: FloatArray) -> bool:
    """Tell whether some probability needs to be raised; a masked one does not."""
    return a.dtype.itemsize == 8 and bool(((S < _SMALLEST) & (a > -np.inf)).any())


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
