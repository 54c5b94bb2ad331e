"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss.row_outputs import RowFiles, RowSinks, row_result
from softmax_cli.display.parts import Line, Part
from softmax_cli.formats.model.blocks import Block, Source, identity
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.registry import output_format
from softmax_cli.formats.table.picture_file import open_picture
from softmax_cli.losses.histogram import Histogram
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.pipeline.bad_rows import Counts
from softmax_cli.pipeline.reporting import note
from softmax_cli.pipeline.run import run
from softmax_cli.storage.filesystem import Location
from softmax_cli.storage.identity import refuse_input
from softmax_cli.storage.open_target import open_target
from softmax_cli.storage.output import Target

if TYPE_CHECKING:
    from softmax_cli.commands.loss.explanation import Explanation
    from softmax_cli.commands.loss.temperature_fit import Fit


@dataclass(frozen=True)
class ReportExtras:
    """Optional sections of a report.

    options      the options given whose results only a report shows
    fit          the fitted temperature
    explanation  of the first rows
    of_rows      a table of the losses of rows, filled once all are read
    """

    options: tuple[str, ...] = ()
    fit: Fit | None = None
    explanation: Explanation | None = None
    of_rows: list[Part] = field(default_factory=list)


def write_losses(
    source: Source,
    losses: RunningLoss,
    files: RowFiles,
    extras: ReportExtras,
    read: ReadOptions,
    write: WriteOptions,
) -> None:
    """Read all rows, and write the loss: a report for people and JSON, else the number alone."""
    if write.output in (None, "-") and files != RowFiles():
        # --in-place is about the files of the rows.
        write = replace(write, in_place=False)
    form = output_format(write).name
    report = _is_report(form, losses) or extras.explanation is not None
    for each in (files.losses, files.gradient, write):
        # Before the first of them is opened.
        if each is not None:
            refuse_input(each.output or "-", source.paths, in_place=each.in_place)
    rowwise = losses.settings.reduction == "none" and not report
    with ExitStack() as stack:
        if not rowwise:
            save = stack.enter_context(open_picture(write, source.paths))
        if report:
            target = stack.enter_context(
                open_target(write.output or "-", source.paths, in_place=write.in_place)
            )
        sinks = RowSinks(stack, source, files)
        kept = _Kept()
        if rowwise:
            result = replace(row_result(source), after=partial(_histogram, losses))
            alone = stack.enter_context(open_sink(result, write, source.paths))
        elif not report:
            alone = stack.enter_context(_one_number(write, source.paths))
        if losses.settings.reduction == "none":
            sinks.of_losses.append(alone if rowwise else kept)
        table = None
        if losses.settings.reduction == "none" and extras.explanation is not None:
            from softmax_cli.formats.table.sink import TableSink

            table = TableSink(row_result(source), extras.of_rows.extend, write)
            sinks.of_losses.append(table)
        compute(source, losses, sinks, read, write, needed_for="loss", check=losses.check)
        if table is not None:
            table.finish()
        if report:
            _write_report(losses, kept.losses, extras, form, target, write)
        elif (loss := losses.loss()) is not None:
            alone.write(Block(0, np.array([[loss]]), lambda _: source.place))
        if not rowwise and save is not None:
            save(_parts(losses, extras, write))
    _write_notes(losses, extras, None if report else form, write)


def write_loss(
    losses: RunningLoss, extras: ReportExtras, inputs: Sequence[Location], write: WriteOptions
) -> None:
    """Write the loss of rows that were read from these files, as `write_losses` does."""
    form = output_format(write).name
    report = _is_report(form, losses)
    with open_picture(write, inputs) as save:
        if report:
            with open_target(write.output or "-", inputs, in_place=write.in_place) as target:
                _write_report(losses, None, extras, form, target, write)
        elif (loss := losses.loss()) is not None:
            with _one_number(write, inputs) as alone:
                alone.write(Block(0, np.array([[loss]]), str))
        if save is not None:
            save(_parts(losses, extras, write))
    _write_notes(losses, extras, None if report else form, write)


def _is_report(form: str, losses: RunningLoss) -> bool:
    return form == "json" or (form == "table" and losses.settings.reduction != "none")


def _one_number(write: WriteOptions, inputs: Sequence[Location]) -> AbstractContextManager[Sink]:
    """Open the output of the loss alone; --save draws the report."""
    result = Result("xent", "losses", 1, np.dtype(np.float64), flat="one")
    return open_sink(result, replace(write, save=None), inputs)


def _parts(losses: RunningLoss, extras: ReportExtras, write: WriteOptions) -> list[Part]:
    from softmax_cli.commands.loss.tables import report_parts
    from softmax_cli.display.steps import step_parts

    parts = report_parts(losses, extras.fit, write.precision)
    if extras.explanation is None:
        return parts
    of_rows = [*extras.of_rows, Line()] if extras.of_rows else []
    return [*step_parts(extras.explanation.steps(losses)), Line(), *of_rows, *parts]


def _histogram(losses: RunningLoss) -> list[Part]:
    from softmax_cli.commands.loss.tables import histogram_parts

    shown = [each for each in losses.metrics if isinstance(each, Histogram) and each.is_shown]
    return [part for each in shown for part in (Line(), *histogram_parts(each))]


class _Kept(Sink):
    """Keeps the losses of the rows for a report that lists them."""

    def __init__(self) -> None:
        self.losses: list[NDArray[Any]] = []

    def write(self, block: Block) -> None:
        self.losses.append(block.values[:, 0])


class _LossSink(Sink):
    """Computes the losses of blocks, in any thread; merges and passes them on in order."""

    def __init__(self, losses: RunningLoss, sink: Sink) -> None:
        self._losses, self._sink = losses, sink

    def prepare(self, block: Block) -> Callable[[], None]:
        losses, gradients, found = self._losses.of(block)
        commit = self._sink.prepare(replace(block, values=losses[:, None], partner=gradients))

        def merge_and_commit() -> None:
            self._losses.merge(found)
            commit()

        return merge_and_commit


def compute(
    source: Source,
    losses: RunningLoss,
    sink: Sink,
    read: ReadOptions,
    write: WriteOptions,
    *,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> Counts:
    """Add the losses of all rows to the running loss, and write them into the sink.

    Blocks in the sink hold losses as values and gradients, if there are any, as partner.
    """
    sink = _LossSink(losses, sink)
    return run(source, identity, sink, read.on_bad_row, write, needed_for=needed_for, check=check)


def _write_report(
    losses: RunningLoss,
    kept: list[NDArray[Any]] | None,
    extras: ReportExtras,
    form: str,
    target: Target,
    write: WriteOptions,
) -> None:
    if form == "json":
        from softmax_cli.formats.text.json_values import json_report

        report = losses.report()
        if losses.settings.reduction == "none" and kept is not None:
            report["losses"] = np.concatenate(kept).tolist()
        if extras.fit is not None:
            report["fit_temperature"] = extras.fit.report(losses)
        if extras.explanation is not None:
            report["steps"] = [step.as_dict() for step in extras.explanation.steps(losses)]
        target.write(
            (json_report(report, write.precision) + "\n").encode("utf-8", "backslashreplace")
        )
        return
    from softmax_cli.display.rich.console import render_text

    parts = _parts(losses, extras, write)
    target.write(render_text(parts, write.color, terminal=target.is_terminal))


def _note_omissions(
    losses: RunningLoss, extras: ReportExtras, form: str, write: WriteOptions
) -> None:
    ignored = losses.rows - losses.reduced.used
    if ignored:
        note(f"{ignored} of {losses.rows} rows ignored", write)
    if extras.fit is not None:
        note(f"the temperature that minimises the loss is {extras.fit.temperature!r}", write)
    options = [each for each in extras.options if form != "table" or each != "--histogram"]
    if options:
        are = "is" if len(options) == 1 else "are"
        where = "in a table and by --format json, not here"
        if form == "table":
            where = "with another reduction and by --format json, not with --reduction none"
        note(f"{' and '.join(options)} {are} shown {where}", write)


def _write_notes(
    losses: RunningLoss, extras: ReportExtras, form: str | None, write: WriteOptions
) -> None:
    if form is not None and write.save is None:
        _note_omissions(losses, extras, form, write)
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
