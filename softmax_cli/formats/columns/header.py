"""Decides whether the first line of a table is a header or a row."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columns.layout import Layout, choose_layout, refuse_index, several_columns
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.columns.selection import are_numbers
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.cell_kinds import (
    cell_kind,
    could_be_names,
    counts_up,
    is_whole,
    may_be_missing,
)
from softmax_cli.formats.text.numbers import is_number, is_truth

# pandas writes the second for the first.
_UNNAMED = re.compile(r"|Unnamed: \d+")


def detect_layout(
    cells: list[str],
    below: Sequence[str] | None,
    options: ReadOptions,
    request: ColumnRequest,
    place: str,
) -> Layout:
    """Return the layout of a table, given its first line and the line below, if there is one.

    A header that is one cell shorter than the line below has no name for the row names of R, which
    pass through. R leaves no cell empty: an empty last one is a delimiter too many.
    """
    header = options.header
    is_short = below is not None and len(below) == len(cells) + 1 and below[-1] != ""
    if below is not None and is_short and _are_names(cells, header, options):
        named = replace(options, id_columns=["1-1", *options.id_columns])
        cells = ["", *cells]
        layout = choose_layout(cells, cells, named, request)
        # A single cell may be a title.
        if (is_number(below[0]) and below[0] != "1") or len(below) == 2:
            warning = "the header is one cell shorter than the rows"
            remedy = "their first cells are taken for row names"
            layout = replace(layout, warning=f"{place}: {warning}; {remedy}")
        return layout
    if header is None and _options_name_columns(cells, options, request):
        header = True
    layout = choose_layout(cells, cells if header else None, options, request)
    if header is None:
        columns = layout.classes or [layout.label or 0]
        judged = [cells[column] for column in columns]
        under = None
        if below is not None:
            under = [below[column] for column in columns if column < len(below)]
        try:
            is_named = is_header(judged, under, request, layout.missing, place, columns)
        except InputError:
            if request.one_column and len(columns) > 1:
                raise several_columns(len(cells), None, request.role, place) from None
            raise
        if is_named:
            layout = choose_layout(cells, cells, options, request)
        elif under is not None and could_be_names(judged):
            others = [cells[column] for column in {*range(len(cells))}.difference(columns)]
            has_names = any(not cell.strip() or cell_kind(cell) == "name" for cell in others)
            is_index = len(judged) > 1 and counts_up(judged)
            remedy = _header_remedy(request.role)
            if has_names and request.one_column:
                return choose_layout(cells, cells, options, request)
            if has_names and is_index:
                raise _ambiguous(judged, "and other cells are not numbers", place, remedy)
            if has_names or is_index:
                warning = f"the first line reads {_shown(judged)} and was taken for a row"
                layout = replace(layout, warning=f"{place}: {warning}; {remedy}")
    classes = layout.classes if layout.names else ()
    if unnamed := [column for column in classes if _UNNAMED.fullmatch(cells[column].strip())]:
        if request.one_column:
            raise several_columns(len(cells), layout.names, request.role, place)
        refuse_index(unnamed, cells, f"{place}:{unnamed[0] + 1}")
    return layout


def _are_names(cells: Sequence[str], header: bool | None, options: ReadOptions) -> bool:
    """Return true if the cells of a first line are surely names."""
    if header is not None:
        return header
    kinds = {cell_kind(cell, missing_texts(options)) for cell in cells}
    return "name" in kinds and kinds.isdisjoint(("number", "number-like"))


def _options_name_columns(
    cells: Sequence[str], options: ReadOptions, request: ColumnRequest
) -> bool:
    """Return true if an option gives a column by name, which needs a header."""
    specs = [*options.columns, *options.id_columns, *([request.labels] if request.labels else [])]
    numbers = {str(number) for number in range(1, len(cells) + 1)}
    for part in (part for spec in specs for part in (spec, *spec.split(","))):
        if part in numbers or (part not in cells and are_numbers(part)):
            continue
        # A pattern that matches only numbers is no name.
        matched = [cell for cell in cells if fnmatchcase(cell, part)]
        if part in cells or not matched or any(cell_kind(cell) == "name" for cell in matched):
            return True
    return False


def is_header(
    cells: Sequence[str],
    below: Sequence[str] | None,
    request: ColumnRequest,
    missing: Collection[str],
    place: str,
    columns: Sequence[int] | None = None,
) -> bool:
    """Return true if the first line is a header, false if it is a row.

    A header has a name, and no cell that is a number or meant as one. An error reports a line that
    could be either.
    """
    if len(cells) == 1 and cells[0] in request.words:
        return False
    if all(map(is_truth, (*cells, *(below or ())))):
        return False
    kinds = [cell_kind(cell, missing) for cell in cells]
    remedy = _header_remedy(request.role)
    for position, (cell, kind) in enumerate(zip(cells, kinds, strict=True)):
        if kind == "name" and not may_be_missing(cell):
            if not {"number", "number-like"}.intersection(kinds):
                return True
            column = (columns or range(len(cells)))[position] + 1
            number = f"{column}-{column}" if str(column) in cells else str(column)
            problem = f"the first line is partly numeric: {shorten(cell)!r} is not a number"
            remedy += f"; --id-columns {number} if that column is no class"
            raise InputError(problem, remedy, f"{place}:{column}")
    if below is None:
        return False
    # Digits above numbers that are not whole: class names, or logits.
    if len(cells) > 1 and not cells[0].strip() and could_be_names(cells[1:]):
        # The index of a data frame has no name, and often begins with 0.
        remedy = _header_remedy(request.role, "--header --id-columns 1")
        if counts_up(cells[1:]) or [cell.strip() for cell in below[:1]] == ["0"]:
            raise _ambiguous(cells[1:], "after a cell without a name", place, remedy)
        cells, below = cells[1:], below[1:]
    whole = [is_whole(cell) for cell in below if cell_kind(cell, missing) != "missing"]
    if counts_up(cells):
        if not whole or not all(whole):
            why = "and the numbers of the line below are not whole"
            raise _ambiguous(cells, why, place, remedy)
    elif could_be_names(cells) and not (any(whole) or request.distributions or len(cells) == 1):
        raise _ambiguous(cells, "and no number of the line below is whole", place, remedy)
    return False


def _ambiguous(cells: Sequence[str], why: str, place: str, remedy: str) -> InputError:
    like = "the header of a data frame" if counts_up(cells) else "names of classes"
    if len(cells) == 1:
        like = "the name of a data frame's column"
    return InputError(f"the first line reads {_shown(cells)}, like {like}, {why}", remedy, place)


def _shown(cells: Sequence[str]) -> str:
    if len(cells) > 1 and counts_up(cells):
        return f"0 to {cells[-1].strip()}"
    return shorten(",".join(cell.strip() for cell in cells))


def _header_remedy(role: str, header: str = "--header") -> str:
    """Return the options for a first line, of all tables of a run and of this input only."""
    alone = f"; --header-of {role}=yes or no for this one alone" if role else ""
    return f"{header} if it names the columns, --no-header if it is a row{alone}"
