"""The columns of a table: which are classes, ids and labels, and how errors name them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from softmax_cli.errors import InputError, UsageError, join_names, shorten
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.columns.selection import (
    column_spec,
    name_columns,
    pass_through,
    select_columns,
)
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cell_kinds import MISSING


@dataclass(frozen=True)
class Layout:
    """The columns of a table, as positions from 0, and how errors name them.

    columns   number of all columns
    names     names of all columns, if the table has a header
    chosen    true if --columns chose the classes
    missing   texts of missing values
    warning   why a first line that was taken for a row may be a header
    named_by  what names a cell of a row: the number or name of its column, or its class
    entries   length of the lists, if the classes are the entries of one column of lists
    truths    columns of truth values among the classes
    left_out  columns beside the lists that are neither classes nor ids
    """

    columns: int
    classes: list[int]
    ids: list[int]
    label: int | None
    names: list[str] | None
    chosen: bool = False
    missing: Collection[str] = field(default=MISSING, repr=False)
    warning: str = ""
    named_by: Literal["number", "name", "class"] = "number"
    entries: int | None = None
    truths: frozenset[int] = frozenset()
    left_out: Sequence[int] = ()

    @cached_property
    def is_all_classes(self) -> bool:
        """True if all columns are classes, in their order."""
        return self.classes == list(range(self.columns))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes."""
        names = None if self.entries is not None else self.names
        return None if names is None else tuple(names[column] for column in self.classes)

    @property
    def width(self) -> int:
        """Number of classes."""
        return len(self.classes) if self.entries is None else self.entries

    @property
    def list_name(self) -> str | None:
        """The name of the column of lists, if the classes are its entries."""
        if self.entries is None or self.names is None:
            return None
        return self.names[self.classes[0]] or None

    @property
    def id_names(self) -> tuple[str, ...]:
        """The names of the id columns; empty strings without a header."""
        return tuple("" if self.names is None else self.names[column] for column in self.ids)

    def cell(self, row: str, position: int) -> str:
        """Return how errors name the cell of a class, given the place of its row."""
        if self.named_by == "class" or self.entries is not None:
            return f"{row}, class {position}"
        column = self.classes[position]
        if self.named_by == "name" and self.names is not None:
            return f"{row}, column {shorten(self.names[column])!r}"
        return f"{row}:{column + 1}"

    def label_cell(self, row: str) -> str:
        """Return how errors name the cell of the label, given the place of its row."""
        if self.named_by != "number" or self.label is None or self.columns == 1:
            return row
        return f"{row}:{self.label + 1}"


def choose_layout(
    cells: Sequence[object], names: list[str] | None, options: ReadOptions, request: ColumnRequest
) -> Layout:
    """Return the layout that the options ask for; all columns that are left over are classes."""
    count = len(cells)
    label: int | None = None
    if request.labels is not None:
        label, *others = select_columns([request.labels], names, count, "--label-column")
        if others:
            raise UsageError(f"{request.labels!r} is several columns", place="--label-column")
    ids = select_columns(options.id_columns, names, count, "--id-columns")
    every = list(range(count))
    chosen = select_columns(options.columns, names, count, "--columns") or every
    classes = [column for column in chosen if column not in ids and column != label]
    if request.one_column and label is None and len(classes) == 1:
        label = classes.pop()
    elif request.one_column and label is not None:
        classes = []
    elif not classes:
        raise UsageError("no column is left for the numbers", place="--id-columns")
    passed = every if request.every_column else ids
    missing = missing_texts(options)
    return Layout(count, classes, passed, label, names, bool(options.columns), missing)


def refuse_index(columns: Sequence[int], names: Sequence[str], place: str) -> None:
    """Refuse columns that are the index of a data frame, if there are any."""
    if not columns:
        return
    verb = "is" if len(columns) == 1 else "are"
    problem = f"{name_columns(columns, names)} {verb} the index of a data frame"
    if not all(names[column].strip() for column in columns):
        problem = "a column without a name looks like the index of a data frame"
    raise InputError(problem, pass_through(columns, names), place)


def several_columns(columns: int, names: Sequence[str] | None, what: str, place: str) -> InputError:
    """Return the error of a file of labels or weights that has several columns."""
    remedy = "remove the others (pandas writes an index unless index=False)"
    if what == "labels":
        specs = join_names(column_spec(column, names) for column in range(columns))
        remedy = f"--label-column names it: {specs}"
    return InputError(f"{columns} columns, but {what} need one", remedy, place)
