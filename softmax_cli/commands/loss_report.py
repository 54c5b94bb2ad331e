"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss import Losses
from softmax_cli.formats import open_sink, output_format
from softmax_cli.formats.blocks import Block, ReadOptions, Result, Sink, Source, WriteOptions
from softmax_cli.formats.same_file import refuse_input
from softmax_cli.formats.target import Target
from softmax_cli.pipeline import note, run

if TYPE_CHECKING:
    from softmax_cli.commands.temperature_fit import Fit


@dataclass(frozen=True)
class RowFiles:
    """Where what belongs to the rows is written beside the loss.

    losses    a file of the losses of the rows
    gradient  a file of the gradient of the reduced loss with respect to the logits
    """

    losses: str | None = None
    gradient: str | None = None


@dataclass(frozen=True)
class Told:
    """What is told beside the loss.

    options  those that ask for it
    fit      the temperature that was found
    """

    options: tuple[str, ...] = ()
    fit: Fit | None = None


def write_losses(
    source: Source,
    losses: Losses,
    files: RowFiles,
    told: Told,
    read: ReadOptions,
    write: WriteOptions,
) -> None:
    """Read all rows, and write the loss: a report for people and JSON, else the number alone."""
    of_rows = write
    if write.output in (None, "-") and files != RowFiles():
        # What is replaced in place are the files of the rows.
        write = replace(write, in_place=False)
    form = output_format(write).name
    report = form == "json" or (form == "table" and losses.reduction != "none")
    for path in (files.losses, files.gradient, write.output or "-"):
        # Before the first of them is opened.
        if path is not None:
            refuse_input(path, source.paths, in_place=of_rows.in_place)
    with ExitStack() as stack:
        if report:
            target = stack.enter_context(
                Target(write.output or "-", source.paths, in_place=write.in_place)
            )
        sinks = _Sinks(stack, source, files, of_rows)
        kept = _Kept()
        rowwise = losses.reduction == "none" and not report
        if not report:
            result = _row_result(source) if rowwise else _one_number()
            alone = stack.enter_context(open_sink(result, write, source.paths))
        if losses.reduction == "none":
            sinks.of_losses.append(alone if rowwise else kept)
        _compute(source, losses, sinks, read, write)
        if report:
            _write_report(losses, kept.losses, told.fit, form, target, write)
        elif (loss := losses.loss()) is not None:
            alone.write(Block(0, np.array([[loss]]), lambda _: source.place))
    if not report:
        _say_what_is_not_shown(losses, told, form, write)
    _say_what_is_odd(losses, write)


def _one_number() -> Result:
    return Result("xent", "losses", 1, np.dtype(np.float64), flat="one")


def _row_result(source: Source) -> Result:
    """Return the result of a loss a row: the bare numbers, unless ids stand beside them."""
    named = bool(source.id_names and source.class_names)
    return Result(
        "xent",
        "losses",
        1,
        np.dtype(np.float64),
        class_names=("loss",),
        column_names=("loss",) if named else None,
        id_names=source.id_names,
        flat="rows",
    )


class _Sinks(Sink):
    """Passes on the losses of a block, and the gradients beside them, to where each goes."""

    def __init__(
        self, stack: ExitStack, source: Source, files: RowFiles, write: WriteOptions
    ) -> None:
        self.of_losses: list[Sink] = []
        self._of_gradients: list[Sink] = []
        if files.losses is not None:
            options = replace(write, output=files.losses, format=None)
            sink = open_sink(_row_result(source), options, source.paths)
            self.of_losses.append(stack.enter_context(sink))
        if files.gradient is not None:
            result = Result(
                "xent",
                "gradient",
                source.classes,
                source.dtype,
                class_names=source.class_names,
                column_names=source.class_names,
                id_names=source.id_names,
                leading=source.leading,
                axis=source.axis,
            )
            options = replace(write, output=files.gradient, format=None)
            self._of_gradients.append(stack.enter_context(open_sink(result, options, source.paths)))

    def write(self, block: Block) -> None:
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        commits = [sink.prepare(block) for sink in self.of_losses]
        if block.partner is not None:
            gradients = block.with_values(block.partner)
            commits += [sink.prepare(gradients) for sink in self._of_gradients]

        def commit() -> None:
            for each in commits:
                each()

        return commit

    def finish(self) -> None:
        """Each sink is finished where it was opened."""


class _Kept(Sink):
    """Keeps the losses of the rows for a report that names them."""

    def __init__(self) -> None:
        self.losses: list[NDArray[Any]] = []

    def write(self, block: Block) -> None:
        self.losses.append(block.values[:, 0])

    def finish(self) -> None:
        """Nothing follows."""


def _compute(
    source: Source, losses: Losses, sink: Sink, read: ReadOptions, write: WriteOptions
) -> None:
    def kernel(block: Block) -> Block:
        of_rows, gradients = losses.of(block)
        return replace(block, values=of_rows[:, None], partner=gradients)

    run(source, kernel, sink, read.on_bad_row, write, needed_for="loss", check=losses.check)


def _write_report(
    losses: Losses,
    kept: list[NDArray[Any]],
    fit: Fit | None,
    form: str,
    target: Target,
    write: WriteOptions,
) -> None:
    if form == "json":
        from softmax_cli.formats.json_text import json_report

        report = losses.report()
        if losses.reduction == "none":
            report["losses"] = np.concatenate(kept).tolist()
        if fit is not None:
            report["fit_temperature"] = fit.report(losses)
        target.write(
            (json_report(report, write.precision) + "\n").encode("utf-8", "backslashreplace")
        )
        return
    from softmax_cli.commands.loss_tables import print_report

    print_report(losses, fit, target, write)


def _say_what_is_not_shown(losses: Losses, told: Told, form: str, write: WriteOptions) -> None:
    ignored = losses.rows - losses.reduced.used
    if ignored:
        note(f"{ignored} of {losses.rows} rows ignored", write)
    if told.fit is not None:
        note(f"the temperature that minimises the loss is {told.fit.temperature!r}", write)
    if told.options:
        options = " and ".join(told.options)
        are = "is" if len(told.options) == 1 else "are"
        where = "in a table and by --format json, not here"
        if form == "table":
            where = "with another reduction and by --format json, not beside --reduction none"
        note(f"{options} {are} shown {where}", write)


def _say_what_is_odd(losses: Losses, write: WriteOptions) -> None:
    if losses.divided:
        are = "1 distribution" if losses.divided == 1 else f"{losses.divided} distributions"
        note(f"{are} divided by the sum, which was not 1", write)
    if losses.infinite:
        rows = "1 row has" if losses.infinite == 1 else f"{losses.infinite} rows have"
        places = ", ".join(place for _, place in losses.infinite_rows)
        more = losses.infinite - len(losses.infinite_rows)
        others = f", and {more} more" if more else ""
        note(f"{rows} an infinite loss: {places}{others}", write)
    if losses.are_like_probabilities:
        note(
            "warning: every row lies in 0..1 and sums to 1 as probabilities do, and was taken as "
            "logits; --from probabilities takes it as it is",
            write,
        )
