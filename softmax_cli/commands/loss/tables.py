"""The report of xent for people: the loss, and under it what the options ask for."""

from __future__ import annotations

import math
from collections.abc import Iterator

from softmax_cli.commands.loss.temperature_fit import Fit, Scores
from softmax_cli.core.loss.log_bases import UNITS
from softmax_cli.display.alignment import DEFAULT_PRECISION, align_numbers
from softmax_cli.display.parts import Gauge, Line, Part, Table
from softmax_cli.losses.accuracy import OfClass, PerClass, TopK
from softmax_cli.losses.calibration import Calibration
from softmax_cli.losses.histogram import Bin, Histogram
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.losses.worst_rows import Worst

# More classes than these are shown by their loss, the largest first.
SHOWN_CLASSES = 24
# Of a histogram: those of the largest losses, and one of all others.
SHOWN_BINS = 12


def report_parts(losses: RunningLoss, fit: Fit | None, precision: int | None) -> list[Part]:
    """Return the tables, the loss first."""
    tables = _Tables(losses, precision or DEFAULT_PRECISION)
    parts: list[Part] = []
    for each in tables.all(fit):
        parts += [*([Line()] if parts else []), *each]
    return parts


class _Tables:
    def __init__(self, losses: RunningLoss, digits: int) -> None:
        self._losses, self._digits = losses, digits
        self._unit = UNITS[losses.settings.base]

    def all(self, fit: Fit | None) -> Iterator[list[Part]]:
        yield [Table(("", "", ""), self._summary(), left=(0, 2))]
        for tally in self._losses.metrics:
            if isinstance(tally, Worst):
                yield [self._worst(tally)]
            elif isinstance(tally, PerClass):
                yield self._classes(tally.classes())
            elif isinstance(tally, Calibration) and tally.is_asked:
                yield [self._scores(tally)]
                yield self._reliability(tally)
            elif isinstance(tally, Histogram) and tally.is_shown:
                yield histogram_parts(tally)
        if fit is not None:
            yield self._fit(fit)

    def _number(self, value: float | None) -> str:
        return "-" if value is None else f"{value:.{self._digits}g}"

    def _summary(self) -> list[tuple[str, str, str]]:
        losses, unit = self._losses, self._unit
        used, reduction = losses.reduced.used, losses.settings.reduction
        of_rows = _rows(used)
        divided = {"sum": "the sum"}.get(reduction, f"the {reduction}")
        lines = []
        if reduction != "none":
            lines = [("loss", self._number(losses.loss()), f"{unit}, {divided} of {of_rows}")]
        if losses.settings.form.form == "distributions":
            entropy, divergence = losses.entropies()
            lines += [
                ("H(p)", self._number(entropy), f"{unit}, the entropy of p"),
                ("KL(p||q)", self._number(divergence), f"{unit}, loss - H(p)"),
            ]
        lines.append(("perplexity", self._number(losses.perplexity()), "exp of the mean in nats"))
        accuracy = losses.accuracy.share(used)
        if accuracy is not None:
            right = f"{losses.accuracy.right} of {of_rows}"
            lines.append(("accuracy", self._number(accuracy), right))
        for tally in losses.metrics:
            if isinstance(tally, TopK):
                name = f"top-{tally.k} accuracy"
                lines.append((name, self._number(tally.share), f"{tally.right} of {of_rows}"))
        lines.append(("denominator", self._number(self._divisor), self._what_divides()))
        lines.append(("rows", str(losses.rows), f"{used} used, {losses.rows - used} ignored"))
        if losses.settings.temperature != 1:
            lines.append(
                ("temperature", self._number(losses.settings.temperature), "divides the logits")
            )
        return lines

    @property
    def _divisor(self) -> float:
        return self._losses.reduced.denominator(self._losses.settings.reduction)

    def _what_divides(self) -> str:
        if self._losses.settings.reduction in ("sum", "none"):
            return "nothing is divided"
        if (
            self._losses.settings.reduction == "batch-mean"
            or self._divisor == self._losses.reduced.used
        ):
            return "the number of rows used"
        return "weights of the rows used, summed"

    def _worst(self, worst: Worst) -> Table:
        ids = [name or f"id {number}" for number, name in enumerate(worst.id_names, 1)]
        headings = ("worst rows", "loss", "label", "predicted", *ids)
        losses = align_numbers([self._number(each.loss) for each in worst.rows])
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
        return Table(headings, rows, left=[0, *names], names=names)

    def _classes(self, classes: list[OfClass]) -> list[Part]:
        shown, notes = classes, list[Part]()
        if len(classes) > SHOWN_CLASSES:
            known = [each for each in classes if each.loss is not None]
            known.sort(key=_by_loss)
            shown = known[:SHOWN_CLASSES]
            note = f"{len(shown)} of {len(classes)} classes shown, those with the largest loss"
            notes = [Line(note, "dim")]
        rows = [
            (
                str(each.name),
                str(each.rows),
                self._number(each.loss),
                self._number(each.accuracy),
                "" if each.accuracy is None else Gauge(each.accuracy),
            )
            for each in shown
        ]
        return [Table(("class", "rows", "mean loss", "accuracy", ""), rows, names=(0,)), *notes]

    def _scores(self, calibration: Calibration) -> Table:
        count = f"{len(calibration.bins())} bins"
        scores = [
            ("ECE", self._number(calibration.ece()), f"expected calibration error, {count}"),
            ("MCE", self._number(calibration.mce()), "largest gap of a bin"),
            ("Brier", self._number(calibration.brier()), "mean of sum_k (P(k) - Y(k))^2, 0 to 2"),
        ]
        return Table(("", "", ""), scores, left=(0, 2))

    def _reliability(self, calibration: Calibration) -> list[Part]:
        bins = calibration.bins()
        digits = max(3, len(str(len(bins))) + 1)
        rows = [
            (
                f"{each.low:.{digits}g} to {each.high:.{digits}g}",
                str(each.rows),
                self._number(each.confidence),
                self._number(each.accuracy),
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

    def _fit(self, fit: Fit) -> list[Part]:
        before, after = fit.before, Scores.of(self._losses)
        rows = [
            (name, self._number(old), self._number(new))
            for name, old, new in (
                ("temperature", before.temperature, after.temperature),
                ("loss", before.loss, after.loss),
                ("ECE", before.ece, after.ece),
            )
        ]
        steps = f"the temperature that minimises the loss, found in {fit.steps} steps"
        return [Table(("fit", "before", "after"), rows), Line(steps, "dim")]


def histogram_parts(losses: Histogram) -> list[Part]:
    """Return how many rows have which loss, as bars."""
    bins = losses.bins(SHOWN_BINS)
    most = max(each.held for each in bins)
    rows = [(_named(each), str(each.held), Gauge(each.held / most)) for each in bins]
    return [Table(("losses", "rows", ""), rows)]


def _named(each: Bin) -> str:
    if each.low == each.high:
        return f"{each.low:g}"
    is_end = each.low <= 0
    return f"below {each.high:g}" if is_end else f"{each.low:g} to {each.high:g}"


def _by_loss(each: OfClass) -> float:
    """Order by the loss, the largest first, and what is no number before it."""
    loss = math.nan if each.loss is None else each.loss
    return -math.inf if math.isnan(loss) else -loss


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
