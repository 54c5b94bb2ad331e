"""Confidences and Brier scores of rows with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.sums import summed
from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.weights import UNWEIGHTED
from softmax_cli.core.softmax.softmax import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray


def scores_of_logits(
    logits: FloatArray, labels: NDArray[np.intp], likeliest: NDArray[np.intp], temperature: float
) -> tuple[Rows, Rows]:
    """Return the probability of the likeliest class of each row, and its Brier score."""
    if compiled.computes(logits, temperature):
        targets = UNWEIGHTED.weighted(labels, None, slice(None))
        return compiled.scores(logits, targets, temperature, likeliest)
    P = wide(softmax(wide(logits), temperature=temperature))
    return scores_of_probabilities(P, labels, likeliest)


def scores_of_probabilities(
    P: Rows, labels: NDArray[np.intp], likeliest: NDArray[np.intp]
) -> tuple[Rows, Rows]:
    """Return the same of probabilities, which are changed."""
    confidences = np.take_along_axis(P, likeliest[:, None], -1)[:, 0]
    # 1 - P of the label is the sum of the others, and loses no digit as that.
    np.put_along_axis(P, labels[:, None], 0, -1)
    missing = summed(P)[:, 0]
    return confidences, summed(P * P)[:, 0] + missing * missing
