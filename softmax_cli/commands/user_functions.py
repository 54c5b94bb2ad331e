"""Checks a Python function that the user names; importing it runs the user's code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from softmax_cli.commands.gradcheck_forms import CheckOptions
from softmax_cli.commands.inputs import opened_option
from softmax_cli.core.gradcheck import gradcheck
from softmax_cli.core.report import Report
from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.array import whole_array
from softmax_cli.formats.blocks import ReadOptions


def check_function(
    function: str, gradient: str | None, at: str, check: CheckOptions, read: ReadOptions
) -> Report:
    """Compare `module:gradient` with differences of `module:function` at the rows of `at`."""
    with opened_option(at, "--at", read) as source:
        points = whole_array(source).reshape(-1, source.classes)
    return gradcheck(
        _imported(function, "gradcheck"),
        None if gradient is None else _imported(gradient, "--grad"),
        points,
        dtype=read.dtype,
        name=function,
        **asdict(check),
    )


def _imported(token: str, option: str) -> Callable[..., Any]:
    module_name, _, name = token.partition(":")
    if not name:
        raise UsageError(f"{token!r} names no function", "write module:function", option)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            found = getattr(import_module(module_name), name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise _told(error, module_name) from error
        raise UsageError(
            f"no module {module_name!r}", "run it from the folder that holds it", option
        ) from error
    except AttributeError as error:
        raise UsageError(f"{module_name} has no {name!r}", "check the name", option) from error
    except (Exception, SystemExit) as error:
        raise _told(error, module_name) from error
    if not callable(found):
        raise UsageError(f"{token} is no function", "name one", option)
    return _guarded(found, token)


def _guarded(function: Callable[..., Any], token: str) -> Callable[..., Any]:
    """Return the function so that what it prints is no output, and what it raises is one line."""

    def guarded(*arguments: Any) -> Any:
        try:
            with redirect_stdout(sys.stderr):
                return function(*arguments)
        except (Exception, SystemExit) as error:
            raise _told(error, token) from error

    return guarded


def _told(error: BaseException, place: str) -> InputError:
    """Return what the user's code raised, with the line of it where that happened."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if frame.filename != __file__]
    # What is written in C leaves no frame.
    where = f"see {Path(theirs[-1].filename).name}, line {theirs[-1].lineno}" if theirs else ""
    return InputError(f"raised {type(error).__name__}: {error}", where, place)
