"""Checks of the gradient or Jacobian of a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.derivative_pairs import Settings, check_pairs
from softmax_cli.core.gradcheck.diagnosis import Diagnosis, common_factors, factors_of
from softmax_cli.core.gradcheck.point import LARGE, Point, check_parts
from softmax_cli.core.gradcheck.report import Check, Origin
from softmax_cli.errors import DomainError, ShapeError

Array = NDArray[Any]
UserFunction = Callable[[NDArray[Any]], Any]


def check_function(
    function: UserFunction,
    gradient: UserFunction | None,
    rows: NDArray[np.float64],
    rng: np.random.Generator,
    name: str,
    dtype: str | None,
    settings: Settings,
) -> list[Check]:
    """Compare the gradient of a user's function with differences of the function.

    With many inputs, the derivative is compared along directions that cover all of them, and in
    a sample of its entries.
    """
    user = _User(function, gradient, name, np.dtype(dtype or np.float64).type)
    # A step may leave the function's domain; its values show this, so no warning is needed.
    with np.errstate(all="ignore"):
        if dtype is None and len(rows):
            user = user.in_accepted_dtype(rows[0])
        points = [user.at(row) for row in rows]

        def check(points: list[Point], part: str = "") -> Check:
            found = [point.pair(settings) for point in points]
            eps = max((eps for _, eps in found), default=0.0)
            dtypes = ("float64", "float32", "float16")
            dtype = next((one for one in dtypes if np.finfo(one).eps >= eps), dtypes[-1])
            inputs = points[0].at.size if points else 1
            factors = common_factors(len(points)) | factors_of(inputs, "inputs")
            pairs = [pair for pair, _ in found]
            return check_pairs(name + part, pairs, dtype, settings, Diagnosis(factors, "entries"))

        is_large = rows.shape[1] > LARGE
        checks = check_parts(points, rng, check) if is_large else [check(points)]
    file, line = user.source()
    origin = Origin("function", file=file, line=line)
    return [replace(check, origin=origin) for check in checks]


@dataclass(frozen=True)
class _User:
    """A user's function and its gradient, or a function that returns both."""

    function: UserFunction
    gradient: UserFunction | None
    name: str
    dtype: type[np.floating[Any]]

    def in_accepted_dtype(self, x: Array) -> _User:
        """Return the function with float32 points if it accepts only those."""
        try:
            self.function(x.copy())
        except Exception:
            # Each framework raises an error of its own for the wrong dtype.
            with suppress(Exception):
                self.function(x.astype(np.float32))
                return replace(self, dtype=np.float32)
            raise
        return self

    def at(self, row: NDArray[np.float64]) -> Point:
        at = row.astype(self.dtype).astype(np.float64)
        value = self._value(at.astype(self.dtype))
        return Point(self._values, self._claimed, at, self.name, value.ndim == 0, self.dtype)

    def source(self) -> tuple[str | None, int | None]:
        """Return the file and line of the gradient's source code, or None for each."""
        try:
            code = inspect.unwrap(self.gradient or self.function)
            return inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
        except (TypeError, OSError):
            return None, None

    def _value(self, x: Array) -> Array:
        value = self.function(x)
        if self.gradient is None:
            value = _value_and_gradient(value)[0]
        # Complex values are accepted only for complex steps.
        return _numbers(value, self.name, kinds="fiubc" if x.dtype.kind == "c" else "fiub")

    def _values(self, x: Array) -> Array:
        return np.atleast_1d(self._value(x)).ravel()

    def _claimed(self, x: Array) -> Array:
        x = x.astype(self.dtype)
        claimed = (
            _value_and_gradient(self.function(x))[1] if self.gradient is None else self.gradient(x)
        )
        return _numbers(claimed, f"the gradient of {self.name}")


def _value_and_gradient(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ShapeError(
            "the function does not return a pair",
            "without a gradient it must return (value, gradient)",
        )
    return returned


def _numbers(value: Any, name: str, kinds: str = "fiub") -> NDArray[Any]:
    # A copy: a function may return the same buffer each time.
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    remedy = "it must return real numbers"
    if isinstance(value, tuple):
        remedy += "; if it returns (value, gradient), give no other gradient"
    try:
        array = np.array(value)
    except Exception as error:
        # Ragged lists, and objects whose conversion fails.
        raise DomainError(f"{name} did not return an array: {error}", remedy) from error
    if array.dtype.kind not in kinds:
        shown = "nothing" if value is None else f"an object of type {type(value).__name__}"
        raise DomainError(f"{name} returned {shown}", remedy)
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
