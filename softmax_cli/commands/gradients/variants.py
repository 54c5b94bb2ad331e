"""What a gradient would be if an option were left out, for a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.core.loss.weights import Weights
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.loss_rows import CountedRows, LossForm

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Variant:
    """A loss that leaves something out: its weights, and what its mean is divided by."""

    weights: Weights
    with_samples: bool
    divisor: Fraction | float


def left_out(
    inputs: LossInputs, source: Source, form: LossForm, write: WriteOptions
) -> dict[str, Variant]:
    """Return the losses that leave out what the options ask for, by name.

    What their means are divided by is found by reading labels or targets, and weights, again.
    """
    return variants(inputs, form, weighed_without(inputs, source, form, write))


def variants(
    inputs: LossInputs, form: LossForm, reduced: Mapping[str, ReducedLoss]
) -> dict[str, Variant]:
    """Return these losses, whose rows weigh so much."""
    return {
        name: Variant(*kept, reduced[name].divisor(inputs.options.reduction) or 1.0)
        for name, kept in _without(inputs, form).items()
    }


def weighed_without(
    inputs: LossInputs, source: Source, form: LossForm, write: WriteOptions
) -> dict[str, ReducedLoss]:
    """Return what the rows of each of these losses weigh."""
    without = _without(inputs, form)
    reduced = {name: ReducedLoss() for name in without}
    if not without or inputs.options.reduction in ("sum", "none"):
        return reduced

    def count(rows: CountedRows) -> None:
        for name, (others, with_samples) in without.items():
            samples = rows.samples if with_samples else used_alone(rows.used)
            of_rows = others.of_rows(rows.targets, samples)
            reduced[name].count(int(rows.used.sum()), of_rows)

    inputs.count_rows(source, form, count, write)
    return reduced


def _without(inputs: LossInputs, form: LossForm) -> dict[str, tuple[Weights, bool]]:
    """Return the weights of each loss that leaves something out, and whether rows have theirs."""
    weights, has_samples = form.weights, inputs.options.sample_weights is not None
    without: dict[str, tuple[Weights, bool]] = {}
    if weights.smoothing:
        without["the label smoothing left out"] = replace(weights, smoothing=0.0), True
    if weights.of_classes is not None:
        without["the class weights left out"] = replace(weights, of_classes=None), True
    if has_samples:
        without["the sample weights left out"] = weights, False
    if len(without) > 1:
        plain = replace(weights, smoothing=0.0, of_classes=None)
        without["all weights and the label smoothing left out"] = plain, False
    return without


def used_alone(used: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return sample weights of 1, but 0 for ignored rows; None if all are 1."""
    return None if used.all() else used.astype(np.float64)
