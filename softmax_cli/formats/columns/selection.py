"""Which columns of a table are meant: by name, by number from 1, by range, by pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from softmax_cli.errors import UsageError, join_names, shorten

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)


def by_number_alone(specs: Sequence[str]) -> bool:
    """Tell whether every spec is a number or a range, so that no header is needed.

    >>> by_number_alone(["1", "3-5"]), by_number_alone(["id"])
    (True, False)
    """
    return all(_NUMBERS.fullmatch(part) for spec in specs for part in spec.split(","))


def select_columns(
    specs: Sequence[str], names: Sequence[str] | None, count: int, option: str
) -> list[int]:
    """Return the positions, from 0, of the columns that the specs name, each once, in their order.

    A spec is a name, a number from 1, a range `2-4`, a pattern `logit_*`, or several of these
    with commas between. A name wins over a number, but a column without a name is meant by its
    number.

    >>> select_columns(["id", "logit_*"], ["logit_a", "logit_b", "id"], 3, "--columns")
    [2, 0, 1]
    >>> select_columns(["2-3"], None, 3, "--columns")
    [1, 2]
    """
    _refuse_mixed(specs, names, option)
    chosen: list[int] = []
    for spec in specs:
        parts = [spec] if names is not None and spec in names else spec.split(",")
        for part in parts:
            chosen.extend(_positions(part, names, count, option))
    return list(dict.fromkeys(chosen))


def _refuse_mixed(specs: Sequence[str], names: Sequence[str] | None, option: str) -> None:
    """Refuse numbers of which some are names of columns and others are not."""
    numbers = [part for spec in specs for part in spec.split(",") if part.isdigit()]
    named = [part for part in numbers if part in (names or ())]
    others = [part for part in numbers if part not in named]
    if named and others:
        raise UsageError(
            f"{named[0]} is the name of a column, and {others[0]} is none",
            f"write names alone, or ranges for numbers: {others[0]}-{others[0]}",
            option,
        )


def spec_of(column: int, names: Sequence[str] | None) -> str:
    """Return what an option takes for the column at a position: a plain name, or a number.

    A range means numbers alone, where a column has a number for its name.

    >>> spec_of(0, ["id", "a"]), spec_of(0, ["no. 1", "a"]), spec_of(0, ["a b", "1"])
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


def _positions(part: str, names: Sequence[str] | None, count: int, option: str) -> list[int]:
    number = _NUMBERS.fullmatch(part)
    if names is not None and not _means_unnamed(number, names):
        found = [position for position, name in enumerate(names) if name == part]
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} columns are named {shorten(part)!r}", "give a number", option
            )
        if found:
            return found
    if number:
        first = int(number[1])
        last = int(number[2] or first)
        if not 1 <= first <= last <= count:
            raise UsageError(f"no column {shorten(part)}", f"the columns are 1 to {count}", option)
        return list(range(first - 1, last))
    if names is None:
        raise UsageError(
            f"no column named {shorten(part)!r}, the input has no header",
            "give numbers, or --header if its first line is one",
            option,
        )
    found = [position for position, name in enumerate(names) if fnmatchcase(name, part)]
    if not found:
        problem = f"no column named {shorten(part)!r}"
        raise UsageError(problem, "the columns are " + join_names(names), option)
    return found


def _means_unnamed(number: re.Match[str] | None, names: Sequence[str]) -> bool:
    if number is None or number[2]:
        return False
    position = int(number[1]) - 1
    return 0 <= position < len(names) and not names[position]
