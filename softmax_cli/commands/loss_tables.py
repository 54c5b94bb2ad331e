"""The report of xent for people: the loss, and under it what the options ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from softmax_cli.commands.loss import Losses
from softmax_cli.commands.tallies import OfClass, PerClass, Reliability, TopK, Worst
from softmax_cli.commands.temperature_fit import Fit
from softmax_cli.formats.blocks import WriteOptions
from softmax_cli.formats.numbers import aligned
from softmax_cli.formats.table import DEFAULT_PRECISION, Gauge, print_table, shortened
from softmax_cli.formats.target import Target

UNITS = {"e": "nats", "2": "bits", "10": "decimal digits"}
# More classes than these are shown by their loss, the largest first.
SHOWN_CLASSES = 24


def print_report(losses: Losses, fit: Fit | None, target: Target, write: WriteOptions) -> None:
    """Write the tables."""
    _Tables(losses, target, write).print_all(fit)


class _Tables:
    def __init__(self, losses: Losses, target: Target, write: WriteOptions) -> None:
        self._losses, self._target, self._write = losses, target, write
        self._unit = UNITS[losses.base]
        self._is_first = True

    def print_all(self, fit: Fit | None) -> None:
        self._print(("", "", ""), self._summary(), left=(0, 2))
        for tally in self._losses.tallies:
            if isinstance(tally, Worst):
                self._print_worst(tally)
            elif isinstance(tally, PerClass):
                self._print_classes(tally.classes())
            elif isinstance(tally, Reliability) and tally.is_asked:
                self._print_reliability(tally)
        if fit is not None:
            self._print_fit(fit)

    def _print(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str | Gauge]],
        *,
        left: Sequence[int] = (0,),
        notes: Sequence[str] = (),
        legend: str = "",
    ) -> None:
        if not self._is_first:
            self._target.write(b"\n")
        self._is_first = False
        print_table(
            headings, rows, self._target, self._write, left=left, notes=notes, legend=legend
        )

    def _number(self, value: float | None) -> str:
        digits = self._write.precision or DEFAULT_PRECISION
        return "-" if value is None else f"{value:.{digits}g}"

    def _summary(self) -> list[tuple[str, str, str]]:
        losses, unit = self._losses, self._unit
        used, reduction = losses.reduced.used, losses.reduction
        of_rows = _rows(used)
        divided = {"sum": "the sum"}.get(reduction, f"the {reduction}")
        lines = [("loss", self._number(losses.loss()), f"{unit}, {divided} of {of_rows}")]
        if losses.form.form == "distributions":
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
        for tally in losses.tallies:
            if isinstance(tally, TopK):
                name = f"top-{tally.k} accuracy"
                lines.append((name, self._number(tally.share), f"{tally.right} of {of_rows}"))
        lines.append(("denominator", self._number(self._divisor), self._what_divides()))
        lines.append(("rows", str(losses.rows), f"{used} used, {losses.rows - used} ignored"))
        if losses.temperature != 1:
            lines.append(("temperature", self._number(losses.temperature), "divides the logits"))
        return lines

    @property
    def _divisor(self) -> float:
        return self._losses.reduced.denominator(self._losses.reduction)

    def _what_divides(self) -> str:
        if self._losses.reduction == "sum":
            return "a sum is divided by nothing"
        if self._losses.reduction == "batch-mean" or self._divisor == self._losses.reduced.used:
            return "the number of rows used"
        return "the sum of the weights of the rows used"

    def _print_worst(self, worst: Worst) -> None:
        ids = [name or f"id {number}" for number, name in enumerate(worst.id_names, 1)]
        headings = ("worst rows", "loss", "label", "predicted", *ids)
        losses = aligned([self._number(each.loss) for each in worst.rows])
        rows = [
            (
                str(each.row),
                loss,
                "-" if each.label is None else shortened(str(each.label)),
                shortened(str(each.predicted)),
                *map(shortened, each.ids),
            )
            for each, loss in zip(worst.rows, losses, strict=True)
        ]
        self._print(headings, rows, left=[0, *range(2, len(headings))])

    def _print_classes(self, classes: list[OfClass]) -> None:
        shown, notes = classes, []
        if len(classes) > SHOWN_CLASSES:
            known = [each for each in classes if each.loss is not None]
            known.sort(key=_by_loss)
            shown = known[:SHOWN_CLASSES]
            notes = [f"{len(shown)} of {len(classes)} classes shown, those with the largest loss"]
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
        self._print(("class", "rows", "mean loss", "accuracy", ""), rows, notes=notes)

    def _print_reliability(self, reliability: Reliability) -> None:
        calibration = reliability.calibration
        bins = calibration.bins()
        digits = max(3, len(str(len(bins))) + 1)
        count = f"{len(bins)} bins of equal width"
        scores = [
            ("ECE", self._number(calibration.ece()), f"expected calibration error, {count}"),
            ("MCE", self._number(calibration.mce()), "largest gap of a bin"),
            ("Brier", self._number(calibration.brier()), "mean of sum_k (P(k) - Y(k))^2, 0 to 2"),
        ]
        self._print(("", "", ""), scores, left=(0, 2))
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
        notes = [f"{empty} of {len(bins)} bins hold no row"] if empty else []
        headings = ("bin", "rows", "confidence", "accuracy", "")
        legend = "█ accuracy, │ confidence: a bar that ends at its line is calibrated"
        self._print(headings, rows, notes=notes, legend=legend)

    def _print_fit(self, fit: Fit) -> None:
        before, after = fit.before, fit.after(self._losses)
        rows = [
            (name, self._number(old), self._number(new))
            for name, old, new in (
                ("temperature", before.temperature, after.temperature),
                ("loss", before.loss, after.loss),
                ("ECE", before.ece, after.ece),
            )
        ]
        steps = f"the temperature that minimises the loss, found in {fit.steps} steps"
        self._print(("fit", "before", "after"), rows, notes=[steps])


def _by_loss(each: OfClass) -> float:
    """Order by the loss, the largest first, and what is no number before it."""
    loss = math.nan if each.loss is None else each.loss
    return -math.inf if math.isnan(loss) else -loss


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
