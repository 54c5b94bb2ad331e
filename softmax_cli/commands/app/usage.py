"""Typer's errors as the program's own."""

from __future__ import annotations

import typer

from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.commands.options.flag import PROGRAM
from softmax_cli.errors import UsageError


def usage_error(error: typer.TyperException, arguments: list[str]) -> UsageError:
    """Return Typer's error as ours: the option first, then what is wrong with it."""
    command = f"{PROGRAM} {arguments[0]}" if arguments[0] in COMMANDS else PROGRAM
    problem = " ".join(str(getattr(error, "message", error)).split()).rstrip(".")
    remedy = f"see '{command} --help'"
    option = getattr(error, "option_name", None)
    problem = problem.removeprefix(f"Option '{option}' ")
    parameter = getattr(error, "param", None)
    if option is not None:
        place = option
        possible = sorted({*(getattr(error, "possibilities", None) or ())} - {"--help"})
        if possible:
            remedy = f"did you mean {' or '.join(possible)}?"
        problem = "no such option" if problem.startswith("No such") else problem
    else:
        place = parameter.opts[0] if parameter is not None else command
    return UsageError(problem, remedy, place)
