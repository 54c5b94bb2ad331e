"""The first line of a table: is it a header, and which columns are classes, ids and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from softmax_cli.errors import InputError, UsageError, shortened
from softmax_cli.formats.columns import by_number_alone, select_columns
from softmax_cli.formats.numbers import is_number
from softmax_cli.formats.options import Keep, ReadOptions

# The second is what pandas makes of the first.
_UNNAMED = re.compile(r"|Unnamed: \d+")
_LIKELY_NO_CLASS = ("id", "index", "row", "idx", "label", "labels", "target", "y_true")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are classes, ids and labels, and how they are called.

    names      of all columns, if the first line is a header
    numbering  the first line is not known to be a header, but reads 0, 1, 2, ... like one
    """

    columns: int
    classes: list[int]
    ids: list[int]
    label: int | None
    names: list[str] | None
    numbering: bool = False


def judged_layout(cells: list[str], options: ReadOptions, keep: Keep, place: str) -> Layout:
    """Judge the first line: is it a header, and which of its columns are what."""
    specs = [*options.columns, *options.id_columns, *([keep.labels] if keep.labels else [])]
    header = options.header
    if header is None and not by_number_alone(specs):
        header = True
    names = cells if header else None
    layout = selected_layout(cells, names, options, keep)
    judged = [cells[column] for column in layout.classes]
    numeric = [is_number(cell) for cell in judged]
    if header is None and any(numeric) and not all(numeric):
        raise _partly_numeric(layout.classes[numeric.index(False)], cells, place)
    if header is None and judged and all(map(_DECIMAL_COMMA.fullmatch, judged)):
        raise InputError(
            f"{shortened(judged[0])!r} is not a number",
            "numbers need a decimal point, not a comma",
            place,
        )
    if header is None and not any(numeric):
        layout = selected_layout(cells, cells, options, keep)
    unnamed = [column for column in layout.classes if _UNNAMED.fullmatch(cells[column])]
    if layout.names is not None and unnamed:
        column = unnamed[0] + 1
        raise InputError(
            "the header has a column without a name, as the index of a data frame has",
            f"--id-columns {column} passes it through",
            f"{place}:{column}",
        )
    numbering = header is None and len(judged) > 1 and judged == list(map(str, range(len(judged))))
    if numbering and not all(map(is_number, cells)):
        raise reads_like_numbering(len(judged), "beside words", place)
    return replace(layout, numbering=numbering)


def reads_like_numbering(classes: int, why: str, place: str) -> InputError:
    """Return the error for a first line 0,1,2,... that is more likely a header than a row."""
    return InputError(
        f"the first line reads 0 to {classes - 1}, like the header of a data frame, {why}",
        "--header if it names the columns, --no-header if it is a row",
        place,
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
    return Layout(count, classes, list(range(count)) if keep.every_column else ids, label, names)


def _partly_numeric(position: int, cells: list[str], place: str) -> InputError:
    column, word = position + 1, cells[position]
    shown = repr(shortened(word)) if word else "an empty cell"
    return InputError(
        f"the first line is partly numeric: {shown} is not a number",
        f"--header if it names the columns, --no-header if not, "
        f"--id-columns {column} if that column is no class",
        f"{place}:{column}",
    )


def caution(layout: Layout) -> str:
    """Return what is odd about a column that is taken for a class, and is likely none."""
    names = layout.names or []
    likely = [names[column] for column in layout.classes if layout.names]
    found = [name for name in likely if name.lower() in _LIKELY_NO_CLASS]
    if not found:
        return ""
    return (
        f"the column {found[0]!r} is taken for a class; --id-columns {found[0]} passes it through"
    )
