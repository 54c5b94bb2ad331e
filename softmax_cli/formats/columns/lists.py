"""Tables with a column of lists, whose entries are the classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.selection import column_spec, name_columns, pass_through
from softmax_cli.formats.columns.suspects import looks_like_no_class
from softmax_cli.storage.limits import LONGEST_LIST

# One of the first rows must have a list, which gives the number of classes.
FIRST_ROWS = 1024


def list_layout(
    layout: Layout, lists: Collection[int], fractions: Collection[int], place: str
) -> Layout | None:
    """Return the layout whose only class is the column of lists; None if there is no such column.

    Columns beside it that are surely no classes are left out.

    lists      the columns of the table that hold lists of numbers
    fractions  the columns of numbers that need not be whole, which could be classes
    """
    found = [column for column in layout.classes if column in lists]
    if not found:
        return None
    names = layout.names
    spec = column_spec(found[0], names)
    if len(found) > 1:
        remedy = "name one of them with --columns"
        raise InputError(f"{name_columns(found, names)} hold lists", remedy, place)
    others = [column for column in layout.classes if column not in found]
    doubtful = others if layout.chosen else [at for at in others if at in fractions]
    doubtful = [at for at in doubtful if layout.chosen or not _is_no_class(at, names)]
    if doubtful:
        verb, them = ("are", "them") if len(doubtful) > 1 else ("is", "it")
        left = f"{name_columns(doubtful, names)} {verb} left over"
        remedy = f"--columns {spec} leaves {them} out"
        if not layout.chosen:
            remedy = f"{pass_through(doubtful, names)}, {remedy}"
        raise InputError(f"{name_columns(found, names)} holds lists, but {left}", remedy, place)
    left_out = [column for column in others if column not in layout.ids]
    return replace(layout, classes=found, left_out=left_out)


def _is_no_class(column: int, names: list[str] | None) -> bool:
    return names is not None and looks_like_no_class(names[column])


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
