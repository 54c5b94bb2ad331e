"""Losses and gradients of rows of logits, for labels and soft targets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import (
    Factor,
    Rows,
    factor,
    over,
    quotient,
    times,
    two_sum,
)
from softmax_cli.core.exact.odds import Odds, SplitExponentials, distances
from softmax_cli.core.exact.rows import likeliest, parts, whole_rows
from softmax_cli.core.exact.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.row_gradients import (
    label_gradients,
    recompute_small_gradients,
    target_gradients,
)
from softmax_cli.core.loss.weights import UNWEIGHTED, Parts, WeightedTargets, Weights
from softmax_cli.core.softmax.jacobian_products import ONE, are_summable

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

Kind = Literal["logits", "probabilities", "log-probabilities"]


def row_losses(
    values: FloatArray,
    targets: NDArray[Any],
    *,
    temperature: float = 1.0,
    source: Kind = "logits",
    base: float = math.e,
    largest: NDArray[np.intp] | None = None,
    weights: Weights = UNWEIGHTED,
    samples: Rows | None = None,
) -> NDArray[np.float64]:
    """Return the loss of every row, as float64.

    values   (rows, classes) of the kind `source`; probabilities are not normalized
    targets  (rows,) labels or (rows, classes) soft targets
    largest  (rows,) the likeliest class of each row, if known
    samples  (rows,) sample weights; rows of weight 0 have loss 0
    """
    if source == "logits" and compiled.computes(values, temperature):
        weighted = weights.weighted(targets, samples, slice(None))
        return _compiled_losses(values, weighted, temperature, base, largest)
    losses = np.empty((len(values), 1))
    with whole_rows(values.shape[-1]):
        for part in parts(values):
            a = values[part]
            weighted = weights.weighted(targets, samples, part)
            if source == "logits":
                odds = _odds(a, temperature, None if largest is None else largest[part])
                losses[part] = _losses(a, weighted, odds, temperature, base)
            else:
                in_nats = _losses_of_logarithms(_logarithms(wide(a), source), weighted)
                losses[part] = weighted.scaled(over(in_nats, factor(base=base)))
            weighted.clear(losses[part])
    return losses[:, 0]


def row_losses_and_gradients(
    logits: FloatArray,
    targets: NDArray[Any],
    *,
    temperature: float = 1.0,
    count: float | Fraction = 1.0,
    base: float = math.e,
    out: FloatArray,
    largest: NDArray[np.intp] | None = None,
    weights: Weights = UNWEIGHTED,
    samples: Rows | None = None,
) -> NDArray[np.float64]:
    """Return the loss of every row and write its gradient over the count to `out`, rounded once.

    Other arguments as of `row_losses`; `out` may be the logits.
    """
    exact = out.dtype.itemsize == 8
    divisor = factor(temperature, count, base)
    if compiled.computes(logits, temperature, divisor.high):
        weighted = weights.weighted(targets, samples, slice(None))
        Y = weighted.scaled_targets() if weighted.is_soft else None
        if Y is None or are_summable(Y).all():
            return _compiled_losses(logits, weighted, temperature, base, largest, out, divisor, Y)
    losses = np.empty((len(logits), 1))
    with whole_rows(logits.shape[-1]):
        for part in parts(logits):
            a = logits[part]
            weighted = weights.weighted(targets, samples, part)
            top = (likeliest(a) if largest is None else largest[part])[:, None]
            split = SplitExponentials.of(a, temperature, top)
            if weighted.is_soft or not exact:
                sums = for_logarithms = split.sums_for_logarithms()
            else:
                sums, for_logarithms = split.sums()
            odds = split.odds(*for_logarithms)
            if weighted.is_soft:
                gradients = target_gradients(wide(a), weighted, temperature, divisor)
            else:
                gradients = label_gradients(split, sums, weighted, divisor)
                if exact:
                    recompute_small_gradients(gradients, odds, a, weighted, temperature, divisor)
            losses[part] = _losses(a, weighted, odds, temperature, base)
            weighted.clear(losses[part])
            weighted.clear(gradients)
            np.copyto(out[part], gradients, casting="same_kind")
    return losses[:, 0]


def _compiled_losses(
    a: FloatArray,
    weighted: WeightedTargets,
    T: float,
    base: float,
    largest: NDArray[np.intp] | None,
    gradients: FloatArray | None = None,
    divisor: Factor = ONE,
    Y: Rows | None = None,
) -> NDArray[np.float64]:
    """Return the losses, and write gradients; Y are the scaled targets if they are soft."""
    direct = gradients if Y is None else None
    if direct is not None and np.may_share_memory(a, direct):
        a = a.copy()
    losses = compiled.losses(a, weighted, T, factor(base=base), direct, divisor, largest)
    # Differences that overflow are finite once they are divided by T, weighted and scaled.
    are_finite = np.isfinite(losses[:, 0])
    if not are_finite.all():
        unsure = np.flatnonzero(~are_finite)
        a_unsure, rows = a[unsure], weighted.rows(unsure)
        with whole_rows(a.shape[-1]):
            losses[unsure] = _losses(a_unsure, rows, _odds(a_unsure, T, None), T, base)
        weighted.clear(losses)
    if gradients is not None and Y is not None:
        compiled.product("log_softmax_from_left", a, Y, T, divisor, gradients, sign=-1)
        if weighted.scale is not None:
            gradients[weighted.scale[0][:, 0] == 0] = 0
    return losses[:, 0]


def _odds(a: FloatArray, T: float, largest: NDArray[np.intp] | None) -> Odds:
    split = SplitExponentials.of(a, T, (likeliest(a) if largest is None else largest)[:, None])
    return split.odds(*split.sums_for_logarithms())


def _losses_of_logarithms(logarithms: Rows, weighted: WeightedTargets) -> Rows:
    if weighted.is_soft:
        return expected_losses(weighted.targets, logarithms)[:, None]
    losses: Rows = 0 - np.take_along_axis(logarithms, weighted.targets, -1)
    return losses


def _losses(a: FloatArray, weighted: WeightedTargets, odds: Odds, T: float, base: float) -> Rows:
    of_losses = _target_losses if weighted.is_soft else _label_losses
    return of_losses(a, weighted, odds, T, base)


def _label_losses(
    a: FloatArray, weighted: WeightedTargets, odds: Odds, T: float, base: float
) -> Rows:
    """Return (max a - a_label) / T + log1p(odds), which has no cancellation."""
    of_label, of_top = (
        wide(np.take_along_axis(a, place, -1)) for place in (weighted.targets, odds.top)
    )
    gap, rest = quotient(*two_sum(of_top, -of_label), T, 0.0)
    losses = _rounded(odds.logarithm(), (gap, rest), weighted, base)
    infinite = np.isinf(losses)
    if infinite.any():
        # Converted to the base, scaled and divided by T first, it may be finite.
        ends = (weighted.scaled(of_label), weighted.scaled(of_top))
        finite = weighted.scaled(over(odds.logarithm(), factor(base=base)))
        losses = np.where(infinite, finite + distances(*ends, factor(T, base=base)), losses)
    return losses


def _target_losses(
    logits: FloatArray, weighted: WeightedTargets, odds: Odds, T: float, base: float
) -> Rows:
    """Return sum_k Y_k ((max a - a_k) / T) + log1p(odds) sum_k Y_k, without cancellation."""
    a, Y = wide(logits), wide(weighted.targets)
    maximum = np.take_along_axis(a, odds.top, -1)
    gaps = distances(a, maximum, factor(T))
    total, rest = sums_in_parts(Y)
    terms = two_sum(*sums_in_parts(_weighted(Y, gaps)))
    logarithm = odds.logarithm()
    of_odds, left = times(logarithm, total)
    if weighted.rest is not None:
        rest = rest + summed(weighted.rest)
        left = left + summed(_weighted(weighted.rest, gaps))
    losses = _rounded(of_odds, terms, weighted, base, left + logarithm * rest)
    infinite = np.isinf(losses)
    if infinite.any():
        # A gap may overflow where its weighted mean does not.
        halved = _weighted(weighted.scaled(Y), maximum / 2 - a / 2)
        of_odds = weighted.scaled(over(logarithm, factor(base=base)) * total)
        of_gaps = 2 * row_sums(over(halved, factor(T, base=base)))
        losses = np.where(infinite, of_odds + of_gaps, losses)
    return losses


def _rounded(a: Rows, b: Parts, weighted: WeightedTargets, base: float, left: Any = 0.0) -> Rows:
    """Return scale * (a + b + left) in units of the base, rounded once; b is a double-double."""
    high, low = two_sum(a, b[0])
    low = finite(low + b[1] + left)
    if weighted.scale is not None:
        scale, scale_rest = weighted.scale
        low = finite(low * scale + high * scale_rest)
        high, error = times(high, scale)
        low += error
    unit = factor(base=base)
    if unit.high != 1:
        high, low = quotient(high, low, unit.high, unit.rest)
    return high + low


def finite(rest: Rows) -> Rows:
    """Return rounding errors, 0 where they overflowed."""
    return np.where(np.isfinite(rest), rest, 0)


def expected_losses(weights: Rows, logarithms: Rows) -> NDArray[np.float64]:
    """Return -sum_k weights(k) logarithms(k) of each row, with 0 log 0 = 0."""
    losses: NDArray[np.float64] = 0 - row_sums(_weighted(weights, logarithms))[:, 0]
    return losses


def _weighted(weights: Rows, numbers: Rows) -> Rows:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(weights == 0, 0, weights * numbers)


def _logarithms(values: Rows, source: Kind) -> Rows:
    if source == "log-probabilities":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)
