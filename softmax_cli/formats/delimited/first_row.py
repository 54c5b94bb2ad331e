"""What the first row of a text table says of its columns: which hold lists, or truth values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.lists import list_layout, refuse_length
from softmax_cli.formats.text.cell_kinds import cell_kind, is_whole
from softmax_cli.formats.text.cells import Split, cell_text
from softmax_cli.formats.text.lines import Record
from softmax_cli.formats.text.list_cells import list_entries
from softmax_cli.formats.text.numbers import is_truth


def first_cells(
    layout: Layout, rows: Iterable[Sequence[str]], later: Iterator[Record], split: Split
) -> list[str]:
    """Return the cells of the first row, where one is missing that of the first row with it."""
    found: list[str] = []
    with suppress(InputError):
        for row in chain(rows, (list(map(cell_text, split(record))) for _, record in later)):
            found = [
                other if cell in layout.missing else cell
                for cell, other in zip(found or row, row, strict=False)
            ]
            if not any(found[at] in layout.missing for at in layout.classes if at < len(found)):
                break
    return found


def with_kinds(layout: Layout, row: Sequence[str], place: str) -> Layout:
    """Return the layout with the kinds of cells, lists and truth values, that the first row has."""
    found = [(at, row[at]) for at in layout.classes if at < len(row)]
    truths = frozenset(column for column, cell in found if is_truth(cell))
    lists = {column: list_entries(cell) for column, cell in found}
    columns = [column for column in lists if lists[column] is not None]
    # Lists without a name for their columns are rather the rows of a matrix, which is an error.
    is_matrix = len(columns) > 1 and layout.names is None
    if is_matrix or not columns:
        return replace(layout, truths=truths)
    fractions = [at for at, cell in found if "number" in cell_kind(cell) and not is_whole(cell)]
    held = list_layout(layout, columns, fractions, place)
    assert held is not None
    column = held.classes[0]
    entries = len(lists[column] or ())
    refuse_length(entries, entries, f"{place}:{column + 1}")
    return replace(held, entries=entries)
