"""The files of a loss, or of its gradients, as shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from fractions import Fraction
from functools import partial
from typing import Any

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.commands.many_files.run import Run
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.formats.model.blocks import RowRange
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.shards.plan import Shard, is_file, output_paths, plan_shards, stem, with_partners


def inputs_for_workers(inputs: LossInputs, options: ShardOptions) -> LossInputs:
    """Return the inputs, with the file that all shards need where workers find it."""
    weights = inputs.options.class_weights
    path = weights and options.worker_path(weights)
    return replace(inputs, options=replace(inputs.options, class_weights=path))


def loss_run(
    command: str,
    inputs: LossInputs,
    partners: Mapping[str, str | None],
    write: WriteOptions,
    options: ShardOptions,
) -> Run:
    """Return a run whose shards have labels or targets, weights, and a report in --output-dir.

    partners  further inputs by option
    """
    loss = inputs.options
    tokens = {"--p": inputs.p, "--labels": loss.labels, "--targets": loss.targets}
    tokens |= {"--sample-weights": loss.sample_weights, **partners}
    place, values = "arguments", inputs.values or ["-"]
    if inputs.q is not None:
        place, values = "--q", [inputs.q]
    shards = plan_shards([options.worker_path(token) for token in values], place)
    for option, token in tokens.items():
        if token is not None:
            path, shared = options.worker_path(token), option == "--upstream"
            shards = with_partners(shards, option, path, shared=shared)
    if options.output_dir is not None:
        reports = output_paths(shards, options.output_dir, lambda shard: stem(shard.name) + ".json")
        pairs = zip(shards, reports, strict=True)
        shards = [replace(shard, report=report) for shard, report in pairs]
    weights = loss.class_weights
    common = [weights] if weights is not None and is_file(weights) else []
    return Run(command, shards, common, inputs.read, write, options)


def common_options(inputs: LossInputs) -> dict[str, Any]:
    """Return the options of the loss, without the files of each shard."""
    return asdict(replace(inputs.options, labels=None, targets=None, sample_weights=None))


def shard_inputs(inputs: LossInputs, shard: Shard, rows: RowRange | None) -> LossInputs:
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


def gradient_divisor(run: Run, inputs: LossInputs, write: WriteOptions) -> Fraction | float:
    """Return the divisor of the gradients, from the rows of all shards."""
    if inputs.options.reduction in ("sum", "none"):
        return 1.0
    whole = ReducedLoss()
    for weights in weigh_shards(run, inputs, LossInputs.weighed, write):
        whole.merge(weights)
    return inputs.divided_by(whole, run.place)


def weigh_shards(
    run: Run, inputs: LossInputs, weigh: Callable[..., Any], write: WriteOptions
) -> Iterator[Any]:
    """Yield weigh(inputs, source, settings, write) for the rows of each task, in any order."""
    for _, parts in run.sweep(
        lambda shard, rows: partial(_weigh, shard_inputs(inputs, shard, rows), weigh, write)
    ):
        yield from parts


def _weigh(inputs: LossInputs, weigh: Callable[..., Any], write: WriteOptions) -> Any:
    with ExitStack() as stack:
        return weigh(inputs, *inputs.opened(stack), write)
