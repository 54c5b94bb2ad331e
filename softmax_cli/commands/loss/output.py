"""What xent prints: the loss alone or some figures, the losses of the rows, or a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.commands.loss.computation import RowFiles, compute, open_row_files, row_result
from softmax_cli.commands.loss.figures import FileLoss, LossOfFiles, opened_figures, table_of_files
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.opening.sink import open_picture, open_sink
from softmax_cli.formats.registry import output_format
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.pipeline.reporting import note
from softmax_cli.storage.filesystem import Location, refuse_input
from softmax_cli.storage.open_target import open_target
from softmax_cli.storage.output import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from softmax_cli.commands.loss.explanation import Explanation
    from softmax_cli.commands.loss.temperature_fit import Fit
    from softmax_cli.display.parts import Part


@dataclass
class LossReport:
    """Writes a loss: a report as a table or JSON, else the loss or the figures of --show.

    report       what the report holds, and --report
    fit          the fitted temperature
    explanation  of the first rows
    row_table    a table of the losses of rows, filled once all are read
    row_losses   for JSON that lists them, filled as they are read
    """

    losses: RunningLoss
    write: WriteOptions
    report: ReportOptions
    fit: Fit | None
    explanation: Explanation | None = None
    row_table: list[Part] = field(default_factory=list)
    row_losses: list[NDArray[Any]] = field(default_factory=list)

    @property
    def _is_report(self) -> bool:
        form = output_format(self.write).name
        is_table = form == "table" and self.losses.settings.reduction != "none"
        return is_table or form == "json" or self.explanation is not None

    def read_and_write(self, source: Source, files: RowFiles, read: ReadOptions) -> None:
        """Read all rows, and write the loss and the files of the rows."""
        if self.write.output in (None, "-") and files:
            # --in-place is then for the files of the rows.
            self.write = replace(self.write, in_place=False)
        keeps_rows, table = self.losses.settings.reduction == "none", None
        for each in (*files.values(), self.write):
            # This comes before any of them is opened.
            refuse_input(each.output or "-", source.paths, in_place=each.in_place)
        of_files = LossOfFiles(source, self.losses) if self.report.report_form == "csv" else None
        with ExitStack() as stack:
            # Opened first: these outputs appear last, once the files of the rows are there.
            sink = None
            of_rows = keeps_rows and not self._is_report
            finish = stack.enter_context(self._opened(source.paths, of_rows=of_rows))
            if of_rows:
                result = row_result(source)._replace(after=self._histogram)
                sink = stack.enter_context(open_sink(result, self.write, source.paths))
            outputs = open_row_files(stack, source, files)
            if sink is not None:
                outputs["--losses"].append(sink.prepare)
            if keeps_rows and (sink is None or self.report.report_form == "json"):
                keep = self.row_losses.append
                outputs["--losses"].append(lambda block: partial(keep, block.values[:, 0]))
                if self.explanation is not None:
                    from softmax_cli.formats.table.sink import TableSink

                    table = TableSink(row_result(source), self.row_table.extend, self.write)
                    outputs["--losses"].append(table.prepare)
            check = self.losses.check
            losses, write = self.losses, self.write
            compute(source, losses, outputs, read, write, of_files, needed_for="loss", check=check)
            if table is not None:
                table.finish()
            finish([] if of_files is None else of_files.files())
        self._write_notes()

    def write_loss(self, inputs: Sequence[Location], files: Sequence[FileLoss]) -> None:
        """Write the loss of all rows, and those of each file."""
        with self._opened(inputs) as finish:
            finish(files)
        self._write_notes()

    @contextmanager
    def _opened(
        self, inputs: Sequence[Location], *, of_rows: bool = False
    ) -> Iterator[Callable[[Sequence[FileLoss]], None]]:
        """Open the outputs of the reduced loss; yield a function that writes them.

        of_rows  only --report is opened, because the losses of the rows are written elsewhere
        """
        write, path = self.write, self.report.report_path
        is_one = not self._is_report and self.losses.settings.reduction != "none"
        opened = partial(open_target, inputs=inputs, sync=not write.no_sync)
        with ExitStack() as stack:
            file = None
            if path is not None:
                file = stack.enter_context(opened(path, in_place=None))
            picture = replace(write, save=None) if of_rows else write
            save = stack.enter_context(open_picture(picture, inputs))
            if self._is_report:
                output = opened(write.output or "-", in_place=write.in_place)
                target = stack.enter_context(output)
            elif is_one:
                alone = stack.enter_context(opened_figures(self.report.keys, write, inputs))

            def finish(files: Sequence[FileLoss]) -> None:
                if self._is_report:
                    self._write_report(target)
                elif is_one:
                    alone(self.losses)
                if save is not None:
                    save(self._parts())
                if file is not None:
                    is_table = self.report.report_form == "csv"
                    file.write(table_of_files(files, write.precision) if is_table else self._json())

            yield finish

    def _parts(self) -> list[Part]:
        from softmax_cli.commands.loss.tables import report_parts
        from softmax_cli.display.parts import Line, step_parts

        parts = report_parts(self.losses, self.fit, self.write.precision, self.report)
        if self.explanation is None:
            return parts
        of_rows = [*self.row_table, Line()] if self.row_table else []
        return [*step_parts(self.explanation.steps(self.losses)), Line(), *of_rows, *parts]

    def _histogram(self) -> list[Part]:
        from softmax_cli.commands.loss.tables import histogram_parts
        from softmax_cli.display.parts import Line
        from softmax_cli.losses.loss_spread import Histogram

        histograms = [each for each in self.losses.metrics if isinstance(each, Histogram)]
        shown = [each for each in histograms if each.is_shown]
        return [part for each in shown for part in (Line(), *histogram_parts(each))]

    def _write_report(self, target: Target) -> None:
        if output_format(self.write).name != "json":
            from softmax_cli.display.rich.console import render_text

            terminal = target.is_terminal
            target.write(render_text(self._parts(), self.write.color, terminal=terminal))
            return
        target.write(self._json())

    def _json(self) -> bytes:
        from softmax_cli.formats.text.json_values import json_report

        report = self.losses.report()
        if self.row_losses:
            report["losses"] = np.concatenate(self.row_losses).tolist()
        if self.fit is not None:
            report["fit_temperature"] = self.fit.report(self.losses)
        if self.explanation is not None:
            report["steps"] = [step.as_dict() for step in self.explanation.steps(self.losses)]
        text = json_report(report, self.write.precision) + "\n"
        return text.encode("utf-8", "backslashreplace")

    def _write_notes(self) -> None:
        losses, write = self.losses, self.write
        if write.save is None and not self._is_report:
            self._note_omissions()
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
            is_column = losses.settings.column is not None
            rows = "number lies in 0..1" if is_column else "row lies in 0..1 and sums to 1"
            taken = "was taken as a logit" if is_column else "was taken as logits"
            note(
                f"warning: every {rows} as probabilities do, and {taken}; "
                "--from probabilities takes it as it is",
                write,
            )

    def _note_omissions(self) -> None:
        losses, write = self.losses, self.write
        if ignored := losses.rows - losses.reduced.used:
            note(f"{ignored} of {losses.rows} rows ignored", write)
        if self.fit is not None:
            note(f"the temperature that minimises the loss is {self.fit.temperature!r}", write)
        options, where = list(self.report.given), "in a table and by --format json, not here"
        if self.report.report_form == "json":
            return
        if output_format(write).name == "table":
            options = [option for option in options if option != "--histogram"]
            where = "with another reduction and by --format json, not with --reduction none"
        if options:
            are = "is" if len(options) == 1 else "are"
            note(f"{' and '.join(options)} {are} shown {where}", write)
