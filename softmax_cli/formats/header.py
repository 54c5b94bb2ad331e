"""The first line of a table: is it a header, and which columns are classes, ids and labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from softmax_cli.errors import InputError, UsageError, shortened
from softmax_cli.formats.cell_kinds import (
    MISSING,
    Kind,
    could_be_names,
    counts_up,
    is_whole,
    kind_of,
)
from softmax_cli.formats.columns import by_number_alone, select_columns
from softmax_cli.formats.numbers import is_number
from softmax_cli.formats.options import Keep, ReadOptions
from softmax_cli.formats.table_columns import TableColumns

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

    def table(self, *, by_name: bool = False) -> TableColumns:
        """Return the columns as errors and warnings name them."""
        numbers = tuple(column + 1 for column in self.classes)
        label = None if self.label is None else self.label + 1
        return TableColumns(self.class_names, numbers, label, self.chosen, by_name)


def judge_layout(
    cells: list[str],
    below: Sequence[str] | None,
    options: ReadOptions,
    keep: Keep,
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
        others = [cells[column] for column in range(len(cells)) if column not in layout.classes]
        if is_header(judged, under, keep, layout.missing, place, layout.classes):
            layout = selected_layout(cells, cells, options, keep)
        elif len(judged) > 1 and counts_up(judged):
            if any(not cell.strip() or kind_of(cell) == "name" for cell in others):
                raise _ambiguous(judged, "and other cells of it are no numbers", place)
            if under is not None:
                layout = replace(layout, warning=_taken_for_a_row(judged, place))
    unnamed = [column for column in layout.classes if _UNNAMED.fullmatch(cells[column].strip())]
    if layout.names is not None and unnamed:
        column = unnamed[0] + 1
        raise InputError(
            "the header has a column without a name, as the index of a data frame has",
            f"--id-columns {column} passes it through",
            f"{place}:{column}",
        )
    return layout


def _name_a_column(cells: Sequence[str], options: ReadOptions, keep: Keep) -> bool:
    """Return true if an option names a column otherwise than by its number."""
    specs = [*options.columns, *options.id_columns, *([keep.labels] if keep.labels else [])]
    numbers = [str(number) for number in range(1, len(cells) + 1)]
    return not by_number_alone(specs) or any(
        part in cells and part not in numbers for spec in specs for part in spec.split(",")
    )


def is_header(
    cells: Sequence[str],
    below: Sequence[str] | None,
    keep: Keep,
    missing: Collection[str],
    place: str,
    columns: Sequence[int] | None = None,
) -> bool:
    """Return true if the first line names the columns, and false if it is a row.

    It is a header if a cell of it is a name and none is a number, or meant as one. A line that
    could be either is an error.
    """
    kinds: list[Kind] = [kind_of(cell, missing) for cell in cells]
    if "name" in kinds:
        if "number" in kinds or "number-like" in kinds:
            position = kinds.index("name")
            raise _mixed(cells[position], (columns or range(len(cells)))[position] + 1, place)
        return True
    if below is not None:
        _refuse_ambiguous(cells, below, keep, place)
    return False


def _refuse_ambiguous(cells: Sequence[str], below: Sequence[str], keep: Keep, place: str) -> None:
    """Refuse digits alone above numbers that are not whole: the names of classes, or logits."""
    if len(cells) > 2 and not cells[0].strip():
        # The index of a data frame, which has no name.
        cells, below = cells[1:], below[1:] if len(below) == len(cells) else below
        if counts_up(cells):
            raise _ambiguous(cells, "after a cell without a name", place, "--header --id-columns 1")
    whole = [is_whole(cell) for cell in below]
    if counts_up(cells):
        if not all(whole):
            raise _ambiguous(cells, "and the numbers of the line below are not whole", place)
    elif could_be_names(cells) and not (any(whole) or keep.distributions or len(cells) == 1):
        raise _ambiguous(cells, "and no number of the line below is whole", place)


def _ambiguous(cells: Sequence[str], why: str, place: str, header: str = "--header") -> InputError:
    first, last = cells[0].strip(), cells[-1].strip()
    if len(cells) == 1:
        shown = f"{first}, like the name of a data frame's column"
    elif counts_up(cells):
        shown = f"{first} to {last}, like the header of a data frame"
    else:
        listed = ",".join(cell.strip() for cell in cells)
        shown = f"{shortened(listed)}, like names of classes"
    return InputError(f"the first line reads {shown}, {why}", _settle(header), place)


def _settle(header: str = "--header") -> str:
    return f"{header} if it names the columns, --no-header if it is a row"


def _taken_for_a_row(cells: Sequence[str], place: str) -> str:
    last = cells[-1].strip()
    return f"{place}: the first line reads 0 to {last} and was taken for a row; {_settle()}"


def _mixed(name: str, column: int, place: str) -> InputError:
    return InputError(
        f"the first line is partly numeric: {shortened(name)!r} is not a number",
        "--header if it names the columns, --no-header if not, "
        f"--id-columns {column} if that column is no class",
        f"{place}:{column}",
    )


def selected_layout(
    cells: Sequence[str], names: list[str] | None, options: ReadOptions, keep: Keep
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


def _na_values(options: ReadOptions) -> list[str]:
    return [text.strip() for spec in options.na_values for text in spec.split(",")]
