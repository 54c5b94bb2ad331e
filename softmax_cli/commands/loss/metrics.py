"""The metrics that the options of xent ask for."""

from __future__ import annotations

from softmax_cli.commands.options.loss import LossOptions, ReportOptions
from softmax_cli.formats.model.blocks import Source
from softmax_cli.losses.accuracy import PerClass, TopK
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.histogram import Histogram
from softmax_cli.losses.loss_rows import LossForm
from softmax_cli.losses.metric import Metric
from softmax_cli.losses.worst_rows import Worst


def metrics(
    source: Source,
    form: LossForm,
    options: LossOptions,
    report: ReportOptions,
    *,
    has_histogram: bool = True,
) -> list[Metric]:
    """Return the metrics that the options ask for, still of no row, and a histogram."""
    names = source.class_names or range(source.classes)
    wanted: list[Metric] = []
    if report.top_k_accuracy is not None:
        wanted.append(TopK(report.top_k_accuracy))
    if report.per_class:
        wanted.append(PerClass.empty(names))
    if report.worst:
        wanted.append(Worst(report.worst, names, source.id_names))
    if report.calibration or report.fit_temperature:
        wanted.append(
            Calibration.empty(
                report.bins, form.kind, options.temperature, is_asked=report.calibration
            )
        )
    if has_histogram or report.histogram:
        wanted.append(Histogram(report.histogram))
    return wanted
