"""Digests of what the compiled kernel computes, the same on every processor.

Run as a module, it writes digests.txt anew: only where a change of the results is meant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.bfloat16 import BFLOAT16
from softmax_cli.core.kernel import compiled

KEPT = Path(__file__).with_name("digests.txt")
DTYPES = {
    name: np.dtype(code)
    for name, code in (
        ("float16", "f2"),
        ("bfloat16", BFLOAT16),
        ("float32", "f4"),
        ("float64", "f8"),
    )
}
# Significant bits.
_BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
# One class; short rows and long ones; one tile of numbers, and several.
CLASSES = (1, 2, 3, 10, 128, 129, 1000, 2049, 5000)
TEMPERATURES = (1.0, 0.3, 8.0)
# Sixteen rows are computed together, if they are short.
ROWS = 19
# ln 2 and ln 10, each with its rest.
_UNITS = (
    (1.0, 0.0),
    (0.6931471805599453, 2.3190468138462996e-17),
    (2.302585092994046, -2.1707562233822494e-16),
)


class Targets(NamedTuple):
    """What the kernel is told of the targets, as `WeightedTargets`."""

    is_soft: bool
    targets: NDArray[Any]
    rest: NDArray[np.float64] | None = None
    scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def wholes(count: int, seed: int, bits: int) -> NDArray[np.float64]:
    """Whole numbers of so many bits and a sign, by a linear congruence and its mixing."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)
    for shift in (30, 27, 31):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(0x9E3779B97F4A7C15)
    return (x >> np.uint64(63 - bits)).astype(np.int64).astype(np.float64) - 2.0**bits


def numbers(name: str, classes: int, seed: int, rows: int = ROWS) -> NDArray[Any]:
    """Exact numbers of a dtype; rows near zero, spread out, and far from zero."""
    bits = _BITS[name]
    x = wholes(rows * classes, seed, bits).reshape(rows, classes) * 2.0**-bits
    for row in range(rows):
        x[row] *= 2.0 ** (row % 9 - 1)
    x[4::9] = np.trunc(x[4::9] * 8) / 8 + (32 if bits < 24 else 4096)
    return narrowed(x, name)


def narrowed(x: NDArray[Any], name: str) -> NDArray[Any]:
    """Numbers of a dtype, those of bfloat16 cut off."""
    if name != "bfloat16":
        return x.astype(DTYPES[name])
    upper = (np.ascontiguousarray(x, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return upper.view(BFLOAT16)


def logits(name: str, classes: int, seed: int) -> NDArray[Any]:
    """Rows of a dtype, some with masked classes, ties or without a softmax."""
    a = numbers(name, classes, seed)
    nan, infinity = (narrowed(np.array([x]), name)[0] for x in (np.nan, np.inf))
    lowest = narrowed(np.array([-np.inf]), name)[0]
    a[2, ::2], a[3, 1:] = lowest, lowest
    a[5] = a[5, 0]
    a[6, -1] = a[6, 0]
    a[7, classes // 2], a[8, -1], a[16, 0], a[17, classes // 3] = nan, infinity, nan, infinity
    a[10] = lowest
    return a


def columns(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A weight for each row, and its rest; one of them is 0."""
    scales, rests = wholes(2 * ROWS, seed, 40).reshape(2, ROWS, 1)
    scales[1] = rests[1] = 0
    return np.abs(scales) * 2.0**-39, rests * 2.0**-94


def results(name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """What each operation makes of rows of a dtype."""
    for seed, classes in enumerate(CLASSES):
        a = logits(name, classes, seed)
        yield from zip(("likeliest", "likeliest"), compiled.likeliest(a), strict=True)
        for T in TEMPERATURES:
            yield from _softmax(a, T)
            yield from _losses(name, a, T, seed)
            yield from _products(name, a, T, seed)


def _softmax(a: NDArray[Any], T: float) -> Iterator[tuple[str, NDArray[Any]]]:
    for out in (np.empty_like(a), np.empty(a.shape)):
        compiled.softmax(a, T, out)
        yield "softmax", out
    compiled.softmax(a, T, out, (3.0, 2.0**-60), 700)
    yield "softmax", out
    for unit in _UNITS:
        for out in (np.empty_like(a), np.empty(a.shape)):
            compiled.log_softmax(a, T, out, unit)
            yield "log_softmax", out
    for column in compiled.log_odds(a, T):
        yield "log_odds", column


def _losses(name: str, a: NDArray[Any], T: float, seed: int) -> Iterator[tuple[str, NDArray[Any]]]:
    rows, classes = a.shape
    scale = columns(seed)
    labels = np.abs(wholes(rows, seed, 30)).astype(np.int64)[:, None] % classes
    Y = numbers(name, classes, seed + 50)
    Y[11, :-1] = narrowed(np.zeros(1), name)[0]
    rest = wholes(a.size, seed + 60, 20).reshape(a.shape) * 2.0**-75
    of_labels = Targets(False, labels), Targets(False, labels, None, scale)
    exact = numbers("float64", classes, seed + 50)
    for targets in (*of_labels, Targets(True, Y), Targets(True, exact, rest, scale)):
        for unit in _UNITS:
            yield "losses", compiled.losses(a, targets, T, unit)
        yield "slopes", compiled.slopes(a, targets, T)
    top = compiled.likeliest(a)[0]
    yield from (("scores", each) for each in compiled.scores(a, of_labels[0], T, top))
    for targets in of_labels:
        gradients = np.empty_like(a)
        yield "losses", compiled.losses(a, targets, T, _UNITS[1], gradients, (T * 7, T * 2.0**-55))
        yield "gradients", gradients
    for targets in (*of_labels, Targets(True, exact)):
        divisor, rule = (T * 7, T * 2.0**-55), (2.0**-10, 2.0**-20, 0.3)
        tolerances = np.abs(wholes(3 * rows, seed + 65, 30)).reshape(rows, 3) * 2.0**-50
        yield (
            "gradient_errors",
            compiled.gradient_errors(a, targets, T, divisor, gradients, tolerances, rule),
        )


def _products(
    name: str, a: NDArray[Any], T: float, seed: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    for of in ("softmax", "log_softmax", "log_softmax_from_left"):
        for sign, out in ((1, np.empty_like(a)), (-1, np.empty(a.shape))):
            v = numbers(name if sign > 0 else "float64", a.shape[1], seed + 70)
            compiled.product(of, a, v, T, (T * 5, T * 2.0**-56), out, sign=sign)
            yield of + "_product", out


def _exact_sums() -> Iterator[bytes]:
    for seed, shift in ((80, -1074), (81, -40), (82, 960)):
        x = wholes(4000, seed, 53)
        for power in (0, 3, 11):
            yield str(compiled.exact_sum(np.ldexp(x, shift + power))[0]).encode()


def digests() -> dict[str, str]:
    """Return the digest of the bytes of every operation and dtype."""
    found: dict[str, Any] = {}
    for name in DTYPES:
        for operation, result in results(name):
            digest = found.setdefault(f"{operation} {name}", hashlib.sha256())
            little = result.astype(result.dtype.newbyteorder("<"), copy=False)
            digest.update(little.tobytes())
    found["exact_sum"] = hashlib.sha256(b" ".join(_exact_sums()))
    return {name: digest.hexdigest() for name, digest in found.items()}


def kept() -> dict[str, str]:
    """Return the digests of digests.txt."""
    return dict(line.rsplit(" ", 1) for line in KEPT.read_text().splitlines())


if __name__ == "__main__":
    KEPT.write_text("".join(f"{name} {digest}\n" for name, digest in digests().items()))
