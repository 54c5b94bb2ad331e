"""The built-in derivatives as data, each with a plain formula that does not use the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import matmul
from typing import Literal

import numpy as np

from softmax_cli.core.gradcheck.numerical.noise import Array
from softmax_cli.core.loss.cross_entropy import cross_entropy_gradient
from softmax_cli.core.softmax import jacobian as jacobians

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
    draw: Callable[[np.random.Generator, int], Array]
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
    S: Array = exponentials / exponentials.sum()
    return S


def _log_softmax(a: Array, T: float, _: Array) -> Array:
    shifted = _shifted(a, T)
    log_S: Array = shifted - np.log(np.exp(shifted).sum())
    return log_S


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
    vector = np.random.Generator.standard_normal
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
