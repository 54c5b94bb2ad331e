"""Checks a gradient that some framework wrote to a file, against the exact one in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.gradients.references import (
    JacobianReference,
    LossReference,
    ProductReference,
    References,
)
from softmax_cli.commands.gradients.variants import Variant, left_out
from softmax_cli.commands.inputs.loss import LossInputs, is_read_once
from softmax_cli.commands.inputs.values import opened, opened_partner, without_missing
from softmax_cli.core.exact.bfloat16 import limits_of, name_of
from softmax_cli.core.gradcheck.comparison import Comparison, check_tolerances, tolerance
from softmax_cli.core.gradcheck.diagnosis import Diagnosis, factors_of
from softmax_cli.core.gradcheck.report import Origin, Report
from softmax_cli.core.gradcheck.rounding import Rounding
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.errors import InputError, ShapeError, UsageError
from softmax_cli.formats.arrays.array import row_place
from softmax_cli.formats.model.blocks import Block, Source, from_blocks
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.pipeline.pairing import RowReader, check_shapes, zip_rows
from softmax_cli.pipeline.reporting import progress
from softmax_cli.pipeline.run import good_blocks
from softmax_cli.pipeline.threads import in_order, thread_count

if TYPE_CHECKING:
    from fractions import Fraction

EXACT = "exact"
# So many entries are compared at a time: more leave the cache, fewer keep threads waiting.
_AT_ONCE = 1 << 18


class Compared(NamedTuple):
    """What rows came to, with the name of the file's dtype and how many classes it has."""

    comparison: Comparison
    dtype: str
    classes: int


@dataclass(frozen=True)
class GradientFile:
    """A gradient file, and the files and settings that say what it should hold.

    divisor   what the gradients were divided by, if it is not to be found in these files
    variants  losses that leave something out, if these are not either
    """

    inputs: LossInputs
    upstream: str | None
    gradient: str | None
    jacobian: str | None
    of: str | None
    rtol: float | None
    atol: float | None
    worst: int
    divisor: Fraction | float | None = None
    variants: dict[str, Variant] | None = None

    def report(self, seed: int, write: WriteOptions) -> Report:
        """Compare the file with the exact gradient, block by block.

        A second reading, of a gradient that is wrong, finds out what it looks like.
        """
        self.check_options()
        once = self.inputs.are_read_once or is_read_once(self.file) or is_read_once(self.upstream)
        compared = self.compared(write, diagnosed=once)
        if compared.comparison.counts.verdict == "fail" and not once:
            rows = compared.comparison.counts.points
            # What there is to say was said by the first reading.
            silent = replace(write, quiet=True)
            compared = self.compared(silent, diagnosed=True, rows=rows)
        return self.report_of(compared.comparison, compared.dtype, seed)

    def check_options(self) -> None:
        """Refuse what no gradient file can be compared with."""
        check_tolerances(self.rtol, self.atol)
        if self._read.on_bad_row != "error":
            problem = "a row without a softmax has no gradient"
            raise UsageError(problem, "leave it out", "--on-bad-row")

    def report_of(self, comparison: Comparison, dtype: str, seed: int) -> Report:
        """Return the report of what was compared."""
        check = comparison.check(self.file, method=EXACT, step=None, dtype=dtype)
        return Report(seed, [replace(check, origin=Origin("gradient-file", file=self.file))])

    @property
    def _read(self) -> ReadOptions:
        return self.inputs.read

    @property
    def file(self) -> str:
        """The file that is checked."""
        return self.gradient if self.gradient is not None else self.jacobian or ""

    def compared(
        self, write: WriteOptions, *, diagnosed: bool, rows: int | None = None
    ) -> Compared:
        """Return what all rows came to."""
        read = self._read
        with _without_advice(), ExitStack() as stack:
            source, logits, references = self._opened(stack, write, diagnosed, rows)
            option = "--grad"
            if self.jacobian is not None:
                # Its matrices lie in the last two dimensions, wherever the classes of logits lie.
                option, read = "--jacobian", replace(read, axis=-1)
            given = stack.enter_context(opened_partner(self.file, option, read, logits.classes))
            source = replace(source, warnings=(*source.warnings, *given.warnings))
            if self.jacobian is not None:
                given = _entries_as_lines(given, logits.classes)
            if given.classes != logits.classes:
                raise ShapeError(
                    f"{given.classes} columns, and {logits.place} has {logits.classes}",
                    "a gradient has the shape of its logits",
                    given.place,
                )
            check_shapes(logits, given, "gradients" if self.jacobian is None else "Jacobians")
            dtype = name_of(given.dtype)
            rtol = tolerance(dtype, self.rtol)
            is_given = self.rtol is not None or self.atol is not None
            rounding = Rounding(
                *limits_of(given.dtype), rtol, self.atol, is_given, references.temperature
            )
            diagnosis = None
            if diagnosed:
                factors = references.factors() | factors_of(logits.classes, "classes")
                diagnosis = Diagnosis(factors)
            comparison = Comparison(rtol, self.worst, diagnosis=diagnosis)

            def compare(block: Block, lines: NDArray[Any]) -> tuple[Comparison, int]:
                with np.errstate(all="ignore"):
                    reference, judged, wrong = references.of(block, lines, rounding)
                found = comparison.of(
                    lines.reshape(reference.shape),
                    reference,
                    atol=judged.atol,
                    vacuous=judged.vacuous,
                    doubt=judged.doubt,
                    wrong=wrong if diagnosed else None,
                )
                return found, block.start

            lines_of_row = 1 if self.jacobian is None else logits.classes
            if logits.within is not None:
                given = given.slice_rows(logits.within.times(lines_of_row))
            reader = RowReader(given)
            with progress(source, write) as advance:

                def jobs() -> Iterator[Callable[[], tuple[Comparison, int]]]:
                    for block, done in good_blocks(source, "error", write):
                        for part in _parts(block, lines_of_row):
                            lines = reader.take(len(part.values) * lines_of_row, logits.place)
                            yield partial(compare, part, lines)
                        advance(done, 0)

                with closing(in_order(jobs(), thread_count(write))) as compared:
                    for found, start in compared:
                        comparison.merge(found, start)
            reader.finish(logits.place)
        return Compared(comparison, dtype, logits.classes)

    def _opened(
        self, stack: ExitStack, write: WriteOptions, diagnosed: bool, rows: int | None
    ) -> tuple[Source, Source, References]:
        """Return the rows with what stands beside them, the logits alone, and the references."""
        options = self.inputs.options
        T = options.temperature
        if self.jacobian is None and self.upstream is None:
            source, form = self.inputs.opened(stack)
            divisor, variants = self.divisor, self.variants
            if divisor is None:
                divisor = self.inputs.divisor(source, form, write)
            if variants is None:
                variants = left_out(self.inputs, source, form, write) if diagnosed else {}
            references = LossReference(
                form, T, BASES[options.base], divisor, rows or source.rows or 1, variants
            )
            return source, source, references
        others = [token for token in (self.file, self.upstream) if token]
        logits = opened(self.inputs.values, self._read, place="--logits", others=others)
        logits = stack.enter_context(logits).slice_rows(self.inputs.rows)
        of, rows = self.of or "softmax", rows or logits.rows or 1
        if self.upstream is None:
            return logits, logits, JacobianReference(of, T, rows)
        upstream = opened_partner(self.upstream, "--upstream", self._read, logits.classes)
        partner = without_missing(stack.enter_context(upstream), self._read)
        if partner.classes != logits.classes:
            raise ShapeError(
                f"{partner.classes} columns, and {logits.place} has {logits.classes}",
                place="--upstream",
            )
        both = zip_rows(logits, partner, what="upstream gradients", every_row=True)
        return both, logits, ProductReference(of, T, rows)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Let an error about a bad row not advise --on-bad-row, which is refused here."""
    try:
        yield
    except InputError as error:
        if error.remedy.startswith("--on-bad-row"):
            error.remedy = "it has no gradient: leave it out of every file"
        raise


def _parts(block: Block, lines_of_row: int) -> Iterator[Block]:
    """Yield a block in parts whose gradients, or Jacobians, stay in a cache."""
    rows, classes = block.values.shape
    step = max(1, _AT_ONCE // (lines_of_row * classes))
    for start in range(0, rows, step):
        yield block.part(start, min(rows, start + step))


def _entries_as_lines(given: Source, N: int) -> Source:
    """Return the lines of Jacobians that are spelt as `row,i,j,value`, an entry a line.

    The lines of a Jacobian sum to 0, so that no matrix starts with 0, 0, 0 and 0, 0, 1.
    """
    blocks = given.blocks()
    first = list(islice(blocks, 1))
    entries = replace(given, chunks=from_blocks(lambda: chain(first, blocks)))
    starts = first[0].values[:2, :3].tolist() if first else []
    if given.classes != 4 or starts != [[0, 0, 0], [0, 0, 1]]:
        return entries

    def lines() -> Iterator[Block]:
        reader = RowReader(entries)
        line = 0
        while (rows := reader.up_to(N)) is not None:
            expected = [[line // N, line % N, j] for j in range(N)]
            if rows[:, :3].tolist() != expected:
                raise InputError(
                    f"is not in the order of rows, i and j at entry {line * N}",
                    f"each row of logits has {N} x {N} entries",
                    given.place,
                )
            yield Block(line, rows[:, 3][None], row_place(given.place, line))
            line += 1

    return replace(given, classes=N, chunks=from_blocks(lines), rows=None, leading=None)
