"""The rows of a loss: checked, and converted to what the formula takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import likeliest
from softmax_cli.core.exact.sums import row_sums
from softmax_cli.core.loss.row_losses import Source as Kind
from softmax_cli.core.loss.targets import are_one_hot, without_ignored
from softmax_cli.core.loss.weights import WEIGHTS_ARE, Parts, Weights, are_weights
from softmax_cli.core.softmax.softmax import log_softmax
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.losses.distributions import Dtypes, check_distributions, check_log_probabilities

Form = Literal["distributions", "labels", "targets"]


class CountedRows(NamedTuple):
    """What decides how much each row counts in a mean.

    targets  (rows,) labels or (rows, classes) distributions; class 0, or zeros, if ignored
    samples  (rows,) sample weights, 0 for ignored rows; None for 1
    used     (rows,) which rows are not ignored
    """

    targets: NDArray[Any]
    samples: Rows | None
    used: NDArray[np.bool_]


class LossRows(NamedTuple):
    """The rows of a block as the formula takes them.

    values   (rows, classes) logits, probabilities or log-probabilities, without masked classes
    targets  (rows,) labels or (rows, classes) distributions; class 0, or nothing, if ignored
    samples  (rows,) sample weights, 0 for ignored rows; None for 1
    used     (rows,) which rows are not ignored
    weights  (rows,) what each row counts in a mean, in two parts; None for 1
    divided  how many distributions among them did not sum to 1, and were divided by their sums
    """

    values: FloatArray
    targets: NDArray[Any]
    samples: Rows | None
    used: NDArray[np.bool_]
    weights: Parts | None
    divided: int = 0

    @property
    def counted(self) -> CountedRows:
        """What decides how much each row counts in a mean."""
        return CountedRows(self.targets, self.samples, self.used)

    def chosen(self, rows: NDArray[np.bool_]) -> LossRows:
        """Return some of the rows; all of them as they lie in memory."""
        if rows.all():
            return self
        samples = None if self.samples is None else self.samples[rows]
        weights = None if self.weights is None else (self.weights[0][rows], self.weights[1][rows])
        return LossRows(self.values[rows], self.targets[rows], samples, self.used[rows], weights)

    def label(self, row: int) -> int | None:
        """Return the label of one row; None for soft targets, whatever other rows have."""
        if self.targets.ndim == 1:
            return int(self.targets[row])
        targets = self.targets[row : row + 1]
        return int(targets.argmax()) if are_one_hot(targets)[0] else None

    def labels(self) -> NDArray[np.intp] | None:
        """Return the label of each row; None if a row that is used has soft targets."""
        if self.targets.ndim == 1:
            return self.targets
        if not (are_one_hot(self.targets) | ~self.used).all():
            return None
        return likeliest(self.targets)


@dataclass(frozen=True)
class LossForm:
    """What the rows of a command hold, and how they are weighted.

    partner  how errors name what is paired with the values
    ignores  whether rows are ignored: those whose labels are NaN, or one-hot at `ignored` classes
    dtypes   of the values' file, and what they are taken for; the same of the partner's
    """

    form: Form
    kind: Kind
    normalize: bool
    partner: str
    weights: Weights
    ignores: bool = False
    ignored: tuple[int, ...] = ()
    dtypes: Dtypes = ()
    partner_dtypes: Dtypes = ()

    def apart(self, source: Source) -> Source:
        """Return the source with harmless numbers where rows are ignored and classes are masked.

        Whatever is there, such as a NaN, is then no error.
        """
        masked = list(self.weights.masked) if self.kind == "logits" else []
        if not self.ignores and not masked:
            return source

        def changed(block: Block) -> Block:
            values, partner = block.values, self._with_ignored_as_nan(block, block.partner)
            values[:, masked] = -np.inf
            if self.ignores:
                values[np.isnan(partner).any(axis=-1)] = 0
            return replace(block, values=values, partner=partner)

        return source.map(changed)

    def counted(self, partner: Block, samples: NDArray[Any] | None) -> CountedRows:
        """Return how rows count in a mean, from their labels or targets and weights alone.

        Nothing is checked: an error must name the row of the logits, and is raised by `rows`.
        """
        targets = self._with_ignored_as_nan(partner, partner.values)
        used = self._used(targets)
        if self.form == "labels":
            labels = targets[:, 0]
            is_class = (labels >= 0) & (labels < self.weights.classes)
            targets = np.where(is_class, labels, 0).astype(np.intp)
        samples = None if samples is None else wide(samples[:, 0])
        if not used.all():
            targets, samples = without_ignored(targets, samples, ~used)
        return CountedRows(targets, samples, used)

    def _with_ignored_as_nan(self, block: Block, partner: Any) -> Rows:
        targets = np.array(partner, dtype=np.float64)
        if self.form != "labels" and self.ignores:
            targets[self._one_hot_ignored(block, targets)] = np.nan
        return targets

    def _used(self, partner: NDArray[Any]) -> NDArray[np.bool_]:
        if not self.ignores:
            return np.ones(len(partner), bool)
        result: NDArray[np.bool_] = ~np.isnan(partner).any(axis=-1)
        return result

    def rows(self, block: Block) -> LossRows:
        """Return the checked rows of a block that came from `apart`."""
        partner = np.asarray(block.partner)
        used = self._used(partner)
        values, divided = self._values(block, used)
        if self.form == "labels":
            targets: NDArray[Any] = checked_labels(block, values.shape[-1], used)
        else:
            name = "p" if self.form == "distributions" else "the targets"
            place, dtypes = self._place(block), self.partner_dtypes
            targets, more = check_distributions(
                partner, name, place, used, dtypes, normalize=self.normalize
            )
            divided += more
        samples = self._samples(block, used)
        if not used.all():
            targets, samples = without_ignored(targets, samples, ~used)
        weights = self.weights.of_rows(targets, samples)
        return LossRows(values, targets, samples, used, weights, divided)

    def _one_hot_ignored(self, block: Block, targets: Rows) -> NDArray[np.bool_]:
        soft = ~are_one_hot(targets)
        if soft.any():
            row = int(soft.argmax())
            raise InputError(
                "soft targets have no label that could be ignored",
                "--ignore-label goes with labels, or with one-hot targets",
                self._place(block)(row),
            )
        return np.isin(likeliest(targets), self.ignored)

    def _values(self, block: Block, used: NDArray[np.bool_]) -> tuple[FloatArray, int]:
        """Return the values without masked classes, and how many rows were divided by their sum."""
        masked = list(self.weights.masked)
        if self.kind == "logits":
            return block.values, 0
        if self.kind == "log-probabilities":
            check_log_probabilities(block.values, block.place, used, self.dtypes)
            if not masked:
                return block.values, 0
            logarithms = wide(block.values).copy()
            logarithms[:, masked] = -np.inf
            self._check_not_masked(np.isneginf(logarithms).all(axis=-1) & used, block)
            return log_softmax(logarithms), 0
        is_q = self.form == "distributions"
        rows, divided = check_distributions(
            block.values,
            "q" if is_q else "probabilities",
            block.place,
            used,
            self.dtypes,
            normalize=self.normalize,
            remedy="" if is_q else ", --from says what the values are",
            may_be_nan=True,
        )
        if not masked:
            return rows, divided
        rows = rows.copy()
        rows[:, masked] = 0
        left = row_sums(rows)
        self._check_not_masked((left[:, 0] == 0) & used, block)
        with np.errstate(invalid="ignore"):
            return rows / left, divided

    def _check_not_masked(self, wrong: NDArray[np.bool_], block: Block) -> None:
        if wrong.any():
            problem = "only masked classes have a probability above 0"
            raise InputError(problem, "mask fewer", block.place(int(wrong.argmax())))

    def _samples(self, block: Block, used: NDArray[np.bool_]) -> Rows | None:
        if block.weights is None:
            return None
        samples = wide(block.weights[:, 0])
        wrong = ~are_weights(samples) & used
        if wrong.any():
            row = int(wrong.argmax())
            problem = f"its sample weight is {samples[row]:g}"
            raise InputError(problem, WEIGHTS_ARE, block.place(row))
        return samples

    def _place(self, block: Block) -> Callable[[int], str]:
        return lambda row: f"{self.partner}: row {block.number(row)}"


def checked_labels(
    block: Block, classes: int, used: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Return a block's labels as class numbers; one that is no class is named by its row."""
    labels = np.asarray(block.partner)[:, 0]
    if used is not None and not used.all():
        labels = np.where(used, labels, 0)
    outside = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"its label is {labels[row]:g}, which is no class",
            f"labels are whole numbers from 0 to {classes - 1}",
            block.place(row),
        )
    return labels.astype(np.intp)
