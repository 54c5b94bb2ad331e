"""Checks of the gradient or Jacobian of a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from softmax_cli.core.gradcheck.derivative_pairs import DerivativePair, Settings, check_pairs
from softmax_cli.core.gradcheck.diagnosis import Diagnosis, common_factors, factors_of
from softmax_cli.core.gradcheck.numerical.noise import Array, FloatType
from softmax_cli.core.gradcheck.point import LARGE, Point, check_parts
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UserFunction: TypeAlias = "Callable[[NDArray[Any]], Any]"


@np.errstate(all="ignore")
def check_function(
    function: UserFunction,
    gradient: UserFunction | None,
    rows: NDArray[np.float64],
    rng: np.random.Generator,
    name: str,
    dtype: str | None,
    settings: Settings,
) -> list[Check]:
    """Compare the gradient of a user's function with differences of the function."""
    # A step may leave the function's domain; its values show this, so no warning is needed.
    accepted: FloatType = np.dtype(dtype or np.float64).type
    if dtype is None and len(rows):
        accepted = _accepted_dtype(function, rows[0])

    def value(x: Array) -> Array:
        result = function(x)
        result = _value_and_gradient(result)[0] if gradient is None else result
        # Complex values are accepted only for complex steps.
        return _numbers(result, name, kinds="fiubc" if x.dtype.kind == "c" else "fiub")

    def claimed(x: Array) -> Array:
        x = x.astype(accepted)
        result = _value_and_gradient(function(x))[1] if gradient is None else gradient(x)
        return _numbers(result, f"the gradient of {name}")

    def point(row: NDArray[np.float64]) -> Point:
        at, inputs = row.astype(accepted), row.size
        at_row, shape = value(at), claimed(at).shape
        expected: tuple[int, ...] = (at_row.size, inputs) if at_row.ndim else (inputs,)
        if shape != expected and not (at_row.size == 1 and shape == (inputs,)):
            problem = f"the gradient of {name} has the shape {shape}"
            raise ShapeError(problem, f"the derivative at this point has the shape {expected}")
        return Point(value, claimed, at.astype(np.float64), not at_row.ndim, accepted)

    def check(pairs: list[DerivativePair], part: str = "") -> Check:
        eps = max((pair.eps for pair in pairs), default=0.0)
        dtypes = ("float64", "float32", "float16")
        dtype = next((one for one in dtypes if np.finfo(one).eps >= eps), dtypes[-1])
        inputs = pairs[0].analytic.shape[-1] if pairs else 1
        factors = common_factors(len(pairs)) | factors_of(inputs, "inputs")
        return check_pairs(name + part, pairs, dtype, settings, Diagnosis(factors, "entries"))

    points = [point(row) for row in rows]
    if rows.shape[1] > LARGE:
        checks = check_parts(points, rng, settings, check)
    else:
        checks = [check([point.pair(settings) for point in points])]
    file, line = _source(gradient or function)
    return [replace(check, subject="function", file=file, line=line) for check in checks]


def _accepted_dtype(function: UserFunction, x: NDArray[np.float64]) -> FloatType:
    """Return float32 if the function accepts only those points, else float64."""
    try:
        function(x.copy())
    except Exception:
        # Each framework raises an error of its own for the wrong dtype.
        with suppress(Exception):
            function(x.astype(np.float32))
            return np.float32
        raise
    return np.float64


def _source(function: UserFunction) -> tuple[str | None, int | None]:
    """Return the file and line of a function's source code, or None for each."""
    try:
        code = inspect.unwrap(function)
        return inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
    except (TypeError, OSError):
        return None, None


def _value_and_gradient(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        remedy = "without a gradient it must return (value, gradient)"
        raise ShapeError("the function does not return a pair", remedy)
    return returned


def _numbers(value: Any, name: str, kinds: str = "fiub") -> Array:
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    remedy = "it must return real numbers"
    if isinstance(value, tuple):
        remedy += "; if it returns (value, gradient), give no other gradient"
    try:
        # A copy: a function may return the same buffer each time.
        array = np.array(value)
    except Exception as error:
        # Ragged lists, and objects whose conversion fails.
        raise DomainError(f"{name} did not return an array: {error}", remedy) from error
    if array.dtype.kind not in kinds:
        shown = "nothing" if value is None else f"an object of type {type(value).__name__}"
        raise DomainError(f"{name} returned {shown}", remedy)
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
