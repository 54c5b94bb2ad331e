"""Products of the Jacobians with vectors, without cancellation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Factor, Rows, factor, over, times, two_sum
from softmax_cli.core.exact.exponentials import RAISED
from softmax_cli.core.exact.rows import likeliest, parts, whole_rows
from softmax_cli.core.exact.sums import summed, sums_in_parts
from softmax_cli.core.kernel import compiled
from softmax_cli.core.softmax.softmax import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE = Factor(1.0, 0.0)
# Products of smaller probabilities may be subnormal and lose digits.
_SMALLEST = 2.0**-500
_LARGEST_ENTRY = 2.0**450
_LARGEST_COMPILED = 2.0**200
# Quotients by smaller divisors may overflow in double-double products.
_SMALLEST_DIVISOR = 2.0**-500
# Sums of rows as double-doubles.
Sums = Callable[[Rows], tuple[Rows, Rows]]
Product = Callable[[FloatArray, Rows, float, Sums], Rows]


def row_products(
    product: Product, a: FloatArray, vectors: FloatArray, *, temperature: float, out: FloatArray
) -> None:
    """Write the product of each row's Jacobian and vector; all arrays (rows, classes)."""
    if compiled.computes(a, temperature):
        # The result of a row must not depend on the rows beside it.
        large = np.flatnonzero(~are_summable(vectors))
        of_large = np.empty_like(out[large])
        _write_products(product, a[large], vectors[large], temperature, of_large)
        divisor = factor(temperature)
        compiled.product(_COMPILED[product], a, _distinct(vectors), temperature, divisor, out)
        out[large] = of_large
    else:
        _write_products(product, a, vectors, temperature, out)


def _write_products(
    product: Product, a: FloatArray, vectors: FloatArray, temperature: float, out: FloatArray
) -> None:
    sums = sums_for(a)
    with whole_rows(a.shape[-1]):
        for part in parts(a):
            v, scale = summable(wide(vectors[part]))
            result = product(a[part], v, temperature, sums)
            np.copyto(out[part], result if scale is None else result * scale, casting="same_kind")


def _distinct(rows: FloatArray) -> FloatArray:
    """Return the rows, or the first if one was broadcast to all."""
    return rows[:1] if rows.strides[0] == 0 else rows


def are_summable(v: FloatArray) -> NDArray[np.bool_]:
    """Return for which rows the compiled kernel can sum the products of these vectors."""
    rows = _distinct(v)
    if max(float(rows.max(initial=0)), -float(rows.min(initial=0))) <= _LARGEST_COMPILED:
        return np.ones(len(v), bool)
    largest: Rows = wide(np.maximum(rows.max(axis=-1), -rows.min(axis=-1)))
    return np.broadcast_to(largest <= _LARGEST_COMPILED, len(v))


def summable(v: Rows) -> tuple[Rows, Rows | None]:
    """Return vectors scaled to avoid overflow of their sums, and the scale, None if it is 1."""
    largest = np.abs(v).max(axis=-1, keepdims=True)
    if not (largest > _LARGEST_ENTRY).any():
        return v, None
    scale = np.where(largest > _LARGEST_ENTRY, 2.0**580, 1)
    return v / scale, scale


def softmax_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return S_i (v_i - sum_k S_k v_k) / T."""
    S, quotients, raised = probabilities_and_quotients(a, T)
    result = less_its_mean(S, v, sums, raised)
    infinite = np.isinf(quotients)
    if infinite.any():
        result = np.where(infinite, result * S / T, result * quotients)
    else:
        result *= quotients
    return result if raised == 0 else np.ldexp(result, -2 * raised)


def log_softmax_jvp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_i - sum_k S_k v_k) / T."""
    S, _, raised = probabilities_and_quotients(a, T, S_alone=True)
    return np.ldexp(over(less_its_mean(S, v, sums, raised), factor(T)), -raised)


def log_softmax_vjp_product(a: FloatArray, v: Rows, T: float, sums: Sums) -> Rows:
    """Return (v_j - S_j sum_k v_k) / T."""
    return share_over(a, v, T, factor(T), sums)


def share_over(a: FloatArray, v: Rows, T: float, divisor: Factor, sums: Sums) -> Rows:
    """Return (v_j - S_j sum_k v_k) / divisor."""
    if not _SMALLEST_DIVISOR < divisor.high < 1 / _SMALLEST_DIVISOR:
        (S,) = probabilities(a, T, ONE)
        return less_its_share(S, v, v, sums) / divisor.high
    alone, raised = over(v.copy(order="K"), divisor), 0
    (quotients,) = probabilities(a, T, divisor)
    if _has_small(quotients, a):
        raised = RAISED
        alone = np.ldexp(alone, raised)
        (quotients,) = probabilities(a, T, divisor, raised=raised)
    result = less_its_share(quotients, v, alone, sums)
    return result if raised == 0 else np.ldexp(result, -raised)


def less_its_mean(S: Rows, v: Rows, sums: Sums, raised: int = 0) -> Rows:
    """Return v_i - sum_k S_k v_k without cancellation; S and the result are times 2^raised.

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
    # Add the likeliest class to the others as a double-double.
    term, rest = times(S_top, v_top)
    mean, left = two_sum(high, term)
    low += left + rest
    result = (v if raised == 0 else np.ldexp(v, raised)) - mean
    result -= np.where(np.isfinite(mean), low, 0)
    np.put_along_axis(result, top, of_top, -1)
    return result


def less_its_share(S: Rows, v: Rows, v_alone: Rows, sums: Sums) -> Rows:
    """Return v_j - S_j sum_k v_k, without cancellation for the likeliest class.

    If S is divided by something, so is `v_alone`, the first v_j.

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


def complement(S: Rows, sums: Sums = sums_in_parts, raised: int = 0) -> Rows:
    """Return 1 - S without cancellation, by sums of others; S and the result are times 2^raised.

    >>> complement(np.array([[1.0, 1e-20]]))
    array([[1.e-20, 1.e+00]])
    """
    top = likeliest(S)[:, None]
    result: Rows = 2.0**raised - S
    with without(S, top):
        others = np.add(*sums(S))
    np.put_along_axis(result, top, others, -1)
    return result


@contextmanager
def without(S: Rows, top: NDArray[np.intp]) -> Iterator[None]:
    """Set the probability of the likeliest class to 0 within the context; NaN stays."""
    of_top = np.take_along_axis(S, top, -1)
    np.put_along_axis(S, top, of_top * 0, -1)
    try:
        yield
    finally:
        np.put_along_axis(S, top, of_top, -1)


def sums_for(a: FloatArray) -> Sums:
    """Return what sums terms of results of the logits' dtype."""
    return sums_in_parts if a.dtype.itemsize == 8 else _plain_sums


def _plain_sums(terms: Rows) -> tuple[Rows, Rows]:
    """Return plain sums with a rest of 0, for results of low precision."""
    total = summed(terms)
    return total, np.zeros_like(total)


def probabilities_and_quotients(
    a: FloatArray, T: float, *, S_alone: bool = False
) -> tuple[Rows, Rows, int]:
    """Return S and S / T, times 2^n, and n, which is 0 unless a probability is subnormal."""
    divisors = (ONE,) if T == 1 or S_alone else (ONE, factor(T))
    found, raised = probabilities(a, T, *divisors), 0
    if _has_small(found[0], a):
        raised = RAISED
        found = probabilities(a, T, *divisors, raised=raised)
    return found[0], found[-1], raised


def _has_small(S: Rows, a: FloatArray) -> bool:
    """Return whether a probability is too small; masked classes do not count."""
    return a.dtype.itemsize == 8 and bool(((S < _SMALLEST) & (a > -np.inf)).any())


_COMPILED: dict[Product, str] = {
    softmax_product: "softmax",
    log_softmax_jvp_product: "log_softmax",
    log_softmax_vjp_product: "log_softmax_from_left",
}

# By the function that is differentiated, and the side of its Jacobian that the vector is on.
PRODUCTS: dict[tuple[str, str], Product] = {
    ("softmax", "vjp"): softmax_product,
    ("softmax", "jvp"): softmax_product,
    ("log-softmax", "vjp"): log_softmax_vjp_product,
    ("log-softmax", "jvp"): log_softmax_jvp_product,
}
