"""Checks of the built-in derivatives against plain formulas that do not use the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.core.gradcheck.builtins import Builtin
from softmax_cli.core.gradcheck.derivative_pairs import (
    DerivativePair,
    Settings,
    check_pairs,
    indistinct_from_zero,
    renumbered,
)
from softmax_cli.core.gradcheck.diagnosis import (
    Diagnosis,
    common_factors,
    factors_of,
    wrong_matrices,
)
from softmax_cli.core.gradcheck.numerical.noise import EPS
from softmax_cli.core.gradcheck.numerical.reference import Reference, reference_jacobian
from softmax_cli.core.gradcheck.point import (
    LARGE,
    Point,
    check_parts,
    sample_of_inputs,
    with_inputs,
)
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError

Array = NDArray[Any]

# At most this many entries of a Jacobian are in memory when some of its columns are compared.
_AT_ONCE = 1 << 22


def check_builtin(
    builtin: Builtin,
    points: list[NDArray[np.float64]],
    rng: np.random.Generator,
    T: float,
    dtype: str,
    settings: Settings,
) -> list[Check]:
    """Compare a built-in derivative with the differentiated formula at all points.

    With many classes, gradients are compared along directions that cover all inputs and in a
    sample of their entries; of Jacobians a sample of the columns is compared.
    """
    rows = [_Row.of(builtin, point.astype(dtype), rng, T) for point in points]
    classes = len(points[0]) if len({len(point) for point in points}) == 1 else 1
    factors = common_factors(len(points), T) | factors_of(classes, "classes")

    def check(pairs: list[DerivativePair], part: str = "") -> Check:
        return check_pairs(f"{builtin.name}{part}", pairs, dtype, settings, Diagnosis(factors))

    if classes <= LARGE:
        return [check([row.whole(settings) for row in rows])]
    if builtin.is_jvp:
        return [check([row.along_vector(settings) for row in rows])]
    if builtin.lines is not None:
        columns = [sample_of_inputs(row.at.size, softmax(row.at), rng) for row in rows]
        pairs = [row.some_columns(own, settings) for row, own in zip(rows, columns, strict=True)]
        return [renumbered(check(pairs, " (columns)"), columns)]

    def check_scalars(points: list[Point], part: str) -> Check:
        pairs = [
            replace(point.pair(settings)[0], floor=4 * row.rounding)
            for point, row in zip(points, rows, strict=True)
        ]
        return check(pairs, part)

    return check_parts([row.scalar() for row in rows], rng, check_scalars)


@dataclass(frozen=True)
class _Row:
    """A built-in derivative at one row of logits.

    The formula is evaluated for the classes that are not masked. Derivatives with respect to a
    masked logit are 0, except for its own log-probability, which has no derivative.

    a      (classes,) logits
    kept   classes that are not masked
    drawn  label, targets or vector for these classes
    """

    builtin: Builtin
    a: Array
    kept: NDArray[np.intp]
    drawn: Array
    T: float

    @classmethod
    def of(cls, builtin: Builtin, a: Array, rng: np.random.Generator, T: float) -> _Row:
        if has_no_softmax(a):
            problem = "a point has no softmax"
            raise DomainError(problem, "it holds a NaN, a +inf, or nothing but -inf")
        kept = np.flatnonzero(np.isfinite(a))
        return cls(builtin, a, kept, builtin.draw(rng, kept.size), T)

    @property
    def rounding(self) -> float:
        """The rounding of 1 / T in float64, and of the smallest numbers of the dtype."""
        return EPS / self.T + float(np.finfo(self.a.dtype).smallest_subnormal)

    @property
    def at(self) -> NDArray[np.float64]:
        """The logits that are not masked, in float64."""
        return self.a[self.kept].astype(np.float64)

    def whole(self, settings: Settings) -> DerivativePair:
        """Compare the whole derivative, masked classes included."""
        builtin, size, kept = self.builtin, self.a.size, self.kept
        found = self._reference(self.formula, self.at, settings)
        J, error = np.zeros((size, size)), np.zeros((size, size))
        outputs = kept if len(found.jacobian) > 1 or kept.size == 1 else np.array([0])
        J[np.ix_(outputs, kept)] = found.jacobian
        error[np.ix_(outputs, kept)] = found.error
        extra = self._extra()
        analytic = np.asarray(builtin.analytic(self.a, self.T, extra))
        reference, error = builtin.combine(J, extra), builtin.combine(error, np.abs(extra))
        if not builtin.masked_outputs:
            analytic, reference, error = analytic[kept], reference[kept], error[kept]
        return self._pair(analytic, reference, error, found, settings)

    def along_vector(self, settings: Settings) -> DerivativePair:
        """Compare a Jacobian-vector product with the derivative along the vector."""

        def moved(t: Array) -> Array:
            return self.formula(self.at + self.drawn * t)

        found = self._reference(moved, np.zeros(1), settings)
        analytic = self.builtin.analytic(self.a, self.T, self._extra())[self.kept]
        return self._pair(analytic, found.jacobian[:, 0], found.error[:, 0], found, settings)

    def some_columns(self, columns: NDArray[np.intp], settings: Settings) -> DerivativePair:
        """Compare columns of a Jacobian without keeping the whole matrix in memory."""
        at = self.at

        def formula(x: Array) -> Array:
            return self.formula(with_inputs(at, columns, x))

        found = self._reference(formula, at[columns], settings)
        N = self.a.size
        analytic = np.empty((N, columns.size), self.a.dtype)
        step = max(1, _AT_ONCE // N)
        for start in range(0, N, step):
            stop = min(N, start + step)
            lines = np.empty((1, stop - start, N), self.a.dtype)
            self.builtin.lines(self.a[None], start, stop, temperature=self.T, out=lines)  # type: ignore[misc]
            analytic[start:stop] = lines[0][:, self.kept[columns]]
        return self._pair(analytic[self.kept], found.jacobian, found.error, found, settings)

    def scalar(self) -> Point:
        """Return the point of a scalar function: the loss, or the result times the vector."""
        takes_vector = self.builtin.of != "xent"

        def function(x: Array) -> Array:
            result = self.formula(x)
            return (self.drawn @ result)[None] if takes_vector else result

        def claimed(x: Array) -> Array:
            a = self.a.copy()
            a[self.kept] = x
            return self.builtin.analytic(a, self.T, self._extra())[self.kept]

        return Point(function, claimed, self.at, self.builtin.name, is_scalar=True)

    def formula(self, x: Array) -> Array:
        """Return the plain formula's values for logits x."""
        return self.builtin.function(x, self.T, self.drawn)

    def _extra(self) -> Array:
        extra = np.zeros(self.a.size)
        extra[self.kept] = self.drawn
        return extra

    def _reference(
        self, formula: Callable[[Array], Array], at: Array, settings: Settings
    ) -> Reference:
        rtol = 1e-6 if settings.rtol is None else settings.rtol
        return reference_jacobian(formula, at, settings.method, settings.step, rtol=rtol)

    def _pair(
        self, analytic: Array, reference: Array, error: Array, found: Reference, settings: Settings
    ) -> DerivativePair:
        return DerivativePair(
            analytic,
            reference,
            error,
            zero=4 * self.rounding,
            indistinct=indistinct_from_zero(settings.method, found.noise, found.step),
            step=found.step,
            floor=4 * self.rounding,
            wrong=wrong_matrices(reference),
        )
