"""Metrics: values computed from rows in any thread and merged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.mergeable import Mergeable
from softmax_cli.core.loss.targets import are_one_hot
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.loss_rows import LossRows, LossSettings


class Scored(NamedTuple):
    """The rows of a block with their losses.

    labels     (rows,) the label of each row, any class if it is ignored; None for soft targets
    predicted  (rows,) the likeliest class; None if no metric needs it
    losses     (rows,) weighted
    counted    (rows,) which rows are neither ignored nor without a softmax
    """

    settings: LossSettings
    block: Block
    rows: LossRows
    labels: NDArray[np.intp] | None
    predicted: NDArray[np.intp] | None
    losses: FloatArray
    counted: NDArray[np.bool_]


class Metric(Mergeable, ABC):
    """Something counted over the rows of a loss."""

    @abstractmethod
    def of(self, scored: Scored) -> Self:
        """Return the counts of these rows alone, with the same settings; in any thread."""

    def report(self) -> dict[str, object]:
        """Return the keys of the command's JSON object."""
        return {}


def needed_labels(scored: Scored, option: str) -> NDArray[np.intp]:
    """Return the labels; raise InputError, naming the first soft row, if targets are soft."""
    if scored.labels is not None:
        return scored.labels
    soft = ~are_one_hot(scored.rows.targets) & scored.rows.used
    raise InputError(
        f"its targets are soft, and {option} needs a label",
        "give --labels, or one-hot targets",
        scored.block.place(int(soft.argmax())),
    )
