"""Checks a gradient that any framework wrote to a file against the exact one in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softmax_cli.commands.gradients.references import (
    Exact,
    Rowwise,
    Variant,
    by_column,
    derivative_reference,
    loss_factors,
    loss_reference,
    loss_rows,
    variants,
    weighed_without,
)
from softmax_cli.commands.inputs.binary import as_column
from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.inputs.values import opened, opened_partner, without_missing
from softmax_cli.commands.options.gradcheck import CheckOptions, GivenOptions
from softmax_cli.core.exact.bfloat16 import limits_of, name_of
from softmax_cli.core.gradcheck.comparison import Comparison, check_tolerances, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis, common_factors, factors_of
from softmax_cli.core.gradcheck.report import Report
from softmax_cli.core.gradcheck.rounding import Rounding
from softmax_cli.errors import InputError, ShapeError, UsageError
from softmax_cli.formats.arrays.array import row_place
from softmax_cli.formats.model.blocks import Block, Source, from_blocks, identity
from softmax_cli.formats.model.options import ColumnRequest, WriteOptions
from softmax_cli.formats.opening.file_key import is_read_once
from softmax_cli.pipeline.pairing import (
    RowReader,
    blocks_in_order,
    check_shapes,
    with_rows_of,
    zip_rows,
)
from softmax_cli.pipeline.run import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = "exact"
# With more entries compared at a time, they leave the cache; with fewer, threads wait.
_ENTRIES_AT_ONCE = 1 << 18


class Compared(NamedTuple):
    """The comparison of some rows, with the file's dtype and the number of classes."""

    comparison: Comparison
    dtype: str
    classes: int


@dataclass(frozen=True)
class GradientFile:
    """A gradient file, and the files and options that define its exact gradient.

    divisor   of the gradients; None if these files determine it
    variants  losses with an option left out; None if these files determine them
    """

    inputs: LossInputs
    given: GivenOptions
    check: CheckOptions
    divisor: Fraction | float | None = None
    variants: dict[str, Variant] | None = None

    @property
    def file(self) -> str:
        """The file that is checked."""
        return self.given.grad or self.given.jacobian or ""

    def check_options(self) -> None:
        """Raise an error for options that do not apply to gradient files."""
        check_tolerances(self.check.rtol, self.check.atol)
        if self.inputs.read.on_bad_row != "error":
            problem = "a row without a softmax has no gradient"
            raise UsageError(problem, "leave it out", "--on-bad-row")

    def report(self, write: WriteOptions) -> Report:
        """Compare the file with the exact gradient; read all again to diagnose a wrong one."""
        self.check_options()
        tokens = (self.file, self.given.upstream)
        once = any(map(is_read_once, [*self.inputs.tokens, *tokens]))
        comparison, dtype, _ = self.compared(write, diagnosed=once)
        if comparison.counts.verdict == "fail" and not once:
            # The first reading has printed all notes.
            silent, rows = replace(write, quiet=True), comparison.counts.points
            comparison, dtype, _ = self.compared(silent, diagnosed=True, rows=rows)
        return self.report_of(self.file, comparison, dtype)

    def report_of(self, file: str, comparison: Comparison, dtype: str) -> Report:
        """Return the report of a comparison with gradients of a dtype in a file."""
        check = comparison.check(file, method=EXACT, step=None, dtype=dtype)
        check = replace(check, subject="gradient-file", file=file)
        return Report(self.check.seed, [check])

    def compared(
        self, write: WriteOptions, *, diagnosed: bool, rows: int | None = None
    ) -> Compared:
        """Compare all rows; `rows` of all files together are a likely factor in a diagnosis."""
        rtol, atol = self.check.rtol, self.check.atol
        with _without_skip_advice(), ExitStack() as stack:
            source, exact, rowwise, factors = self._opened(stack, write, diagnosed, rows)
            if source.column is not None:
                exact = by_column(exact)
            if source.column is not None or diagnosed:
                rowwise = None
            lines_per_row = 1 if self.given.jacobian is None else source.classes
            claimed = self._opened_file(stack, source)
            claimed = claimed.slice_rows(source.within and source.within.times(lines_per_row))
            source = replace(source, warnings=(*source.warnings, *claimed.warnings))
            dtype, T = name_of(claimed.dtype), self.inputs.options.temperature
            is_given = rtol is not None or atol is not None
            rtol = tolerance(dtype, rtol)
            rounding = Rounding(*limits_of(claimed.dtype), rtol, atol, is_given, T)
            factors = common_factors(rows or source.rows or 1, T) | factors
            factors |= factors_of(source.classes, "classes")
            diagnosis = Diagnosis(factors) if diagnosed else None
            comparison = Comparison(rtol, self.check.worst, diagnosis=diagnosis)

            def compare(block: Block) -> list[Found]:
                rows = rowwise and rowwise(block, rounding)
                if rows is None:
                    return list(_entry_by_entry(block, comparison, exact, rounding))
                found, left = comparison.of_rows(rows, source.classes, block.start)
                others = _entry_by_entry(block.rows(left, 0), comparison, exact, rounding)
                return [Found(found), *(each.of_points(left, block.start) for each in others)]

            def prepare(block: Block) -> Callable[[], None]:
                return partial(_merge, comparison, compare(block))

            if lines_per_row > 1:
                at_once = max(1, _ENTRIES_AT_ONCE // (lines_per_row * source.classes))
                chunks = from_blocks(partial(_few_rows, source, at_once))
                source = replace(source, chunks=chunks)
            source = with_rows_of(source, claimed, "claimed", lines=lines_per_row)
            run(source, identity, prepare, "error", write)
        return Compared(comparison, dtype, source.classes)

    def _opened(
        self, stack: ExitStack, write: WriteOptions, diagnosed: bool, rows: int | None
    ) -> tuple[Source, Exact, Rowwise | None, dict[str, float]]:
        """Return the logits with their partners, what compares them, and factors to look for."""
        inputs, given, read = self.inputs, self.given, self.inputs.read
        if given.jacobian is None and given.upstream is None:
            source, settings = inputs.opened(stack)
            divisor, left_out = self.divisor, self.variants
            if divisor is None:
                divisor = inputs.divisor(source, settings, write)
            if left_out is None and diagnosed:
                weights = weighed_without(inputs, source, settings, write)
                left_out = variants(inputs, settings, weights)
            settings, rows = settings._replace(gradient_divisor=divisor), rows or source.rows or 1
            exact = partial(loss_reference, settings, rows, left_out or {})
            return source, exact, partial(loss_rows, settings), loss_factors(settings, rows)
        others = [token for token in (self.file, given.upstream) if token]
        logits = opened(inputs.values, read, place="--logits", others=others)
        source = stack.enter_context(logits).slice_rows(inputs.rows)
        if given.upstream is not None:
            partner = opened_partner(given.upstream, "--upstream", read, source.classes)
            partner = without_missing(stack.enter_context(partner), read)
            _check_classes(partner, source.classes, source.place, "", "--upstream")
            source = zip_rows(source, partner, role="upstream gradients", every_row=True)
        T = inputs.options.temperature
        return source, partial(derivative_reference, given.of or "softmax", T), None, {}

    def _opened_file(self, stack: ExitStack, logits: Source) -> Source:
        read, is_jacobian = self.inputs.read, self.given.jacobian is not None
        if is_jacobian:
            # Matrices are the last two dimensions, whichever axis holds the classes of the logits.
            read = replace(read, axis=-1)
        option = "--jacobian" if is_jacobian else "--grad"
        is_binary = logits.column is not None
        columns, request = 1 if is_binary else logits.classes, ColumnRequest(flat=is_binary)
        claimed = as_column(opened_partner(self.file, option, read, columns, request))
        claimed = stack.enter_context(claimed)
        if is_jacobian:
            claimed = _entries_as_lines(claimed, logits.classes, columns)
        remedy = "a gradient has the shape of its logits"
        _check_classes(claimed, columns, logits.place, remedy, claimed.place)
        check_shapes(logits, claimed, "Jacobians" if is_jacobian else "gradients")
        return claimed


class Found(NamedTuple):
    """A comparison to merge: its points are numbered from `start`, or are some of those."""

    comparison: Comparison
    start: int = 0
    points: NDArray[np.intp] | None = None

    def of_points(self, points: NDArray[np.intp], start: int) -> Found:
        """Return it with its points taken from others, which are numbered from `start`."""
        return Found(self.comparison, start, points[self.start :])


def _merge(comparison: Comparison, found: list[Found]) -> None:
    for each in found:
        comparison.merge(*each)


def _entry_by_entry(
    block: Block, comparison: Comparison, exact: Exact, rounding: Rounding
) -> Iterator[Found]:
    """Compare the rows, a few at a time."""
    claimed = np.asarray(block.claimed)
    at_once = max(1, _ENTRIES_AT_ONCE * len(claimed) // max(1, claimed.size))
    for row in range(0, len(claimed), at_once):
        part = block.part(row, row + at_once)
        with np.errstate(all="ignore"):
            gradients, tolerances, wrong = exact(part, rounding)
        lines = claimed[row : row + at_once].reshape(gradients.shape)
        found = comparison.of(lines, gradients, **tolerances._asdict(), wrong=wrong)
        yield Found(found, part.start)


def _few_rows(source: Source, at_once: int) -> Iterator[Block]:
    for block in blocks_in_order(source):
        for row in range(0, len(block.values), at_once):
            yield block.part(row, row + at_once)


def _check_classes(source: Source, wanted: int, logits: str, remedy: str, place: str) -> None:
    if source.classes != wanted:
        problem = f"{source.classes} columns, and {logits} has {wanted}"
        raise ShapeError(problem, remedy, place)


@contextmanager
def _without_skip_advice() -> Iterator[None]:
    """Replace the advice to use --on-bad-row, which gradient files refuse."""
    try:
        yield
    except InputError as error:
        if error.remedy.startswith("--on-bad-row"):
            error.remedy = "it has no gradient: leave it out of every file"
        raise


def _entries_as_lines(source: Source, N: int, columns: int) -> Source:
    """Return the lines of Jacobians that are written as `row,i,j,value`, one entry per line.

    A Jacobian has N lines of so many columns.
    """

    def line_of(line: int) -> list[list[int]]:
        return [[line // N, line % N, j] for j in range(columns)]

    blocks = source.blocks()
    first = next(blocks, None)
    read = () if first is None else (first,)
    entries = replace(source, chunks=from_blocks(lambda: chain(read, blocks)))
    # The lines of a Jacobian sum to 0: no matrix starts with 0, 0, 0 and 0, 0, 1.
    starts = [] if first is None else first.values[:2, :3].tolist()
    if source.classes != 4 or starts != [*line_of(0), *line_of(1)][:2]:
        return entries

    def lines() -> Iterator[Block]:
        reader = RowReader(entries)
        line = 0
        while (rows := reader.up_to(columns)) is not None:
            if rows[:, :3].tolist() != line_of(line):
                problem = f"is not in the order of rows, i and j at entry {line * columns}"
                remedy = f"each row of logits has {N} x {columns} entries"
                raise InputError(problem, remedy, source.place)
            yield Block(line, rows[:, 3][None], row_place(source.place, line))
            line += 1

    return replace(source, classes=columns, chunks=from_blocks(lines), rows=None, leading=None)
