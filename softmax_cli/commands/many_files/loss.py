"""xent over many files: the loss of all rows, from the exact sums of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.loss.computation import RowFiles, compute, open_row_files, running_loss
from softmax_cli.commands.loss.figures import FileLoss
from softmax_cli.commands.loss.output import LossReport
from softmax_cli.commands.loss.temperature_fit import Fit, Sums, fit, summed_slopes
from softmax_cli.commands.many_files.run import Run, State
from softmax_cli.commands.many_files.shards import (
    common_options,
    gradient_divisor,
    inputs_for_workers,
    loss_run,
    output_options,
    shard_inputs,
    with_outputs,
)
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import InputError, SoftmaxCliError, UsageError
from softmax_cli.formats.model.blocks import RowRange, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.shards.plan import Shard
from softmax_cli.storage.filesystem import location, relative

# The losses of some rows of a shard, how many were read, and the columns of the shard.
Part = tuple[RunningLoss, int, list[Any]]


def loss_of_shards(
    inputs: LossInputs,
    report: ReportOptions,
    directories: dict[str, str],
    options: ShardOptions,
    write: WriteOptions,
) -> int:
    """Write the loss of the rows of all files, and a report of each file to --output-dir.

    directories  by option, --losses and --grad, with one file for each input
    """
    options = options.for_workers()
    inputs = inputs_for_workers(inputs, options)
    if inputs.options.reduction == "none" and "--losses" not in directories:
        if options.output_dir is None:
            problem = "one loss per row needs a file for each input"
            raise UsageError(problem, "add --output-dir DIR, or --losses DIR", "--reduction none")
        directories = {"--losses": options.output_dir} | directories
    run = loss_run("xent", inputs, {}, write, options)
    for option, directory in directories.items():
        directory = options.worker_directory(directory)
        run.shards = with_outputs(run.shards, option, directory, inputs.read)
    with run.started():
        found = None
        if report.fit_temperature:
            found = _fit(run, inputs, report.bins)
            inputs = inputs.at(found.temperature)
        divisor = None
        if "--grad" in directories:
            divisor = gradient_divisor(run, inputs, run.write)
        settings: dict[str, Any] = {"loss": common_options(inputs), "report": report.computed}
        settings["divisor"] = divisor and str(divisor)
        run.open_manifest(settings)
        left_out = set(run.bad)
        files: list[FileLoss] = []
        whole = _loss(run, inputs, report, divisor, files)
        if divisor is not None and inputs.options.reduction.endswith("mean"):
            for path in set(run.bad) - left_out:
                problem = "is damaged, but the gradients of the other files count its rows"
                remedy = "remove it, or add --reduction sum"
                raise SoftmaxCliError(problem, remedy, relative(path))
        paths = [location(path) for path in run.inputs]
        LossReport(whole, write, report, found).write_loss(paths, files)
    return 0


def _fit(run: Run, inputs: LossInputs, bins: int) -> Fit:
    def sums_at(temperature: float, scored: bool) -> tuple[Sums, str]:
        def call(shard: Shard, rows: RowRange | None) -> Callable[[], tuple[Sums, str]]:
            at = shard_inputs(inputs, shard, rows).at(temperature)
            return partial(summed_slopes, at, bins, run.write, scored=scored)

        found: Iterator[Any] = (sums for _, parts in run.sweep(call) for sums, _ in parts)
        if (whole := next(found, None)) is None:
            raise run.every_shard_is_bad()
        for sums in found:
            whole.merge(sums)
        return whole, run.place

    return fit(sums_at, inputs.options.temperature)


def _compute(
    inputs: LossInputs,
    report: ReportOptions,
    files: RowFiles,
    divisor: Fraction | float | None,
    write: WriteOptions,
) -> Part:
    """Read rows, write their losses and gradients, and return the sums."""
    with ExitStack() as stack:
        source, losses, columns = _opened(stack, inputs, report, divisor)
        outputs = open_row_files(stack, source, files)
        counts = compute(source, losses, outputs, inputs.read, write)
        return losses, counts.read, columns


def _opened(
    stack: ExitStack,
    inputs: LossInputs,
    report: ReportOptions,
    divisor: Fraction | float | None = None,
) -> tuple[Source, RunningLoss, list[Any]]:
    """Open the inputs; return their rows, the running loss of no rows, and the columns."""
    source, settings = inputs.opened(stack)
    losses = running_loss(source, settings._replace(gradient_divisor=divisor), report)
    names = source.class_names and [*source.class_names]
    return source, losses, [source.classes, names, [*source.id_names]]


def _loss(
    run: Run,
    inputs: LossInputs,
    report: ReportOptions,
    divisor: Fraction | float | None,
    files: list[FileLoss],
) -> RunningLoss:
    """Compute missing or changed shards, and merge them with the results of earlier runs.

    files  takes the loss of each shard, for --report
    """

    def call(shard: Shard, rows: RowRange | None) -> Callable[[], Part]:
        files = {option: output_options(run, path, rows) for option, path in shard.outputs.items()}
        own = shard_inputs(inputs, shard, rows)
        return partial(_compute, own, report, files, divisor, run.write)

    def merge(_: Shard, parts: list[Part]) -> tuple[State, State, State]:
        (losses, read, columns), *others = parts
        for part in others:
            losses.merge(part[0])
            read += part[1]
        losses.infinite_rows = [(row, relative(place)) for row, place in losses.infinite_rows]
        state = losses.state() | {"read": read, "columns": columns}
        sums = {"sum": losses.reduced.loss("sum"), "exact": losses.reduced.state()["losses"]}
        record = {"rows": read, "used": losses.reduced.used, "losses": sums}
        return state, losses.report(), record

    whole: RunningLoss | None = None
    columns: list[Any] = []
    rows = 0
    for shard, state in run.states(call, merge):
        if whole is None:
            with ExitStack() as stack:
                own = shard_inputs(inputs, shard, None)
                _, whole, columns = _opened(stack, own, report)
        if state["columns"] != columns:
            problem = f"its columns are not those of {relative(run.good[0].path)}"
            remedy = "give all files the same, in the same order"
            raise InputError(problem, remedy, relative(shard.path))
        if report.report_form == "csv":
            files.append((relative(shard.path), whole.from_state(state)))
        whole.merge_state(state, rows)
        rows += state["read"]
    if whole is None:
        raise run.every_shard_is_bad()
    if not rows:
        raise InputError("has no rows, so there is no loss", "give a row", run.place)
    whole.check(run.place)
    run.facts = {"rows": rows, "used": whole.reduced.used, "loss": whole.loss()}
    return whole
