"""gradcheck over many gradient files: one verdict, and a report of each file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.gradients.file_check import EXACT, GradientFile
from softmax_cli.commands.gradients.references import Variant, variants, weighed_without
from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.many_files.job import (
    ShardJob,
    every_shard_is_bad,
    report_files,
    write_report,
)
from softmax_cli.commands.many_files.tasks import (
    State,
    common_files,
    divisor_of,
    of_shard,
    reached,
    shards_of,
)
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.core.gradcheck.comparison import Comparison
from softmax_cli.core.gradcheck.diagnosis import Diagnosis
from softmax_cli.core.gradcheck.report import Origin, Report
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.errors import InputError, join_names
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.pipeline.reporting import note
from softmax_cli.shards.plan import Shard, with_partners
from softmax_cli.shards.run import Run
from softmax_cli.storage.filesystem import shown

# What the files of one check have in common.
_ALIKE = ("rtol", "dtype", "classes")


def report_of_shards(form: GradientFile, options: ShardOptions, write: WriteOptions) -> Report:
    """Compare the gradient file of each shard, and return one report of all."""
    form.check_options()
    options = options.placed()
    form = replace(form, inputs=reached(form.inputs, options))
    shards = shards_of(form.inputs)
    for option, token in (
        ("--grad", form.given.grad),
        ("--jacobian", form.given.jacobian),
        ("--upstream", form.given.upstream),
    ):
        if token is not None:
            is_shared = option == "--upstream"
            shards = with_partners(shards, option, options.reached(token), shared=is_shared)
    reports, common = report_files(shards, options), common_files(form.inputs)
    work = ShardJob("gradcheck", shards, {}, common, form.inputs.read, options, reports)
    with work.started(write) as (run, of_task):
        # Notes are printed once, for all files together.
        of_task = replace(of_task, quiet=True)
        return _ShardedGradients(form, work, run, of_task, write).report()


@dataclass
class _ShardedGradients:
    """The steps of a run: find the divisor of gradients, compare, diagnose what is wrong."""

    form: GradientFile
    work: ShardJob
    run: Run
    of_task: WriteOptions
    write: WriteOptions
    failed: set[str] = field(default_factory=set)

    def report(self) -> Report:
        divisor: Fraction | float = 1.0
        if self._is_of_loss:
            divisor = divisor_of(self.run, self.form.inputs, self.of_task)
        self.form = replace(self.form, divisor=divisor)
        self.work.open_manifest(self.run, self._settings())
        found = self._compared()
        comparison, dtype = self._together(found)
        if comparison.counts.verdict == "fail":
            failed = [shard for shard in self.run.good if shard.path in self.failed]
            files = [self._shown(shard).file for shard in failed]
            note(f"a gradient disagrees in {join_names(files)}", self.write)
            comparison, dtype = self._diagnosed(comparison.counts.points)
        report = self.form.report_of(comparison, dtype)
        (check,) = report.checks
        # Nothing is proven about bad shards.
        nothing = Comparison(check.setup.rtol, self.form.check.worst)
        for path in map(shown, self.run.bad):
            of_nothing = nothing.check(path, method=EXACT, step=None, dtype=dtype)
            of_nothing = replace(of_nothing, verdict="inconclusive", origin=Origin(file=path))
            report.checks.append(of_nothing)
        return report

    def _settings(self) -> dict[str, Any]:
        form, given, check = self.form, self.form.given, self.form.check
        options = asdict(form.inputs.options)
        # The manifest has the files of each shard.
        beside = [name for name in ("labels", "targets", "sample_weights") if options.pop(name)]
        files = {"upstream": given.upstream, "gradient": given.grad, "jacobian": given.jacobian}
        beside += [name for name, token in files.items() if token]
        return {
            "loss": options | {"beside": beside},
            "of": given.of,
            "tolerances": [check.rtol, check.atol],
            "worst": check.worst,
            "read": asdict(form.inputs.read),
            "divisor": str(form.divisor),
        }

    @property
    def _is_of_loss(self) -> bool:
        return self.form.given.upstream is None and self.form.given.jacobian is None

    def _compared(self) -> dict[str, list[State]]:
        """Compare missing or changed shards; those done earlier have reports."""
        found: dict[str, list[State]] = {}

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], State]:
            return partial(gradients_found, self._of(shard, rows), self.of_task)

        for shard, states in self.run.sweep(call, self.run.changed()):
            found[shard.path] = states
            if self.work.reports:
                self._write_report(shard, found.pop(shard.path))
        return found

    def _of(self, shard: Shard, rows: RowRange | None) -> GradientFile:
        """Return the check of one shard."""
        own = shard.partners.get
        given = replace(
            self.form.given, upstream=own("upstream"), grad=own("grad"), jacobian=own("jacobian")
        )
        return replace(self.form, inputs=of_shard(self.form.inputs, shard, rows), given=given)

    def _shown(self, shard: Shard) -> GradientFile:
        """Return the check of one shard, with the name of its file as users know it."""
        form = self._of(shard, None)
        return replace(form, given=replace(form.given, grad=shown(form.file), jacobian=None))

    def _write_report(self, shard: Shard, states: list[State]) -> None:
        comparison = self._merged(states)
        known = comparison.state() | {name: states[0][name] for name in _ALIKE}
        report = self._shown(shard).report_of(comparison, known["dtype"])
        write_report(self.work.reports[shard.path], report.as_dict(), known)
        self.run.done(shard, rows=comparison.counts.points, verdict=report.verdict)

    def _together(self, found: dict[str, list[State]]) -> tuple[Comparison, str]:
        """Return the comparison of all shards, in their order, and the dtype of the files."""
        whole: Comparison | None = None
        first: State = {}
        for shard in self.run.good:
            states = found.pop(shard.path, None) or [self.work.saved_state(shard)]
            first = first or states[0]
            if any(states[0][name] != first[name] for name in _ALIKE):
                problem = f"holds {states[0]['dtype']}, and those before {first['dtype']}"
                if states[0]["classes"] != first["classes"]:
                    problem = f"{states[0]['classes']} columns, and {first['classes']} before"
                remedy = "gradients that are checked together are of one kind"
                raise InputError(problem, remedy, self._shown(shard).file)
            one = self._merged(states)
            if one.counts.verdict == "fail":
                self.failed.add(shard.path)
            if whole is None:
                whole = one
            else:
                whole.merge(one, whole.counts.points)
        if whole is None:
            raise every_shard_is_bad(self.run)
        self.run.facts = {"rows": whole.counts.points, "verdict": whole.counts.verdict}
        return whole, first["dtype"]

    def _merged(self, states: list[State]) -> Comparison:
        """Return the comparison of all rows of a file."""
        diagnosis = states[0].get("diagnosis")
        diagnosis = diagnosis and Diagnosis(diagnosis.factors)
        merged = Comparison(float(states[0]["rtol"]), self.form.check.worst, diagnosis=diagnosis)
        for state in states:
            merged.merge(replace(Comparison.from_state(state), diagnosis=state.get("diagnosis")))
        return merged

    def _diagnosed(self, rows: int) -> tuple[Comparison, str]:
        """Read all shards again, to find out what the difference looks like."""
        self.form = replace(self.form, variants=self._variants())

        def call(shard: Shard, of_rows: RowRange | None) -> Callable[[], State]:
            form = self._of(shard, of_rows)
            return partial(gradients_found, form, self.of_task, diagnosed=True, rows=rows)

        return self._together({shard.path: states for shard, states in self.run.sweep(call)})

    def _variants(self) -> dict[str, Variant]:
        if not self._is_of_loss:
            return {}
        reduced: dict[str, ReducedLoss] = {}

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], State]:
            return partial(others_found, of_shard(self.form.inputs, shard, rows), self.of_task)

        for _, states in self.run.sweep(call):
            for state in states:
                for name, weighed in state.items():
                    of_loss = reduced.setdefault(name, ReducedLoss())
                    of_loss += ReducedLoss.from_state(weighed)
        inputs = of_shard(self.form.inputs, self.run.good[0], None)
        with ExitStack() as stack:
            return variants(inputs, inputs.opened(stack)[1], reduced)


def gradients_found(
    form: GradientFile, write: WriteOptions, *, diagnosed: bool = False, rows: int | None = None
) -> State:
    """Compare the gradients of some rows, and return the state of the comparison."""
    comparison, dtype, classes = form.compared(write, diagnosed=diagnosed, rows=rows)
    state = comparison.state() | {"dtype": dtype, "classes": classes}
    return state | ({"diagnosis": comparison.diagnosis} if comparison.diagnosis else {})


def others_found(inputs: LossInputs, write: WriteOptions) -> State:
    """Return the weights of the loss with one thing left out, by the name of the variant."""
    with ExitStack() as stack:
        reduced = weighed_without(inputs, *inputs.opened(stack), write)
    return {name: each.state() for name, each in reduced.items()}
