"""xent over many files: the loss of all their rows, put together from exact sums of each file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from softmax_cli.commands.loss import Losses
from softmax_cli.commands.loss_inputs import LossInputs
from softmax_cli.commands.loss_options import ReportOptions
from softmax_cli.commands.loss_report import RowFiles, Told, write_loss
from softmax_cli.commands.loss_tasks import (
    State,
    at_temperature,
    losses_found,
    of_shard,
    reached,
    shards_of,
    slopes_found,
    weights_found,
)
from softmax_cli.commands.shard_options import ShardOptions
from softmax_cli.commands.sharded import Work, end_of, row_files, state_in, write_report
from softmax_cli.commands.tallies import tallies
from softmax_cli.core.reduction import ReducedLoss
from softmax_cli.errors import InputError, SoftmaxCliError, UsageError
from softmax_cli.formats.blocks import RowRange, WriteOptions
from softmax_cli.formats.locations import location
from softmax_cli.shards import places
from softmax_cli.shards.manifest import Record
from softmax_cli.shards.plan import Shard, outputs
from softmax_cli.shards.run import Run

if TYPE_CHECKING:
    from fractions import Fraction

    from softmax_cli.commands.temperature_fit import Fit, Reading, SlopeSums

# By shard, in their order: the files of its losses and of its gradient.
Files = dict[str, tuple[str | None, str | None]]


def loss_of_shards(
    inputs: LossInputs,
    report: ReportOptions,
    directories: tuple[str | None, str | None],
    options: ShardOptions,
    write: WriteOptions,
) -> int:
    """Write the loss of the rows of all files, and a report of each, to a directory.

    directories  for the losses of the rows, and for the gradients: a file in each for every file
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
    reports = {}
    if options.output_dir is not None:
        reports = outputs(shards, options.output_dir, ".json")
    common = [path for path in (inputs.options.class_weights,) if path is not None]
    written = {path: [name for name in names if name] for path, names in files.items()}
    _check_distinct([*reports.values(), *(name for names in written.values() for name in names)])
    work = Work("xent", shards, written, common, inputs.read, options, reports)
    with work.begun(write) as (run, of_task):
        _ShardedLoss(inputs, report, files, work, run, of_task).write(write)
    return 0


@dataclass
class _ShardedLoss:
    """The steps of a run: the temperature, what gradients are divided by, the losses."""

    inputs: LossInputs
    report: ReportOptions
    files: Files
    work: Work
    run: Run
    of_task: WriteOptions

    def write(self, write: WriteOptions) -> None:
        fit = None
        if self.report.fit_temperature:
            fit = self._fit()
            options = replace(self.inputs.options, temperature=fit.temperature)
            self.inputs = replace(self.inputs, options=options)
        divisor = self._divisor()
        self.work.remember(self.run, self._settings(divisor))
        counted = set(self.run.bad)
        losses = self._losses(divisor)
        if divisor is not None and self.inputs.options.reduction.endswith("mean"):
            for path in set(self.run.bad) - counted:
                problem = "is damaged, and the mean that the other gradients are of counts its rows"
                remedy = "take it away, or add --reduction sum"
                raise SoftmaxCliError(problem, remedy, places.shown(path))
        inputs = [location(path) for path in self.work.inputs]
        write_loss(losses, Told(self.report.given, fit), inputs, write)

    def _settings(self, divisor: Fraction | float | None) -> dict[str, Any]:
        options = asdict(self.inputs.options)
        # Which files these are the manifest knows of each shard.
        beside = [name for name in ("labels", "targets", "sample_weights") if options.pop(name)]
        return {
            "loss": options | {"beside": beside, "distributions": self.inputs.p is not None},
            "report": asdict(self.report),
            "read": asdict(self.inputs.read),
            "divisor": None if divisor is None else str(divisor),
            "precision": self.of_task.precision,
            "in_place": self.of_task.in_place,
        }

    def _divisor(self) -> Fraction | float | None:
        """Return what the gradients are divided by, from the rows of all shards."""
        if not any(of_gradients for _, of_gradients in self.files.values()):
            return None
        if self.inputs.options.reduction in ("sum", "none"):
            return 1.0
        reduced = ReducedLoss()
        calls = self._calls(weights_found)
        for _, states in self.run.sweep(calls):
            for state in states:
                reduced.add_state(state)
        return self.inputs.divided_by(reduced, self.run.place)

    def _fit(self) -> Fit:
        from softmax_cli.commands.temperature_fit import SlopeSums, fit

        def readings(temperature: float, scored: bool) -> Reading:
            bins = self.report.bins
            calls = self._calls(slopes_found, temperature=temperature, bins=bins, scored=scored)
            sums: SlopeSums | None = None
            for shard, states in self.run.sweep(calls):
                if sums is None:
                    at = at_temperature(of_shard(self.inputs, shard, None), temperature)
                    with ExitStack() as stack:
                        sums = SlopeSums.of(at, *at.opened(stack), bins)
                for state in states:
                    sums.add_state(state, scored=scored)
            if sums is None:
                raise InputError(
                    "every file was left out", "give one that is whole", self.run.place
                )
            return sums.reading(self.run.place, scored=scored)

        return fit(readings, self.inputs.options.temperature)

    def _calls(self, function: Callable[..., Any], **arguments: Any) -> Callable[..., Any]:
        def call(shard: Shard, rows: RowRange | None) -> Callable[[], Any]:
            return partial(
                function, of_shard(self.inputs, shard, rows), write=self.of_task, **arguments
            )

        return call

    def _losses(self, divisor: Fraction | float | None) -> Losses:
        """Do what is to be done, and put it together with what was done before."""
        found: dict[str, State] = {}

        def keep(shard: Shard, record: Record) -> bool:  # noqa: ARG001
            return state_in(self.work.reports[shard.path]) is not None

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

        for shard, states in self.run.sweep(call, self.run.changed(keep)):
            if (ranges := self.run.ranges.get(shard.path)) and any(self.files[shard.path]):
                call(shard, end_of(ranges[0]))()
            losses = self._empty(shard)
            for state in states:
                losses.add_state(state, 0)
            losses.infinite_rows = [
                (number, places.shown(place)) for number, place in losses.infinite_rows
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

    def _together(self, found: dict[str, State]) -> Losses:
        """Return the losses of all shards, in their order."""
        whole: Losses | None = None
        first, rows = {}, 0
        for shard in self.run.good:
            state = found.pop(shard.path, None) or state_in(self.work.reports[shard.path])
            if state is None:
                raise InputError("is gone", "run again", self.work.reports[shard.path])
            if whole is None:
                whole, first = self._empty(shard), state
            elif state["columns"] != first["columns"]:
                problem = f"its columns are not those of {self.run.shards[0].shown}"
                raise InputError(problem, "all files need the same, in the same order", shard.shown)
            whole.add_state(state, rows)
            rows += state["read"]
        if whole is None:
            raise InputError("every file was left out", "give one that is whole", self.run.place)
        if not rows:
            raise InputError("has no rows, so there is no loss", "give a row", self.run.place)
        whole.check(self.run.place)
        self.run.facts = {"rows": rows, "used": whole.reduced.used, "loss": whole.loss()}
        return whole

    def _empty(self, shard: Shard) -> Losses:
        """Return the running losses of rows as a shard has them, of none yet."""
        inputs = of_shard(self.inputs, shard, None)
        with ExitStack() as stack:
            source, form = inputs.opened(stack)
            return inputs.losses(source, form, tallies(source, form, inputs.options, self.report))


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


def _check_distinct(paths: list[str]) -> None:
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            remedy = "give --losses and --grad directories of their own"
            raise UsageError(f"{path} would be written twice", remedy, "--output-dir")
        seen.add(path)
