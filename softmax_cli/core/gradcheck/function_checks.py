"""Checks of a function that somebody wrote, and of their gradient or Jacobian of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.point import LARGE, Point
from softmax_cli.core.gradcheck.report import Check
from softmax_cli.core.gradcheck.tolerances import (
    Settings,
    common_factors,
    compared,
    factors_of,
    renumbered,
)
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
    """Compare a function's gradient with differences of the function at some points.

    Of many inputs, the derivative is compared along directions that together move all of them,
    and in a sample of its entries: neither decides alone.
    """
    user = _User(function, gradient, name, np.dtype(dtype or np.float64).type)
    # A step may leave the function's domain: what it then returns is seen, and needs no warning.
    with np.errstate(all="ignore"):
        if dtype is None and len(rows):
            user = user.taking(rows[0])
        points = [user.at(row) for row in rows]
        if rows.shape[1] <= LARGE:
            checks = [_check(name, points, settings)]
        else:
            along = [point.along(rng) for point in points]
            samples = [point.at_entries(rng) for point in points]
            sample = _check(f"{name} (entries)", [point for point, _ in samples], settings)
            checks = [
                _check(f"{name} (directions)", along, settings),
                renumbered(sample, [columns for _, columns in samples]),
            ]
    file, line = user.source()
    return [replace(check, subject="function", file=file, line=line) for check in checks]


def _check(name: str, points: list[Point], settings: Settings) -> Check:
    found = [point.compared(settings) for point in points]
    eps = max((one.eps for one in found), default=0.0)
    dtypes = [np.dtype(one) for one in ("float64", "float32", "float16")]
    dtype = next((one for one in dtypes if np.finfo(one).eps >= eps), dtypes[-1])
    inputs = points[0].at.size if points else 1
    factors = common_factors(len(points)) | factors_of(inputs, "inputs")
    pairs = [one.pair for one in found]
    return compared(name, pairs, dtype.name, settings, Diagnosis(factors, "entries"))


@dataclass(frozen=True)
class _User:
    """What was given: a function and its gradient, or a function that returns both."""

    function: UserFunction
    gradient: UserFunction | None
    name: str
    dtype: type[np.floating[Any]]

    def taking(self, x: Array) -> _User:
        """Return what takes points in single precision if the function takes no others."""
        try:
            self.function(x.copy())
        except Exception:
            # A function compiled for one type says so in a way of its own.
            with suppress(Exception):
                self.function(x.astype(np.float32))
                return replace(self, dtype=np.float32)
            raise
        return self

    def at(self, row: NDArray[np.float64]) -> Point:
        """Return what is compared at a point."""
        at = row.astype(self.dtype).astype(np.float64)
        value = self._value(at.astype(self.dtype))
        return Point(self._values, self._claimed, at, self.name, value.ndim == 0, self.dtype)

    def source(self) -> tuple[str | None, int | None]:
        """Return the file and the line where the gradient is written, if that is known."""
        try:
            code = inspect.unwrap(self.gradient or self.function)
            return inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
        except (TypeError, OSError):
            return None, None

    def _value(self, x: Array) -> Array:
        value = self.function(x)
        if self.gradient is None:
            value = _value_and_gradient(value)[0]
        # Complex numbers are for complex steps alone.
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
            "the function returns no pair", "without a gradient it must return (value, gradient)"
        )
    return returned


def _numbers(value: Any, name: str, kinds: str = "fiub") -> NDArray[Any]:
    # A copy: a function may return the same buffer each time.
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    remedy = "it must return real numbers"
    if isinstance(value, tuple):
        remedy += "; a pair (value, gradient) wants no gradient beside it"
    try:
        array = np.array(value)
    except Exception as error:
        # Ragged lists, and whatever an object's own conversion raises.
        problem = f"{name} returned what is no array: {error}"
        raise DomainError(problem, remedy) from error
    if array.dtype.kind not in kinds:
        shown = "nothing" if value is None else f"an object of type {type(value).__name__}"
        raise DomainError(f"{name} returned {shown}", remedy)
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
