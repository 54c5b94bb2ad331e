"""The built-in derivatives, and their checks against plain formulas that do not use the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import matmul
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import Generator

from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.core.gradcheck import diagnosis
from softmax_cli.core.gradcheck.comparison import tolerance
from softmax_cli.core.gradcheck.derivative_pairs import DerivativePair, Settings, check_pairs
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.numerical.noise import EPS, Array, Function
from softmax_cli.core.gradcheck.numerical.reference import reference_jacobian
from softmax_cli.core.gradcheck.point import LARGE, Point, check_parts, input_sample, with_inputs
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.core.loss.cross_entropy import cross_entropy_gradient
from softmax_cli.core.softmax import jacobian as jacobians
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# At most this many entries of a Jacobian are in memory when some of its columns are compared.
_AT_ONCE = 1 << 22
Of = Literal["softmax", "log-softmax", "xent"]
# Takes (logits, T, extra).
Formula = Callable[[Array, float, Array], Array]


@dataclass(frozen=True)
class Builtin:
    """A derivative that this package offers.

    of        the function that is differentiated
    function  its plain formula: (logits, T, extra) -> (outputs,), real or complex
    analytic  the derivative to check: (logits, T, extra) -> array
    combine   the expected derivative: (Jacobian of the formula, extra) -> array
    draw      draws a label, targets or a vector: (generator, classes) -> extra
    masked_outputs  whether the derivative of a masked class's output is 0; otherwise it has none
    lines     writes some lines of a Jacobian
    """

    name: str
    of: Of
    function: Formula
    analytic: Formula
    combine: Callable[[Array, Array], Array]
    draw: Callable[[Generator, int], Array]
    masked_outputs: bool = True
    lines: Callable[..., None] | None = None


def _shifted(a: Array, T: float) -> Array:
    """Return (a - max a) / T; an infinite real part does not make the imaginary part NaN."""
    with np.errstate(over="ignore"):
        real: Array = (a.real - a.real.max()) / T
    if a.dtype.kind != "c":
        return real
    shifted = np.empty_like(a)
    shifted.real, shifted.imag = real, a.imag / T
    return shifted


def _softmax(a: Array, T: float, _: Array) -> Array:
    exponentials = np.exp(_shifted(a, T))
    return np.asarray(exponentials / exponentials.sum())


def _log_softmax(a: Array, T: float, _: Array) -> Array:
    shifted = _shifted(a, T)
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def _loss(a: Array, T: float, Y: Array) -> Array:
    terms = Y * np.where(Y == 0, 0, _log_softmax(a, T, Y))
    return -np.atleast_1d(terms.sum())


def _gradient(a: Array, T: float, targets: Array) -> Array:
    return cross_entropy_gradient(a, targets, temperature=T, reduction="sum")


def _family(of: Of, formula: Formula) -> tuple[Builtin, ...]:
    """Return the Jacobian and the two products of a function, by their names in core.softmax."""
    jacobian, lines, jvp, vjp = (
        getattr(jacobians, f"{of.replace('-', '_')}_{name}")
        for name in ("jacobian", "jacobian_lines", "jvp", "vjp")
    )

    def whole(a: Array, T: float, _: Array) -> Array:
        return np.asarray(jacobian(a, temperature=T))

    def product(by: Callable[..., Array]) -> Formula:
        return lambda a, T, v: by(a, v, temperature=T)

    # Not all ones: their product with the Jacobian of softmax is 0, and so are wrong products.
    vector = Generator.standard_normal
    # A masked class has the constant probability 0, whose logarithm has no derivative.
    masked = of == "softmax"
    return (
        Builtin(f"{of} jacobian", of, formula, whole, lambda J, _: J, vector, masked, lines),
        Builtin(f"{of} jvp", of, formula, product(jvp), matmul, vector, masked),
        Builtin(f"{of} vjp", of, formula, product(vjp), lambda J, v: v @ J, vector),
    )


BUILTINS = (
    *_family("softmax", _softmax),
    *_family("log-softmax", _log_softmax),
    Builtin(
        "xent gradient (labels)",
        "xent",
        _loss,
        lambda a, T, Y: _gradient(a, T, np.asarray(Y.argmax())),
        lambda J, _: J[0],
        lambda rng, classes: (np.arange(classes) == rng.integers(classes)).astype(np.float64),
    ),
    Builtin(
        "xent gradient (targets)",
        "xent",
        _loss,
        _gradient,
        lambda J, _: J[0],
        lambda rng, classes: rng.dirichlet(np.ones(classes)),
    ),
)


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
    """A built-in derivative at one row of logits; the formula takes the classes not masked.

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
        """Compare columns of a Jacobian; only some of its lines are in memory at once."""
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
