"""The library function `gradcheck`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from softmax_cli.core.exact.arrays import checked_temperature, floating
from softmax_cli.core.gradcheck.builtins import BUILTINS, Of, check_builtin
from softmax_cli.core.gradcheck.comparison import check_tolerances
from softmax_cli.core.gradcheck.derivative_pairs import Settings
from softmax_cli.core.gradcheck.function_checks import UserFunction, check_function
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Report
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

DTYPES = ("float16", "float32", "float64")


def gradcheck(
    function: UserFunction | None = None,
    gradient: UserFunction | None = None,
    at: ArrayLike | None = None,
    *,
    of: Of | None = None,
    temperature: float = 1.0,
    method: Method | None = None,
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    dtype: str | None = None,
    points: int | None = None,
    seed: int = 0,
    worst: int = 3,
    name: str | None = None,
) -> Report:
    """Compare analytic derivatives with independent numerical ones.

        |analytic - reference| <= atol + rtol max(|analytic|, |reference|)

    Without a function, the built-in derivatives are checked at seeded points or at the rows of
    `at`. Their reference is a plain formula, differentiated by a complex step
    (Squire and Trapp 1998).

    function     takes (inputs,) and returns a number or (outputs,)
    gradient     takes (inputs,) and returns the gradient (inputs,) or the Jacobian
                 (outputs, inputs); if None, the function returns (value, gradient)
    at           (inputs,) or (points, inputs): where to compare
    of           "softmax", "log-softmax" or "xent": check only these built-in derivatives
    temperature  of the built-in derivatives
    method       "central" (default for a function; extrapolated where needed), "richardson", or
                 "complex" (default for built-in derivatives) if it accepts complex numbers
    step         relative to max(1, |x|); the default depends on the method
    rtol, atol   tolerances; the defaults depend on the dtype and on each point's derivatives
    dtype        of the points; by default float64, or float32 if the function accepts only that
    points       number of random points: for the built-in derivatives 8 by default, without `at`;
                 for a function, points to add around those of `at`
    seed         of the random points, and of the vectors in products
    worst        how many of the worst entries to keep
    name         of the function in the report
    returns      a Report with a verdict: "pass", "fail", "inconclusive" (the reference is not
                 accurate enough) or "vacuous" (the derivative is zero to within rounding, where a
                 wrong one would agree too); `report.raise_on_failure()` is for tests
    raises       ShapeError if a gradient does not have the shape of its reference; DomainError
                 for a setting out of range; any error of the function

    >>> gradcheck().verdict
    'pass'
    >>> gradcheck(lambda x: x**3, lambda x: 2 * x**2, at=[2.0]).verdict
    'fail'
    """
    T = checked_temperature(temperature)
    choices = {"of": (of, get_args(Of)), "method": (method, (*STEPS,)), "dtype": (dtype, DTYPES)}
    for setting, (choice, known) in choices.items():
        if choice not in (None, *known):
            raise DomainError(f"{setting} is {choice!r}", f"give one of {', '.join(known)}")
    for setting, number, least in (("points", points, 1), ("worst", worst, 0), ("seed", seed, 0)):
        if number is not None and number < least:
            raise DomainError(f"{setting} is {number}", f"give {least} or more")
    check_tolerances(rtol, atol)
    rows = None if at is None else np.atleast_2d(floating(at, "the points")).astype(np.float64)
    if rows is not None and rows.ndim != 2:
        raise ShapeError(f"points of shape {rows.shape}", "give a vector, or one per row")
    method = method or ("complex" if function is None else "central")
    settings = Settings(method, step, rtol, atol, worst)
    rng = np.random.default_rng(seed)
    if function is None:
        # Drawn points have 2 to 10 classes, and are neither uniform nor saturated.
        sizes = [2 + number % 9 for number in range(points or 8)]
        drawn = [2 * rng.standard_normal(size) for size in sizes] if rows is None else list(rows)
        checks = [
            check
            for builtin in BUILTINS
            if of is None or builtin.of == of
            for check in check_builtin(builtin, drawn, rng, T, dtype or "float64", settings)
        ]
        place = f"{len(drawn)} seeded point{'s' * (len(drawn) != 1)}"
        if rows is not None:
            place = "your point" if len(drawn) == 1 else f"your {len(drawn)} points"
        about = f"built-in derivatives, at {place}"
        return Report(seed, [replace(each, subject="built-in", about=about) for each in checks])
    if rows is None or not rows.shape[1]:
        raise DomainError("no point to check the function at", "give `at`")
    if points is not None and len(rows):
        near = rows[np.arange(points) % len(rows)]
        around = rng.standard_normal(near.shape) * np.maximum(1, np.abs(near)) / 2
        rows = np.concatenate([rows, near + around])
    label = name or str(getattr(function, "__name__", "function"))
    return Report(seed, check_function(function, gradient, rows, rng, label, dtype, settings))
