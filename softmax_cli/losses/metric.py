"""Metrics: values computed from rows in any thread and merged; counts of correct predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.exact.mergeable import Mergeable
from softmax_cli.core.exact.sums import GroupedSums, summed
from softmax_cli.core.loss.targets import are_one_hot
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.loss_rows import LossRows
from softmax_cli.losses.settings import LossSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray


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

    def figures(self) -> dict[str, float | None]:
        """Return the single numbers of the report, by their names in `--show`."""
        return {}


def needed_labels(scored: Scored, option: str) -> NDArray[np.intp]:
    """Return the labels; raise InputError, naming the first soft row, if targets are soft."""
    if scored.labels is not None:
        return scored.labels
    soft = ~are_one_hot(scored.rows.targets) & scored.rows.used
    problem, place = f"{option} needs labels, not soft targets", scored.block.place
    raise InputError(problem, "give --labels, or one-hot targets", place(int(soft.argmax())))


@dataclass
class Accuracy(Metric):
    """Counts rows whose label is the likeliest class, the first one of equals."""

    right: int = 0
    is_soft: bool = False
    merged = ("right", "is_soft")

    def of(self, scored: Scored) -> Accuracy:
        if scored.labels is None or scored.predicted is None:
            return Accuracy(is_soft=True)
        right = (scored.predicted == scored.labels) & scored.counted
        return Accuracy(int(np.count_nonzero(right)))

    def share(self, used: int) -> float | None:
        """Return the accuracy; None for soft targets."""
        return None if self.is_soft or not used else self.right / used


@dataclass
class TopK(Metric):
    """Counts rows whose label is among the K likeliest classes, the first ones of equals."""

    k: int
    right: int = 0
    used: int = 0
    merged = ("right", "used")

    def of(self, scored: Scored) -> TopK:
        labels = needed_labels(scored, "--top-k-accuracy")
        values, label = scored.rows.values, labels[:, None]
        of_label = np.take_along_axis(values, label, -1)
        rank, equal = _count(values > of_label), values == of_label
        tied = np.flatnonzero(_count(equal) > 1)
        rank[tied] += (equal[tied] & (np.arange(values.shape[-1]) < label[tied])).sum(axis=-1)
        right = int(((rank < self.k) & scored.counted).sum())
        return TopK(self.k, right, int(scored.rows.used.sum()))

    @property
    def share(self) -> float | None:
        """The top-k accuracy; None of no rows."""
        return self.right / self.used if self.used else None

    def report(self) -> dict[str, object]:
        return {"top_k": self.k, **self.figures()}

    def figures(self) -> dict[str, float | None]:
        return {"top_k_accuracy": self.share}


def _count(held: NDArray[np.bool_]) -> NDArray[Any]:
    """Return how many entries of each row are true."""
    return summed(held.view(np.int8))[:, 0]


class OfClass(NamedTuple):
    """The rows with one label: their mean loss, over the sum of their weights, and accuracy."""

    name: str | int
    rows: int
    loss: float | None
    accuracy: float | None


@dataclass
class PerClass(Metric):
    """Counts rows, losses and correct predictions by label."""

    names: Sequence[str | int]
    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    losses: GroupedSums
    weights: GroupedSums
    merged = ("rows", "right", "losses", "weights")

    @classmethod
    def empty(cls, names: Sequence[str | int]) -> PerClass:
        """Return the counts of no row, for classes of these names."""
        N = len(names)
        zeros = np.zeros(N, np.int64)
        return cls(names, zeros, zeros.copy(), GroupedSums(N), GroupedSums(N))

    def of(self, scored: Scored) -> PerClass:
        labels, used = needed_labels(scored, "--per-class"), scored.rows.used
        right, N = (scored.predicted == labels) & scored.counted, len(self.names)
        found = self.empty(self.names)
        found.rows = np.bincount(labels[used], minlength=N)
        found.right = np.bincount(labels[right], minlength=N)
        found.losses.add(scored.losses[used], labels[used])
        for part in scored.rows.weights or (np.ones(len(labels)),):
            found.weights.add(part[used], labels[used])
        return found

    def classes(self) -> list[OfClass]:
        """Return the rows, mean loss and accuracy of each class."""
        return [
            OfClass(
                name,
                rows,
                self.losses.total(number, self.weights) if self.weights.total(number) else None,
                int(self.right[number]) / rows if rows else None,
            )
            for number, (name, rows) in enumerate(zip(self.names, self.rows.tolist(), strict=True))
        ]

    def report(self) -> dict[str, object]:
        keys = ("class", "rows", "loss", "accuracy")
        return {"per_class": [dict(zip(keys, each, strict=True)) for each in self.classes()]}
