"""The compiled kernel's results against mpmath, counted in units of the last place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.exact.bfloat16 import BFLOAT16, name_of, widened
from softmax_cli.core.exact.double_double import factor
from softmax_cli.core.kernel import compiled
from tests.core import mpmath_reference as exact
from tests.core.kernel.digests import DTYPES, Targets, narrowed, wholes
from tests.core.kernel.test_choice import has_kernel
from tests.core.mpmath_reference import real

pytestmark = [has_kernel, pytest.mark.usefixtures("kernel")]

# Significant bits, and the exponent of the smallest normal number.
FORMATS = {
    "float16": (11, -14),
    "bfloat16": (8, -126),
    "float32": (24, -126),
    "float64": (53, -1022),
}


def _spread(classes: int, size: float, offset: float = 0.0) -> NDArray[np.float64]:
    return wholes(classes, classes, 53) * 2.0**-53 * size + offset


# Rows, and their temperatures.
ROWS: dict[str, tuple[NDArray[np.float64], float]] = {
    "one class": (np.array([3.25]), 1.0),
    "all equal": (np.full(130, -7.0), 0.7),
    "ten": (_spread(10, 4.0), 1.0),
    "a long row": (_spread(2051, 12.0), 1.0),
    "of 1e6": (_spread(17, 16.0, 1e6), 1.0),
    "of -1e6": (_spread(129, 16.0, -1e6), 3.0),
    "of 1e15": (np.trunc(_spread(20, 30.0, 1e15)), 1.0),
    "spread 700": (_spread(33, 350.0), 1.0),
    "spread 700, long": (_spread(300, 350.0, 1000.0), 1.0),
    "subnormal": (np.array([0.0, -740.0, -744.25, -708.5, -745.5]), 1.0),
    "nearly certain": (np.array([40.0, 0.0, 1e-3, -3.0]), 1.0),
    "masked": (np.array([-np.inf, 1.5, -np.inf, 1.0, -30.0]), 0.3),
    "T 1e-5": (_spread(40, 1e-4), 1e-5),
    "T 0.01": (_spread(140, 0.25, 1.0), 0.01),
    "T 0.7": (_spread(150, 9.0), 0.7),
    "T 3": (_spread(12, 90.0), 3.0),
    "T 1e5": (_spread(31, 60000.0), 1e5),
    "T 2^-890": (_spread(9, 2.0**-888), 2.0**-890),
    "T 2^890": (_spread(9, 2.0**892), 2.0**890),
}
UNITS = (math.e, 2.0, 10.0)


def units(found: NDArray[Any], expected: Iterable[Any], name: str, sizes: Any = None) -> float:
    """Return the largest error, in units of the last place of what is expected, or of a size."""
    digits, least = FORMATS[name]
    values = widened(found) if found.dtype == BFLOAT16 else found
    worst = 0.0
    wanted = list(expected)
    for value, right, size in zip(values.ravel().tolist(), wanted, sizes or wanted, strict=True):
        limit = real.mpf(2) ** (-(least - 2)) * (1 - real.mpf(2) ** (-digits - 1))
        if abs(right) >= limit or not real.isfinite(right):
            assert value == float(right) or value == math.copysign(math.inf, right)
            continue
        power = max(real.frexp(size)[1] - 1 if size else least, least) - digits + 1
        worst = max(worst, float(abs(real.mpf(value) - right) / real.mpf(2) ** power))
    return worst


# The sizes of logits that are cases in a dtype.
SIZES = {"float16": (1e-3, 6e4), "bfloat16": (1e-30, 1e30), "float32": (1e-30, 1e30)}


def cases() -> Iterator[Any]:
    """Every row in every dtype that holds it."""
    for row_name, (row, T) in ROWS.items():
        largest = np.abs(row[np.isfinite(row)]).max()
        for name in DTYPES:
            least, most = SIZES.get(name, (0.0, math.inf))
            if least < largest < most:
                a = narrowed(row[None], name)
                yield pytest.param(a, T, id=f"{row_name}, {name}")


def _values(a: NDArray[Any]) -> tuple[float, ...]:
    return tuple((widened(a) if a.dtype == BFLOAT16 else a)[0].tolist())


@pytest.mark.parametrize(("a", "T"), [*cases()])
def test_softmax_and_logarithms(a: NDArray[Any], T: float) -> None:
    row, name = _values(a), name_of(a.dtype)
    P = exact.probabilities(row, T)
    out = np.empty_like(a)
    compiled.softmax(a, T, out)
    allowed = 2.0 if name == "float64" else 0.501
    assert units(out, P, name) <= allowed
    logarithms = [real.log(each) if each else -real.inf for each in P]
    for base in UNITS:
        unit = real.mpf(1) if base == math.e else real.log(base)
        compiled.log_softmax(a, T, out, factor(base=base))
        assert units(out, [each / unit for each in logarithms], name) <= allowed


def _logarithms(row: tuple[float, ...], T: float) -> list[Any]:
    return [real.log(each) if each else -real.inf for each in exact.probabilities(row, T)]


@pytest.mark.parametrize(("a", "T"), [*cases()])
def test_log_odds(a: NDArray[Any], T: float) -> None:
    row = _values(a)
    largest, found = compiled.log_odds(a, T)
    assert largest[0, 0] == max(row)
    assert units(found, [-max(_logarithms(row, T))], "float64") <= 2


# Weights, each with its rest.
SCALES = (None, (1e-300, 1e-317), (1e300, 1e283), (3.0, -(2.0**-54)))
DIVISORS = (1.0, 1e-250, 1e250, 7.0)


def _weight(scale: tuple[float, float] | None) -> tuple[Any, Any]:
    """Return a weight as the kernel takes it, and in 400 digits."""
    if scale is None:
        return None, real.mpf(1)
    columns = (np.array([[scale[0]]]), np.array([[scale[1]]]))
    return columns, real.mpf(scale[0]) + real.mpf(scale[1])


def _unit(base: float) -> Any:
    return real.mpf(1) if base == math.e else real.log(base)


@pytest.mark.parametrize(("a", "T"), [*cases()])
def test_losses_and_gradients_of_labels(a: NDArray[Any], T: float) -> None:
    row, name = _values(a), name_of(a.dtype)
    P, logarithms = exact.probabilities(row, T), _logarithms(row, T)
    labels = {k for k in (0, len(row) // 2, len(row) - 1, row.index(max(row))) if P[k]}
    gradients = np.empty_like(a)
    for number, (label, scale) in enumerate((k, each) for k in labels for each in SCALES):
        columns, weight = _weight(scale)
        targets = Targets(False, np.array([[label]]), None, columns)
        divisor, base = DIVISORS[number % 4], (math.e, 2.0, 10.0)[number % 3]
        losses = compiled.losses(a, targets, T, factor(base=base), gradients, (divisor, 0.0))
        loss = -logarithms[label] * weight / _unit(base)
        assert units(losses, [loss], "float64") <= 4
        expected = [weight * (each - (k == label)) / divisor for k, each in enumerate(P)]
        assert units(gradients, expected, name) <= (4 if name == "float64" else 0.501)


@pytest.mark.parametrize(("a", "T"), [*cases()])
def test_losses_of_targets(a: NDArray[Any], T: float) -> None:
    row = _values(a)
    logarithms = _logarithms(row, T)
    Y = np.where(np.isneginf(row), 0, np.abs(wholes(len(row), 7, 53)) * 2.0**-53)
    Y[::5] = 0
    rest = Y * 2.0**-55
    exactly = [real.mpf(y) * (1 + real.mpf(2) ** -55) for y in Y.tolist()]
    in_nats = -real.fsum(y * each for y, each in zip(exactly, logarithms, strict=True) if y)
    for base in UNITS:
        for scale in SCALES:
            columns, weight = _weight(scale)
            targets = Targets(True, Y[None], rest[None], columns)
            losses = compiled.losses(a, targets, T, factor(base=base))
            assert units(losses, [in_nats * weight / _unit(base)], "float64") <= 4


@pytest.mark.parametrize(("a", "T"), [*cases()])
def test_products(a: NDArray[Any], T: float) -> None:
    row, name = _values(a), name_of(a.dtype)
    P = exact.probabilities(row, T)
    drawn = wholes(len(row), 9, 20) * 2.0**-20 * 2.0 ** (np.arange(len(row)) % 7)
    v = narrowed(drawn[None], name)
    V = [real.mpf(each) for each in _values(v)]
    absolute = [abs(each) for each in V]
    total, of_sizes = real.fsum(V), real.fsum(absolute)
    mean, of_mean = real.fdot(P, V), real.fdot(P, absolute)
    # What is added and subtracted is this large.
    lines = [
        (p, each, size, size * (1 - p) + of_mean - p * size)
        for p, each, size in zip(P, V, absolute, strict=True)
    ]
    expected = {
        "softmax": ([p * (each - mean) for p, each, *_ in lines], [p * of for p, *_, of in lines]),
        "log_softmax": ([each - mean for _, each, *_ in lines], [of for *_, of in lines]),
        "log_softmax_from_left": (
            [each - p * total for p, each, *_ in lines],
            [size * (1 - p) + p * (of_sizes - size) for p, _, size, _ in lines],
        ),
    }
    out = np.empty_like(a)
    for of, (products, sizes) in expected.items():
        for divisor, sign in ((1.0, 1), (0.3, -1), (1e-250, 1), (1e250, -1)):
            compiled.product(of, a, v, T, (divisor, 0.0), out, sign=sign)
            right = [sign * each / real.mpf(divisor) for each in products]
            scaled = [each / real.mpf(divisor) for each in sizes]
            assert units(out, right, name, scaled) <= (4 if name == "float64" else 0.501)
