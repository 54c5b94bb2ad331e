"""The first line of a table: is it a header, and which columns are classes, ids and labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.columns.cell_kinds import (
    MISSING,
    Kind,
    could_be_names,
    counts_up,
    is_whole,
    kind_of,
    may_be_missing,
)
from softmax_cli.formats.columns.selection import by_number_alone, select_columns
from softmax_cli.formats.columns.table_columns import TableColumns
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.numbers import is_number

# The second is what pandas makes of the first.
_UNNAMED = re.compile(r"|Unnamed: \d+")


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are classes, ids and labels, and how they are called.

    names    of all columns, if the first line is a header
    missing  the texts of a cell that holds no value
    warning  what is odd about a first line that was taken for a row
    """

    columns: int
    classes: list[int]
    ids: list[int]
    label: int | None
    names: list[str] | None
    chosen: bool = False
    missing: Collection[str] = field(default=MISSING, repr=False)
    warning: str = ""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes."""
        names = self.names
        return None if names is None else tuple(names[column] for column in self.classes)

    @property
    def id_names(self) -> tuple[str, ...]:
        """The names of the id columns; empty strings without a header."""
        return tuple("" if self.names is None else self.names[column] for column in self.ids)

    def table(self, cells: Literal["number", "name"] = "number") -> TableColumns:
        """Return the columns as errors and warnings name them."""
        numbers = [column + 1 for column in self.classes]
        label = None if self.label is None else self.label + 1
        return TableColumns(self.names, numbers, label, self.chosen, cells)


def judge_layout(
    cells: list[str],
    below: Sequence[str] | None,
    options: ReadOptions,
    keep: ColumnRequest,
    place: str,
) -> Layout:
    """Return the layout of a table from its first line and the line below it, if there is one."""
    header = options.header
    if header is None and _name_a_column(cells, options, keep):
        header = True
    layout = selected_layout(cells, cells if header else None, options, keep)
    if header is None:
        judged = [cells[column] for column in layout.classes]
        under = None
        if below is not None:
            under = [below[column] for column in layout.classes if column < len(below)]
        if is_header(judged, under, keep, layout.missing, place, layout.classes):
            layout = selected_layout(cells, cells, options, keep)
        elif under is not None and could_be_names(judged):
            others = [cells[column] for column in {*range(len(cells))}.difference(layout.classes)]
            beside = any(not cell.strip() or kind_of(cell) == "name" for cell in others)
            if beside and len(judged) > 1 and counts_up(judged):
                why = "and other cells of it are no numbers"
                raise _ambiguous(judged, why, place, _settle(keep.role))
            if beside or (len(judged) > 1 and counts_up(judged)):
                layout = replace(layout, warning=_taken_for_a_row(judged, place, keep.role))
    unnamed = [column for column in layout.classes if _UNNAMED.fullmatch(cells[column].strip())]
    if layout.names is not None and unnamed:
        column = unnamed[0] + 1
        raise InputError(
            "the header has a column without a name, as the index of a data frame has",
            f"--id-columns {column} passes it through",
            f"{place}:{column}",
        )
    return layout


def _name_a_column(cells: Sequence[str], options: ReadOptions, keep: ColumnRequest) -> bool:
    """Return true if an option names a column otherwise than by its number."""
    specs = [*options.columns, *options.id_columns, *([keep.labels] if keep.labels else [])]
    parts = [part for spec in specs for part in (spec, *spec.split(","))]
    numbers = {str(number) for number in range(1, len(cells) + 1)}
    return any(
        part in cells or (not by_number_alone([part]) and _names(part, cells))
        for part in parts
        if part not in numbers
    )


def _names(part: str, cells: Sequence[str]) -> bool:
    """Return true for a name, and for a pattern that names cells, or none at all."""
    if not any(mark in part for mark in "*?["):
        return True
    found = [cell for cell in cells if fnmatchcase(cell, part)]
    return not found or any(kind_of(cell) == "name" for cell in found)


def is_header(
    cells: Sequence[str],
    below: Sequence[str] | None,
    keep: ColumnRequest,
    missing: Collection[str],
    place: str,
    columns: Sequence[int] | None = None,
) -> bool:
    """Return true if the first line names the columns, and false if it is a row.

    It is a header if a cell of it is a name and none is a number, or meant as one. A line that
    could be either is an error.
    """
    kinds: list[Kind] = [kind_of(cell, missing) for cell in cells]
    names = [
        position
        for position, cell in enumerate(cells)
        if kinds[position] == "name" and not may_be_missing(cell)
    ]
    if names:
        if "number" in kinds or "number-like" in kinds:
            column = (columns or range(len(cells)))[names[0]] + 1
            raise _mixed(cells, cells[names[0]], column, place, keep.role)
        return True
    if below is not None:
        _refuse_ambiguous(cells, below, keep, missing, place)
    return False


def _refuse_ambiguous(
    cells: Sequence[str],
    below: Sequence[str],
    keep: ColumnRequest,
    missing: Collection[str],
    place: str,
) -> None:
    """Refuse digits alone above numbers that are not whole: the names of classes, or logits."""
    settle = _settle(keep.role)
    if len(cells) > 1 and not cells[0].strip() and could_be_names(cells[1:]):
        # The index of a data frame has no name, and often begins with 0.
        settle = _settle(keep.role, "--header --id-columns 1")
        if counts_up(cells[1:]) or [cell.strip() for cell in below[:1]] == ["0"]:
            raise _ambiguous(cells[1:], "after a cell without a name", place, settle)
        cells, below = cells[1:], below[1:]
    whole = [is_whole(cell) for cell in below if kind_of(cell, missing) != "missing"]
    if counts_up(cells):
        if not whole or not all(whole):
            why = "and the numbers of the line below are not whole"
            raise _ambiguous(cells, why, place, settle)
    elif could_be_names(cells) and not (any(whole) or keep.distributions or len(cells) == 1):
        raise _ambiguous(cells, "and no number of the line below is whole", place, settle)


def _ambiguous(cells: Sequence[str], why: str, place: str, settle: str) -> InputError:
    first, last = cells[0].strip(), cells[-1].strip()
    if len(cells) == 1:
        shown = f"{first}, like the name of a data frame's column"
    elif counts_up(cells):
        shown = f"{first} to {last}, like the header of a data frame"
    else:
        listed = ",".join(cell.strip() for cell in cells)
        shown = f"{shorten(listed)}, like names of classes"
    return InputError(f"the first line reads {shown}, {why}", settle, place)


def _settle(role: str, header: str = "--header") -> str:
    """Return how a first line is settled, for all tables of a run or for this input alone."""
    alone = f"; --header-of {role}=yes or no for this one alone" if role else ""
    return f"{header} if it names the columns, --no-header if it is a row{alone}"


def _taken_for_a_row(cells: Sequence[str], place: str, role: str) -> str:
    shown = shorten(",".join(cell.strip() for cell in cells))
    if counts_up(cells):
        shown = f"0 to {cells[-1].strip()}"
    return f"{place}: the first line reads {shown} and was taken for a row; {_settle(role)}"


def _mixed(cells: Sequence[str], name: str, column: int, place: str, role: str) -> InputError:
    number = f"{column}-{column}" if str(column) in cells else str(column)
    return InputError(
        f"the first line is partly numeric: {shorten(name)!r} is not a number",
        f"{_settle(role)}; --id-columns {number} if that column is no class",
        f"{place}:{column}",
    )


def selected_layout(
    cells: Sequence[str], names: list[str] | None, options: ReadOptions, keep: ColumnRequest
) -> Layout:
    """Return the columns that the options choose: the classes are those that nothing else takes."""
    count = len(cells)
    label = None
    if keep.labels is not None:
        found = select_columns([keep.labels], names, count, "--label-column")
        if len(found) != 1:
            raise UsageError(f"{keep.labels!r} is {len(found)} columns", place="--label-column")
        label = found[0]
    ids = select_columns(options.id_columns, names, count, "--id-columns")
    if options.columns:
        chosen = select_columns(options.columns, names, count, "--columns")
        classes = [column for column in chosen if column not in ids and column != label]
    else:
        classes = [column for column in range(count) if column not in ids and column != label]
    if not classes:
        raise UsageError("no column is left for the numbers", place="--id-columns")
    passed = list(range(count)) if keep.every_column else ids
    return Layout(
        count, classes, passed, label, names, bool(options.columns), missing_texts(options)
    )


def missing_texts(options: ReadOptions) -> Collection[str]:
    """Return the texts of a cell that holds no value, with those of --na-values."""
    added = _na_values(options)
    return MISSING.union(added) if added else MISSING


def missing_numbers(options: ReadOptions) -> list[float]:
    """Return the numbers that --na-values takes for missing values, however they are spelt."""
    return [float(text) for text in _na_values(options) if is_number(text)]


def without_na_values(source: Source, options: ReadOptions) -> Source:
    """Return the source with NaN for the numbers that --na-values takes for missing values."""
    import numpy as np

    from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest

    numbers = missing_numbers(options)
    if not numbers:
        return source
    stored = np.array(numbers)
    if BFLOAT16 in source.dtypes:
        stored = np.concatenate([stored, nearest(stored.astype(np.float32))])

    def checked(block: Block) -> Block:
        is_missing = np.isin(block.values, stored.astype(block.values.dtype))
        return block.with_values(np.where(is_missing, np.nan, block.values))

    return source.map(checked)


def _na_values(options: ReadOptions) -> list[str]:
    return [text.strip() for spec in options.na_values for text in spec.split(",")]
