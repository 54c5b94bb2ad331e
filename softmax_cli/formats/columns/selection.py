"""Selects columns by name, number from 1, range or pattern, and names them in errors."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from softmax_cli.errors import UsageError, did_you_mean, join_names, shorten

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)


def are_numbers(spec: str) -> bool:
    """Return true if a spec has only numbers and ranges, which need no header.

    >>> are_numbers("1,3-5"), are_numbers("id")
    (True, False)
    """
    return all(map(_NUMBERS.fullmatch, spec.split(",")))


def select_columns(
    specs: Sequence[str], names: Sequence[str] | None, count: int, option: str
) -> list[int]:
    """Return the positions, from 0, of the columns that the specs select, in order, each once.

    A spec is a name, a number from 1, a range `2-4`, a pattern `logit_*`, or several of them,
    separated by commas. A name takes precedence over a number, except for an unnamed column.

    >>> select_columns(["id", "logit_*"], ["logit_a", "logit_b", "id"], 3, "--columns")
    [2, 0, 1]
    >>> select_columns(["2-3"], None, 3, "--columns")
    [1, 2]
    """
    numbers = [part for spec in specs for part in spec.split(",") if part.isdigit()]
    named = [part for part in numbers if part in (names or ())]
    others = [part for part in numbers if part not in named]
    if named and others:
        problem = f"{named[0]} is the name of a column, and {others[0]} is not"
        remedy = f"give only names, or ranges for numbers: {others[0]}-{others[0]}"
        raise UsageError(problem, remedy, option)
    chosen: list[int] = []
    for spec in specs:
        parts = [spec] if names is not None and spec in names else spec.split(",")
        for part in parts:
            chosen += _positions(part, names, count, option)
    return list(dict.fromkeys(chosen))


def _positions(part: str, names: Sequence[str] | None, count: int, option: str) -> Sequence[int]:
    shown, listed = shorten(part), names or ()
    number = _NUMBERS.fullmatch(part)
    first, last = (int(number[1]), int(number[2] or number[1])) if number else (0, 0)
    is_unnamed = number and not number[2] and "" in listed[first - 1 : first]
    found = [at for at, name in enumerate(listed) if name == part and not is_unnamed]
    if len(found) > 1:
        raise UsageError(f"{len(found)} columns are named {shown!r}", "give a number", option)
    if found:
        return found
    if number:
        if not 1 <= first <= last <= count:
            raise UsageError(f"no column {shown}", f"the columns are 1 to {count}", option)
        return range(first - 1, last)
    found = [at for at, name in enumerate(listed) if fnmatchcase(name, part)]
    if not found:
        problem = f"no column named {shown!r}"
        remedy = did_you_mean(part, listed, f"the columns are {join_names(listed)}")
        if names is None:
            problem += ", the input has no header"
            remedy = "give numbers, or --header if its first line is one"
        raise UsageError(problem, remedy, option)
    return found


def column_spec(column: int, names: Sequence[str] | None) -> str:
    """Return the spec of the column at a position: its plain name, or its number.

    Where another column has that number for a name, it is a range.

    >>> column_spec(0, ["id", "a"]), column_spec(0, ["no. 1", "a"]), column_spec(0, ["a b", "1"])
    ('id', '1', '1-1')
    """
    number = str(column + 1)
    if names is None:
        return number
    name = names[column]
    if _PLAIN_NAME.fullmatch(name) and list(names).count(name) == 1:
        return name
    is_taken = number in names and names[column] and names.index(number) != column
    return f"{number}-{number}" if is_taken else number


def column_choice(name: str) -> str:
    """Return the remedy for a key that is given for a table."""
    return f"--columns {shlex.quote(shorten(name))} chooses a column"


def name_columns(columns: Sequence[int], names: Sequence[str] | None) -> str:
    """Return what errors call columns: `column 3`, `the columns 'id' and 'fold'`."""
    if names is None:
        return f"column {', '.join(str(column + 1) for column in columns)}"
    *others, last = [repr(shorten(names[column])) for column in columns]
    return f"the columns {', '.join(others)} and {last}" if others else f"the column {last}"


def pass_through(columns: Sequence[int], names: Sequence[str] | None, what: str = "") -> str:
    """Return the remedy for columns that are no classes, which errors call `what`."""
    specs = ",".join(column_spec(column, names) for column in columns)
    return f"--id-columns {specs} passes {what or ('it', 'them')[len(columns) > 1]} through"
