"""The report of xent for people: the loss, and under it what the options ask for."""

from __future__ import annotations

import math
from collections.abc import Callable

from softmax_cli.commands.loss.temperature_fit import Fit, Scores
from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.display.alignment import DEFAULT_PRECISION, align_numbers
from softmax_cli.display.parts import Gauge, Line, Part, Table
from softmax_cli.losses.accuracy import OfClass, PerClass, TopK
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.histogram import Bin, Histogram
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.worst_rows import Worst

# Of more classes, those with the largest losses are shown.
SHOWN_CLASSES = 24
# Of a histogram: the bins of the largest losses, and one bin of all others.
SHOWN_BINS = 12

Number = Callable[[float | None], str]


def report_parts(losses: RunningLoss, fit: Fit | None, precision: int | None) -> list[Part]:
    """Return the tables, the loss first."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.{precision or DEFAULT_PRECISION}g}"

    tables = [_summary(losses, number)]
    for metric in losses.metrics:
        if isinstance(metric, Worst):
            tables.append(_worst(metric, number))
        elif isinstance(metric, PerClass):
            tables.append(_classes(metric.classes(), number))
        elif isinstance(metric, Calibration) and metric.is_asked:
            tables += [_scores(metric, number), _reliability(metric, number)]
        elif isinstance(metric, Histogram) and metric.is_shown:
            tables.append(histogram_parts(metric))
    if fit is not None:
        tables.append(_fit(losses, fit, number))
    return [part for table in tables for part in (Line(), *table)][1:]


def _summary(losses: RunningLoss, number: Number) -> list[Part]:
    settings, used = losses.settings, losses.reduced.used
    unit, reduction = UNITS[settings.base], settings.reduction
    of_rows = "1 row" if used == 1 else f"{used} rows"
    rows = []
    if reduction != "none":
        rows.append(("loss", number(losses.loss()), f"{unit}, the {reduction} of {of_rows}"))
    if settings.form == "distributions":
        entropy, divergence = losses.entropies()
        rows.append(("H(p)", number(entropy), f"{unit}, the entropy of p"))
        rows.append(("KL(p||q)", number(divergence), f"{unit}, loss - H(p)"))
    rows.append(("perplexity", number(losses.perplexity()), "exp of the mean in nats"))
    accuracy = losses.accuracy.share(used)
    if accuracy is not None:
        rows.append(("accuracy", number(accuracy), f"{losses.accuracy.right} of {of_rows}"))
    rows += [
        (f"top-{metric.k} accuracy", number(metric.share), f"{metric.right} of {of_rows}")
        for metric in losses.metrics
        if isinstance(metric, TopK)
    ]
    divisor, what = losses.reduced.denominator(reduction), "weights of the rows used, summed"
    if reduction in ("sum", "none"):
        what = "nothing is divided"
    elif reduction == "batch-mean" or divisor == used:
        what = "the number of rows used"
    rows.append(("denominator", number(divisor), what))
    rows.append(("rows", str(losses.rows), f"{used} used, {losses.rows - used} ignored"))
    if settings.temperature != 1:
        rows.append(("temperature", number(settings.temperature), "divides the logits"))
    return [Table(("", "", ""), rows, left=(0, 2))]


def _worst(worst: Worst, number: Number) -> list[Part]:
    ids = [name or f"id {place}" for place, name in enumerate(worst.id_names, 1)]
    headings = ("worst rows", "loss", "label", "predicted", *ids)
    losses = align_numbers([number(each.loss) for each in worst.rows])
    rows = [
        (
            str(each.row),
            loss,
            "-" if each.label is None else str(each.label),
            str(each.predicted),
            *each.ids,
        )
        for each, loss in zip(worst.rows, losses, strict=True)
    ]
    names = range(2, len(headings))
    return [Table(headings, rows, left=[0, *names], names=names)]


def _classes(classes: list[OfClass], number: Number) -> list[Part]:
    shown, notes = classes, list[Part]()
    if len(classes) > SHOWN_CLASSES:
        shown = sorted((each for each in classes if each.loss is not None), key=_descending_loss)
        shown = shown[:SHOWN_CLASSES]
        note = f"{len(shown)} of {len(classes)} classes shown, those with the largest loss"
        notes = [Line(note, "dim")]
    rows = [
        (
            str(each.name),
            str(each.rows),
            number(each.loss),
            number(each.accuracy),
            "" if each.accuracy is None else Gauge(each.accuracy),
        )
        for each in shown
    ]
    return [Table(("class", "rows", "mean loss", "accuracy", ""), rows, names=(0,)), *notes]


def _descending_loss(each: OfClass) -> float:
    """Sort the largest loss first, after NaN."""
    return -math.inf if each.loss is None or math.isnan(each.loss) else -each.loss


def _scores(calibration: Calibration, number: Number) -> list[Part]:
    count = len(calibration.bins())
    rows = [
        ("ECE", number(calibration.ece()), f"expected calibration error, {count} bins"),
        ("MCE", number(calibration.mce()), "largest gap of a bin"),
        ("Brier", number(calibration.brier()), "mean of sum_k (P(k) - Y(k))^2, 0 to 2"),
    ]
    return [Table(("", "", ""), rows, left=(0, 2))]


def _reliability(calibration: Calibration, number: Number) -> list[Part]:
    bins = calibration.bins()
    digits = max(3, len(str(len(bins))) + 1)
    rows = [
        (
            f"{each.low:.{digits}g} to {each.high:.{digits}g}",
            str(each.rows),
            number(each.confidence),
            number(each.accuracy),
            Gauge(each.accuracy, each.confidence),
        )
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    ]
    empty = len(bins) - len(rows)
    notes = [Line(f"{empty} of {len(bins)} bins hold no row", "dim")] if empty else []
    headings = ("bin", "rows", "confidence", "accuracy", "")
    legend = "█ accuracy, │ confidence: calibrated where they meet"
    return [Table(headings, rows, legend=legend), *notes]


def _fit(losses: RunningLoss, fit: Fit, number: Number) -> list[Part]:
    before, after = fit.before, Scores.of(losses)
    rows = [
        ("temperature", number(before.temperature), number(after.temperature)),
        ("loss", number(before.loss), number(after.loss)),
        ("ECE", number(before.ece), number(after.ece)),
    ]
    note = f"the temperature that minimises the loss, found in {fit.steps} steps"
    return [Table(("fit", "before", "after"), rows), Line(note, "dim")]


def histogram_parts(losses: Histogram) -> list[Part]:
    """Return a table with a bar for the rows in each range of losses."""
    bins = losses.bins(SHOWN_BINS)
    most = max(each.rows for each in bins)
    rows = [(_range(each), str(each.rows), Gauge(each.rows / most)) for each in bins]
    return [Table(("losses", "rows", ""), rows)]


def _range(each: Bin) -> str:
    if each.low == each.high:
        return f"{each.low:g}"
    return f"below {each.high:g}" if each.low <= 0 else f"{each.low:g} to {each.high:g}"
