"""What can go wrong, and the exit code that says so."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum

_LONGEST_NAME = 255
_LONGEST_LINE = 1000


class ExitCode(IntEnum):
    """Every exit code of the program."""

    DONE = 0
    GRADIENT_DISAGREES = 1
    ERROR = 2
    NOTHING_PROVEN = 3
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class SoftmaxCliError(Exception):
    """An error that the user can mend: where it is, what is wrong, what would be right."""

    def __init__(self, problem: str, remedy: str = "", place: str = "") -> None:
        """Keep the three parts; `str()` joins them into the one line that is shown."""
        super().__init__(problem, remedy, place)
        self.problem = problem
        self.remedy = remedy
        self.place = place

    def __str__(self) -> str:
        """`PLACE: what is wrong; what would be right`."""
        line = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{line}; {self.remedy}" if self.remedy else line


class UsageError(SoftmaxCliError):
    """The command line asks for something that there is not."""


class InputError(SoftmaxCliError):
    """A file, or what was typed, does not hold what it should."""


class OutputError(SoftmaxCliError):
    """A result cannot be written."""


class ShapeError(SoftmaxCliError, ValueError):
    """Arrays whose shapes do not fit, or that have no class."""


class DomainError(SoftmaxCliError, ValueError):
    """A number outside the range where the formula is defined."""


class Terminated(BaseException):
    """The program was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        self.number = number


def say(line: str) -> None:
    """Print a line on standard error, if there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"softmax-cli: {_of_one_screen(printable(line))}", file=sys.stderr, flush=True)


def _of_one_screen(line: str) -> str:
    """Return a line, or the beginning and the end of one that nobody would read."""
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[: _LONGEST_LINE - 300]} ... {line[-200:]}"


def printable(text: str) -> str:
    r"""Return the text on one line without control characters, which a file name may hold.

    >>> printable("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def shortened(text: str) -> str:
    """Return a text, or what of a long one is enough to find it by."""
    return text if len(text) <= 40 else text[:37] + "..."


def named(token: str) -> str:
    """Return what was typed as an error names it: whole, if it could be the name of a file."""
    return token if len(token) <= _LONGEST_NAME else shortened(token)


def some_of(names: Iterable[str]) -> str:
    """Return the names with commas between, or the first of many.

    >>> some_of(["a", "b"]), some_of(map(str, range(23)))[-19:]
    ('a, b', '18, 19 and 3 others')
    """
    listed = [shortened(name) for name in names]
    others = len(listed) - 20
    return ", ".join(listed[:20]) + (f" and {others} others" if others > 0 else "")
