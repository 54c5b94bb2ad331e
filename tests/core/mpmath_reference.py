"""The formulas word for word in 400 digits, logits that are hard on them, and the comparison.

1 - S of a row whose logits lie 700 apart is 1e-304: 80 digits would round it to 0, 400 do not.
Nothing is shifted or rearranged here; mpmath has no largest number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

real = mpmath.MPContext()
real.dps = 400

# Units in the last place that a result may be off. What is narrower than float64 is computed there
# and rounded once.
UNITS = {"float64": 4.0, "float32": 0.501, "float16": 0.501}
# What two results of one formula may differ by.
RELATIVE = {name: 2 * units * float(np.finfo(name).eps) for name, units in UNITS.items()}


# Close to the smallest normal number digits are lost, whatever the formula.
TINY = 1e-300


class Case(NamedTuple):
    """One row of logits and its temperature."""

    logits: tuple[float, ...]
    temperature: float = 1.0


def _normal(classes: int, scale: float) -> tuple[float, ...]:
    return tuple(np.random.default_rng(2016).normal(0.0, scale, classes).tolist())


CASES = {
    "ordinary": Case((1.0, 2.0, 3.0)),
    "one class": Case((-3.5,)),
    "two classes": Case((0.25, -1.5)),
    "two equal": Case((2.0, 2.0)),
    "almost equal": Case((1.0, 1.0 + 2.0**-52, 1.0 - 2.0**-53)),
    "all equal": Case((-7.0,) * 5),
    "tie at the top": Case((40.0, -1.0, 40.0, 3.0)),
    "gap 20": Case((20.0, 0.0)),
    "gap 60": Case((0.0, 60.0)),
    "gap 300": Case((300.0, 0.0, 1.0)),
    "gap 700": Case((-350.0, 350.0, -349.5)),
    "subnormal probability": Case((0.0, -740.0, -744.0)),
    "subnormal probability in float32": Case((-95.0, 0.0, -101.0)),
    "probability below all numbers": Case((0.0, -1e4, -3.0)),
    "offset 1e4": Case((1e4, 1e4 + 0.5, 1e4 - 33.25)),
    "offset -1e4": Case((-1e4, -1e4 + 0.5, -1e4 - 33.25)),
    "offset 1e300": Case((1e300, 1e300, 1e300 - 1e285)),
    "offset -1e300": Case((-1e300, -1e300, -1e300 + 1e285)),
    "both ends": Case((1e308, -1e308, 0.0)),
    "both ends of float32": Case((3e38, -3e38, 0.0)),
    "subnormal logits": Case((5e-324, -5e-324, 1e-310)),
    "negative zero": Case((-0.0, 0.0, 1.0)),
    "one masked": Case((1.0, -np.inf, 2.5)),
    "all masked but one": Case((-np.inf, 4.0, -np.inf)),
    "masked and confident": Case((-np.inf, 0.0, 64.0)),
    "T 0.01": Case((1.0, 1.5, 1.25), 0.01),
    "T 0.3": Case((-1.0, 2.0, 0.5), 0.3),
    "T 7": Case((-1.0, 2.0, 0.5), 7.0),
    "T 100": Case((1.0, 1.5, -300.0), 100.0),
    "1e308 over T 0.01": Case((1e308, 1e308, 9e307), 0.01),
    "3e38 over T 0.01": Case((3e38, 3e38, 2e38), 0.01),
    "masked over T 0.01": Case((-np.inf, 0.5, 0.125), 0.01),
    "1000 classes": Case(_normal(1000, 5.0)),
    "1000 classes, T 0.2": Case(_normal(1000, 3.0), 0.2),
    "1 of 1000 classes": Case((45.0,) + (0.0,) * 999),
}


def cases(classes: int = 1000, dtypes: Iterable[str] = RELATIVE) -> list[Any]:
    """Return the cases of at most `classes` classes as parameters (logits, temperature).

    The logits are arrays of every dtype that can hold them.
    """
    parameters = []
    for dtype in dtypes:
        for name, (logits, temperature) in CASES.items():
            row = np.array(logits)
            largest = np.abs(row[np.isfinite(row)]).max()
            if row.size <= classes and largest <= np.finfo(dtype).max:
                case = (row.astype(dtype), temperature)
                parameters.append(pytest.param(*case, id=f"{name}, {dtype}"))
    return parameters


@cache
def _probabilities(logits: tuple[float, ...], temperature: float) -> tuple[Any, ...]:
    exponentials = [real.exp(real.mpf(a) / real.mpf(temperature)) for a in logits]
    total = real.fsum(exponentials)
    return tuple(exponential / total for exponential in exponentials)


def probabilities(logits: ArrayLike, temperature: float) -> tuple[Any, ...]:
    """S_j = exp(a_j/T) / sum_k exp(a_k/T), in 400 digits."""
    row: list[float] = np.asarray(logits, np.float64).tolist()
    return _probabilities(tuple(row), temperature)


def rounded(values: Iterable[Any]) -> Float64Array:
    """The float64 nearest to each value."""
    return np.array([float(value) for value in values])


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Float64Array:
    """The probabilities, rounded once."""
    return rounded(probabilities(logits, temperature))


def log_softmax(logits: ArrayLike, temperature: float = 1.0) -> Float64Array:
    """log S_j."""
    return rounded(real.log(S_j) for S_j in probabilities(logits, temperature))


def logsumexp(logits: ArrayLike, temperature: float = 1.0) -> Float64Array:
    """log sum_k exp(a_k/T)."""
    row: list[float] = np.asarray(logits, np.float64).tolist()
    total = real.fsum(real.exp(real.mpf(a) / real.mpf(temperature)) for a in row)
    return np.array(float(real.log(total)))


def softmax_jacobian(
    logits: ArrayLike, temperature: float = 1.0, *, sign: int = -1
) -> list[list[Any]]:
    """S_i (delta_ij - S_j) / T in 400 digits; `sign` 1 gives the size of the two terms."""
    S = probabilities(logits, temperature)
    lines = log_softmax_jacobian(logits, temperature, sign=sign)
    return [[S_i * entry for entry in line] for S_i, line in zip(S, lines, strict=True)]


def log_softmax_jacobian(
    logits: ArrayLike, temperature: float = 1.0, *, sign: int = -1
) -> list[list[Any]]:
    """(delta_ij - S_j) / T in 400 digits; `sign` 1 gives the size of the two terms."""
    S = probabilities(logits, temperature)
    T = real.mpf(temperature)
    return [[((i == j) + sign * S_j) / T for j, S_j in enumerate(S)] for i in range(len(S))]


def times(lines: Sequence[Sequence[Any]], vector: ArrayLike) -> Float64Array:
    """A matrix of 400 digits times a vector of doubles."""
    v = [real.mpf(entry) for entry in np.asarray(vector, np.float64).tolist()]
    return rounded(real.fdot(line, v) for line in lines)


def label_loss(logits: ArrayLike, label: int, temperature: float = 1.0) -> float:
    """-log P(label)."""
    return float(-real.log(probabilities(logits, temperature)[label]))


def target_loss(logits: ArrayLike, targets: ArrayLike, temperature: float = 1.0) -> float:
    """-sum_k Y(k) log P(k), with 0 log 0 = 0."""
    return _cross_entropy(_reals(targets), probabilities(logits, temperature))


def target_gradient(
    logits: ArrayLike, targets: ArrayLike, temperature: float = 1.0, *, sign: int = -1
) -> Float64Array:
    """(P_j sum_k Y_k - Y_j) / T; `sign` 1 gives the size of the two terms."""
    return gradient_of(logits, _reals(targets), temperature, sign=sign)


def weighted_targets(
    targets: ArrayLike,
    class_weights: ArrayLike | None = None,
    smoothing: float = 0.0,
    masked: Sequence[int] = (),
    sample_weight: float = 1.0,
) -> list[Any]:
    """s w(k) ((1 - E) Y(k) + E / N) in 400 digits, N without the masked classes."""
    Y, E, s = _reals(targets), real.mpf(smoothing), real.mpf(sample_weight)
    w = [real.mpf(1)] * len(Y) if class_weights is None else _reals(class_weights)
    spread = [0 if k in masked else E / (len(Y) - len(masked)) for k in range(len(Y))]
    return [s * w[k] * ((1 - E) * Y[k] + spread[k]) for k in range(len(Y))]


def loss_of(
    logits: ArrayLike, weights: Sequence[Any], temperature: float = 1.0, base: float = np.e
) -> float:
    """-sum_k Y(k) log P(k) of weights in 400 digits."""
    return _cross_entropy(weights, probabilities(logits, temperature), base)


def gradient_of(
    logits: ArrayLike, weights: Sequence[Any], temperature: float = 1.0, *, sign: int = -1
) -> Float64Array:
    """(P_j sum_k Y_k - Y_j) / T of weights in 400 digits; `sign` 1 gives the terms' size."""
    P, T = probabilities(logits, temperature), real.mpf(temperature)
    total = real.fsum(weights)
    return rounded((P_j * total + sign * Y_j) / T for P_j, Y_j in zip(P, weights, strict=True))


def distribution_cross_entropy(p: ArrayLike, q: ArrayLike, base: float) -> float:
    """-sum_k p(k) log q(k), with 0 log 0 = 0."""
    return _cross_entropy(_reals(p), _reals(q), base)


def kl_divergence(p: ArrayLike, q: ArrayLike, base: float) -> float:
    """sum_k p(k) log (p(k) / q(k)), with 0 log 0 = 0."""
    P, Q = _reals(p), _reals(q)
    ratios = [q_k / p_k if p_k != 0 else q_k for p_k, q_k in zip(P, Q, strict=True)]
    return _cross_entropy(P, ratios, base)


def _reals(values: ArrayLike) -> list[Any]:
    return [real.mpf(value) for value in np.asarray(values, np.float64).tolist()]


def _cross_entropy(p: Iterable[Any], q: Iterable[Any], base: float = np.e) -> float:
    terms = [p_k * real.log(q_k) for p_k, q_k in zip(p, q, strict=True) if p_k != 0]
    unit = 1 if base == np.e else real.log(real.mpf(base))
    return float(-real.fsum(terms) / unit)


def spacing(sizes: ArrayLike, dtype: Any) -> Float64Array:
    """The unit in the last place of numbers of these sizes; of subnormal ones it stays the same."""
    limits = np.finfo(dtype)
    exponent = np.frexp(np.maximum(sizes, float(limits.smallest_normal)))[1]
    units: Float64Array = np.ldexp(1.0, exponent - 1 - limits.nmant)
    return units


def assert_digits(actual: ArrayLike, expected: ArrayLike, *, scale: ArrayLike = 0.0) -> None:
    """Refuse a number that is more UNITS of the dtype of `actual` away from the expected one.

    `scale` is the size of the terms that cancel in the result, if they do.
    """
    result, exact = np.asarray(actual), np.asarray(expected, np.float64)
    if result.shape != exact.shape:
        raise AssertionError(f"shape {result.shape} is not {exact.shape}")
    with np.errstate(all="ignore"):
        representable = np.isfinite(exact.astype(result.dtype))
        allowed = UNITS[result.dtype.name] * spacing(np.maximum(np.abs(exact), scale), result.dtype)
        close = representable & (np.abs(result.astype(np.float64) - exact) <= allowed)
        right = close | (result == exact.astype(result.dtype))
    if not right.all():
        index = tuple(np.argwhere(~right)[0].tolist())
        raise AssertionError(
            f"{(~right).sum()} of {right.size} numbers are wrong, the first at {index}: "
            f"{result[index]!r} is not {exact[index]!r}"
        )
