"""The settings of a loss, which check its rows and convert them to what the formula takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.double_double import Rows
from softmax_cli.core.exact.rows import has_no_softmax, likeliest
from softmax_cli.core.exact.sums import row_sums
from softmax_cli.core.loss.reduction import Reduction
from softmax_cli.core.loss.row_losses import Kind
from softmax_cli.core.loss.targets import are_one_hot, without_ignored
from softmax_cli.core.loss.two_classes import logarithms
from softmax_cli.core.loss.weights import WEIGHTS_ARE, Weights, are_weights
from softmax_cli.core.softmax.softmax import log_softmax
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, OneColumn, Source
from softmax_cli.formats.model.options import OnBadRow
from softmax_cli.losses.class_labels import class_numbers
from softmax_cli.losses.distributions import SAY_WHAT, Dtypes, check_distributions, checked_entries
from softmax_cli.losses.loss_rows import CountedRows, LossRows

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

# Entries are log-probabilities of labels, which are class 0.
Form = Literal["distributions", "labels", "targets", "entries"]

_SMALLEST = 2.0**-1074


class LossSettings(NamedTuple):
    """What the rows hold, and how their losses are computed and reduced.

    kind              of the values as the formula takes them
    given             of the values as they are read; their logarithms are logits, if `kind` is that
    partner           how errors name what the values are paired with
    ignores           whether rows with a label of NaN, or one-hot at `ignored`, are left out
    label_base        the number that labels give to the first class
    dtypes            what the numbers were rounded to: in the values' file, then in the blocks
    partner_dtypes    the same of the partner
    column            of --binary: what the two classes were made of
    gradient_divisor  what the gradients are divided by; None if there are none
    """

    form: Form
    kind: Kind
    given: Kind
    normalize: bool
    partner: str
    weights: Weights
    temperature: float
    reduction: Reduction
    base: str
    on_bad_row: OnBadRow
    ignores: bool = False
    ignored: tuple[int, ...] = ()
    label_base: int = 0
    dtypes: Dtypes = ()
    partner_dtypes: Dtypes = ()
    column: OneColumn | None = None
    gradient_divisor: Fraction | float | None = None

    def class_names(self, source: Source) -> Sequence[str | int]:
        """Return the names or numbers that reports use for the classes."""
        return source.class_names or range(self.label_base, self.label_base + source.classes)

    @property
    def role(self) -> Literal["labels", "targets", "p"]:
        """What the values are paired with."""
        if self.form == "distributions":
            return "p"
        return "targets" if self.form == "targets" else "labels"

    def mask(self, source: Source) -> Source:
        """Return the source with harmless numbers, not NaN, in ignored rows and masked classes."""
        masked = list(self.weights.masked) if self.given == "logits" else []
        if not self.ignores and not masked:
            return source

        def change(block: Block) -> Block:
            values, partner = block.values, self._with_ignored_as_nan(block, block.partner)
            values[:, masked] = -np.inf
            if self.form == "distributions":
                partner[:, masked] = -np.inf
            if self.ignores:
                values[_hold_nan(partner)] = 0
            return replace(block, values=values, partner=partner)

        return source.map(change)

    def counted(self, partner: Block, samples: NDArray[Any] | None) -> CountedRows:
        """Return how rows count in a mean, by targets and weights alone; `rows` checks them."""
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
        if self.form in ("labels", "entries") or not self.ignores:
            return targets
        soft = ~are_one_hot(targets)
        if soft.any():
            place = self._place(block)(int(soft.argmax()))
            problem = "--ignore-label needs labels, not soft targets"
            raise InputError(problem, "give --labels, or one-hot targets", place)
        targets[np.isin(likeliest(targets), self.ignored)] = np.nan
        return targets

    def _used(self, partner: NDArray[Any]) -> NDArray[np.bool_]:
        if not self.ignores:
            return np.ones(len(partner), bool)
        return ~_hold_nan(partner)

    def rows(self, block: Block) -> LossRows:
        """Return the checked rows of a block that `mask` has changed."""
        partner = np.asarray(block.partner)
        used = self._used(partner)
        (values, divided), p = self._values(block, used), None
        if self.form in ("labels", "entries"):
            targets: NDArray[Any] = class_numbers(block, values.shape[-1], used, self.label_base)
        elif self.form == "targets" or self.kind == "probabilities":
            name = "p" if self.form == "distributions" else "the targets"
            place, dtypes = self._place(block), self.partner_dtypes
            targets, more = check_distributions(
                partner, name, place, used, dtypes, normalize=self.normalize
            )
            divided += more
            p = targets if self.form == "distributions" else None
        else:
            targets, p = self._probabilities_of_p(block, partner, used)
            # A probability above 0 may be too small for float64, and still makes the loss infinite.
            targets[(targets == 0) & (p > -np.inf) & (values == -np.inf)] = _SMALLEST
        samples = _samples(block, used)
        if not used.all():
            targets, samples = without_ignored(targets, samples, ~used)
        weights = self.weights.of_rows(targets, samples)
        likeliest_known = block.likeliest if values is block.values else None
        return LossRows(targets, samples, used, values, weights, divided, p, likeliest_known)

    def _probabilities_of_p(
        self, block: Block, p: NDArray[Any], used: NDArray[np.bool_]
    ) -> tuple[Rows, Rows]:
        """Return the probabilities of logits or log-probabilities p, and p in float64."""
        place, p = self._place(block), wide(p)
        if self.kind == "logits":
            wrong = has_no_softmax(p) & used
            if wrong.any():
                row = int(wrong.argmax())
                held = "NaN" if np.isnan(p[row]).any() else "+inf"
                held = "nothing but -inf" if (p[row] == -np.inf).all() else held
                remedy = "each row of p needs a finite logit; -inf leaves a class out"
                raise InputError(f"p has no softmax: it holds {held}", remedy, place(row))
        else:
            dtypes, remedy = self.partner_dtypes, SAY_WHAT
            check_distributions(p, "p", place, used, dtypes, logs=True, remedy=remedy)
        from softmax_cli.core.loss.distributions import as_probabilities

        return as_probabilities(p, self.kind, self.temperature), p

    def _values(self, block: Block, used: NDArray[np.bool_]) -> tuple[FloatArray, int]:
        """Return the values without masked classes, and how many rows were divided by their sum."""
        if self.given == "logits":
            return block.values, 0
        values, divided = self._distributions(block, used)
        if self.kind == "logits" and self.given == "probabilities":
            if self.column is not None:
                return logarithms(values), divided
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log(values)
        return values, divided

    def _distributions(self, block: Block, used: NDArray[np.bool_]) -> tuple[FloatArray, int]:
        if self.form == "entries":
            return checked_entries(block, used), 0
        are_logs = self.given == "log-probabilities"
        if self.column is not None:
            from softmax_cli.losses.binary import check_numbers

            check_numbers(block, self.column, used, highest=0 if are_logs else 1)
            return block.values, 0
        remedy = SAY_WHAT if are_logs else f"--normalize divides by the sum, {SAY_WHAT}"
        values, divided = check_distributions(
            block.values,
            "q" if self.form == "distributions" else self.given,
            block.place,
            used,
            self.dtypes,
            logs=are_logs,
            normalize=self.normalize and not are_logs,
            remedy=remedy,
            may_be_nan=True,
        )
        if not self.weights.masked:
            return values, divided
        of_masked = -np.inf if are_logs else 0.0
        values = wide(values).copy()
        values[:, list(self.weights.masked)] = of_masked
        wrong = (values == of_masked).all(axis=-1) & used
        if wrong.any():
            problem = "only masked classes have a probability above 0"
            raise InputError(problem, "mask fewer", block.place(int(wrong.argmax())))
        with np.errstate(invalid="ignore"):
            return (log_softmax(values) if are_logs else values / row_sums(values)), divided

    def for_losses(self, values: FloatArray) -> tuple[FloatArray, Kind]:
        """Return the values to compute losses from, and their kind: 1 - p may have lost digits."""
        if self.column is not None and self.kind == "probabilities":
            return logarithms(values), "log-probabilities"
        return values, self.kind

    def _place(self, block: Block) -> Callable[[int], str]:
        return lambda row: f"{self.partner}: row {block.number(row)}"


def _hold_nan(partner: NDArray[Any]) -> NDArray[np.bool_]:
    are_nan = np.isnan(partner)
    result: NDArray[np.bool_] = are_nan[:, 0] if partner.shape[1] == 1 else are_nan.any(axis=-1)
    return result


def _samples(block: Block, used: NDArray[np.bool_]) -> Rows | None:
    if block.weights is None:
        return None
    samples = wide(block.weights[:, 0])
    wrong = ~are_weights(samples) & used
    if wrong.any():
        row = int(wrong.argmax())
        problem = f"its sample weight is {samples[row]:g}"
        raise InputError(problem, WEIGHTS_ARE, block.place(row))
    return samples
