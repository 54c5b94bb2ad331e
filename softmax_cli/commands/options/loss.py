"""The options of a loss: its inputs, its reduction, its report."""

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shared import Base, Temperature
from softmax_cli.errors import UsageError, did_you_mean, shorten
from softmax_cli.formats.registry import suffix_format

Reduction = Literal["mean", "batch-mean", "sum", "none"]
DEFAULT_BINS = 15
Kind = Literal["logits", "probabilities", "log-probabilities"]
From = Literal["logits", "probabilities", "log-probabilities", "label-log-probabilities"]
# What --show can name, and which of it needs labels.
SHOWN = (
    "loss",
    "perplexity",
    "accuracy",
    "entropy",
    "kl",
    "ece",
    "mce",
    "brier",
    "temperature",
    "rows",
    "used",
    "ignored",
)
NEED_LABELS = ("accuracy", "ece", "mce", "brier")


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
    label_column: Annotated[
        str | None, _loss("The column of labels, in the logits or in the file of --labels.", "NAME")
    ] = None
    label_base: Annotated[
        int,
        _loss("The number of the first class: 1 for labels from R or MATLAB.", "B", min=0, max=1),
    ] = 0
    targets: Annotated[str | None, _loss("One-hot or soft targets: a row or a file.", "Y")] = None
    from_: Annotated[
        From | None,
        _loss(
            "What the values are. Default: logits; for --p and --q, probabilities. "
            "label-log-probabilities are numbers, one for each row, or lists of any length."
        ),
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

    @property
    def labels_are_a_file(self) -> bool:
        """Whether --labels names files, whose column --label-column may name."""
        from softmax_cli.formats.opening.file_key import names_input

        token = self.labels
        return token is not None and not token.startswith("[") and names_input(token)

    @property
    def are_entries(self) -> bool:
        """Whether each value is the log-probability of a label."""
        return self.from_ == "label-log-probabilities"

    def kind_of(self, *, are_two: bool) -> Kind:
        """Return what the values are, or p and q."""
        if self.from_ == "label-log-probabilities":
            return "log-probabilities"
        return self.from_ or ("probabilities" if are_two else "logits")


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

    show: Annotated[
        list[str],
        _report(
            "Print these instead of the loss, in this order, on one comma-separated line: "
            f"{', '.join(SHOWN)}. In a table, show only these rows.",
            "KEYS",
        ),
    ] = field(default_factory=list)
    report_path: Annotated[
        str | None,
        _report(
            "Also write the report to a file: .csv, a line for each input file; or .json.",
            "PATH",
            name="--report",
        ),
    ] = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What --show names, in its order."""
        keys = [key.strip() for text in self.show for key in text.split(",")]
        for key in keys:
            if key not in SHOWN:
                remedy = did_you_mean(key, SHOWN, f"choose from {', '.join(SHOWN)}")
                raise UsageError(f"there is no figure {shorten(key)!r}", remedy, "--show")
        return tuple(keys)

    @property
    def calibrated_for(self) -> str:
        """The option that calls for a calibration, if any."""
        asked = [f"--show {key}" for key in self.keys if key in ("ece", "mce", "brier")]
        return "--calibration" if self.calibration else "".join(asked[:1])

    @property
    def computed(self) -> dict[str, object]:
        """What decides which figures are computed, not where they are shown."""
        shown = {"show": None, "report_path": None, "calibration": bool(self.calibrated_for)}
        return asdict(self) | shown

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

    def check(self, kind: str, reduction: Reduction, *, are_two: bool, can_fit: bool) -> None:
        """Raise UsageError for options that do not fit the inputs or each other.

        kind     what the values are
        are_two  whether they are p and q, which have no labels
        can_fit  whether a temperature can be fitted to them
        """
        if self.keys and reduction == "none":
            problem = "--reduction none prints a loss for each row"
            raise UsageError(problem, "leave one of the two out", "--show")
        for key in self.keys:
            option, remedy = f"--show {key}", "leave it out"
            if are_two and key in NEED_LABELS:
                raise UsageError("p and q have no labels", remedy, option)
            if not are_two and key in ("entropy", "kl"):
                raise UsageError("goes with --p and --q alone", remedy, option)
            if key == "temperature" and kind != "logits" and not self.fit_temperature:
                remedy += ", or add --fit-temperature" if can_fit else ""
                raise UsageError("goes with logits alone", remedy, option)
        need_labels = (*self.need_labels, *(["--fit-temperature"] * self.fit_temperature))
        if are_two and need_labels:
            raise UsageError("p and q have no labels", "leave it out", need_labels[0])
        if self.bins != DEFAULT_BINS and not (self.calibrated_for or self.fit_temperature):
            problem = "requires --calibration or --fit-temperature"
            raise UsageError(problem, "add one of them", "--bins")
        if self.report_path is not None and self.report_form not in ("csv", "json"):
            problem = f"{self.report_path!r} is not a report file"
            raise UsageError(problem, "name a file .csv or .json", "--report")

    @property
    def paths(self) -> dict[str, str]:
        """The file of --report, if there is one."""
        return {} if self.report_path is None else {"--report": self.report_path}

    @property
    def report_form(self) -> str:
        """The format of --report; "" without it."""
        form = suffix_format(self.report_path) if self.report_path else None
        return "" if form is None else form.name
