"""The exceptions of the program, its exit codes, and the messages on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum
from itertools import islice

_LONGEST_FILE_NAME = 255
_LONGEST_MESSAGE = 1000
_LISTED_NAMES = 20
_COMPARED_NAMES = 1000


class ExitCode(IntEnum):
    """Every exit code of the program."""

    DONE = 0
    GRADIENT_DISAGREES = 1
    ERROR = 2
    NOTHING_PROVEN = 3
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class SoftmaxCliError(Exception):
    """An error that the user can fix: what is wrong, how to fix it, and where it is."""

    def __init__(self, problem: str, remedy: str = "", place: str = "") -> None:
        super().__init__(problem, remedy, place)
        self.problem, self.remedy, self.place = problem, remedy, place

    def __str__(self) -> str:
        """Return `PLACE: what is wrong; how to fix it`."""
        line = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{line}; {self.remedy}" if self.remedy else line


class UsageError(SoftmaxCliError):
    """The command line is invalid."""


class InputError(SoftmaxCliError):
    """An input file, or a value on the command line, is invalid."""


class OutputError(SoftmaxCliError):
    """The result cannot be written."""


class ShapeError(SoftmaxCliError, ValueError):
    """The shapes of the arrays do not fit together, or an array has no classes."""


class DomainError(SoftmaxCliError, ValueError):
    """A number is outside the range where the formula is defined."""


class NothingGivenError(Exception):
    """A command at a terminal has nothing to work on: its help is shown."""


class Terminated(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def print_message(line: str) -> None:
    """Print one line on standard error, if it is open; cut the middle out of a very long one."""
    if sys.stderr is None:
        return
    line = escape_unprintable(line)
    if len(line) > _LONGEST_MESSAGE:
        line = f"{line[: _LONGEST_MESSAGE - 300]} ... {line[-200:]}"
    with suppress(OSError):
        print(f"softmax-cli: {line}", file=sys.stderr, flush=True)


def escape_unprintable(text: str) -> str:
    r"""Return the text with line breaks and control characters escaped.

    >>> escape_unprintable("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def shorten(text: str) -> str:
    """Return the text, cut to 40 characters."""
    return text if len(text) <= 40 else text[:37] + "..."


def shorten_token(token: str) -> str:
    """Return a command-line token, cut only if it is too long to be the name of a file."""
    return token if len(token) <= _LONGEST_FILE_NAME else shorten(token)


def join_names(names: Iterable[str]) -> str:
    """Return the first 20 names joined by commas, and how many others there are.

    >>> join_names(["a", "b"]), join_names(map(str, range(23)))[-19:]
    ('a, b', '18, 19 and 3 others')
    """
    listed = [shorten(name) for name in names]
    others = len(listed) - _LISTED_NAMES
    return ", ".join(listed[:_LISTED_NAMES]) + (f" and {others} others" if others > 0 else "")


def did_you_mean(given: str, names: Iterable[str], otherwise: str) -> str:
    """Return the remedy for a mistyped name: the name that is near it, or else another remedy.

    >>> did_you_mean("Logit", ["id", "logits"], "check it"), did_you_mean("x", ["id"], "check it")
    ("did you mean 'logits'?", 'check it')
    """
    from difflib import get_close_matches

    spellings = {name.casefold(): name for name in islice(names, _COMPARED_NAMES)}
    near = get_close_matches(given.casefold()[:_LONGEST_FILE_NAME], spellings, n=1)
    return f"did you mean {shorten(spellings[near[0]])!r}?" if near else otherwise
