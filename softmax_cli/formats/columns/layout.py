"""The layout of a table: which columns are classes, ids and labels, and which texts are missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from softmax_cli.errors import UsageError, shorten
from softmax_cli.formats.columns.selection import select_columns
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cell_kinds import MISSING
from softmax_cli.formats.text.numbers import is_number


@dataclass(frozen=True)
class Layout:
    """The columns of a table, as positions from 0, and how errors name them.

    columns   number of all columns
    names     names of all columns, if the table has a header
    chosen    true if --columns chose the classes
    missing   texts of missing values
    warning   why a first line that was taken for a row may be a header
    named_by  what names a cell of a row: the number or name of its column, or its class
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

    @cached_property
    def is_all_classes(self) -> bool:
        """True if all columns are classes, in their order."""
        return self.classes == list(range(self.columns))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes."""
        names = self.names
        return None if names is None else tuple(names[column] for column in self.classes)

    @property
    def id_names(self) -> tuple[str, ...]:
        """The names of the id columns; empty strings without a header."""
        return tuple("" if self.names is None else self.names[column] for column in self.ids)

    def cell(self, row: str, position: int) -> str:
        """Return how errors name the cell of a class, given the place of its row."""
        if self.named_by == "class":
            return f"{row}, class {position}"
        column = self.classes[position]
        if self.named_by == "name" and self.names is not None:
            return f"{row}, column {shorten(self.names[column])!r}"
        return f"{row}:{column + 1}"

    def label_cell(self, row: str) -> str:
        """Return how errors name the cell of the label, given the place of its row."""
        if self.named_by != "number" or self.label is None:
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
            problem = f"{request.labels!r} is {len(others) + 1} columns"
            raise UsageError(problem, place="--label-column")
    ids = select_columns(options.id_columns, names, count, "--id-columns")
    every = list(range(count))
    chosen = every
    if options.columns:
        chosen = select_columns(options.columns, names, count, "--columns")
    classes = [column for column in chosen if column not in ids and column != label]
    if not classes:
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
