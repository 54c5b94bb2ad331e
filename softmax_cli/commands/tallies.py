"""What is counted beside a loss: accuracy, classes, the worst rows, calibration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.loss_options import LossOptions, ReportOptions
from softmax_cli.commands.loss_rows import LossForm, LossRows
from softmax_cli.core.arrays import FloatArray, wide
from softmax_cli.core.calibration import Calibration
from softmax_cli.core.histogram import Histogram
from softmax_cli.core.row_losses import Source as Kind
from softmax_cli.core.softmax import softmax
from softmax_cli.core.sums import GroupedSums
from softmax_cli.core.targets import are_one_hot
from softmax_cli.core.twofold import Rows
from softmax_cli.errors import InputError
from softmax_cli.formats.blocks import Block, Source
from softmax_cli.formats.json_text import text_cell

ClassNames = tuple[str, ...] | None

FEWEST_ROWS = 8


def tallies(
    source: Source,
    form: LossForm,
    options: LossOptions,
    report: ReportOptions,
    *,
    has_histogram: bool = True,
) -> list[Tally]:
    """Return what the options ask to be counted beside the loss, and a histogram."""
    names = source.class_names
    wanted: list[Tally] = []
    if report.top_k_accuracy is not None:
        wanted.append(TopK(report.top_k_accuracy))
    if report.per_class:
        wanted.append(PerClass(source.classes, names))
    if report.worst:
        wanted.append(Worst(report.worst, names, source.id_names))
    if report.calibration or report.fit_temperature:
        reliability = Reliability(
            report.bins, form.kind, options.temperature, is_asked=report.calibration
        )
        wanted.append(reliability)
    if has_histogram or report.histogram:
        wanted.append(LossHistogram(is_asked=report.histogram))
    return wanted


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


class Tally(ABC):
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


class Accuracy(Tally):
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


class TopK(Tally):
    """Counts the rows whose label is among the K likeliest classes, of equals the first."""

    def __init__(self, k: int) -> None:
        """Start at 0."""
        self.k, self.right, self.used = k, 0, 0
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Count a block."""
        labels = _needed_labels(scored, "--top-k-accuracy")
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


class PerClass(Tally):
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
        labels, used = _needed_labels(scored, "--per-class"), scored.rows.used
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


class WorstRow(NamedTuple):
    """A row with a large loss; it has no label with soft targets."""

    row: int
    label: str | int | None
    predicted: str | int
    loss: float
    ids: tuple[str, ...]


class Worst(Tally):
    """Keeps the rows with the largest losses, of equals the first ones."""

    def __init__(self, k: int, names: ClassNames, id_names: tuple[str, ...]) -> None:
        """Keep none yet."""
        self.rows: list[WorstRow] = []
        self.id_names = id_names
        self._k, self._names = k, names
        self._lock = Lock()

    def add(self, scored: Scored) -> None:
        """Keep the worst rows of a block and of those before."""
        chosen = np.flatnonzero(scored.counted & ~np.isnan(scored.losses))
        losses = scored.losses[chosen]
        if len(chosen) > self._k:
            least = np.partition(losses, -self._k)[-self._k]
            chosen = chosen[losses >= least]
            order = np.argsort(-scored.losses[chosen], kind="stable")
            chosen = chosen[order[: self._k]]
        found = [self._row(scored, row) for row in chosen.tolist()]
        self._keep(found)

    def _keep(self, found: list[WorstRow]) -> None:
        with self._lock:
            worst = sorted([*self.rows, *found], key=lambda each: (-each.loss, each.row))
            self.rows = worst[: self._k]

    def _row(self, scored: Scored, row: int) -> WorstRow:
        block, label, predicted = scored.block, scored.rows.label(row), scored.predicted
        return WorstRow(
            block.number(row),
            None if label is None else self._name(label),
            "" if predicted is None else self._name(predicted[row]),
            float(scored.losses[row]),
            () if block.ids is None else tuple(map(text_cell, block.ids[row])),
        )

    def _name(self, number: int | np.intp) -> str | int:
        return int(number) if self._names is None else self._names[number]

    def report(self) -> dict[str, object]:
        """Return an object a row; with id columns, their cells by name."""
        rows = []
        for each in self.rows:
            known: dict[str, object] = each._asdict()
            ids = known.pop("ids")
            rows.append(known | ({"ids": ids} if self.id_names else {}))
        return {"worst": rows}

    def state(self) -> dict[str, Any]:
        """Return the rows."""
        return {"worst": [each._asdict() for each in self.rows]}

    def add_state(self, state: dict[str, Any], first: int) -> None:
        """Keep the worst of another's rows and of those before."""
        found = [WorstRow(**told) for told in state["worst"]]
        self._keep(
            [
                each._replace(row=each.row + first, loss=float(each.loss), ids=tuple(each.ids))
                for each in found
            ]
        )


class Reliability(Tally):
    """Counts rows by confidence."""

    def __init__(self, bins: int, kind: Kind, temperature: float, *, is_asked: bool = True) -> None:
        """Start with no row; soft targets are an error only if this `is_asked` for."""
        self.calibration = Calibration(bins)
        self.is_asked = is_asked
        self._kind, self._temperature = kind, temperature
        self._is_soft = False

    def add(self, scored: Scored) -> None:
        """Count a block."""
        if scored.labels is None and not self.is_asked:
            self._is_soft = True
            return
        labels = _needed_labels(scored, "--calibration")
        counted = scored.counted
        predicted = np.asarray(scored.predicted)[counted]
        P = self._probabilities(scored.rows.chosen(counted).values)
        self.calibration.add(P, labels[counted], predicted)

    @property
    def ece(self) -> float | None:
        """The expected calibration error; None with soft targets."""
        return None if self._is_soft else self.calibration.ece()

    def _probabilities(self, values: FloatArray) -> Rows:
        if self._kind == "logits":
            return wide(softmax(wide(values), temperature=self._temperature))
        return np.exp(wide(values)) if self._kind == "log-probabilities" else wide(values).copy()

    def report(self) -> dict[str, object]:
        """Return the scores and the bins, if they are asked for."""
        if not self.is_asked:
            return {}
        calibration = self.calibration
        keys = ("low", "high", "rows", "confidence", "accuracy")
        return {
            "calibration": {
                "bins": len(calibration.bins()),
                "ece": calibration.ece(),
                "mce": calibration.mce(),
                "brier": calibration.brier(),
                "reliability": [dict(zip(keys, each, strict=True)) for each in calibration.bins()],
            }
        }

    def state(self) -> dict[str, Any]:
        """Return the counts and sums."""
        return {"calibration": self.calibration.state(), "is_soft": self._is_soft}

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts and sums."""
        self.calibration.add_state(state["calibration"])
        self._is_soft |= state["is_soft"]


class LossHistogram(Tally):
    """Counts the losses of rows by their size."""

    def __init__(self, *, is_asked: bool) -> None:
        """Start with no row; reports for programs have it only if this `is_asked` for."""
        self.losses = Histogram()
        self._is_asked = is_asked

    @property
    def is_shown(self) -> bool:
        """Whether there are so many rows that a table shows it; fewer are seen one by one."""
        return self.losses.count >= FEWEST_ROWS

    def add(self, scored: Scored) -> None:
        """Count a block."""
        self.losses.add(scored.losses[scored.counted])

    def report(self) -> dict[str, object]:
        """Return an object a bin."""
        if not self._is_asked:
            return {}
        keys = ("low", "high", "rows")
        return {"histogram": [dict(zip(keys, each, strict=True)) for each in self.losses.bins()]}

    def state(self) -> dict[str, Any]:
        """Return the counts."""
        return self.losses.state()

    def add_state(self, state: dict[str, Any], first: int) -> None:  # noqa: ARG002
        """Add another's counts."""
        self.losses.add_state(state)


def _needed_labels(scored: Scored, what: str) -> NDArray[np.intp]:
    """Return the labels; a row with soft targets has none, and is named."""
    if scored.labels is not None:
        return scored.labels
    soft = ~are_one_hot(scored.rows.targets) & scored.rows.used
    raise InputError(
        f"its targets are soft, and {what} needs a label",
        "give --labels, or one-hot targets",
        scored.block.place(int(soft.argmax())),
    )
