"""Rows that have no softmax: counted, named, and treated as `--on-bad-row` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from softmax_cli.core.exact.rows import has_no_softmax
from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Chunks, Source, from_blocks
from softmax_cli.formats.model.options import OnBadRow, WriteOptions
from softmax_cli.pipeline.reporting import note
from softmax_cli.pipeline.row_order import check_row_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_cli.formats.columns.table_columns import TableColumns

Kernel = Callable[[Block], Block]


@dataclass
class Counts:
    """What happened to the rows of a run."""

    read: int = 0
    bad: int = 0
    first_bad: int = -1
    first_bad_place: str = ""
    first_bad_problem: str = ""
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)


def good_rows(source: Source, on_bad_row: OnBadRow, counts: Counts) -> Chunks:
    """Return the portions of the source with their bad rows treated as `--on-bad-row` says.

    error  they are counted, and the first is named when all rows are read
    skip   they are left out
    nan    they go on as NaN; so do those of `zero`, whose results are then set to 0
    """
    source = check_row_order(source)
    if on_bad_row == "skip":
        return from_blocks(partial(_without_bad_rows, source, counts))

    def masked(block: Block) -> Block:
        bad = _counted(block, counts, source.table)
        if on_bad_row == "error" or not bad.any():
            return block
        values = block.values.copy(order="K")
        values[bad] = float("nan")
        return block.with_values(values)

    return source.map(masked).chunks


def good_blocks(
    source: Source, on_bad_row: OnBadRow, options: WriteOptions
) -> Iterator[tuple[Block, int]]:
    """Yield the blocks of the source as good_rows treats them, and how many rows were read.

    One after the other, for what is no kernel; at the end comes what run would say.
    """
    counts = Counts()
    for chunk in good_rows(source, on_bad_row, counts)():
        block = chunk.read()
        counts.read += chunk.rows
        if not (counts.bad and on_bad_row == "error"):
            yield block, counts.read
    conclude(source, on_bad_row, counts, options)


def _without_bad_rows(source: Source, counts: Counts) -> Iterator[Block]:
    start = 0
    for block in source.blocks():
        bad = _counted(block, counts, source.table)
        good = block.rows((~bad).nonzero()[0], start) if bad.any() else replace(block, start=start)
        counts.read += len(block.values) - len(good.values)
        start += len(good.values)
        yield good


def _counted(block: Block, counts: Counts, table: TableColumns | None) -> NDArray[np.bool_]:
    """Return which rows of a block are bad, and add them to the counts, in any thread."""
    bad = has_no_softmax(block.values)
    if bad.any():
        first = int(bad.argmax())
        with counts.lock:
            counts.bad += int(bad.sum())
            if counts.first_bad < 0 or block.start + first < counts.first_bad:
                counts.first_bad = block.start + first
                counts.first_bad_place, counts.first_bad_problem = _why_bad(block, first, table)
    return bad


def zero_bad_rows(kernel: Kernel, on_bad_row: OnBadRow) -> Kernel:
    """Return a kernel whose results are 0, not NaN, for the rows that have no softmax."""
    if on_bad_row != "zero":
        return kernel

    def zeroed(block: Block) -> Block:
        bad = (block.values != block.values).any(axis=-1)
        result = kernel(block)
        if bad.any():
            # A row may have become the lines of a matrix.
            lines = bad.repeat(len(result.values) // len(bad))
            values = result.values.copy()
            values[lines] = 0
            result = result.with_values(values)
        return result

    return zeroed


def _why_bad(block: Block, position: int, table: TableColumns | None) -> tuple[str, str]:
    """Return where a row is, or its cell that is missing, and why it has no softmax."""
    row, place = block.values[position], block.place(position)
    missing = (row != row).nonzero()[0]
    if not missing.size:
        held = "+inf" if (row > 0).any() else "nothing but -inf"
        return place, f"has no softmax: it holds {held}"
    if table is None:
        return place, "has no softmax: it holds NaN"
    return table.cell(place, int(missing[0])), "is missing or NaN, so the row has no softmax"


def conclude(
    source: Source,
    on_bad_row: OnBadRow,
    counts: Counts,
    options: WriteOptions,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> None:
    """Say what became of the rows once all are read; without a remedy, bad rows are an error.

    needed_for  what there is not of no rows, if that is an error
    check       raises what else is an error, before anything is said
    """
    if source.rows is not None and counts.read != source.rows:
        raise SoftmaxCliError(f"{counts.read} of {source.rows} rows were read", place=source.place)
    if not counts.read and source.rows is None:
        raise InputError("a header and no rows", "give at least one row", source.place)
    place = counts.first_bad_place
    if counts.bad and on_bad_row == "error":
        more = counts.bad - 1
        others = f", and {more} more row{'s have' if more > 1 else ' has'} none" if more else ""
        remedy = "--on-bad-row nan, zero or skip goes on without it"
        raise InputError(counts.first_bad_problem + others, remedy, place)
    if needed_for and counts.read == (counts.bad if on_bad_row == "skip" else 0):
        problem = "has no rows"
        if counts.bad:
            problem = f"every row was left out, {place} first: it {counts.first_bad_problem}"
        remedy = "give at least one row that has a softmax"
        raise InputError(f"{problem}, so there is no {needed_for}", remedy, source.place)
    if check is not None:
        check(source.place)
    for warning in source.warnings:
        for line in warning():
            note(line, options)
    if source.classes == 1 and counts.read > 1:
        is_array = source.class_names is None and not source.id_names
        remedy = "--axis 0 takes the column" if is_array else "write the numbers in one line"
        purpose = "as one vector" if is_array else "if they are one vector"
        problem = "every row has one class, and so the probability 1"
        note(f"{source.place}: {problem}; {remedy} {purpose}", options)
    if not counts.bad:
        return
    done = {"skip": "left out", "nan": "set to NaN", "zero": "set to 0"}[on_bad_row]
    rows = "1 row" if counts.bad == 1 else f"{counts.bad} rows"
    note(f"{source.place}: {rows} without a softmax {done}; the first: {place}", options)
