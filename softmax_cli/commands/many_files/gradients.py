"""gradcheck over many gradient files: one verdict, and a report of each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.gradients.file_check import EXACT, Compared, GradientFile
from softmax_cli.commands.gradients.references import Variant, variants, weighed_without
from softmax_cli.commands.many_files.run import Run, State
from softmax_cli.commands.many_files.shards import (
    common_options,
    gradient_divisor,
    inputs_for_workers,
    loss_run,
    shard_inputs,
    weigh_shards,
)
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.core.gradcheck.comparison import Comparison
from softmax_cli.core.gradcheck.report import Report
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.errors import InputError, join_names
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.pipeline.reporting import note
from softmax_cli.shards.plan import Shard
from softmax_cli.storage.filesystem import relative


def report_of_shards(gradient: GradientFile, options: ShardOptions, write: WriteOptions) -> Report:
    """Compare the gradient file of each shard, and return one report of all."""
    gradient.check_options()
    options = options.for_workers()
    inputs, given = inputs_for_workers(gradient.inputs, options), gradient.given
    files = {"--grad": given.grad, "--jacobian": given.jacobian, "--upstream": given.upstream}
    run = loss_run("gradcheck", inputs, files, write, options)
    with run.started():
        # Notes are printed once, for all files together.
        silent = replace(run.write, quiet=True)
        return _GradientShards(replace(gradient, inputs=inputs), run, silent).report()


@dataclass
class _GradientShards:
    """The steps of a run: find the divisor of the gradients, compare, diagnose what is wrong."""

    gradient: GradientFile
    run: Run
    write: WriteOptions
    failed: list[Shard] = field(default_factory=list)

    def report(self) -> Report:
        divisor: Fraction | float = 1.0
        if self._is_of_loss:
            divisor = gradient_divisor(self.run, self.gradient.inputs, self.write)
        self.gradient = replace(self.gradient, divisor=divisor)
        given, check = self.gradient.given, self.gradient.check
        settings: dict[str, Any] = {"loss": common_options(self.gradient.inputs), "of": given.of}
        settings |= {"tolerances": [check.rtol, check.atol], "worst": check.worst}
        self.run.open_manifest(settings | {"divisor": str(divisor)})

        def call(shard: Shard, rows: RowRange | None) -> Callable[[], Compared]:
            return partial(self._of(shard, rows).compared, self.write, diagnosed=False)

        comparison, dtype = self._together(
            (shard, Compared(Comparison.from_state(state), state["dtype"], state["classes"]))
            for shard, state in self.run.states(call, self._merge)
        )
        if comparison.counts.verdict == "fail":
            files = join_names(map(self._file, self.failed))
            note(f"a gradient disagrees in {files}", self.run.write)
            comparison, dtype = self._diagnosed(comparison.counts.points)
        report = self.gradient.report_of(self.gradient.file, comparison, dtype)
        # Nothing is proven about bad shards.
        nothing = Comparison(comparison.rtol, check.worst)
        for path in map(relative, self.run.bad):
            unproven = nothing.check(path, method=EXACT, step=None, dtype=dtype)
            unproven = replace(unproven, verdict="inconclusive", file=path)
            report.checks.append(unproven)
        return report

    @property
    def _is_of_loss(self) -> bool:
        return self.gradient.given.upstream is None and self.gradient.given.jacobian is None

    def _of(self, shard: Shard, rows: RowRange | None = None) -> GradientFile:
        """Return the check of one shard."""
        own = shard.partners.get
        given = replace(
            self.gradient.given,
            upstream=own("upstream"),
            grad=own("grad"),
            jacobian=own("jacobian"),
        )
        return replace(
            self.gradient, inputs=shard_inputs(self.gradient.inputs, shard, rows), given=given
        )

    def _file(self, shard: Shard) -> str:
        """Return the name of a shard's gradient file in messages."""
        return relative(self._of(shard).file)

    def _merge(self, shard: Shard, parts: list[Compared]) -> tuple[State, State, State]:
        comparison, dtype, classes = _joined(parts)
        report = self.gradient.report_of(self._file(shard), comparison, dtype)
        state = comparison.state() | {"dtype": dtype, "classes": classes}
        record = {"rows": comparison.counts.points, "verdict": report.verdict}
        return state, report.as_dict(), record

    def _together(self, found: Iterable[tuple[Shard, Compared]]) -> tuple[Comparison, str]:
        """Return the comparison of all shards, given in their order, and the dtype of the files."""
        whole: Comparison | None = None
        dtype, classes = "", 0
        for shard, (one, its_dtype, its_classes) in found:
            if one.counts.verdict == "fail":
                self.failed.append(shard)
            if whole is None:
                whole = replace(one, worst_kept=self.gradient.check.worst)
                dtype, classes = its_dtype, its_classes
                continue
            if (its_dtype, its_classes) != (dtype, classes):
                problem = f"holds {its_dtype}, but the files before it {dtype}"
                if its_classes != classes:
                    problem = f"{its_classes} columns, but the files before it {classes}"
                raise InputError(problem, "check them separately", self._file(shard))
            whole.merge(one, whole.counts.points)
        if whole is None:
            raise self.run.every_shard_is_bad()
        self.run.facts = {"rows": whole.counts.points, "verdict": whole.counts.verdict}
        return whole, dtype

    def _diagnosed(self, rows: int) -> tuple[Comparison, str]:
        """Read all shards again, to find out what the difference looks like."""
        self.gradient = replace(self.gradient, variants=self._variants())

        def call(shard: Shard, of_rows: RowRange | None) -> Callable[[], Compared]:
            compared = self._of(shard, of_rows).compared
            return partial(compared, self.write, diagnosed=True, rows=rows)

        found = {shard.path: _joined(parts) for shard, parts in self.run.sweep(call)}
        return self._together((shard, found[shard.path]) for shard in self.run.good)

    def _variants(self) -> dict[str, Variant]:
        if not self._is_of_loss:
            return {}
        reduced: dict[str, ReducedLoss] = defaultdict(ReducedLoss)
        for part in weigh_shards(self.run, self.gradient.inputs, weighed_without, self.write):
            for name, weights in part.items():
                reduced[name].merge(weights)
        inputs = shard_inputs(self.gradient.inputs, self.run.good[0], None)
        with ExitStack() as stack:
            return variants(inputs, inputs.opened(stack)[1], reduced)


def _joined(parts: list[Compared]) -> Compared:
    """Return the comparison of all rows of a file."""
    (whole, dtype, classes), *others = parts
    for part, *_ in others:
        whole.merge(part)
    return Compared(whole, dtype, classes)
