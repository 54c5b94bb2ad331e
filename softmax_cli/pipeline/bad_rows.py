"""Bad rows, which have no softmax: found, counted, and treated as `--on-bad-row` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from softmax_cli.core.exact.rows import bad_and_likeliest
from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import OnBadRow, WriteOptions
from softmax_cli.pipeline.reporting import note

Kernel = Callable[[Block], Block]


class Counts(NamedTuple):
    """How many rows were read and how many of them are bad; where the first bad one is, and why."""

    read: int = 0
    bad: int = 0
    first_bad_place: str = ""
    first_bad_problem: str = ""

    def and_later(self, later: Counts) -> Counts:
        """Return the counts of these rows and later ones."""
        first = self if self.bad else later
        return first._replace(read=self.read + later.read, bad=self.bad + later.bad)

    def kept(self, on_bad_row: OnBadRow) -> int:
        """Return how many rows were not skipped."""
        return self.read - (self.bad if on_bad_row == "skip" else 0)


def treat_bad_rows(block: Block, on_bad_row: OnBadRow, source: Source) -> tuple[Block, Counts]:
    """Return a block of the source with its bad rows treated, and the counts of its rows.

    The likeliest classes are set where they are known, as the largest logit of a row says both.

    error      unchanged; the caller raises the error once all rows are counted
    skip       without the bad rows
    nan, zero  all values of bad rows are NaN; `zero_bad_rows` sets their results to 0
    """
    bad, likeliest = bad_and_likeliest(block.values)
    block = replace(block, likeliest=likeliest)
    if not bad.any():
        return block, Counts(len(bad))
    counts = Counts(len(bad), int(bad.sum()), *_why_bad(block, int(bad.argmax()), source))
    if on_bad_row == "skip":
        block = block.rows((~bad).nonzero()[0], block.start)
    elif on_bad_row != "error":
        values = block.values.copy(order="K")
        values[bad] = float("nan")
        block = block.with_values(values)
    return block, counts


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


def _why_bad(block: Block, position: int, source: Source) -> tuple[str, str]:
    """Return the place of a row, or of its missing cell, and why it has no softmax."""
    row, place = block.values[position], block.place(position)
    missing = (row != row).nonzero()[0]
    if not missing.size:
        held = "+inf" if (row > 0).any() else "nothing but -inf"
        return place, f"has no softmax: it holds {held}"
    if source.table is None:
        return place, "has no softmax: it holds NaN"
    return source.table.cell(place, int(missing[0])), "is missing or NaN, so the row has no softmax"


def conclude(
    source: Source,
    on_bad_row: OnBadRow,
    counts: Counts,
    options: WriteOptions,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> None:
    """Raise the errors that are known once all rows are read, or print the notes about them.

    needed_for  what cannot be computed from zero rows, if that is an error
    check       raises further errors
    """
    _check_counts(source, on_bad_row, counts, needed_for)
    if check is not None:
        check(source.place)
    for warning in source.warnings:
        for line in warning():
            note(line, options)
    if source.classes == 1 and counts.read > 1:
        remedy = "write the numbers in one line if they are one vector"
        if source.class_names is None and not source.id_names:
            remedy = "--axis 0 takes the column as one vector"
        remedy = f"--binary takes a column as class 1 of two, {remedy}"
        problem = "every row has one class, and so the probability 1"
        note(f"{source.place}: {problem}; {remedy}", options)
    if counts.bad:
        done = {"skip": "skipped", "nan": "set to NaN", "zero": "set to 0"}[on_bad_row]
        rows = "1 row" if counts.bad == 1 else f"{counts.bad} rows"
        first = counts.first_bad_place
        note(f"{source.place}: {rows} without a softmax {done}; the first: {first}", options)


def _check_counts(source: Source, on_bad_row: OnBadRow, counts: Counts, needed_for: str) -> None:
    if source.rows is not None and counts.read != source.rows:
        raise SoftmaxCliError(f"{counts.read} of {source.rows} rows were read", place=source.place)
    if not counts.read and source.rows is None:
        raise InputError("a header and no rows", "give at least one row", source.place)
    if counts.bad and on_bad_row == "error":
        more = counts.bad - 1
        others = f", and {more} more row{'s have' if more > 1 else ' has'} none" if more else ""
        remedy = "--on-bad-row nan, zero or skip goes on without it"
        raise InputError(counts.first_bad_problem + others, remedy, counts.first_bad_place)
    if needed_for and not counts.kept(on_bad_row):
        place, why = counts.first_bad_place, counts.first_bad_problem
        problem = f"every row was skipped, {place} first: it {why}" if why else "has no rows"
        remedy = "give at least one row that has a softmax"
        raise InputError(f"{problem}, so there is no {needed_for}", remedy, source.place)
