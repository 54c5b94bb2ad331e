"""Checking gradients: the built-in ones, and those of any function, against a reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from softmax_cli.core.exact.arrays import checked_temperature, floating
from softmax_cli.core.gradcheck.builtin_checks import check_builtin
from softmax_cli.core.gradcheck.builtins import BUILTINS, Of, builtin_points
from softmax_cli.core.gradcheck.comparison import check_tolerances
from softmax_cli.core.gradcheck.function_checks import UserFunction, check_function
from softmax_cli.core.gradcheck.numerical.reference import STEPS, Method
from softmax_cli.core.gradcheck.report import Report, about_builtins
from softmax_cli.core.gradcheck.tolerances import Settings
from softmax_cli.errors import DomainError, ShapeError

DEFAULT_POINTS = 8
DEFAULT_WORST = 3
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
    worst: int = DEFAULT_WORST,
    name: str | None = None,
) -> Report:
    """Compare analytic derivatives with independent references; say whether they agree.

        |analytic - reference| <= atol + rtol max(|analytic|, |reference|)

    Without a function the built-in derivatives are checked: at seeded points, or at the rows of
    `at`. The reference is then a plain formula of its own, differentiated by a complex step.

    function     takes (inputs,) and returns a number or (outputs,)
    gradient     takes (inputs,) and returns the gradient (inputs,) or the Jacobian
                 (outputs, inputs); without it, the function returns (value, gradient)
    at           (inputs,) or (points, inputs): where to compare
    of           check these built-in derivatives alone
    temperature  of the built-in derivatives
    method       "central" (the default for a function; where a difference is not known well
                 enough, it is extrapolated), "richardson", or "complex" (the default for the
                 built-in ones) for functions that take complex numbers
    step         relative to max(1, |x|); the default depends on the method
    rtol, atol   tolerances; the defaults depend on dtype and on the largest derivative of a point
    dtype        of the points that a function is given, and of the built-in derivatives; by
                 default float64, and float32 for a function that takes nothing else
    points       how many points are drawn: 8 for the built-in derivatives without `at`; for a
                 function none, or so many more, around those of `at`
    seed         of those points, and of the vectors that products are checked with
    worst        how many of the worst entries are kept
    returns      a Report; its verdict is "pass", "fail", "inconclusive" (the reference is not
                 accurate enough here to tell) or "vacuous" (the derivative is zero to within
                 rounding, so that a wrong formula would pass as well), its text the report that
                 the command prints; `.raise_on_failure()` is for tests
    raises       ShapeError if a gradient does not have the shape of its reference; DomainError
                 for a setting out of range; and what the function raises

    >>> gradcheck().verdict
    'pass'
    >>> gradcheck(lambda x: x**3, lambda x: 2 * x**2, at=[2.0]).verdict
    'fail'
    """
    T = checked_temperature(temperature)
    known = {builtin.of for builtin in BUILTINS}
    if of is not None and of not in known:
        raise DomainError(
            f"no built-in derivatives of {of!r}", f"one of {', '.join(sorted(known))}"
        )
    if method is not None and method not in STEPS:
        raise DomainError(f"no method {method!r}", f"there are {', '.join(STEPS)}")
    if dtype not in (None, *DTYPES) or seed < 0:
        problem = f"dtype {dtype} and seed {seed}"
        raise DomainError(problem, f"give one of {', '.join(DTYPES)}, and 0 or more")
    if (points is not None and points < 1) or worst < 0:
        raise DomainError(f"{points} points and {worst} worst entries", "give 1 and 0 or more")
    check_tolerances(rtol, atol)
    rows = None if at is None else np.atleast_2d(floating(at, "the points")).astype(np.float64)
    if rows is not None and rows.ndim != 2:
        raise ShapeError(f"points of shape {rows.shape}", "give a vector, or one a row")
    settings = Settings(
        method or ("complex" if function is None else "central"), step, rtol, atol, worst
    )
    rng = np.random.default_rng(seed)
    if function is None:
        drawn = builtin_points(rng, points or DEFAULT_POINTS) if rows is None else list(rows)
        checks = [
            check
            for builtin in BUILTINS
            if of is None or builtin.of == of
            for check in check_builtin(builtin, drawn, rng, T, dtype or "float64", settings)
        ]
        about = about_builtins(_told_points(len(drawn), drawn=rows is None))
        checks = [replace(check, subject="built-in", about=about) for check in checks]
        return Report(seed, checks)
    if rows is None or not rows.shape[1]:
        raise DomainError("no point to check the function at", "give `at`")
    if points is not None and len(rows):
        near = rows[np.arange(points) % len(rows)]
        around = rng.standard_normal(near.shape) * np.maximum(1, np.abs(near)) / 2
        rows = np.concatenate([rows, near + around])
    label = name or str(getattr(function, "__name__", "function"))
    return Report(seed, check_function(function, gradient, rows, rng, label, dtype, settings))


def _told_points(count: int, *, drawn: bool) -> str:
    if drawn:
        return f"{count} seeded point{'s' * (count != 1)}"
    return "your point" if count == 1 else f"your {count} points"
