"""Softmax, its Jacobian, cross-entropy and gradient checks: arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softmax_cli.core.gradcheck.gradcheck import gradcheck
    from softmax_cli.core.loss.cross_entropy import cross_entropy, cross_entropy_gradient
    from softmax_cli.core.loss.distributions import distribution_cross_entropy
    from softmax_cli.core.softmax.jacobian import (
        log_softmax_jacobian,
        log_softmax_jvp,
        log_softmax_vjp,
        softmax_jacobian,
        softmax_jvp,
        softmax_vjp,
    )
    from softmax_cli.core.softmax.softmax import log_softmax, logsumexp, softmax

__version__ = "0.1.0"

__all__ = [
    "cross_entropy",
    "cross_entropy_gradient",
    "distribution_cross_entropy",
    "gradcheck",
    "log_softmax",
    "log_softmax_jacobian",
    "log_softmax_jvp",
    "log_softmax_vjp",
    "logsumexp",
    "softmax",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
]

_MODULES = (
    "softmax.softmax",
    "softmax.jacobian",
    "loss.cross_entropy",
    "loss.distributions",
    "gradcheck.gradcheck",
)


def __getattr__(name: str) -> Any:
    """Load a function on first use: the program starts without NumPy."""
    if name in __all__:
        from importlib import import_module

        for module in _MODULES:
            functions = vars(import_module(f"softmax_cli.core.{module}"))
            if name in functions and functions[name].__module__ == f"softmax_cli.core.{module}":
                globals()[name] = functions[name]
                return functions[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
