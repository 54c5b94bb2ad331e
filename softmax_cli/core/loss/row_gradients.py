"""Gradients of the losses of rows in NumPy."""

from __future__ import annotations

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import LARGEST, Factor, Rows, product, quotient, two_sum
from softmax_cli.core.exact.exponentials import RAISED
from softmax_cli.core.exact.odds import Odds, SplitExponentials
from softmax_cli.core.exact.sums import row_sums, summed, sums_in_parts
from softmax_cli.core.loss.weights import Parts, WeightedTargets
from softmax_cli.core.softmax.jacobian_products import share_over, summable, without
from softmax_cli.core.softmax.softmax import probabilities


def label_gradients(
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


def recompute_small_gradients(
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


def target_gradients(a: Rows, weighted: WeightedTargets, T: float, divisor: Factor) -> Rows:
    """Return scale * (P_j sum_k Y_k - Y_j) / divisor."""
    Y, size = summable(weighted.scaled_targets())
    share = 0 - share_over(a, Y, T, divisor, sums_in_parts)
    return share if size is None else share * size
