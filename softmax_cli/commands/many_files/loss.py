"""xent over many files: the loss of all rows, from the exact sums of each file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.loss.metrics import running_loss
from softmax_cli.commands.loss.output import ReportExtras, write_loss
from softmax_cli.commands.loss.row_outputs import RowFiles
from softmax_cli.commands.loss.temperature_fit import Fit, Sums, fit, no_slopes
from softmax_cli.commands.many_files.job import (
    ShardJob,
    every_shard_is_bad,
    report_files,
    row_files,
    write_report,
)
from softmax_cli.commands.many_files.tasks import (
    State,
    common_files,
    divisor_of,
    losses_found,
    of_shard,
    reached,
    shards_of,
    slopes_found,
)
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.errors import InputError, SoftmaxCliError, UsageError
from softmax_cli.formats.model.blocks import RowRange, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.losses.loss_rows import LossSettings
from softmax_cli.losses.running_loss import RunningLoss
from softmax_cli.shards.plan import Shard
from softmax_cli.shards.run import Run
from softmax_cli.storage.filesystem import location, refuse_the_same, shown

# By shard, in their order: the files of its losses and of its gradient.
Files = dict[str, tuple[str | None, str | None]]


def loss_of_shards(
    inputs: LossInputs,
    report: ReportOptions,
    directories: tuple[str | None, str | None],
    options: ShardOptions,
    write: WriteOptions,
) -> int:
    """Write the loss of the rows of all files, and a report of each file to --output-dir.

    directories  of the losses of rows and of the gradients, with one file for each input
    """
    options = options.placed()
    inputs = reached(inputs, options)
    if inputs.options.reduction == "none" and directories[0] is None:
        if options.output_dir is None:
            problem = "a loss a row needs a file for each input"
            raise UsageError(problem, "add --output-dir DIR, or --losses DIR", "--reduction none")
        directories = options.output_dir, directories[1]
    losses, gradients = (None if each is None else options.at(each) for each in directories)
    shards = shards_of(inputs)
    files = _row_files(shards, (losses, gradients), inputs, write)
    reports = report_files(shards, options)
    written = {path: [name for name in names if name] for path, names in files.items()}
    paths = [*reports.values(), *(name for names in written.values() for name in names)]
    remedy = "give --losses and --grad directories of their own"
    named = [("--output-dir", path) for path in paths]
    refuse_the_same(named, "{path} would be written twice", remedy)
    work = ShardJob("xent", shards, written, common_files(inputs), inputs.read, options, reports)
    with work.started(write) as (run, of_task):
        _ShardedLoss(inputs, report, files, work, run, of_task).write(write)
    return 0


@dataclass
class _ShardedLoss:
    """The steps of a run: fit the temperature, find the divisor of gradients, sum the losses.

    opened  an opened shard, by its columns
    """

    inputs: LossInputs
    report: ReportOptions
    files: Files
    work: ShardJob
    run: Run
    of_task: WriteOptions
    opened: dict[str, tuple[Source, LossSettings]] = field(default_factory=dict)

    def write(self, write: WriteOptions) -> None:
        found = None
        if self.report.fit_temperature:
            found = self._fit()
            self.inputs = self.inputs.at(found.temperature)
        divisor = None
        if any(gradient for _, gradient in self.files.values()):
            divisor = divisor_of(self.run, self.inputs, self.of_task)
        self.work.open_manifest(self.run, self._settings(divisor))
        counted = set(self.run.bad)
        losses = self._losses(divisor)
        if divisor is not None and self.inputs.options.reduction.endswith("mean"):
            for path in set(self.run.bad) - counted:
                problem = "is damaged, and the mean that the other gradients are of counts its rows"
                remedy = "take it away, or add --reduction sum"
                raise SoftmaxCliError(problem, remedy, shown(path))
        inputs = [location(path) for path in self.work.inputs]
        write_loss(losses, ReportExtras(self.report.given, found), inputs, write)

    def _settings(self, divisor: Fraction | float | None) -> dict[str, Any]:
        options = asdict(self.inputs.options)
        # The manifest has the files of each shard.
        partners = [name for name in ("labels", "targets", "sample_weights") if options.pop(name)]
        return {
            "loss": options | {"beside": partners, "distributions": self.inputs.p is not None},
            "report": asdict(self.report),
            "read": asdict(self.inputs.read),
            "divisor": None if divisor is None else str(divisor),
            "precision": self.of_task.precision,
        }

    def _fit(self) -> Fit:
        bins = self.report.bins

        def sums_at(temperature: float, scored: bool) -> tuple[Sums, str]:
            sums: Sums | None = None

            def call(shard: Shard, rows: RowRange | None) -> Callable[[], State]:
                inputs = of_shard(self.inputs, shard, rows).at(temperature)
                return partial(slopes_found, inputs, self.of_task, bins=bins, scored=scored)

            for shard, states in self.run.sweep(call):
                if sums is None:
                    at = of_shard(self.inputs, shard, None).at(temperature)
                    with ExitStack() as stack:
                        _, settings = at.opened(stack)
                        sums = no_slopes(settings, bins, scored=scored)
                for state in states:
                    sums.merge_state(state)
            if sums is None:
                raise every_shard_is_bad(self.run)
            return sums, self.run.place

        return fit(sums_at, self.inputs.options.temperature)

    def _losses(self, divisor: Fraction | float | None) -> RunningLoss:
        """Compute missing or changed shards, and merge them with the results of earlier runs."""
        found: dict[str, State] = {}

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], State]:
            of_losses, of_gradients = (
                None if path is None else self.work.written(self.of_task, path, rows)
                for path in self.files[shard.path]
            )
            return partial(
                losses_found,
                of_shard(self.inputs, shard, rows),
                self.report,
                RowFiles(of_losses, of_gradients),
                divisor,
                self.of_task,
            )

        for shard, states in self.run.sweep(call, self.run.changed()):
            if any(self.files[shard.path]):
                self.run.complete(shard, call)
            losses = self._empty(shard, states[0])
            for state in states:
                losses.merge_state(state)
            losses.infinite_rows = [
                (number, shown(place)) for number, place in losses.infinite_rows
            ]
            known = {**states[0], **losses.state(), "read": sum(each["read"] for each in states)}
            if self.work.reports:
                write_report(self.work.reports[shard.path], losses.report(), known)
                total = losses.reduced.loss("sum")
                sums = {"sum": total, "exact": losses.reduced.state()["losses"]}
                self.run.done(shard, rows=known["read"], used=losses.reduced.used, losses=sums)
            else:
                found[shard.path] = known
        return self._together(found)

    def _together(self, found: dict[str, State]) -> RunningLoss:
        """Return the merged loss of all shards, in their order."""
        whole: RunningLoss | None = None
        first, rows = {}, 0
        for shard in self.run.good:
            state = found.pop(shard.path, None) or self.work.saved_state(shard)
            if whole is None:
                whole, first = self._empty(shard, state), state
            elif state["columns"] != first["columns"]:
                problem = f"its columns are not those of {self.run.shards[0].shown}"
                raise InputError(problem, "all files need the same, in the same order", shard.shown)
            whole.merge_state(state, rows)
            rows += state["read"]
        if whole is None:
            raise every_shard_is_bad(self.run)
        if not rows:
            raise InputError("has no rows, so there is no loss", "give a row", self.run.place)
        whole.check(self.run.place)
        self.run.facts = {"rows": rows, "used": whole.reduced.used, "loss": whole.loss()}
        return whole

    def _empty(self, shard: Shard, state: State) -> RunningLoss:
        """Return a running loss of no rows; opens the shard if its columns are new."""
        columns, inputs = json_report(state["columns"]), of_shard(self.inputs, shard, None)
        if columns not in self.opened:
            with ExitStack() as stack:
                self.opened[columns] = inputs.opened(stack)
        return running_loss(*self.opened[columns], self.report)


def _row_files(
    shards: list[Shard],
    directories: tuple[str | None, str | None],
    inputs: LossInputs,
    write: WriteOptions,
) -> Files:
    """Return the files of the losses and of the gradient of each shard."""
    plain = replace(write, format=None)
    of_losses, of_gradients = (
        {} if directory is None else row_files(shards, directory, inputs.read, plain)
        for directory in directories
    )
    return {
        shard.path: (of_losses.get(shard.path), of_gradients.get(shard.path)) for shard in shards
    }
