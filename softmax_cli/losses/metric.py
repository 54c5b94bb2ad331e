"""What counts rows beside a loss, as they go by in any thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.loss.targets import are_one_hot
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.loss_rows import LossRows

ClassNames = tuple[str, ...] | None


class Scored(NamedTuple):
    """The rows of a block with their losses.

    labels     (rows,) the label of each row, anything if it is ignored; None of soft targets
    predicted  (rows,) the likeliest class; None if nobody asks for it
    losses     (rows,) weighted
    counted    (rows,) which rows are neither ignored nor without a softmax
    """

    block: Block
    rows: LossRows
    labels: NDArray[np.intp] | None
    predicted: NDArray[np.intp] | None
    losses: FloatArray
    counted: NDArray[np.bool_]


class Metric(ABC):
    """Counts rows as they go by, in any thread, and tells in the end what they come to."""

    @abstractmethod
    def add(self, scored: Scored) -> None:
        """Count the rows of a block."""

    @abstractmethod
    def report(self) -> dict[str, object]:
        """Return the keys of the command's JSON object."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what was counted as it is: no digit is lost when it is written as JSON."""

    @abstractmethod
    def add_state(self, state: dict[str, Any], first: int) -> None:
        """Add what the state of another of its kind tells, whose rows begin with this number."""


def needed_labels(scored: Scored, what: str) -> NDArray[np.intp]:
    """Return the labels; a row with soft targets has none, and is named."""
    if scored.labels is not None:
        return scored.labels
    soft = ~are_one_hot(scored.rows.targets) & scored.rows.used
    raise InputError(
        f"its targets are soft, and {what} needs a label",
        "give --labels, or one-hot targets",
        scored.block.place(int(soft.argmax())),
    )
