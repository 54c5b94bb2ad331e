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
        raise UsageError(f"{value:g} is no share", "give a number from 0 to 1", "--label-smoothing")
    return value


_loss = partial(Flag, panel="Loss")
_report = partial(Flag, panel="Report")


@dataclass(frozen=True)
class LossOptions:
    """What the losses are of and how they are computed."""

    labels: Annotated[
        str | None,
        _loss(
            "--labels",
            metavar="L",
            help="The label of each row: a file, or '2,0,1'; numbers from 0, or names of classes.",
        ),
    ] = None
    label_column: Annotated[
        str | None,
        _loss("--label-column", metavar="NAME", help="Labels in a column of the logits."),
    ] = None
    targets: Annotated[
        str | None,
        _loss("--targets", metavar="Y", help="One-hot or soft targets: a row or a file."),
    ] = None
    from_: Annotated[From, _loss("--from", help="What the values are.")] = "logits"
    temperature: Temperature = 1.0
    reduction: Annotated[
        Reduction, _loss("--reduction", help="How the losses of the rows are put together.")
    ] = "mean"
    class_weights: Annotated[
        str | None,
        _loss(
            "--class-weights",
            metavar="W",
            help="A weight w for each class: '1,2,0.5', or a file; a header's names decide which "
            "is whose.",
        ),
    ] = None
    sample_weights: Annotated[
        str | None,
        _loss(
            "--sample-weights",
            metavar="W",
            help="A weight s for each row: '1,0.5', or a file of one number a row.",
        ),
    ] = None
    label_smoothing: Annotated[
        float,
        _loss(
            "--label-smoothing",
            metavar="E",
            check=_share,
            help="Share of each target that is spread over all classes, from 0 to 1.",
        ),
    ] = 0.0
    ignore_label: Annotated[
        list[str],
        _loss(
            "--ignore-label",
            metavar="L",
            help="Leave rows with this label out, before anything else; a number or a name, of a "
            "class or of none. Repeatable.",
        ),
    ] = field(default_factory=list)
    mask_class: Annotated[
        list[str],
        _loss(
            "--mask-class",
            metavar="C",
            help="Leave this class out of the denominator of the softmax. Repeatable.",
        ),
    ] = field(default_factory=list)
    normalize: Annotated[
        bool, _loss("--normalize", help="Divide distributions by their sum, if it is not 1.")
    ] = False
    base: Base = "e"


@dataclass(frozen=True)
class ReportOptions:
    """What a report holds, as a table and as JSON."""

    worst: Annotated[
        int, _report("--worst", metavar="K", min=0, help="Show the K rows with the largest loss.")
    ] = 0
    per_class: Annotated[
        bool, _report("--per-class", help="Show rows, mean loss and accuracy of each class.")
    ] = False
    top_k_accuracy: Annotated[
        int | None,
        _report(
            "--top-k-accuracy",
            metavar="K",
            min=1,
            help="Show how often the label is among the K likeliest classes.",
        ),
    ] = None
    calibration: Annotated[
        bool,
        _report(
            "--calibration",
            help="Show how far confidence is from accuracy: ECE, MCE, Brier score, and a "
            "reliability diagram.",
        ),
    ] = False
    bins: Annotated[
        int,
        _report(
            "--bins", metavar="B", min=1, max=100_000, help="Bins of equal width of --calibration."
        ),
    ] = DEFAULT_BINS
    histogram: Annotated[
        bool,
        _report("--histogram", help="Show how many rows have which loss; a table does so unasked."),
    ] = False
    fit_temperature: Annotated[
        bool,
        _report(
            "--fit-temperature",
            help="Find the temperature that minimises the loss, and use it; shows loss and ECE "
            "before and after.",
        ),
    ] = False

    @property
    def given(self) -> tuple[str, ...]:
        """The options given that ask for what a number alone is not."""
        asked = ("--worst",) * (self.worst > 0) + ("--histogram",) * self.histogram
        return asked + self.need_labels

    @property
    def need_labels(self) -> tuple[str, ...]:
        """The options given that mean nothing without labels."""
        asked = {
            "--per-class": self.per_class,
            "--top-k-accuracy": self.top_k_accuracy is not None,
            "--calibration": self.calibration,
        }
        return tuple(option for option, is_given in asked.items() if is_given)
