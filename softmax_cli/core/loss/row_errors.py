"""How claimed gradients of losses differ from exact ones, row by row, by the compiled kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.double_double import Rows, factor
from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.weights import WeightedTargets
from softmax_cli.core.softmax.jacobian_products import are_summable

if TYPE_CHECKING:
    from fractions import Fraction


class Rule(NamedTuple):
    """What gradients may differ from exact ones n, whose terms are weighted targets Y times `unit`.

    An entry may be off by rtol max(|a|, |n|) + max(floor + units Y + share (|n| + Y), least).

    floor, share, least  (rows,)
    """

    rtol: float
    units: float
    unit: float
    floor: Rows
    share: Rows
    least: Rows


class RowErrors(NamedTuple):
    """How gradients differ from exact ones, (rows,) each.

    largest_abs, largest_rel, excess  the largest error; divided by the larger number; by what the
                                      rule allows
    largest, atol  the largest exact entry and absolute tolerance
    over           how many entries are over the tolerance; NaN if one is not finite
    zeros_over     how many entries of a gradient of zeros would be
    """

    largest_abs: Rows
    largest_rel: Rows
    excess: Rows
    largest: Rows
    atol: Rows
    over: Rows
    zeros_over: Rows


def row_errors(
    logits: FloatArray,
    weighted: WeightedTargets,
    claimed: FloatArray,
    rule: Rule,
    *,
    temperature: float = 1.0,
    count: float | Fraction = 1.0,
    base: float = math.e,
) -> RowErrors | None:
    """Compare claimed gradients with those that `row_losses_and_gradients` writes in float64.

    Returns None where the compiled kernel does not compute them.
    """
    divisor = factor(temperature, count, base)
    if not (compiled.computes(claimed) and compiled.computes(logits, temperature, divisor.high)):
        return None
    if weighted.is_soft:
        weighted = WeightedTargets(True, weighted.scaled_targets(), None, None)
        if not are_summable(weighted.targets).all():
            return None
    scalars, tolerances = rule[:3], np.stack(rule[3:], axis=-1)
    errors = compiled.gradient_errors(
        logits, weighted, temperature, divisor, claimed, tolerances, scalars
    )
    return RowErrors(*errors.T)
