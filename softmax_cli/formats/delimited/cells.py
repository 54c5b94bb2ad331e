"""Records of delimited text into blocks of numbers, cell by cell: what every cell means."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.cell_kinds import remedy_of_number
from softmax_cli.formats.columns.header import Layout
from softmax_cli.formats.columns.selection import spec_of
from softmax_cli.formats.model.blocks import Block, rows_per_block
from softmax_cli.formats.opening.detection import detected_delimiter
from softmax_cli.formats.text.numbers import (
    LARGEST_EXACT,
    STORE_TRUTH,
    NotANumberError,
    is_number,
    is_truth,
    parse_number,
)
from softmax_cli.formats.text.records import Record, Split, unquoted
from softmax_cli.storage.limits import MOST_CELLS

T = TypeVar("T")


def blocks_of(
    lines: Iterator[Record], split: Split, layout: Layout, place: str, start: int = 0
) -> Iterator[Block]:
    """Yield the rows of records, numbered from `start`."""
    for batch in batches(lines, rows_per_block(layout.columns, 8)):
        yield block_of(batch, split, layout, place, start)
        start += len(batch)


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield the items, so many at a time; an error comes after all items that stand before it.

    What is wrong with those is then told first.
    """
    failed: InputError | None = None
    while failed is None:
        batch: list[T] = []
        try:
            batch.extend(islice(items, size))
        except InputError as error:
            failed = error
        if batch:
            yield batch
        elif failed is None:
            return
    raise failed


def block_of(
    batch: Sequence[Record], split: Split, layout: Layout, place: str, start: int
) -> Block:
    """Return the rows of some records; a cell that is no number is named by line and column."""
    values = np.empty((len(batch), len(layout.classes)))
    ids: list[tuple[bytes, ...]] | None = [] if layout.ids else None
    labels: list[str] | None = None if layout.label is None else []
    every_cell = layout.classes == list(range(layout.columns))
    for row, (number, record) in enumerate(batch):
        # A blank line between the rows of one column is a missing value.
        cells = split(record) or [b""]
        if len(cells) != layout.columns:
            refuse_many_cells(len(cells), f"{place}:{number}")
            raise _ragged(len(cells), layout, f"{place}:{number}")
        chosen = cells if every_cell else [cells[column] for column in layout.classes]
        values[row] = _numbers(chosen, layout, place, number)
        if ids is not None:
            ids.append(tuple(cells[column] for column in layout.ids))
        if labels is not None and layout.label is not None:
            labels.append(text_of(cells[layout.label], place, number))
    return Block(start, values, line_place(place, [line for line, _ in batch]), ids, labels)


def joined(blocks: Sequence[Block]) -> Block:
    """Return the rows of a table's blocks, which follow each other, as one block."""
    if len(blocks) == 1:
        return blocks[0]
    starts = [block.start for block in blocks]

    def place(row: int) -> str:
        number = bisect_right(starts, starts[0] + row) - 1
        return blocks[number].place(starts[0] + row - starts[number])

    return Block(
        starts[0],
        np.concatenate([block.values for block in blocks]),
        place,
        _chained([block.ids for block in blocks]),
        _chained([block.labels for block in blocks]),
    )


def _chained(lists: list[list[T] | None]) -> list[T] | None:
    present = [each for each in lists if each is not None]
    return list(chain.from_iterable(present)) if present else None


def refuse_many_cells(cells: int, place: str) -> None:
    """Refuse a row of more cells than text may have."""
    if cells > MOST_CELLS:
        problem = f"more than {MOST_CELLS} columns"
        raise InputError(problem, "an array file such as .npy takes as many as there are", place)


def text_of(cell: bytes, place: str, line: int) -> str:
    """Return a cell's content as text."""
    try:
        return unquoted(cell).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", f"{place}:{line}") from None


def line_place(place: str, numbers: Sequence[int]) -> Callable[[int], str]:
    """Name the rows of a block by the lines of the file."""
    return lambda row: f"{place}:{numbers[row]}"


def _ragged(cells: int, layout: Layout, place: str) -> InputError:
    counted = "1 column" if cells == 1 else f"{cells} columns"
    alone = 1 in (cells, layout.columns)
    remedy = "check --delimiter" if alone else "every row needs the same columns"
    return InputError(f"{counted}, and the first line has {layout.columns}", remedy, place)


def _numbers(chosen: list[bytes], layout: Layout, place: str, line: int) -> list[float]:
    try:
        row = list(map(float, chosen))
    except ValueError:
        pass
    else:
        # float() takes 1_000, and rounds what is too large: both need the second look.
        if not any(b"_" in cell for cell in chosen) and not any(map(_is_large, row)):
            return row
    if all(is_truth(unquoted(cell).decode("utf-8", "replace").strip()) for cell in chosen):
        cell = text_of(chosen[0], place, line)
        where = f"{place}:{line}:{layout.classes[0] + 1}"
        raise InputError(f"{cell!r} is not a number", STORE_TRUTH, where)
    columns = zip(chosen, layout.classes, strict=True)
    return [_parsed(cell, layout, column, place, line) for cell, column in columns]


def _is_large(number: float) -> bool:
    return not -LARGEST_EXACT < number < LARGEST_EXACT and number == number


def _parsed(cell: bytes, layout: Layout, column: int, place: str, line: int) -> float:
    text = text_of(cell, place, line)
    if text in layout.missing:
        return math.nan
    try:
        return parse_number(text)
    except NotANumberError as error:
        where = f"{place}:{line}:{column + 1}"
        raise InputError(str(error), _remedy(text, layout, column), where) from None


def _remedy(text: str, layout: Layout, column: int) -> str:
    is_cut = layout.columns == 1 and len(text.split()) > 1
    if not (is_cut or is_truth(text)) and (remedy := remedy_of_number(text)):
        return remedy
    if layout.columns == 1 and (found := detected_delimiter(text)):
        return f"--delimiter '{found}' would cut it into cells"
    if layout.columns == 1 and len(parts := text.split()) > 1 and all(map(is_number, parts)):
        return "--delimiter ' ' would cut it into cells"
    if len(layout.classes) == 1:
        return "every row needs a number"
    called = spec_of(column, layout.names)
    if is_truth(text):
        return f"{STORE_TRUTH}, or --id-columns {called} passes the column through"
    return f"--id-columns {called} passes a column of words through"
