"""The built-in derivatives as data: each with a plain formula that knows nothing of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.loss.cross_entropy import cross_entropy_gradient
from softmax_cli.core.softmax.jacobian import (
    log_softmax_jacobian,
    log_softmax_jacobian_lines,
    log_softmax_jvp,
    log_softmax_vjp,
    softmax_jacobian,
    softmax_jacobian_lines,
    softmax_jvp,
    softmax_vjp,
)

Array = NDArray[Any]
Of = Literal["softmax", "log-softmax", "xent"]


@dataclass(frozen=True)
class Builtin:
    """One derivative that this package offers.

    of        the function that it belongs to
    function  the formula to differentiate: (logits, T, extra) -> (outputs,), real or complex
    analytic  what is checked: (logits, T, extra) -> array
    combine   what the analytic derivative should be: (Jacobian of the formula, extra) -> array
    draw      a label, targets or a vector: (generator, classes) -> extra
    masked_outputs  whether the result for a masked class has a derivative, which is then 0
    lines     what writes some lines of the derivative, if it is a matrix
    """

    name: str
    of: Of
    function: Callable[[Array, float, Array], Array]
    analytic: Callable[[Array, float, Array], Array]
    combine: Callable[[Array, Array], Array]
    draw: Callable[[np.random.Generator, int], Array]
    masked_outputs: bool = True
    lines: Callable[..., None] | None = None

    @property
    def is_product(self) -> bool:
        """Whether it is the Jacobian times a vector, the derivative along it."""
        return self.combine is _jacobian_times


def builtin_points(rng: np.random.Generator, count: int) -> list[NDArray[np.float64]]:
    """Return points of 2 to 10 classes, far enough from uniform and from saturated rows."""
    return [2 * rng.standard_normal(2 + number % 9) for number in range(count)]


def _shifted(a: Array, T: float) -> Array:
    """Return (a - max a) / T, real and imaginary part apart: an infinite part stays alone."""
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
    logs = _log_softmax(a, T, Y)
    loss: Array = -(Y * np.where(Y == 0, 0, logs)).sum()[None]
    return loss


def _jacobian(J: Array, _: Array) -> Array:
    return J


def _jacobian_times(J: Array, v: Array) -> Array:
    product: Array = J @ v
    return product


def _times_jacobian(J: Array, v: Array) -> Array:
    product: Array = v @ J
    return product


def _gradient(J: Array, _: Array) -> Array:
    row: Array = J[0]
    return row


# Never all ones: a vector of ones times the Jacobian of softmax is 0, and so is a wrong product.
def _vector(rng: np.random.Generator, classes: int) -> Array:
    return rng.standard_normal(classes)


def _one_hot(rng: np.random.Generator, classes: int) -> Array:
    row = np.zeros(classes)
    row[rng.integers(classes)] = 1
    return row


def _soft_targets(rng: np.random.Generator, classes: int) -> Array:
    return rng.dirichlet(np.ones(classes))


def _label_gradient(a: Array, T: float, Y: Array) -> Array:
    return cross_entropy_gradient(a, np.asarray(Y.argmax()), temperature=T, reduction="sum")


def _targets_gradient(a: Array, T: float, Y: Array) -> Array:
    return cross_entropy_gradient(a, Y, temperature=T, reduction="sum")


BUILTINS = (
    Builtin(
        "softmax jacobian",
        "softmax",
        _softmax,
        lambda a, T, _: softmax_jacobian(a, temperature=T),
        _jacobian,
        _vector,
        lines=softmax_jacobian_lines,
    ),
    Builtin(
        "softmax jvp",
        "softmax",
        _softmax,
        lambda a, T, v: softmax_jvp(a, v, temperature=T),
        _jacobian_times,
        _vector,
    ),
    Builtin(
        "softmax vjp",
        "softmax",
        _softmax,
        lambda a, T, v: softmax_vjp(a, v, temperature=T),
        _times_jacobian,
        _vector,
    ),
    Builtin(
        "log-softmax jacobian",
        "log-softmax",
        _log_softmax,
        lambda a, T, _: log_softmax_jacobian(a, temperature=T),
        _jacobian,
        _vector,
        masked_outputs=False,
        lines=log_softmax_jacobian_lines,
    ),
    Builtin(
        "log-softmax jvp",
        "log-softmax",
        _log_softmax,
        lambda a, T, v: log_softmax_jvp(a, v, temperature=T),
        _jacobian_times,
        _vector,
        masked_outputs=False,
    ),
    Builtin(
        "log-softmax vjp",
        "log-softmax",
        _log_softmax,
        lambda a, T, v: log_softmax_vjp(a, v, temperature=T),
        _times_jacobian,
        _vector,
    ),
    Builtin("xent gradient (labels)", "xent", _loss, _label_gradient, _gradient, _one_hot),
    Builtin("xent gradient (targets)", "xent", _loss, _targets_gradient, _gradient, _soft_targets),
)
