"""What xent prints: the loss alone, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss.computation import RowFiles, RowOutputs, compute, row_result
from softmax_cli.display.parts import Line, Part
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_picture, open_sink
from softmax_cli.formats.registry import output_format
from softmax_cli.losses.loss_spread import Histogram
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.pipeline.reporting import note
from softmax_cli.storage.filesystem import Location, refuse_input
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
    losses       of the rows, for JSON that lists them, filled as they are read
    """

    options: tuple[str, ...] = ()
    fit: Fit | None = None
    explanation: Explanation | None = None
    of_rows: list[Part] = field(default_factory=list)
    losses: list[NDArray[Any]] = field(default_factory=list)


def write_losses(
    source: Source,
    losses: RunningLoss,
    files: RowFiles,
    extras: ReportExtras,
    read: ReadOptions,
    write: WriteOptions,
) -> None:
    """Read all rows, and write the loss: a report as a table or JSON, else only the number."""
    if write.output in (None, "-") and files != RowFiles():
        # --in-place is then for the files of the rows.
        write = replace(write, in_place=False)
    keeps_rows, table = losses.settings.reduction == "none", None
    is_report = _is_report(losses, extras, write)
    for each in (files.losses, files.gradient, write):
        # This comes before any of them is opened.
        if each is not None:
            refuse_input(each.output or "-", source.paths, in_place=each.in_place)
    with ExitStack() as stack:
        outputs = RowOutputs.opened(stack, source, files)
        if keeps_rows and not is_report:
            result = replace(row_result(source), after=partial(_histogram, losses))
            sink = stack.enter_context(open_sink(result, write, source.paths))
            outputs.losses.append(sink.prepare)
        else:
            finish = stack.enter_context(_opened(losses, extras, source.paths, write))
        if keeps_rows and is_report:
            outputs.losses.append(lambda block: partial(extras.losses.append, block.values[:, 0]))
            if extras.explanation is not None:
                from softmax_cli.formats.table.sink import TableSink

                table = TableSink(row_result(source), extras.of_rows.extend, write)
                outputs.losses.append(table.prepare)
        compute(source, losses, outputs, read, write, needed_for="loss", check=losses.check)
        if table is not None:
            table.finish()
        if is_report or not keeps_rows:
            finish()
    _write_notes(losses, extras, write)


def write_loss(
    losses: RunningLoss, extras: ReportExtras, inputs: Sequence[Location], write: WriteOptions
) -> None:
    """Write the loss of rows that were read from these files, as `write_losses` does."""
    with _opened(losses, extras, inputs, write) as finish:
        finish()
    _write_notes(losses, extras, write)


@contextmanager
def _opened(
    losses: RunningLoss, extras: ReportExtras, inputs: Sequence[Location], write: WriteOptions
) -> Iterator[Callable[[], None]]:
    """Open the outputs of the reduced loss; yield a function that writes them."""
    with ExitStack() as stack:
        save = stack.enter_context(open_picture(write, inputs))
        if is_report := _is_report(losses, extras, write):
            output = open_target(write.output or "-", inputs, in_place=write.in_place)
            target = stack.enter_context(output)
        elif losses.settings.reduction != "none":
            result = Result("xent", "losses", 1, np.dtype(np.float64), flat="one")
            alone = stack.enter_context(open_sink(result, replace(write, save=None), inputs))

        def finish() -> None:
            if is_report:
                _write_report(losses, extras, target, write)
            elif (loss := losses.loss()) is not None:
                alone.write(Block(0, np.array([[loss]]), str))
            if save is not None:
                save(_parts(losses, extras, write))

        yield finish


def _is_report(losses: RunningLoss, extras: ReportExtras, write: WriteOptions) -> bool:
    form = output_format(write).name
    is_table = form == "table" and losses.settings.reduction != "none"
    return is_table or form == "json" or extras.explanation is not None


def _parts(losses: RunningLoss, extras: ReportExtras, write: WriteOptions) -> list[Part]:
    from softmax_cli.commands.loss.tables import report_parts
    from softmax_cli.display.parts import step_parts

    parts = report_parts(losses, extras.fit, write.precision)
    if extras.explanation is None:
        return parts
    of_rows = [*extras.of_rows, Line()] if extras.of_rows else []
    return [*step_parts(extras.explanation.steps(losses)), Line(), *of_rows, *parts]


def _histogram(losses: RunningLoss) -> list[Part]:
    from softmax_cli.commands.loss.tables import histogram_parts

    shown = [each for each in losses.metrics if isinstance(each, Histogram) and each.is_shown]
    return [part for each in shown for part in (Line(), *histogram_parts(each))]


def _write_report(
    losses: RunningLoss, extras: ReportExtras, target: Target, write: WriteOptions
) -> None:
    if output_format(write).name != "json":
        from softmax_cli.display.rich.console import render_text

        parts = _parts(losses, extras, write)
        target.write(render_text(parts, write.color, terminal=target.is_terminal))
        return
    from softmax_cli.formats.text.json_values import json_report

    report = losses.report()
    if extras.losses:
        report["losses"] = np.concatenate(extras.losses).tolist()
    if extras.fit is not None:
        report["fit_temperature"] = extras.fit.report(losses)
    if extras.explanation is not None:
        report["steps"] = [step.as_dict() for step in extras.explanation.steps(losses)]
    target.write((json_report(report, write.precision) + "\n").encode("utf-8", "backslashreplace"))


def _write_notes(losses: RunningLoss, extras: ReportExtras, write: WriteOptions) -> None:
    if write.save is None and not _is_report(losses, extras, write):
        _note_omissions(losses, extras, write)
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


def _note_omissions(losses: RunningLoss, extras: ReportExtras, write: WriteOptions) -> None:
    if ignored := losses.rows - losses.reduced.used:
        note(f"{ignored} of {losses.rows} rows ignored", write)
    if extras.fit is not None:
        note(f"the temperature that minimises the loss is {extras.fit.temperature!r}", write)
    options, where = list(extras.options), "in a table and by --format json, not here"
    if output_format(write).name == "table":
        options = [option for option in options if option != "--histogram"]
        where = "with another reduction and by --format json, not with --reduction none"
    if options:
        are = "is" if len(options) == 1 else "are"
        note(f"{' and '.join(options)} {are} shown {where}", write)
