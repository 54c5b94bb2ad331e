"""Losses with an option left out, which a wrong gradient is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.core.loss.weights import Weights
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.loss_rows import CountedRows, LossSettings

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Variant:
    """A loss with an option left out.

    with_samples  whether the rows have their sample weights
    divisor       of its mean
    """

    weights: Weights
    with_samples: bool
    divisor: Fraction | float = 1.0

    def samples(self, rows: CountedRows) -> Rows | None:
        """Return the sample weights, 0 for ignored rows; None if all are 1."""
        if self.with_samples:
            return rows.samples
        return None if rows.used.all() else rows.used.astype(np.float64)


def variants(
    inputs: LossInputs, form: LossSettings, reduced: Mapping[str, ReducedLoss]
) -> dict[str, Variant]:
    """Return the variants by name, with divisors from the weights of their rows."""
    return {
        name: replace(
            variant, divisor=reduced[name].divisor(inputs.options.reduction) or variant.divisor
        )
        for name, variant in _without_divisors(inputs, form).items()
    }


def weighed_without(
    inputs: LossInputs, source: Source, form: LossSettings, write: WriteOptions
) -> dict[str, ReducedLoss]:
    """Return the weights of the rows in each variant; this may read labels and weights again."""
    others = _without_divisors(inputs, form)
    reduced = {name: ReducedLoss() for name in others}

    def count(rows: CountedRows) -> None:
        for name, variant in others.items():
            weights = variant.weights.of_rows(rows.targets, variant.samples(rows))
            reduced[name].count(int(rows.used.sum()), weights)

    if others and inputs.options.reduction not in ("sum", "none"):
        inputs.count_rows(source, form, count, write)
    return reduced


def _without_divisors(inputs: LossInputs, form: LossSettings) -> dict[str, Variant]:
    weights = form.weights
    others: dict[str, Variant] = {}
    if weights.smoothing:
        others["the label smoothing left out"] = Variant(replace(weights, smoothing=0.0), True)
    if weights.of_classes is not None:
        others["the class weights left out"] = Variant(replace(weights, of_classes=None), True)
    if inputs.options.sample_weights is not None:
        others["the sample weights left out"] = Variant(weights, False)
    if len(others) > 1:
        plain = replace(weights, smoothing=0.0, of_classes=None)
        others["all weights and the label smoothing left out"] = Variant(plain, False)
    return others
