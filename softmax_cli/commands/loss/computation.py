"""Computes a loss with its metrics, and writes the losses and gradients of rows to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from softmax_cli.commands.loss.figures import LossOfFiles
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.formats.model.blocks import Block, Source, identity
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, call_each
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.losses.metric import Metric, PerClass, TopK
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.settings import LossSettings
from softmax_cli.pipeline.bad_rows import Counts
from softmax_cli.pipeline.run import run

Commit = Callable[[], None]
# By option, `--losses` or `--grad`: where and how those of the rows are written.
RowFiles = dict[str, WriteOptions]
# By option, functions that prepare a block for an output.
RowOutputs = dict[str, list[Callable[[Block], Commit]]]


def open_row_files(stack: ExitStack, source: Source, files: RowFiles) -> RowOutputs:
    """Open the files, for as long as the stack is open."""
    outputs: RowOutputs = {"--losses": [], "--grad": []}
    for option, write in files.items():
        result = row_result(source) if option == "--losses" else _gradient_result(source)
        sink = open_sink(result, write, source.paths)
        outputs[option].append(stack.enter_context(sink).prepare)
    return outputs


def row_result(source: Source) -> Result:
    """Return the result for one loss per row: bare numbers, unless there are id columns."""
    return Result(
        "xent",
        "losses",
        1,
        np.dtype(np.float64),
        class_names=("loss",),
        new_names=("loss",),
        column_names=("loss",) if any(source.id_names) else None,
        id_names=source.id_names,
        leading=source.leading,
        first=source.first,
        flat="rows",
    )


def _gradient_result(source: Source) -> Result:
    from softmax_cli.commands.inputs.binary import derivative_columns

    return Result.of(source, "xent", "gradient", **derivative_columns(source, "gradient"))


def running_loss(
    source: Source,
    settings: LossSettings,
    report: ReportOptions,
    others: Sequence[Metric] = (),
    *,
    has_histogram: bool = True,
) -> RunningLoss:
    """Return a running loss without rows: with the metrics of the report, and others."""
    names = settings.class_names(source)
    metrics: list[Metric] = []
    if report.top_k_accuracy is not None:
        metrics.append(TopK(report.top_k_accuracy))
    if report.per_class:
        metrics.append(PerClass.empty(names))
    if report.worst:
        from softmax_cli.losses.loss_spread import Worst

        metrics.append(Worst(report.worst, names, source.id_names))
    if report.calibrated_for or report.fit_temperature:
        from softmax_cli.losses.calibration import Calibration

        metrics.append(Calibration.empty(report.bins, report.calibrated_for))
    if has_histogram or report.histogram:
        from softmax_cli.losses.loss_spread import Histogram

        metrics.append(Histogram(report.histogram))
    return RunningLoss(settings, [*metrics, *others])


def compute(
    source: Source,
    losses: RunningLoss,
    outputs: RowOutputs,
    read: ReadOptions,
    write: WriteOptions,
    of_files: LossOfFiles | None = None,
    *,
    needed_for: str = "",
    check: Callable[[str], None] | None = None,
) -> Counts:
    """Add the losses of all rows to the running loss, and write them and their gradients.

    of_files  takes the losses of each file as well
    """

    def prepare(block: Block) -> Commit:
        of_rows, gradients, found = losses.of(block)
        block = block.with_values(of_rows[:, None])
        commits = [output(block) for output in outputs["--losses"]]
        if gradients is not None:
            block = block.with_values(gradients)
            commits += [output(block) for output in outputs["--grad"]]
        if of_files is not None:
            commits.append(partial(of_files.merge, block, found))
        return partial(call_each, [partial(losses.merge, found), *commits])

    return run(source, identity, prepare, read.on_bad_row, write, None, needed_for, check)
