"""The options of a loss: its inputs, its reduction, its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shared import Base, Temperature
from softmax_cli.errors import UsageError

Reduction = Literal["mean", "batch-mean", "sum", "none"]
DEFAULT_BINS = 15
From = Literal["logits", "probabilities", "log-probabilities"]


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"must be from 0 to 1, got {value:g}", "give a share", "--label-smoothing")
    return value


_loss = partial(Flag, panel="Loss")
_report = partial(Flag, panel="Report")


@dataclass(frozen=True)
class LossOptions:
    """What the losses are of and how they are computed."""

    labels: Annotated[
        str | None,
        _loss(
            "The label of each row: a file, or '2,0,1'; numbers from 0, or names of classes.", "L"
        ),
    ] = None
    label_column: Annotated[str | None, _loss("Labels in a column of the logits.", "NAME")] = None
    targets: Annotated[str | None, _loss("One-hot or soft targets: a row or a file.", "Y")] = None
    from_: Annotated[
        From | None, _loss("What the values are. Default: logits; of --p and --q, probabilities.")
    ] = None
    temperature: Temperature = 1.0
    reduction: Annotated[Reduction, _loss("How the losses of rows are combined.")] = "mean"
    class_weights: Annotated[
        str | None,
        _loss(
            "A weight w for each class: '1,2,0.5', or a file; names in a header are matched to "
            "classes.",
            "W",
        ),
    ] = None
    sample_weights: Annotated[
        str | None,
        _loss("A weight s for each row: '1,0.5', or a file with one number per row.", "W"),
    ] = None
    label_smoothing: Annotated[
        float,
        _loss(
            "Share of each target that is spread over all classes, from 0 to 1.", "E", check=_share
        ),
    ] = 0.0
    ignore_label: Annotated[
        list[str],
        _loss(
            "Leave out rows with this label, a number or a name; it need not be a class. "
            "Repeatable.",
            "L",
        ),
    ] = field(default_factory=list)
    mask_class: Annotated[
        list[str], _loss("Leave this class out of the denominator of the softmax. Repeatable.", "C")
    ] = field(default_factory=list)
    normalize: Annotated[bool, _loss("Divide distributions by their sum, if it is not 1.")] = False
    base: Base = "e"


@dataclass(frozen=True)
class ReportOptions:
    """What a report holds, as a table and as JSON."""

    worst: Annotated[int, _report("Show the K rows with the largest loss.", "K", min=0)] = 0
    per_class: Annotated[bool, _report("Show rows, mean loss and accuracy of each class.")] = False
    top_k_accuracy: Annotated[
        int | None,
        _report("Show how often the label is among the K likeliest classes.", "K", min=1),
    ] = None
    calibration: Annotated[
        bool,
        _report(
            "Show how well confidence matches accuracy: ECE, MCE, Brier score and a reliability "
            "diagram."
        ),
    ] = False
    bins: Annotated[
        int, _report("Bins of equal width of --calibration.", "B", min=1, max=100_000)
    ] = DEFAULT_BINS
    histogram: Annotated[
        bool, _report("Show the distribution of losses; a table shows it anyway.")
    ] = False
    fit_temperature: Annotated[
        bool,
        _report(
            "Find the temperature that minimises the loss, and use it; shows loss and ECE before "
            "and after."
        ),
    ] = False

    @property
    def given(self) -> tuple[str, ...]:
        """The options given whose results only a report shows."""
        asked = ("--worst",) * (self.worst > 0) + ("--histogram",) * self.histogram
        return asked + self.need_labels

    @property
    def need_labels(self) -> tuple[str, ...]:
        """The options given that need labels."""
        asked = {
            "--per-class": self.per_class,
            "--top-k-accuracy": self.top_k_accuracy is not None,
            "--calibration": self.calibration,
        }
        return tuple(option for option, is_given in asked.items() if is_given)
