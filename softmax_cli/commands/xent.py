"""`softmax-cli xent`: cross-entropy of two distributions, or of logits and labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.loss import NEED_LABELS, LossOptions, ReportOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import Explain, Values, explanation
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ReadOptions, WriteOptions

if TYPE_CHECKING:
    from softmax_cli.commands.inputs.loss import LossInputs

DESCRIPTION = """Of two distributions: xent(p, q) = -sum_k p(k) log q(k), with H(p) and KL(p||q).

Of logits and labels: -log P(label), with P the softmax of the logits; of logits and targets Y:
-sum_k Y(k) log P(k).

With weights w of classes and s of rows, and a smoothing E over N classes, the loss of a row and its
gradient by the logits are

\b
  loss = -s sum_k w(k) Y'(k) log P(k),  Y'(k) = (1 - E) Y(k) + E / N
  d loss / da_j = s (P_j sum_k w(k) Y'(k) - w(j) Y'(j)) / T

where Y is one-hot for a label. --reduction puts the losses of the rows together, and the gradient
is that of the reduced loss; what the sum of the losses is divided by is

\b
  mean        the sum of the weights of the rows used: s w(label) for
              labels, s for targets and distributions
  batch-mean  the number of rows used
  sum, none   nothing; none gives one loss a row

Accuracy and calibration count every row once, whatever its weight. A row's confidence is the
probability of its likeliest class; over bins b of confidence, of n_b rows each,

\b
  ECE   = sum_b (n_b / n) |accuracy_b - confidence_b|
  MCE   = the largest of these |accuracy_b - confidence_b|
  Brier = mean of sum_k (P(k) - Y(k))^2, from 0 to 2

With --output-dir or --scheduler the values are many files: --labels, --targets and --sample-weights
name a directory, or a quoted glob, of files with the same names, --losses and --grad a directory,
and the loss is that of all rows together.

In a pipe the loss is printed alone: loss=$(softmax-cli xent ...); the report is the table, or
--format json."""

EXAMPLES = (
    "softmax-cli xent --p 0.5,0.5 --q 0.25,0.75 --base 2",
    "softmax-cli xent 1,2,3 3,2,1 --labels 2,0",
    "softmax-cli xent 1 2 3 --labels 2 --explain",
    "softmax-cli xent samples/iris.csv --label-column label --per-class --worst 3 --format table",
    "softmax-cli xent samples/digits_logits.npy --labels samples/digits_labels.npy --format json",
    "softmax-cli xent 1,2,3 3,2,1 --labels 2,-100 --ignore-label -100 --format json",
    "softmax-cli xent samples/iris.csv --label-column label --calibration --fit-temperature "
    "--format json",
    "softmax-cli xent 'samples/digits_shards/logits/*.npy' --labels samples/digits_shards/labels "
    "--output-dir reports --quiet",
    "softmax-cli xent 0.2,0.8 --from probabilities --targets 0,1 --reduction none",
)


def command(
    *,
    values: Values = None,
    p: Annotated[str | None, Flag("The distribution p: a row '0.5,0.5', or a file.", "P")] = None,
    q: Annotated[str | None, Flag("The distribution q, as --p.", "Q")] = None,
    options: LossOptions,
    report: ReportOptions,
    losses_path: Annotated[
        str | None, Flag("Write the loss of each row to a file.", "PATH", name="--losses")
    ] = None,
    gradient_path: Annotated[
        str | None,
        Flag(
            "Write the gradient of the reduced loss with respect to the logits to a file.",
            "PATH",
            name="--grad",
        ),
    ] = None,
    explain: Explain = False,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Read the inputs and write their loss."""
    from contextlib import ExitStack

    from softmax_cli.commands.inputs.loss import LossInputs
    from softmax_cli.commands.loss.computation import running_loss
    from softmax_cli.commands.loss.output import LossReport
    from softmax_cli.formats.registry import output_format

    if explain:
        write = explanation(write, shards)
    typed = {"--losses": losses_path, "--grad": gradient_path}
    paths = {option: path for option, path in typed.items() if path is not None}
    inputs = LossInputs(values, p, q, options, read, fits=report.fit_temperature)
    _check_files(paths | report.paths, write, inputs)
    _check_form(inputs, report)
    if explain and inputs.options.are_entries:
        problem = "there is nothing to derive: each loss is minus its log-probability"
        raise UsageError(problem, "leave it out", "--explain")
    if shards.are_given:
        from softmax_cli.commands.many_files.loss import loss_of_shards

        return loss_of_shards(inputs, report, paths, shards, write)
    fit = None
    if report.fit_temperature:
        from softmax_cli.commands.loss.temperature_fit import fitted

        fit = fitted(inputs, report.bins, write)
        inputs = inputs.at(fit.temperature)
    form = output_format(replace(write, in_place=False)).name
    has_histogram = not report.keys and (form == "table" or write.save is not None)
    with ExitStack() as stack:
        source, settings = inputs.opened(stack)
        explained = None
        if explain:
            from softmax_cli.commands.loss.explanation import Explanation

            explained = Explanation(settings.class_names(source), write.precision)
        if gradient_path is not None:
            divisor = inputs.divisor(source, settings, write)
            settings = settings._replace(gradient_divisor=divisor)
        others = [explained] if explained is not None else []
        losses = running_loss(source, settings, report, others, has_histogram=has_histogram)
        rows = replace(write, format=None, save=None)
        files = {option: replace(rows, output=path) for option, path in paths.items()}
        loss = LossReport(losses, write, report, fit, explained)
        loss.read_and_write(source, files, read)
    return 0


def _check_files(paths: dict[str, str], write: WriteOptions, inputs: LossInputs) -> None:
    """Raise UsageError if two outputs are one file, or if a gradient is not of logits."""
    from softmax_cli.storage.filesystem import refuse_the_same

    if "--grad" in paths and inputs.kind != "logits":
        raise UsageError("goes with logits alone", "leave it out", "--grad")
    for option, path in paths.items():
        if path == "-":
            raise UsageError("standard output takes the loss", "name a file", option)
    if write.in_place:
        from softmax_cli.formats.opening.source import refuse_lost_arrays

        outputs = [*paths.values(), write.output]
        refuse_lost_arrays(inputs.tokens, inputs.read.key, outputs)
    every = [*paths.items(), ("--output", write.output or "-"), ("--save", write.save)]
    named = [(option, path) for option, path in every if path is not None]
    refuse_the_same(named, "names the same file as {first}", "give each its own")


def _check_form(inputs: LossInputs, report: ReportOptions) -> None:
    """Raise UsageError unless the inputs are one form of the command, and its options fit."""
    values, p, q, options = inputs.values, inputs.p, inputs.q, inputs.options
    forms = {
        "--p and --q": p,
        "--labels": options.labels,
        "--label-column": None if options.labels_are_a_file else options.label_column,
        "--targets": options.targets,
    }
    given = [option for option, value in forms.items() if value is not None]
    are_two = p is not None
    entries = inputs.options.are_entries
    has_logits = inputs.kind == "logits" or report.fit_temperature
    # --ignore-label would ignore one-hot rows of p.
    no_label = are_two and inputs.kind != "probabilities" and bool(options.ignore_label)
    alone = ("goes with logits alone", "leave it out")
    compare = "give --labels, --label-column or --targets; or two distributions with --p and --q"
    for is_wrong, problem, remedy, option in (
        ((p is None) != (q is None), "one distribution alone", "give both", "--p and --q"),
        (len(given) > 1, f"{' and '.join(given)} are two forms of the command", "give one", "xent"),
        (
            entries and given,
            "the labels are those of the numbers",
            "leave it out",
            "".join(given[:1]),
        ),
        (
            not given and values and not entries,
            *("the values have nothing to be compared with", compare, "xent"),
        ),
        (are_two and values, "takes no other values", "write 0.5,0.5 with commas", "--p and --q"),
        (no_label, "p and q have no labels", "leave it out", "--ignore-label"),
        (not has_logits and options.temperature != 1.0, *alone, "--temperature"),
    ):
        if is_wrong:
            raise UsageError(problem, remedy, option)
    if entries:
        _check_entries(inputs, report)
    can_fit = not (are_two or options.are_entries)
    report.check(inputs.kind, options.reduction, are_two=are_two, can_fit=can_fit)


def _check_entries(inputs: LossInputs, report: ReportOptions) -> None:
    """Raise UsageError for an option that log-probabilities of labels cannot have."""
    options = inputs.options
    refused = {
        "--binary": inputs.read.binary,
        "--class-weights": options.class_weights,
        "--label-base": options.label_base,
        "--label-smoothing": options.label_smoothing,
        "--ignore-label": options.ignore_label,
        "--mask-class": options.mask_class,
        "--normalize": options.normalize,
        "--fit-temperature": report.fit_temperature,
        **dict.fromkeys(report.need_labels, True),
        **{f"--show {key}": key in NEED_LABELS for key in report.keys},
    }
    for option, is_given in refused.items():
        if is_given:
            problem = "only the log-probability of each row's label is known"
            raise UsageError(problem, "leave it out, or give the logits", option)
