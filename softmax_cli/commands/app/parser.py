"""The parser, where a token that float() takes is a value and no option, and its errors."""

from __future__ import annotations

from collections import deque
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.commands.options.flag import PROGRAM, is_option
from softmax_cli.errors import SoftmaxCliError, UsageError
from softmax_cli.formats.text.numbers import is_number

ARGUMENTS = "softmax_cli.arguments"


class NumbersCommand(TyperCommand):
    """A command whose values may start with a minus: `-1`, `-1e5`, `-inf`, `-.5`, `-1,2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put options first, then `--`, then the values in their order."""
        # For reports, which say how to repeat a check.
        ctx.meta[ARGUMENTS] = list(args)
        options: list[str] = []
        values: list[str] = []
        rest = deque(args)
        while rest:
            token = rest.popleft()
            if token == "--":
                values.extend(rest)
                break
            if is_option(token):
                options.append(token)
                if self._takes_next(token):
                    if not rest:
                        # The parser says which option lacks its value.
                        return super().parse_args(ctx, options)
                    options.append(_value(rest))
            else:
                values.append(token)
        return super().parse_args(ctx, [*options, "--", *values])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Typer would blame standard output for any error of the system."""
        from softmax_cli.formats.model.options import WriteOptions
        from softmax_cli.pipeline.reporting import progress_of_opening

        quiet, no_progress = (bool(ctx.params.get(each)) for each in ("quiet", "no_progress"))
        try:
            with progress_of_opening(WriteOptions(quiet=quiet, no_progress=no_progress)):
                return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except OSError as error:
            place = "" if error.filename is None else str(error.filename)
            raise SoftmaxCliError(str(error.strerror or error), place=place) from error

    def _takes_next(self, token: str) -> bool:
        """Return true if the next token is the value of this option."""
        flags = {
            name: option.is_flag
            for option in self.params
            if isinstance(option, TyperOption)
            for name in (*option.opts, *option.secondary_opts)
        }
        if token.startswith("--"):
            return not flags.get(token, True)
        # In a group of short options, the first that takes a value takes the rest.
        for position, letter in enumerate(token[1:], 2):
            if not flags.get(f"-{letter}", True):
                return position == len(token)
        return False


def _value(rest: deque[str]) -> str:
    """Take the value of an option: `1,0`, or what is pasted without quotes: `1, 0`, `[1, 0]`.

    >>> rest = deque(["[1,", "0]", "3"])
    >>> _value(rest), list(rest)
    ('[1, 0]', ['3'])
    """
    value = rest.popleft()
    is_row = is_number(value.partition(",")[0].strip("[("))
    while is_row and rest and is_number(rest[0].strip("[](),")):
        opened = sum(map(value.count, "[(")) - sum(map(value.count, "])"))
        if not (value.endswith(",") or opened > 0):
            break
        value = f"{value} {rest.popleft()}"
    return value


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
