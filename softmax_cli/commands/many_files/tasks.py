"""The inputs of each shard of a loss, and the tasks that compute its sums."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.loss.metrics import running_loss
from softmax_cli.commands.loss.output import compute
from softmax_cli.commands.loss.row_outputs import RowFiles, RowSinks
from softmax_cli.commands.loss.temperature_fit import summed_slopes
from softmax_cli.commands.options.loss import ReportOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.shards.plan import Shard, is_file, planned, with_partners
from softmax_cli.shards.run import Run

State = dict[str, Any]


def of_shard(inputs: LossInputs, shard: Shard, rows: RowRange | None) -> LossInputs:
    """Return the inputs of one shard, or of a range of its rows."""
    partners = shard.partners
    options = replace(
        inputs.options,
        labels=partners.get("labels"),
        targets=partners.get("targets"),
        sample_weights=partners.get("sample-weights"),
    )
    if inputs.p is not None:
        return replace(inputs, p=partners["p"], q=shard.path, options=options, rows=rows)
    return replace(inputs, values=[shard.path], options=options, rows=rows)


def losses_found(
    inputs: LossInputs,
    report: ReportOptions,
    files: RowFiles,
    divisor: Fraction | float | None,
    write: WriteOptions,
) -> State:
    """Read the rows, write their losses and gradients, and return the sums."""
    with ExitStack() as stack:
        source, settings = inputs.opened(stack)
        losses = running_loss(source, replace(settings, gradient_divisor=divisor), report)
        counts = compute(source, losses, RowSinks(stack, source, files), inputs.read, write)
        columns = [source.classes, source.class_names and [*source.class_names], [*source.id_names]]
    return losses.state() | {"read": counts.read, "columns": columns}


def weights_found(inputs: LossInputs, write: WriteOptions) -> State:
    """Return the number of rows used and the sum of their weights."""
    with ExitStack() as stack:
        return inputs.weighed(*inputs.opened(stack), write).state()


def slopes_found(inputs: LossInputs, write: WriteOptions, *, bins: int, scored: bool) -> State:
    """Return the sums of slopes, and of losses if `scored`, at the temperature of the options."""
    sums, _ = summed_slopes(inputs, bins, write, scored=scored)
    return sums.state()


def divisor_of(run: Run, inputs: LossInputs, of_task: WriteOptions) -> Fraction | float:
    """Return the divisor of the gradients, from the rows of all shards of a run."""
    if inputs.options.reduction in ("sum", "none"):
        return 1.0
    reduced = ReducedLoss()

    def call(shard: Shard, rows: RowRange | None) -> Callable[[], State]:
        return partial(weights_found, of_shard(inputs, shard, rows), of_task)

    for _, states in run.sweep(call):
        for state in states:
            reduced += ReducedLoss.from_state(state)
    return inputs.divided_by(reduced, run.place)


def reached(inputs: LossInputs, options: ShardOptions) -> LossInputs:
    """Return the inputs with the paths that workers use."""

    def there(token: str | None) -> str | None:
        return None if token is None else options.reached(token)

    names = ("labels", "targets", "class_weights", "sample_weights")
    files: dict[str, Any] = {name: there(getattr(inputs.options, name)) for name in names}
    values = [options.reached(token) for token in inputs.values or ()] or None
    return replace(
        inputs,
        values=values,
        p=there(inputs.p),
        q=there(inputs.q),
        options=replace(inputs.options, **files),
    )


def shards_of(inputs: LossInputs) -> list[Shard]:
    """Return the shards, each with its labels, targets and weights."""
    options = inputs.options
    tokens = [inputs.q] if inputs.q is not None else inputs.values or ["-"]
    shards = planned(tokens, "--q" if inputs.q is not None else "arguments")
    for option, token in (
        ("--p", inputs.p),
        ("--labels", options.labels),
        ("--targets", options.targets),
        ("--sample-weights", options.sample_weights),
    ):
        if token is not None:
            shards = with_partners(shards, option, token)
    return shards


def common_files(inputs: LossInputs) -> list[str]:
    """Return the files that all shards need."""
    weights = inputs.options.class_weights
    return [weights] if weights is not None and is_file(weights) else []
