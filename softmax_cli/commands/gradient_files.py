"""Checks a gradient that some framework wrote to a file, against the exact one in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.bfloat16 import limits_of, name_of
from softmax_cli.commands.inputs import opened_option, opened_partner
from softmax_cli.commands.loss_rows import checked_labels
from softmax_cli.commands.options import BASES
from softmax_cli.core import jacobian as jacobians
from softmax_cli.core.arrays import checked_temperature
from softmax_cli.core.comparison import (
    DIAGONAL_ONLY,
    FLIPPED_SIGN,
    TRANSPOSED,
    Comparison,
    Hypothesis,
    constant_factors,
    tolerances,
)
from softmax_cli.core.reduction import ReducedLoss, Reduction
from softmax_cli.core.report import Report
from softmax_cli.core.row_losses import row_losses_and_gradients
from softmax_cli.core.twofold import factor
from softmax_cli.errors import InputError, ShapeError, UsageError
from softmax_cli.formats.array import row_place
from softmax_cli.formats.blocks import Block, ReadOptions, Source, WriteOptions, ready
from softmax_cli.formats.labels import open_labels
from softmax_cli.pipeline import RowReader, good_blocks, paired, progress

EXACT = "exact"


@dataclass(frozen=True)
class GradientFile:
    """A gradient file, and the files and settings that say what it should hold."""

    logits: str
    labels: str | None
    targets: str | None
    upstream: str | None
    gradient: str | None
    jacobian: str | None
    of: str | None
    temperature: float
    reduction: Reduction
    base: str


def check_gradient_file(
    form: GradientFile,
    rtol: float | None,
    atol: float | None,
    worst: int,
    seed: int,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    """Compare the file with the exact gradient, block by block."""
    T = checked_temperature(form.temperature)
    if read.on_bad_row != "error":
        raise UsageError("a row without a softmax has no gradient", "leave it out", "--on-bad-row")
    with ExitStack() as stack:
        logits = stack.enter_context(opened_option(form.logits, "--logits", read))
        checked, option = form.gradient, "--grad"
        if checked is None:
            checked, option = form.jacobian or "", "--jacobian"
        given = stack.enter_context(opened_partner(checked, option, read, logits.classes))
        if form.jacobian is not None:
            given = _entries_as_lines(given, logits.classes)
        if given.classes != logits.classes:
            raise ShapeError(
                f"{given.classes} columns, and {logits.place} has {logits.classes}",
                "a gradient has the shape of its logits",
                given.place,
            )
        divisor, count, rows = 1.0, 1.0, logits.rows or 1
        if form.labels or form.targets:
            rows = _counted(form, logits, read)
            reduced = ReducedLoss()
            # Of no rows there is nothing to compare, and nothing to divide.
            reduced.count(max(1, rows))
            count = float(reduced.divisor(form.reduction))
            divisor = factor(count=count, base=BASES[form.base]).high
        scale = 1 / (divisor * T)
        dtype = name_of(given.dtype)
        eps, smallest = limits_of(given.dtype)
        zero = 4 * eps * scale
        used_rtol, default_atol = tolerances(dtype, scale, rtol, atol)
        comparison = Comparison(
            used_rtol,
            default_atol if atol is not None else max(default_atol, zero, smallest),
            zero,
            worst,
        )
        source = _with_partner(stack, form, logits, read)
        references = _References(form, T, divisor, count)
        comparison.hypotheses = references.hypotheses(logits.classes, max(1, rows))
        reader = RowReader(given)
        with progress(logits, write) as advance:
            for block, done in good_blocks(source, "error", write):
                for first, reference in references.of(block):
                    lines = reader.take(reference.size // logits.classes, logits.place)
                    comparison.add(lines.reshape(reference.shape), reference, offset=first)
                advance(done, 0)
        reader.finish(logits.place)
        check = comparison.check(checked, method=EXACT, step=None, dtype=dtype, reproduce="")
    return Report(seed, [check])


def _entries_as_lines(given: Source, N: int) -> Source:
    """Return the lines of Jacobians that are spelt as `row,i,j,value`, an entry a line.

    The lines of a Jacobian sum to 0, so that no matrix starts with 0, 0, 0 and 0, 0, 1.
    """
    blocks = given.blocks()
    first = list(islice(blocks, 1))
    entries = replace(given, portions=ready(lambda: chain(first, blocks)))
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

    return replace(given, classes=N, portions=ready(lines), rows=None)


def _counted(form: GradientFile, logits: Source, read: ReadOptions) -> int:
    """Return the number of rows, which the reference of a mean needs before the first row."""
    if logits.rows is not None:
        return logits.rows
    if form.reduction in ("sum", "none"):
        return 1
    if form.logits == "-":
        raise UsageError(
            "standard input cannot be read twice, as a mean needs", "name a file", "--logits"
        )
    with opened_option(form.logits, "--logits", read) as counted:
        return sum(len(block.values) for block in counted.blocks())


def _with_partner(
    stack: ExitStack, form: GradientFile, logits: Source, read: ReadOptions
) -> Source:
    if form.labels is not None:
        labels = open_labels(form.labels, logits.class_names, key=read.key)
        return paired(logits, stack.enter_context(labels))
    token = form.targets or form.upstream
    if token is None:
        return logits
    option = "--targets" if form.targets else "--upstream"
    partner = stack.enter_context(opened_partner(token, option, read, logits.classes))
    if partner.classes != logits.classes:
        raise ShapeError(
            f"{partner.classes} columns, and {logits.place} has {logits.classes}", place=option
        )
    return paired(logits, partner, every_row=form.upstream is not None)


class _References:
    """The exact gradients of a block's rows, and what wrong ones would look like."""

    def __init__(self, form: GradientFile, T: float, divisor: float, count: float) -> None:
        self._form, self._T, self._divisor, self._count = form, T, divisor, count
        self._one_hot: NDArray[Any] | None = None

    def of(self, block: Block) -> list[tuple[int, NDArray[Any]]]:
        """Return (number of the first row, exact gradients) for parts of the block."""
        form, T = self._form, self._T
        values = block.values.astype(np.float64)
        if form.jacobian is not None:
            function = (
                jacobians.softmax_jacobian
                if form.of == "softmax"
                else jacobians.log_softmax_jacobian
            )
            return [
                (block.start + row, function(values[row : row + 1], temperature=T))
                for row in range(len(values))
            ]
        if form.upstream is not None:
            product = jacobians.softmax_vjp if form.of == "softmax" else jacobians.log_softmax_vjp
            upstream = np.asarray(block.partner, dtype=np.float64)
            return [(block.start, product(values, upstream, temperature=T))]
        classes = values.shape[-1]
        if form.labels is not None:
            wanted: NDArray[Any] = checked_labels(block, classes)
            self._one_hot = np.eye(classes)[wanted] if classes <= 4096 else None
        else:
            wanted = np.asarray(block.partner, dtype=np.float64)
            self._one_hot = wanted
            if (wanted < 0).any():
                row = int((wanted < 0).any(axis=-1).argmax())
                raise InputError("the targets have a negative entry", place=block.place(row))
        gradient = np.empty_like(values)
        row_losses_and_gradients(
            values,
            wanted,
            temperature=T,
            count=self._count,
            base=BASES[form.base],
            out=gradient,
        )
        return [(block.start, gradient)]

    def hypotheses(self, N: int, rows: int) -> list[Hypothesis]:
        """Return the ways to be wrong that are tried."""
        T = self._T
        factors = {
            "a missing 1/T": T,
            "1/T taken twice": 1 / T,
            "a missing division by the number of rows": float(rows),
            "a division by the number of rows too many": 1 / rows,
            "a factor of 2": 2.0,
            "a factor of 1/2": 0.5,
            "a factor of N, the number of classes": float(N),
            "a division by N, the number of classes": 1 / N,
        }
        tried = [FLIPPED_SIGN, *constant_factors(factors)]
        if self._form.jacobian is not None:
            return [FLIPPED_SIGN, DIAGONAL_ONLY, TRANSPOSED, *constant_factors(factors)]
        if self._form.labels or self._form.targets:
            tried.append(Hypothesis("the missing -1 at the label", self._without_targets))
        return tried

    def _without_targets(self, n: NDArray[Any]) -> NDArray[Any]:
        if self._one_hot is None:
            return np.full_like(n, np.nan)
        wrong: NDArray[Any] = n + self._one_hot / (self._divisor * self._T)
        return wrong
