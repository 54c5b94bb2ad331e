"""Which kernel computes: the compiled one where there is one, else NumPy."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

from softmax_cli.errors import UsageError

_VARIABLE = "SOFTMAX_CLI_KERNELS"


@cache
def compiled() -> ModuleType | None:
    """Return the compiled kernel, or None where NumPy computes.

    Raises UsageError if SOFTMAX_CLI_KERNELS asks for a kernel that this installation lacks.
    """
    wanted = os.environ.get(_VARIABLE, "")
    if wanted not in ("", "numpy", "compiled"):
        problem = f"there is no kernel {wanted!r}"
        raise UsageError(problem, "give numpy or compiled, or unset it", _VARIABLE)
    if wanted == "numpy":
        return None
    try:
        return import_module("softmax_cli.core.kernel._kernel")
    except ImportError as error:
        if wanted == "compiled":
            raise _missing(error) from error
        return None


def _missing(error: ImportError) -> UsageError:
    from sysconfig import get_config_var

    if get_config_var("Py_GIL_DISABLED"):
        problem = "a free-threaded Python has no compiled kernel"
        return UsageError(problem, "use another Python, or unset it for NumPy", _VARIABLE)
    problem = "this installation has no compiled kernel"
    if not isinstance(error, ModuleNotFoundError):
        problem = f"the compiled kernel cannot be loaded: {error}"
    remedy = "install it again where a C compiler is at hand, or unset it for NumPy"
    return UsageError(problem, remedy, _VARIABLE)


def name() -> str:
    """Return what computes, as `--version` shows it."""
    return "NumPy" if compiled() is None else "compiled kernel"


def instructions() -> str:
    """Return the instruction set that the compiled kernel uses here; empty if it does not say."""
    return str(getattr(compiled(), "INSTRUCTIONS", ""))
