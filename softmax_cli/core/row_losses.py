"""Losses and gradients of rows of logits: of labels and of soft targets."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.arrays import FloatArray, wide
from softmax_cli.core.exponentials import RAISED
from softmax_cli.core.odds import Beside, Odds, distances
from softmax_cli.core.products import share_over, summable, without
from softmax_cli.core.rows import likeliest, parts, whole_rows
from softmax_cli.core.softmax import probabilities
from softmax_cli.core.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.twofold import (
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

Source = Literal["logits", "probabilities", "log-probabilities"]


def row_losses(
    values: FloatArray,
    targets: NDArray[Any],
    *,
    temperature: float = 1.0,
    source: Source = "logits",
    base: float = math.e,
    largest: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return the loss of every row, as float64.

    values   (rows, classes), of what `source` says; probabilities are taken as they are
    targets  (rows,) labels or (rows, classes) soft targets
    largest  (rows,) the class of the largest logit of each row, if it is known
    """
    losses = np.empty(len(values))
    with whole_rows(values.shape[-1]):
        for part in parts(values):
            a, wanted = values[part], targets[part]
            if source != "logits":
                in_nats = _losses_of_logarithms(_logarithms(wide(a), source), wanted)
                losses[part] = over(in_nats, factor(base=base))
                continue
            top = (likeliest(a) if largest is None else largest[part])[:, None]
            beside = Beside.of(a, temperature, top)
            odds = beside.odds(*beside.sums_for_logarithms())
            if wanted.ndim == 1:
                losses[part] = _label_losses(a, wanted[:, None], odds, temperature, base)
            else:
                losses[part] = _target_losses(wide(a), wide(wanted), odds, temperature, base)
    return losses


def _losses_of_logarithms(logarithms: Rows, wanted: NDArray[Any]) -> NDArray[np.float64]:
    if wanted.ndim == 2:
        return expected_losses(wide(wanted), logarithms)
    losses: NDArray[np.float64] = 0 - np.take_along_axis(logarithms, wanted[:, None], -1)[:, 0]
    return losses


def _label_losses(
    a: FloatArray, label: NDArray[Any], odds: Odds, T: float, base: float
) -> NDArray[np.float64]:
    """Return (max a - a_label) / T + log1p(odds): nothing cancels, however confident the row is."""
    of_label, of_top = (wide(np.take_along_axis(a, place, -1)) for place in (label, odds.top))
    gap, rest = quotient(*two_sum(of_top, -of_label), T, 0.0)
    losses = _rounded(odds.logarithm(), (gap, rest), base)
    infinite = np.isinf(losses)
    if infinite.any():
        # In another base, or over T first, it may be a number.
        gaps = distances(of_label, of_top, factor(T, base=base))
        losses = np.where(infinite, over(odds.logarithm(), factor(base=base)) + gaps, losses)
    return losses[:, 0]


def _target_losses(a: Rows, Y: Rows, odds: Odds, T: float, base: float) -> NDArray[np.float64]:
    """Return sum_k Y_k ((max a - a_k) / T) + log1p(odds) sum_k Y_k: again nothing cancels."""
    maximum = np.take_along_axis(a, odds.top, -1)
    total, rest = sums_in_parts(Y)
    logarithm = odds.logarithm()
    of_odds, left = times(logarithm, total)
    terms = _weighted(Y, distances(a, maximum, factor(T)))
    losses = _rounded(of_odds, two_sum(*sums_in_parts(terms)), base, left + logarithm * rest)
    infinite = np.isinf(losses)
    if infinite.any():
        # A gap may be too large for a number, and its weighted mean none the less not.
        halved = _weighted(Y, distances(a / 2, maximum / 2, factor(T, base=base)))
        of_odds = over(logarithm, factor(base=base)) * total
        losses = np.where(infinite, of_odds + 2 * row_sums(halved), losses)
    return losses[:, 0]


def _rounded(a: Rows, b: tuple[Rows, Rows], base: float, left: Any = 0.0) -> Rows:
    """Return the sum of numbers in two parts, in the unit of a base, rounded once."""
    high, low = two_sum(a, b[0])
    low = low + b[1] + left
    unit = factor(base=base)
    if unit.high != 1:
        high, low = quotient(high, np.where(np.isfinite(low), low, 0), unit.high, unit.rest)
    return high + np.where(np.isfinite(low), low, 0)


def row_losses_and_gradients(
    logits: FloatArray,
    targets: NDArray[Any],
    *,
    temperature: float = 1.0,
    count: float = 1.0,
    base: float = math.e,
    out: FloatArray,
    largest: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return the loss of every row; write its gradient over the count into `out`.

    Arguments as of `row_losses`; `out` may be the logits, and each entry is rounded once to it.
    """
    losses = np.empty(len(logits))
    exact = out.dtype.itemsize == 8
    divisor = factor(temperature, count, base)
    with whole_rows(logits.shape[-1]):
        for part in parts(logits):
            a, wanted = logits[part], targets[part]
            top = (likeliest(a) if largest is None else largest[part])[:, None]
            if wanted.ndim == 1:
                label = wanted[:, None]
                beside = Beside.of(a, temperature, top)
                if exact:
                    sums, for_logarithms = beside.sums()
                else:
                    sums = for_logarithms = beside.sums_for_logarithms()
                odds = beside.odds(*for_logarithms)
                gradients = _label_gradients(beside, sums, label, divisor)
                if exact:
                    _mend_small_gradients(gradients, odds, a, label, temperature, divisor)
                losses[part] = _label_losses(a, label, odds, temperature, base)
            else:
                beside = Beside.of(a, temperature, top)
                odds = beside.odds(*beside.sums_for_logarithms())
                losses[part] = _target_losses(wide(a), wide(wanted), odds, temperature, base)
                gradients = _target_gradients(wide(a), wide(wanted), temperature, divisor)
            np.copyto(out[part], gradients, casting="same_kind")
    return losses


def _label_gradients(
    beside: Beside, sums: tuple[Rows, Rows], label: NDArray[Any], divisor: Factor
) -> Rows:
    """Return (P_j - Y_j) over the divisor, in the place of the exponentials."""
    gradients, (of_top, of_top_rest) = beside.others, beside.of_top
    total, low = two_sum(of_top, sums[0])
    low += of_top_rest + sums[1]
    np.put_along_axis(gradients, beside.top, of_top, -1)
    # P - 1 is minus the sum of the other probabilities: of the likeliest class it is known.
    of_label = np.take_along_axis(gradients, label, -1)
    but_others = of_label - total - low
    but_label = np.where(label == beside.top, 0 - (sums[0] + sums[1]), but_others)
    np.put_along_axis(gradients, label, but_label, -1)
    whole = np.add(*product(total, low, divisor))
    safe = (whole > 1 / LARGEST) & (whole < LARGEST)
    gradients /= np.where(safe, whole, total)
    if not safe.all():
        gradients[~safe[:, 0]] /= divisor.high
    return gradients


def _mend_small_gradients(
    gradients: Rows, odds: Odds, a: FloatArray, label: NDArray[Any], T: float, divisor: Factor
) -> None:
    """Take rows again in which a probability is no normal number, and its gradient may be."""
    small = (np.abs(gradients) < 2.0**-1000 / min(1.0, divisor.high)).any(axis=-1)
    if 2.0**-400 < divisor.high < 1 and small.any():
        (P,) = probabilities(wide(a[small]), T, divisor, raised=RAISED)
        top = odds.top[small]
        is_top = label[small] == top
        with without(P, top):
            of_others = row_sums(P, summed(P))
        P_label = np.take_along_axis(P, label[small], -1)
        whole = np.ldexp(1 / divisor.high, RAISED)
        np.put_along_axis(P, label[small], np.where(is_top, 0 - of_others, P_label - whole), -1)
        gradients[small] = np.ldexp(P, -RAISED)


def _target_gradients(a: Rows, Y: Rows, T: float, divisor: Factor) -> Rows:
    """Return (P_j sum_k Y_k - Y_j) over the divisor."""
    Y, scale = summable(Y)
    share = 0 - share_over(a, Y, T, divisor, sums_in_parts)
    return share if scale is None else share * scale


def expected_losses(weights: Rows, logarithms: Rows) -> NDArray[np.float64]:
    """Return -sum_k weights(k) logarithms(k) of each row; a weight of 0 meets no logarithm."""
    losses: NDArray[np.float64] = 0 - row_sums(_weighted(weights, logarithms))[:, 0]
    return losses


def _weighted(weights: Rows, numbers: Rows) -> Rows:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(weights == 0, 0, weights * numbers)


def _logarithms(values: Rows, source: Source) -> Rows:
    if source == "log-probabilities":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)
