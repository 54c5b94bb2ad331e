"""Checks of the built-in derivatives against plain formulas that do not use the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import matmul

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.core.gradcheck import diagnosis
from softmax_cli.core.gradcheck.builtins import Builtin
from softmax_cli.core.gradcheck.comparison import tolerance
from softmax_cli.core.gradcheck.derivative_pairs import DerivativePair, Settings, check_pairs
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.noise import EPS, Array, Function
from softmax_cli.core.gradcheck.numerical.reference import reference_jacobian
from softmax_cli.core.gradcheck.point import LARGE, Point, check_parts, input_sample, with_inputs
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError

# At most this many entries of a Jacobian are in memory when some of its columns are compared.
_AT_ONCE = 1 << 22


def check_builtin(
    builtin: Builtin, points: list[Array], rng: Generator, T: float, dtype: str, settings: Settings
) -> list[Check]:
    """Compare a built-in derivative with the differentiated formula at all points."""
    rows = [_Row(builtin, point.astype(dtype), rng, T, settings) for point in points]
    classes = len(points[0]) if len({len(point) for point in points}) == 1 else 1
    factors = diagnosis.common_factors(len(points), T) | diagnosis.factors_of(classes, "classes")

    def check(pairs: list[DerivativePair], part: str = "") -> Check:
        return check_pairs(f"{builtin.name}{part}", pairs, dtype, settings, Diagnosis(factors))

    if classes <= LARGE:
        return [check([row.whole() for row in rows])]
    if builtin.combine is matmul:
        # The Jacobian times a vector is the derivative along that vector.
        return [check([row.along_vector() for row in rows])]
    if builtin.lines is not None:
        samples = [input_sample(row.at.size, softmax(row.at), rng) for row in rows]
        pairs = [row.columns(inputs) for row, inputs in zip(rows, samples, strict=True)]
        return [check(pairs, " (columns)")]
    return check_parts([row.scalar() for row in rows], rng, settings, check)


class _Row:
    """A built-in derivative at one row of logits.

    The formula is evaluated for the classes that are not masked. Derivatives with respect to a
    masked logit are 0, except for its own log-probability, which has no derivative.

    kept   classes that are not masked
    at     (kept,) their logits
    drawn  (kept,) label, targets or vector
    extra  (classes,) the same, 0 for masked classes
    floor  tolerance for the rounding of 1 / T and of the smallest numbers of the dtype
    """

    def __init__(
        self, builtin: Builtin, a: Array, rng: Generator, T: float, settings: Settings
    ) -> None:
        if has_no_softmax(a):
            problem = "a point has no softmax"
            raise DomainError(problem, "it holds a NaN, a +inf, or nothing but -inf")
        self.builtin, self.a, self.T, self.settings = builtin, a, T, settings
        self.kept = np.flatnonzero(np.isfinite(a))
        self.at = a[self.kept].astype(np.float64)
        self.drawn = builtin.draw(rng, self.kept.size)
        self.extra = np.zeros(a.size)
        self.extra[self.kept] = self.drawn
        self.floor = 4 * (EPS / T + float(np.finfo(a.dtype).smallest_subnormal))

    def formula(self, x: Array) -> Array:
        return self.builtin.function(x, self.T, self.drawn)

    def analytic(self, a: Array) -> Array:
        return np.asarray(self.builtin.analytic(a, self.T, self.extra))

    def whole(self) -> DerivativePair:
        """Compare the whole derivative, masked classes included."""
        outputs = slice(None) if self.builtin.masked_outputs else self.kept

        def expected(of_kept: Array, extra: Array) -> Array:
            J = np.zeros((self.a.size, self.a.size))
            lines = self.kept if len(of_kept) == self.kept.size else np.array([0])
            J[np.ix_(lines, self.kept)] = of_kept
            return self.builtin.combine(J, extra)[outputs]

        return self._pair(self.formula, self.at, self.analytic(self.a)[outputs], expected)

    def along_vector(self) -> DerivativePair:
        """Compare a Jacobian-vector product with the derivative along the vector."""

        def moved(t: Array) -> Array:
            return self.formula(self.at + self.drawn * t)

        analytic = self.analytic(self.a)[self.kept]
        return self._pair(moved, np.zeros(1), analytic, lambda J, _: J[:, 0])

    def columns(self, inputs: NDArray[np.intp]) -> DerivativePair:
        """Compare columns of a Jacobian without keeping the whole matrix in memory."""
        N = self.a.size
        analytic = np.empty((N, inputs.size), self.a.dtype)
        step = max(1, _AT_ONCE // N)
        for start in range(0, N, step):
            stop = min(N, start + step)
            lines = np.empty((1, stop - start, N), self.a.dtype)
            self.builtin.lines(self.a[None], start, stop, temperature=self.T, out=lines)  # type: ignore[misc]
            analytic[start:stop] = lines[0][:, self.kept[inputs]]

        def formula(x: Array) -> Array:
            return self.formula(with_inputs(self.at, inputs, x))

        pair = self._pair(formula, self.at[inputs], analytic[self.kept], lambda J, _: J)
        return replace(pair, inputs=inputs)

    def scalar(self) -> Point:
        """Return the point of a scalar function: the loss, or the result times the vector."""

        def function(x: Array) -> Array:
            result = self.formula(x)
            return result if self.builtin.of == "xent" else (self.drawn @ result)[None]

        def claimed(x: Array) -> Array:
            a = self.a.copy()
            a[self.kept] = x
            return self.analytic(a)[self.kept]

        return Point(function, claimed, self.at, is_scalar=True, floor=self.floor)

    def _pair(
        self, f: Function, at: Array, analytic: Array, expected: Callable[[Array, Array], Array]
    ) -> DerivativePair:
        """Compare with what is expected of the formula's Jacobian and of its error."""
        settings, extra = self.settings, self.extra
        rtol = tolerance("float64", settings.rtol)
        found = reference_jacobian(f, at, settings.method, settings.step, rtol=rtol)
        J, error = expected(found.jacobian, extra), expected(found.error, np.abs(extra))
        reference = found._replace(jacobian=J, error=error)
        wrong = diagnosis.wrong_matrices(J)
        return DerivativePair(analytic, reference, wrong, zero=self.floor, floor=self.floor)
