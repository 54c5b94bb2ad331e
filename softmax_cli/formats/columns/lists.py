"""Tables with a column of lists, whose entries are the classes."""

from __future__ import annotations

from collections.abc import Collection

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.selection import column_spec, name_columns, pass_through
from softmax_cli.storage.limits import LONGEST_LIST

# One of the first rows must have a list, which gives the number of classes.
FIRST_ROWS = 1024


def list_column(layout: Layout, lists: Collection[int], place: str) -> int | None:
    """Return the column of lists that holds the classes; None if the classes are numbers.

    lists  the columns of the table that hold lists
    """
    found = [column for column in layout.classes if column in lists]
    if not found:
        return None
    if layout.classes == found[:1]:
        return found[0]
    names = layout.names
    spec = column_spec(found[0], names)
    if len(found) > 1:
        remedy = "name one of them with --columns"
        raise InputError(f"{name_columns(found, names)} hold lists", remedy, place)
    others = [column for column in layout.classes if column not in found]
    verb, them = ("are", "them") if len(others) > 1 else ("is", "it")
    left = f"{name_columns(others, names)} {verb} left over"
    remedy = f"--columns {spec} leaves {them} out"
    if not layout.chosen:
        remedy = f"{pass_through(others, names)}, {remedy}"
    raise InputError(f"{name_columns(found, names)} holds lists, but {left}", remedy, place)


def refuse_length(found: int, entries: int, place: str) -> None:
    """Refuse a row's list unless it has as many entries as the first one, and at least one."""
    if not entries:
        raise InputError("an empty list", "a row needs a number", place)
    if found > LONGEST_LIST:
        remedy = "an array file such as .npy takes any number"
        raise InputError(f"a list of more than {LONGEST_LIST} numbers", remedy, place)
    if found != entries:
        numbers = "1 number" if found == 1 else f"{found} numbers"
        problem = f"a list of {numbers}, and the first has {entries}"
        raise InputError(problem, "all rows need the same classes", place)
