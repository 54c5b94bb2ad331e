"""The tables of xent: the loss, and below it what the options ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from softmax_cli.commands.loss.temperature_fit import Fit, Scores
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.display.alignment import DEFAULT_PRECISION, align_numbers
from softmax_cli.display.parts import Gauge, Line, Part, Table
from softmax_cli.losses.calibration import Calibration, ConfidenceBin
from softmax_cli.losses.loss_spread import Histogram, LossBin, Worst
from softmax_cli.losses.metric import OfClass, PerClass, TopK
from softmax_cli.losses.running_loss import RunningLoss

# Of more classes, those with the largest losses are shown.
SHOWN_CLASSES = 24
# Of a histogram: the bins of the largest losses, and one bin of all others.
SHOWN_BINS = 12

Row = tuple[str, str, str]
Number = Callable[[float | None], str]


def report_parts(
    losses: RunningLoss, fit: Fit | None, precision: int | None, report: ReportOptions
) -> list[Part]:
    """Return the tables, the loss first."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.{precision or DEFAULT_PRECISION}g}"

    tables = [_summary(losses, number, report.keys)]
    for metric in losses.metrics:
        if isinstance(metric, Worst):
            tables.append(_worst(metric, number))
        elif isinstance(metric, PerClass):
            tables.append(_classes(metric.classes(), number))
        elif isinstance(metric, Calibration) and report.calibration:
            scores = list(_scores(metric, number).values())
            tables.append([Table(("", "", ""), scores, left=(0, 2))])
            tables.append(_reliability(metric.bins(), number))
        elif isinstance(metric, Histogram) and metric.is_shown:
            tables.append(histogram_parts(metric))
    if fit is not None:
        tables.append(_fit(fit, Scores.of(losses), number))
    return [part for table in tables for part in (Line(), *table)][1:]


def _summary(losses: RunningLoss, number: Number, keys: Sequence[str]) -> list[Part]:
    """Return the table of the loss, or of the figures with these keys."""
    settings, used = losses.settings, losses.reduced.used
    unit, reduction = UNITS[settings.base], settings.reduction
    of_rows = "1 row" if used == 1 else f"{used} rows"
    rows: dict[str, Row] = {}
    if reduction != "none":
        rows["loss"] = ("loss", number(losses.loss()), f"{unit}, the {reduction} of {of_rows}")
    if settings.form == "distributions":
        entropy, divergence = losses.entropies()
        rows["entropy"] = ("H(p)", number(entropy), f"{unit}, the entropy of p")
        rows["kl"] = ("KL(p||q)", number(divergence), f"{unit}, loss - H(p)")
    rows["perplexity"] = ("perplexity", number(losses.perplexity()), "exp of the mean in nats")
    accuracy = losses.accuracy.share(used)
    if accuracy is not None or "accuracy" in keys:
        right = "soft targets have no accuracy"
        if accuracy is not None:
            right = f"{losses.accuracy.right} of {of_rows}"
        rows["accuracy"] = ("accuracy", number(accuracy), right)
    for metric in losses.metrics:
        if isinstance(metric, TopK):
            name, right = f"top-{metric.k} accuracy", f"{metric.right} of {of_rows}"
            rows[name] = (name, number(metric.share), right)
    divisor, what = losses.reduced.denominator(reduction), "weights of the rows used, summed"
    if reduction in ("sum", "none"):
        what = "nothing is divided"
    elif reduction == "batch-mean" or divisor == used:
        what = "the number of rows used"
    ignored = losses.rows - used
    rows["denominator"] = ("denominator", number(divisor), what)
    rows["rows"] = ("rows", str(losses.rows), f"{used} used, {ignored} ignored")
    if settings.temperature != 1 or "temperature" in keys:
        rows["temperature"] = ("temperature", number(settings.temperature), "divides the logits")
    shown = list(rows.values())
    if keys:
        rows["used"] = ("used", str(used), f"of {losses.rows} rows")
        rows["ignored"] = ("ignored", str(ignored), f"of {losses.rows} rows")
        for metric in losses.metrics:
            if isinstance(metric, Calibration):
                rows |= _scores(metric, number)
        shown = [rows[key] for key in keys]
    return [Table(("", "", ""), shown, left=(0, 2))]


def _worst(worst: Worst, number: Number) -> list[Part]:
    ids = [name or f"id {position}" for position, name in enumerate(worst.id_names, 1)]
    headings = ("worst rows", "loss", "label", "predicted", *ids)
    losses = align_numbers([number(each.loss) for each in worst.rows])
    rows = []
    for each, loss in zip(worst.rows, losses, strict=True):
        label = "-" if each.label is None else str(each.label)
        rows.append((str(each.row), loss, label, str(each.predicted), *each.ids))
    names = range(2, len(headings))
    return [Table(headings, rows, left=[0, *names], names=names)]


def _classes(classes: list[OfClass], number: Number) -> list[Part]:
    shown, notes = classes, list[Part]()
    if len(classes) > SHOWN_CLASSES:
        shown = sorted((each for each in classes if each.loss is not None), key=_descending_loss)
        shown = shown[:SHOWN_CLASSES]
        note = f"{len(shown)} of {len(classes)} classes shown, those with the largest loss"
        notes = [Line(note, "dim")]
    rows = []
    for each in shown:
        bar = "" if each.accuracy is None else Gauge(each.accuracy)
        numbers = (str(each.rows), number(each.loss), number(each.accuracy))
        rows.append((str(each.name), *numbers, bar))
    return [Table(("class", "rows", "mean loss", "accuracy", ""), rows, names=(0,)), *notes]


def _descending_loss(each: OfClass) -> float:
    """Sort the largest loss first, after NaN."""
    return -math.inf if each.loss is None or math.isnan(each.loss) else -each.loss


def _scores(calibration: Calibration, number: Number) -> dict[str, Row]:
    bins = f"{len(calibration.rows)} bins"
    return {
        "ece": ("ECE", number(calibration.ece()), f"expected calibration error, {bins}"),
        "mce": ("MCE", number(calibration.mce()), "largest gap of a bin"),
        "brier": ("Brier", number(calibration.brier()), "mean of sum_k (P(k) - Y(k))^2, 0 to 2"),
    }


def _reliability(bins: list[ConfidenceBin], number: Number) -> list[Part]:
    digits = max(3, len(str(len(bins))) + 1)
    rows = []
    for low, high, count, confidence, accuracy in bins:
        if accuracy is not None and confidence is not None:
            interval = f"{low:.{digits}g} to {high:.{digits}g}"
            gauge = Gauge(accuracy, confidence)
            rows.append((interval, str(count), number(confidence), number(accuracy), gauge))
    empty = len(bins) - len(rows)
    notes = [Line(f"{empty} of {len(bins)} bins hold no row", "dim")] if empty else []
    headings = ("bin", "rows", "confidence", "accuracy", "")
    legend = "█ accuracy, │ confidence: calibrated where they meet"
    return [Table(headings, rows, legend=legend), *notes]


def _fit(fit: Fit, after: Scores, number: Number) -> list[Part]:
    names = ("temperature", "loss", "ECE")
    scores = zip(names, map(number, fit.before), map(number, after), strict=True)
    note = f"the temperature that minimises the loss, found in {fit.steps} steps"
    return [Table(("fit", "before", "after"), list(scores)), Line(note, "dim")]


def histogram_parts(losses: Histogram) -> list[Part]:
    """Return a table with a bar for the rows in each range of losses."""
    bins = losses.bins(SHOWN_BINS)
    most = max(each.rows for each in bins)
    rows = [(_range(each), str(each.rows), Gauge(each.rows / most)) for each in bins]
    return [Table(("losses", "rows", ""), rows)]


def _range(each: LossBin) -> str:
    if each.low == each.high:
        return f"{each.low:g}"
    return f"below {each.high:g}" if each.low <= 0 else f"{each.low:g} to {each.high:g}"
