"""Numbers of which each is a row, in a column or in lists of any length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from softmax_cli.errors import InputError, did_you_mean, join_names, shorten
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.columns.selection import select_columns
from softmax_cli.formats.model.blocks import Block, Source, from_blocks
from softmax_cli.formats.model.id_columns import IdColumns
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.text.numbers import NotANumberError, parse_number

# Lists may be long.
ROWS_AT_ONCE = 1024
_ENTRIES_PER_BLOCK = 1 << 16
# A number, or a missing one, and its place.
Entry = tuple[float, str]


@dataclass(frozen=True)
class ListRows:
    """Rows of a file, each a number or a list, with their places and ids."""

    values: Sequence[Any]
    place: Callable[[int], str]
    ids: IdColumns | None = None


def entries_source(
    batches: Iterable[ListRows], id_names: Sequence[str], place: str, options: ReadOptions
) -> Source:
    """Return a source with a row for each number, NaN if it is missing, and the ids of its list."""
    missing = missing_texts(options)

    def blocks() -> Iterator[Block]:
        start = 0
        for rows in batches:
            entries = (
                (row, *entry)
                for row, value in enumerate(rows.values)
                for entry in _entries(value, rows.place(row), missing)
            )
            while batch := list(islice(entries, _ENTRIES_PER_BLOCK)):
                owners, numbers, places = zip(*batch, strict=True)
                ids = None if rows.ids is None else rows.ids[np.array(owners)]
                values = np.array(numbers, np.float64)[:, None]
                yield Block(start, values, places.__getitem__, ids)
                start += len(batch)

    dtype = np.dtype(np.float64)
    return Source(place, 1, dtype, from_blocks(blocks), id_names=tuple(id_names))


def _entries(value: Any, place: str, missing: Iterable[str]) -> Iterator[Entry]:
    if isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _entries(entry, f"{place}, entry {number}", missing)
        return
    if value is None or (isinstance(value, str) and value in missing):
        yield np.nan, place
        return
    try:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        yield (float(value) if is_number else parse_number(str(value))), place
    except (NotANumberError, OverflowError):
        problem = f"{shorten(str(value))!r} is not a number"
        raise InputError(problem, "each entry is a log-probability, or null", place) from None


def entry_column(
    names: list[str], lists: Collection[str], options: ReadOptions, place: str
) -> tuple[str, list[str]]:
    """Return the column of entries, and the id columns.

    It is the one that --columns names, the only column, or the only one of lists.
    """
    ids = [
        names[at] for at in select_columns(options.id_columns, names, len(names), "--id-columns")
    ]
    left = [name for name in names if name not in ids]
    of_lists = [name for name in left if name in lists]
    left = of_lists if len(of_lists) == 1 else left
    wanted = ",".join(options.columns) or (left[0] if len(left) == 1 else "")
    if wanted in names:
        return wanted, ids
    remedy = f"--columns chooses one of {join_names(names)}"
    if wanted:
        remedy = did_you_mean(wanted, names, remedy)
        raise InputError(f"has no column {shorten(wanted)!r}", remedy, place)
    raise InputError(f"has {len(names)} columns, but one is needed", remedy, place)
