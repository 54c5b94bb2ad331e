"""The columns of a table: which are classes, ids and labels, and how errors name them.

Columns are selected by name, number from 1, range or pattern.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from softmax_cli.errors import InputError, UsageError, did_you_mean, join_names, shorten
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cell_kinds import MISSING
from softmax_cli.formats.text.numbers import is_number

_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")
GIVE_A_TABLE = "leave it out, or give a table, such as CSV, Parquet or JSON records"
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)


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


def missing_texts(options: ReadOptions) -> Collection[str]:
    """Return the texts of missing values, with those of --na-values."""
    return MISSING.union(_na_values(options))


def missing_numbers(options: ReadOptions) -> list[float]:
    """Return the numbers that --na-values gives as missing values, in any spelling."""
    return [float(text) for text in _na_values(options) if is_number(text)]


def mask_na_values(source: Source, options: ReadOptions) -> Source:
    """Return the source with NaN for the numbers of --na-values."""
    import numpy as np

    from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest

    numbers = missing_numbers(options)
    if not numbers:
        return source
    stored = np.array(numbers)
    if BFLOAT16 in source.dtypes:
        stored = np.concatenate([stored, nearest(stored.astype(np.float32))])

    def mask(block: Block) -> Block:
        is_missing = np.isin(block.values, stored.astype(block.values.dtype))
        return block.with_values(np.where(is_missing, np.nan, block.values))

    return source.map(mask)


def _na_values(options: ReadOptions) -> list[str]:
    return [text.strip() for spec in options.na_values for text in spec.split(",")]


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


def refuse_table_options(
    what: str, options: ReadOptions, request: ColumnRequest, remedy: str = GIVE_A_TABLE
) -> None:
    """Refuse options that only a table can honour; `what` is the input."""
    for option, given in (
        ("--columns", options.columns),
        ("--id-columns", options.id_columns),
        ("--append", request.every_column),
    ):
        if given:
            raise UsageError(f"there are no columns in {what}", remedy, option)
    if request.labels is not None:
        remedy = "give the labels with --labels"
        raise UsageError(f"there are no columns in {what}", remedy, "--label-column")
    refuse_text_options(what, options)


def refuse_text_options(what: str, options: ReadOptions) -> None:
    """Refuse options that only CSV and other text can honour."""
    if options.delimiter is not None:
        raise UsageError(f"there is no delimiter in {what}", "leave it out", "--delimiter")
    if options.header is not None:
        option = "--header" if options.header else "--no-header"
        raise UsageError(f"there is no header line in {what}", "leave it out", option)
