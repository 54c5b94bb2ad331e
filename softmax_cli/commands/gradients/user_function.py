"""Checks a Python function that the user names; importing it runs the user's code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import asdict
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.commands.inputs.values import opened_option, without_missing
from softmax_cli.commands.options.gradcheck import CheckOptions
from softmax_cli.core.gradcheck.gradcheck import gradcheck
from softmax_cli.core.gradcheck.report import Report
from softmax_cli.errors import InputError, ShapeError, Terminated, UsageError
from softmax_cli.formats.arrays.array import whole_array
from softmax_cli.formats.model.options import ReadOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many calls of a traceback are shown.
_FRAMES = 4


def check_function(
    function: str, gradient: str | None, at: Sequence[str], check: CheckOptions, read: ReadOptions
) -> Report:
    """Compare `module:gradient` with differences of `module:function` at some points."""
    return gradcheck(
        _imported(function, "gradcheck"),
        None if gradient is None else _imported(gradient, "--grad"),
        _points(at, read),
        dtype=read.dtype,
        name=function,
        **asdict(check),
    )


def _points(at: Sequence[str], read: ReadOptions) -> NDArray[np.float64]:
    points: list[NDArray[np.float64]] = []
    for token in at:
        with opened_option(token, "--at", read) as source:
            rows = whole_array(without_missing(source, read)).reshape(-1, source.classes)
        if points and rows.shape[1] != points[0].shape[1]:
            problem = f"{token} has {rows.shape[1]} numbers, and {at[0]} {points[0].shape[1]}"
            raise ShapeError(problem, "give points of one size", "--at")
        points.append(rows.astype(np.float64))
    return np.concatenate(points)


def _imported(token: str, option: str) -> Callable[..., Any]:
    module_name, _, name = token.partition(":")
    if not name:
        raise UsageError(f"{token!r} names no function", "write module:function", option)
    if (here := str(Path.cwd())) not in sys.path:
        # After the entries that the user has put first.
        first = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        places = [sys.path.index(entry) for entry in first if entry in sys.path]
        sys.path.insert(max(places, default=-1) + 1, here)
    try:
        with _user_code(module_name):
            module = import_module(module_name)
    except InputError as error:
        cause = error.__cause__
        absent = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if not absent or not module_name.startswith(absent):
            raise
        remedy = "run it from the folder that holds it"
        if module_name.endswith(".py"):
            remedy = f"write {module_name.removesuffix('.py')}:{name}"
        raise UsageError(f"no module {module_name!r}", remedy, option) from error
    function = getattr(module, name, None)
    if function is None:
        raise UsageError(f"{module_name} has no {name!r}", "check the name", option)
    if not callable(function):
        raise UsageError(f"{token} is not a function", "name one", option)

    @wraps(function)
    def guarded(*arguments: Any) -> Any:
        with chdir("."), _user_code(token):
            return function(*arguments)

    return guarded


@contextmanager
def _user_code(place: str) -> Iterator[None]:
    """Send what the user's code prints to standard error; raise its errors as InputError."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, Terminated):
        raise
    # The outcomes of test frameworks, among others, are no Exception.
    except BaseException as error:
        raise InputError(*_summary(error), place) from error


def _summary(error: BaseException) -> tuple[str, str]:
    """Return what the user's code raised, and the last calls of its traceback."""
    if isinstance(error, SyntaxError):
        place = f"{Path(error.filename or '').name}:{error.lineno}"
        return f"raised {type(error).__name__}: {error.msg}", place
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
    theirs = [frame for frame in frames if frame.filename not in ours][-_FRAMES:]
    calls = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in theirs]
    # Calls of functions written in C leave no frame.
    return f"raised {traceback.format_exception_only(error)[0].strip()}", " > ".join(calls)
