"""One option of the command line as data, and what was typed; commands/app turns it into Typer's.

A command, or a dataclass of options, names its flags in the annotations:
`top_k: Annotated[int | None, Flag("Only the K ...", "K", short="-k")] = None` is `--top-k K`.
Modules of such dataclasses have no `from __future__ import annotations`: Typer reads annotations,
and would first compile each from its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from softmax_cli.formats.text.numbers import is_number

PROGRAM = "softmax-cli"


class Flag(NamedTuple):
    """An option: its help, the word for its value, and the panel of the help it belongs to.

    name     if it is not that of the parameter
    check    returns the value, or raises a UsageError
    choices  what the shell may complete
    """

    help: str
    metavar: str | None = None
    name: str | None = None
    short: str | None = None
    panel: str | None = None
    min: int | None = None
    max: int | None = None
    check: Callable[[Any], Any] | None = None
    choices: Sequence[str] = ()
    show_default: bool = True

    def complete(self, incomplete: str) -> list[str]:
        """Return the choices that start with what was typed."""
        return [choice for choice in self.choices if choice.startswith(incomplete)]


class Positional(NamedTuple):
    """The values of a command, which have no flag."""

    metavar: str
    help: str


class KnownOption(NamedTuple):
    """What a configuration file needs to know of an option to write it as tokens."""

    name: str
    negative: str | None
    is_flag: bool
    is_repeatable: bool


class CommandLine(NamedTuple):
    """A command line as it was typed, for a command that needs more than the values.

    typed    the names of the parameters that were given
    options  the options that the command has, by flag
    rerun    runs the same command again with settings, arguments and an object; returns its result
    passed   the object passed to a rerun, else None
    """

    arguments: list[str]
    parameters: Mapping[str, Any]
    typed: Sequence[str]
    options: Mapping[str, KnownOption]
    rerun: Callable[[list[str], list[str], Any], Any]
    passed: Any


def option_name(parameter: str) -> str:
    """Return the option of a parameter.

    >>> option_name("top_k"), option_name("from_")
    ('--top-k', '--from')
    """
    return f"--{parameter.rstrip('_').replace('_', '-')}"


def is_option(token: str) -> bool:
    """Return true if a token is an option rather than a number.

    >>> [is_option(token) for token in ("-t", "--typo", "-1e5", "-inf", "-1,2", "-1x", "-", "a")]
    [True, True, False, False, False, False, False, False]
    """
    if not token.startswith("-") or token == "-":
        return False
    # No option starts with a digit: `-1e5x` is a mistyped number.
    return not is_number(token.split(",")[0]) and token[1] not in ".0123456789"
