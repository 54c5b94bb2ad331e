"""Counts rows that are predicted right: of all, among the likeliest, and by class."""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.sums import GroupedSums
from softmax_cli.losses.metric import ClassNames, Metric, Scored, needed_labels


class Accuracy(Metric):
    """Counts the rows whose label is the likeliest class, of several the first."""

    def __init__(self) -> None:
        """Start at 0."""
        self.right = 0
        self.is_soft = False
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Count a block; soft targets are neither right nor wrong."""
        if scored.labels is None or scored.predicted is None:
            self.is_soft = True
            return
        right = int(((scored.predicted == scored.labels) & scored.counted).sum())
        with self._lock:
            self.right += right

    def share(self, used: int) -> float | None:
        """Return the accuracy; None with soft targets."""
        return None if self.is_soft or not used else self.right / used

    def report(self) -> dict[str, object]:
        """Return nothing: the accuracy belongs to every report."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return the count."""
        return {"right": self.right, "is_soft": self.is_soft}

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's count."""
        with self._lock:
            self.right += state["right"]
            self.is_soft |= state["is_soft"]


class TopK(Metric):
    """Counts the rows whose label is among the K likeliest classes, of equals the first."""

    def __init__(self, k: int) -> None:
        """Start at 0."""
        self.k, self.right, self.used = k, 0, 0
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Count a block."""
        labels = needed_labels(scored, "--top-k-accuracy")
        values, label = scored.rows.values, labels[:, None]
        of_label = np.take_along_axis(values, label, -1)
        before = (values > of_label).sum(axis=-1)
        equal = values == of_label
        tied = np.flatnonzero(equal.sum(axis=-1) > 1)
        before[tied] += (equal[tied] & (np.arange(values.shape[-1]) < label[tied])).sum(axis=-1)
        right = int(((before < self.k) & scored.counted).sum())
        with self._lock:
            self.right += right
            self.used += int(scored.rows.used.sum())

    @property
    def share(self) -> float | None:
        """The top-k accuracy; None of no rows."""
        return self.right / self.used if self.used else None

    def report(self) -> dict[str, object]:
        """Return K and the share."""
        return {"top_k": self.k, "top_k_accuracy": self.share}

    def state(self) -> dict[str, Any]:
        """Return the counts."""
        return {"right": self.right, "used": self.used}

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts."""
        with self._lock:
            self.right += state["right"]
            self.used += state["used"]


class OfClass(NamedTuple):
    """A class that is the label of some rows: their mean loss, and the share predicted right."""

    name: str | int
    rows: int
    loss: float | None
    accuracy: float | None


class PerClass(Metric):
    """Counts rows, losses and right predictions of each label."""

    def __init__(self, classes: int, names: ClassNames) -> None:
        """Start at 0."""
        self._names = names
        self._rows = np.zeros(classes, np.int64)
        self._right = np.zeros(classes, np.int64)
        self._losses, self._weights = GroupedSums(classes), GroupedSums(classes)
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Count a block."""
        labels, used = needed_labels(scored, "--per-class"), scored.rows.used
        right = (scored.predicted == labels) & scored.counted
        classes = len(self._rows)
        with self._lock:
            self._rows += np.bincount(labels[used], minlength=classes)
            self._right += np.bincount(labels[right], minlength=classes)
        self._losses.add(scored.losses[used], labels[used])
        for part in scored.rows.weights or (np.ones(len(labels)),):
            self._weights.add(part[used], labels[used])

    def classes(self) -> list[OfClass]:
        """Return what is known of each class; its mean loss is over the sum of its weights."""
        return [self._of_class(number) for number in range(len(self._rows))]

    def _of_class(self, number: int) -> OfClass:
        name = number if self._names is None else self._names[number]
        rows = int(self._rows[number])
        loss = self._losses.total(number, self._weights) if self._weights.total(number) else None
        return OfClass(name, rows, loss, int(self._right[number]) / rows if rows else None)

    def report(self) -> dict[str, object]:
        """Return an object a class."""
        keys = ("class", "rows", "loss", "accuracy")
        return {"per_class": [dict(zip(keys, each, strict=True)) for each in self.classes()]}

    def state(self) -> dict[str, Any]:
        """Return the counts and sums."""
        return {
            "rows": self._rows.tolist(),
            "right": self._right.tolist(),
            "losses": self._losses.state(),
            "weights": self._weights.state(),
        }

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts and sums."""
        with self._lock:
            self._rows += np.array(state["rows"], np.int64)
            self._right += np.array(state["right"], np.int64)
        self._losses.add_state(state["losses"])
        self._weights.add_state(state["weights"])
