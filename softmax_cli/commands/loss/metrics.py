"""The running loss of xent, with the metrics that its options ask for."""

from __future__ import annotations

from collections.abc import Sequence

from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.formats.model.blocks import Source
from softmax_cli.losses.accuracy import PerClass, TopK
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.histogram import Histogram
from softmax_cli.losses.loss_rows import LossSettings
from softmax_cli.losses.metric import Metric
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.worst_rows import Worst


def running_loss(
    source: Source,
    settings: LossSettings,
    report: ReportOptions,
    others: Sequence[Metric] = (),
    *,
    has_histogram: bool = True,
) -> RunningLoss:
    """Return the loss of no rows, with the metrics of the report, a histogram, and others."""
    names = source.class_names or range(source.classes)
    metrics: list[Metric] = []
    if report.top_k_accuracy is not None:
        metrics.append(TopK(report.top_k_accuracy))
    if report.per_class:
        metrics.append(PerClass.empty(names))
    if report.worst:
        metrics.append(Worst(report.worst, names, source.id_names))
    if report.calibration or report.fit_temperature:
        metrics.append(Calibration.empty(report.bins, is_asked=report.calibration))
    if has_histogram or report.histogram:
        metrics.append(Histogram(report.histogram))
    return RunningLoss(settings, [*metrics, *others])
