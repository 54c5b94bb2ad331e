"""Counts units in the last place: `python -m benchmarks.exactness`, beside SciPy and PyTorch.

    pip install -e '.[benchmarks]'
    python -m benchmarks.exactness --markdown

The exact value is that of the formula at the very logits that the functions are given, in 80
digits of mpmath. Results that are no normal numbers of their dtype are left out: below those the
spacing no longer shrinks with the number.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Table

Array = NDArray[Any]
Function = Callable[[Array, float], Array]

DTYPES = ("float64", "float32")
_SEED = 2026
_EXACT = mpmath.MPContext()
_EXACT.dps = 80


@dataclass(frozen=True)
class Rows:
    """A family of inputs: rows of logits, each with its temperature."""

    name: str
    draw: Callable[[np.random.Generator, np.dtype[Any]], Iterator[tuple[Array, float]]]

    def of(self, dtype: str) -> list[tuple[Array, float]]:
        """Return the rows in a dtype, the same ones each time."""
        drawn = self.draw(np.random.default_rng(_SEED), np.dtype(dtype))
        return [(row.astype(dtype), temperature) for row, temperature in drawn]


Random = np.random.Generator
Drawn = Iterator[tuple[Array, float]]


def _spread(spread: float) -> Callable[[Random, Any], Drawn]:
    def draw(random: Random, _: object) -> Drawn:
        for _row in range(4):
            yield spread * random.standard_normal(1000), 1.0

    return draw


def _confident(random: Random, _: object) -> Drawn:
    for gap in (20, 37, 60, 100, 300, 500, 700):
        for classes in (2, 10, 100):
            row = random.standard_normal(classes)
            row[random.integers(classes)] = gap
            yield row, 1.0


def _offsets(random: Random, dtype: np.dtype[Any]) -> Drawn:
    large = 1e300 if dtype.itemsize == 8 else 1e30
    for offset in (30, -30, 800, -800, 1e4, -1e4, large, -large):
        yield offset + 5 * random.standard_normal(200), 1.0


def _sizes(random: Random, _: object) -> Drawn:
    for classes in (2, 3, 5, 10, 49, 50, 127, 1000, 5000, 50257):
        yield 3 * random.standard_normal(classes), 1.0


def _temperatures(random: Random, _: object) -> Drawn:
    for temperature in (0.01, 0.1, 0.3, 0.5, 0.7, 1.5, 2.0, 7.0, 30.0, 100.0):
        # One that float32 holds as well: the peers divide in their own dtype.
        yield 5 * random.standard_normal(200), float(np.float32(temperature))


def _subnormal(random: Random, dtype: np.dtype[Any]) -> Drawn:
    smallest = float(np.finfo(dtype).smallest_subnormal)
    for classes in (2, 10, 100):
        yield smallest * np.round(random.uniform(-1000, 1000, classes)), 1.0


def _equal(random: Random, _: object) -> Drawn:
    for classes in (2, 3, 7, 10, 63, 100, 127, 1000, 5000):
        yield np.full(classes, random.uniform(-50, 50)), 1.0
        yield np.full(classes, random.uniform(-2, 2)), 0.3


def _masked(random: Random, _: object) -> Drawn:
    for classes in (3, 10, 100, 1000):
        row = 10 * random.standard_normal(classes)
        row[random.permutation(classes)[: classes // 2]] = -np.inf
        yield row, 1.0


FAMILIES = (
    *(Rows(f"spread {spread}", _spread(spread)) for spread in (1, 5, 20, 100)),
    Rows("confident, by 20 to 700", _confident),
    Rows("offsets of 30 to 1e300", _offsets),
    Rows("2 to 50257 classes", _sizes),
    Rows("temperatures 0.01 to 100", _temperatures),
    Rows("subnormal logits", _subnormal),
    Rows("equal logits", _equal),
    Rows("half of them masked", _masked),
)


def exact_probabilities(row: Array, temperature: float) -> tuple[list[Any], list[Any]]:
    """Return S_j = exp(a_j/T) / sum_k exp(a_k/T) and log S_j, in 80 digits.

    The largest logit is subtracted, in which 80 digits lose nothing of doubles, and its own term
    is kept apart, so that log1p sees the others however small they are.
    """
    a = [_EXACT.mpf(float(entry)) for entry in row]
    top = int(np.argmax(row))
    T = _EXACT.mpf(temperature)
    gaps = [(entry - a[top]) / T for entry in a]
    terms = [_EXACT.exp(gap) for gap in gaps]
    others = _EXACT.fsum(term for k, term in enumerate(terms) if k != top)
    log_total = _EXACT.log1p(others)
    return [term / (1 + others) for term in terms], [gap - log_total for gap in gaps]


def units(result: Array, exact: Sequence[Any], sizes: Sequence[Any] | None = None) -> Array:
    """Return how many units in the last place each number is off; NaN where that has no meaning.

    The unit is that of the result's dtype at the exact value, or at the size of the terms that
    cancel in it, if sizes are given.
    """
    limits = np.finfo(result.dtype)
    smallest = _EXACT.mpf(float(limits.smallest_normal))
    off = np.full(len(exact), np.nan)
    for k, (number, wanted, size) in enumerate(zip(result, exact, sizes or exact, strict=True)):
        if not _EXACT.isfinite(wanted) or not smallest <= abs(size):
            continue
        if not np.isfinite(number):
            off[k] = np.inf
            continue
        exponent = _EXACT.frexp(abs(size))[1] - 1 - limits.nmant
        off[k] = float(abs(_EXACT.mpf(float(number)) - wanted) / _EXACT.mpf(2) ** exponent)
    return off


def _ours() -> tuple[Function, Function]:
    from softmax_cli import log_softmax, softmax

    return (
        lambda row, T: softmax(row, temperature=T),
        lambda row, T: log_softmax(row, temperature=T),
    )


def _scipy() -> tuple[Function, Function]:
    from scipy.special import log_softmax, softmax

    return (
        lambda row, T: softmax(row / row.dtype.type(T)),
        lambda row, T: log_softmax(row / row.dtype.type(T)),
    )


def _torch() -> tuple[Function, Function]:
    import torch

    return (
        lambda row, T: torch.softmax(torch.from_numpy(row) / T, 0).numpy(),
        lambda row, T: torch.log_softmax(torch.from_numpy(row) / T, 0).numpy(),
    )


_LIBRARIES = {"softmax_cli": _ours, "scipy": _scipy, "torch": _torch}


def _cells(family: Rows, dtype: str, libraries: Sequence[tuple[Function, Function]]) -> list[str]:
    """Return the largest and the mean error of each library's softmax, then of its log-softmax."""
    found: list[list[Array]] = [[] for _ in range(2 * len(libraries))]
    for row, temperature in family.of(dtype):
        exact = exact_probabilities(row, temperature)
        for number, functions in enumerate(libraries):
            for which, function in enumerate(functions):
                with np.errstate(all="ignore"):
                    result = np.asarray(function(row, temperature))
                found[which * len(libraries) + number].append(units(result, exact[which]))
    cells = []
    for errors in found:
        known = np.concatenate(errors)
        known = known[~np.isnan(known)]
        cells.append(f"{_short(known.max())} / {_short(known.mean())}" if known.size else "-")
    return cells


def _short(number: float) -> str:
    return f"{number:.2f}" if number < 100 else f"{number:.1e}".replace("e+0", "e").replace("+", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.exactness", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="families with this in the name")
    parser.add_argument("--markdown", action="store_true", help="a table for a README")
    options = parser.parse_args(arguments)
    families = [family for family in FAMILIES if options.only in family.name]
    if not families:
        print(f"no family is like {options.only}", file=sys.stderr)
        return 2
    present = [name for name in _LIBRARIES if find_spec(name)]
    shown = ["ours" if name == "softmax_cli" else name for name in present]
    headings = ["largest / mean", "dtype"]
    headings += [f"{name} {library}" for name in ("softmax", "log") for library in shown]
    table = Table(headings, [family.name for family in families], markdown=options.markdown)
    libraries = [_LIBRARIES[name]() for name in present]
    for dtype in DTYPES:
        for family in families:
            table.add([family.name, dtype, *_cells(family, dtype, libraries)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
