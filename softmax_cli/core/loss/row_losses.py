"""Losses and gradients of rows of logits, for labels and soft targets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import (
    LARGEST,
    Factor,
    Rows,
    factor,
    over,
    product,
    quotient,
    times,
    two_sum,
)
from softmax_cli.core.exact.exponentials import RAISED
from softmax_cli.core.exact.odds import Odds, SplitExponentials, distances
from softmax_cli.core.exact.rows import likeliest, parts, whole_rows
from softmax_cli.core.exact.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.loss.weights import UNWEIGHTED, Parts, WeightedTargets, Weights
from softmax_cli.core.softmax.jacobian_products import share_over, summable, without
from softmax_cli.core.softmax.softmax import probabilities

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
    losses = np.empty((len(logits), 1))
    exact = out.dtype.itemsize == 8
    divisor = factor(temperature, count, base)
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
                gradients = _target_gradients(wide(a), weighted, temperature, divisor)
            else:
                gradients = _label_gradients(split, sums, weighted, divisor)
                if exact:
                    _recompute_small_gradients(gradients, odds, a, weighted, temperature, divisor)
            losses[part] = _losses(a, weighted, odds, temperature, base)
            weighted.clear(losses[part])
            weighted.clear(gradients)
            np.copyto(out[part], gradients, casting="same_kind")
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


def _label_gradients(
    split: SplitExponentials, sums: Parts, weighted: WeightedTargets, divisor: Factor
) -> Rows:
    """Return scale * (P_j - Y_j) / divisor, in the memory of the exponentials."""
    gradients, (of_top, of_top_rest) = split.others, split.of_top
    label = weighted.targets
    total, low = two_sum(of_top, sums[0])
    low += of_top_rest + sums[1]
    np.put_along_axis(gradients, split.top, of_top, -1)
    # P - 1 is minus the sum of the others, which is known for the likeliest class.
    of_label = np.take_along_axis(gradients, label, -1)
    but_others = of_label - total - low
    but_label = np.where(label == split.top, 0 - (sums[0] + sums[1]), but_others)
    np.put_along_axis(gradients, label, but_label, -1)
    whole, rest = product(total, low, divisor)
    if weighted.scale is not None:
        whole, rest = quotient(whole, rest, *weighted.scale)
    whole = whole + rest
    safe = (whole > 1 / LARGEST) & (whole < LARGEST)
    gradients /= np.where(safe, whole, total)
    if not safe.all():
        unsafe = ~safe[:, 0]
        gradients[unsafe] /= divisor.high
        gradients[unsafe] = weighted.scaled(gradients[unsafe], unsafe)
    return gradients


def _recompute_small_gradients(
    gradients: Rows, odds: Odds, a: FloatArray, weighted: WeightedTargets, T: float, divisor: Factor
) -> None:
    """Recompute rows where a probability is subnormal and its gradient may not be."""
    label = weighted.targets
    grow = divisor.high if weighted.scale is None else divisor.high / weighted.scale[0]
    may_grow = (np.asarray(grow) > 2.0**-800) & (np.asarray(grow) < 1)
    if not may_grow.any() or divisor.high < 2.0**-400:
        return
    small = ((np.abs(gradients) < 2.0**-1000 / grow) & may_grow).any(axis=-1)
    if small.any():
        (P,) = probabilities(wide(a[small]), T, divisor, raised=RAISED)
        top = odds.top[small]
        is_top = label[small] == top
        with without(P, top):
            of_others = row_sums(P, summed(P))
        P_label = np.take_along_axis(P, label[small], -1)
        whole = np.ldexp(1 / divisor.high, RAISED)
        np.put_along_axis(P, label[small], np.where(is_top, 0 - of_others, P_label - whole), -1)
        gradients[small] = np.ldexp(weighted.scaled(P, small), -RAISED)


def _target_gradients(a: Rows, weighted: WeightedTargets, T: float, divisor: Factor) -> Rows:
    """Return scale * (P_j sum_k Y_k - Y_j) / divisor."""
    Y, size = summable(weighted.scaled_targets())
    share = 0 - share_over(a, Y, T, divisor, sums_in_parts)
    return share if size is None else share * size


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
