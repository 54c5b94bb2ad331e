"""Checks of the built-in derivatives, against formulas that know nothing of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.core.gradcheck.builtins import Builtin
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.differences import EPS
from softmax_cli.core.gradcheck.numerical.noise import Noise
from softmax_cli.core.gradcheck.numerical.reference import Reference, reference_jacobian
from softmax_cli.core.gradcheck.point import LARGE, Point, some_inputs
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.core.gradcheck.tolerances import (
    Pair,
    Settings,
    common_factors,
    compared,
    factors_of,
    lost,
    renumbered,
    wrong_matrices,
)
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError

Array = NDArray[Any]


# So many entries of a Jacobian are held at a time where a sample of its columns is wanted.
_AT_ONCE = 1 << 22


def check_builtin(
    builtin: Builtin,
    points: list[NDArray[np.float64]],
    rng: np.random.Generator,
    T: float,
    dtype: str,
    settings: Settings,
) -> list[Check]:
    """Compare one derivative with the differentiated formula at all points.

    Of many classes, gradients are compared along directions and in a sample of their entries:
    neither decides alone. Of a Jacobian a sample of its columns is compared.
    """
    rows = [_Row.of(builtin, point.astype(dtype), rng, T) for point in points]
    classes = len(points[0]) if len({len(point) for point in points}) == 1 else 1
    factors = common_factors(len(points), T) | factors_of(classes, "classes")

    def check(pairs: list[Pair], part: str = "") -> Check:
        return compared(f"{builtin.name}{part}", pairs, dtype, settings, Diagnosis(factors))

    if classes <= LARGE:
        return [check([row.whole(settings) for row in rows])]
    if builtin.is_product:
        return [check([row.along_vector(settings) for row in rows])]
    if builtin.lines is not None:
        columns = [some_inputs(row.at.size, softmax(row.at), rng) for row in rows]
        pairs = [row.some_columns(own, settings) for row, own in zip(rows, columns, strict=True)]
        return [renumbered(check(pairs, " (columns)"), columns)]

    def pairs_of(scalars: list[Point]) -> list[Pair]:
        found = [point.compared(settings).pair for point in scalars]
        return [
            replace(pair, floor=4 * row.rounding) for pair, row in zip(found, rows, strict=True)
        ]

    along = pairs_of([row.scalar().along(rng) for row in rows])
    samples = [row.scalar().at_entries(rng) for row in rows]
    entries = check(pairs_of([point for point, _ in samples]), " (entries)")
    return [check(along, " (directions)"), renumbered(entries, [own for _, own in samples])]


@dataclass(frozen=True)
class _Row:
    """A built-in derivative at one row of logits.

    The formula is taken over the classes that are not masked. What a masked logit would change is
    0, but for its own log-probability, which has no derivative.

    a      (classes,) the logits
    kept   which of them are not masked
    drawn  the label, targets or vector for these
    """

    builtin: Builtin
    a: Array
    kept: NDArray[np.intp]
    drawn: Array
    T: float

    @classmethod
    def of(cls, builtin: Builtin, a: Array, rng: np.random.Generator, T: float) -> _Row:
        """Draw what belongs to the row."""
        if has_no_softmax(a):
            problem = "a point has no softmax"
            raise DomainError(problem, "it holds a NaN, a +inf, or nothing but -inf")
        kept = np.flatnonzero(np.isfinite(a))
        return cls(builtin, a, kept, builtin.draw(rng, kept.size), T)

    @property
    def rounding(self) -> float:
        """That of what is 1, or 1 / T, in the formula, and of the numbers that the dtype has."""
        return EPS / self.T + float(np.finfo(self.a.dtype).smallest_subnormal)

    @property
    def at(self) -> NDArray[np.float64]:
        """The point of the formula."""
        return self.a[self.kept].astype(np.float64)

    def whole(self, settings: Settings) -> Pair:
        """Compare all of it, the masked classes too."""
        builtin, size, kept = self.builtin, self.a.size, self.kept
        found, found_error, noise, step = self._reference(self.formula, self.at, settings)
        J, error = np.zeros((size, size)), np.zeros((size, size))
        outputs = kept if len(found) > 1 or kept.size == 1 else np.array([0])
        J[np.ix_(outputs, kept)] = found
        error[np.ix_(outputs, kept)] = found_error
        extra = self._extra()
        analytic = np.asarray(builtin.analytic(self.a, self.T, extra))
        reference, error = builtin.combine(J, extra), builtin.combine(error, np.abs(extra))
        if not builtin.masked_outputs:
            analytic, reference, error = analytic[kept], reference[kept], error[kept]
        return self._pair(analytic, reference, error, noise, step, settings)

    def along_vector(self, settings: Settings) -> Pair:
        """Compare a product with the derivative along its vector, which is all of it."""

        def moved(t: Array) -> Array:
            return self.formula(self.at + self.drawn * t)

        J, error, noise, step = self._reference(moved, np.zeros(1), settings)
        analytic = self.builtin.analytic(self.a, self.T, self._extra())[self.kept]
        return self._pair(analytic, J[:, 0], error[:, 0], noise, step, settings)

    def some_columns(self, columns: NDArray[np.intp], settings: Settings) -> Pair:
        """Compare columns of a Jacobian, which is never held as a whole."""
        at = self.at

        def formula(x: Array) -> Array:
            point = at.astype(np.promote_types(x.dtype, np.float64))
            point[columns] = x
            return self.formula(point)

        J, error, noise, step = self._reference(formula, at[columns], settings)
        N = self.a.size
        analytic = np.empty((N, columns.size), self.a.dtype)
        some = max(1, _AT_ONCE // N)
        for start in range(0, N, some):
            stop = min(N, start + some)
            lines = np.empty((1, stop - start, N), self.a.dtype)
            self.builtin.lines(self.a[None], start, stop, temperature=self.T, out=lines)  # type: ignore[misc]
            analytic[start:stop] = lines[0][:, self.kept[columns]]
        return self._pair(analytic[self.kept], J, error, noise, step, settings)

    def scalar(self) -> Point:
        """Return a gradient as that of a scalar function: the loss, or v times the result."""
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
        """Return what is differentiated."""
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
        self,
        analytic: Array,
        reference: Array,
        error: Array,
        noise: Noise,
        step: float,
        settings: Settings,
    ) -> Pair:
        rounding = self.rounding
        wrong = wrong_matrices(reference)
        return Pair(
            analytic,
            reference,
            error,
            4 * rounding,
            lost(settings.method, noise, step),
            step,
            floor=4 * rounding,
            wrong=wrong,
        )
