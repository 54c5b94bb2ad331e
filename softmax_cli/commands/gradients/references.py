"""The exact gradients that a file should hold, and what common mistakes would make of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from softmax_cli.commands.inputs.loss import LossInputs
from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows, factor
from softmax_cli.core.gradcheck.rounding import Rounding, RowComparison, Tolerances
from softmax_cli.core.kernel.compiled import computes
from softmax_cli.core.loss.log_bases import BASES
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.core.loss.row_errors import row_errors
from softmax_cli.core.loss.row_losses import row_losses_and_gradients
from softmax_cli.core.loss.two_classes import by_number
from softmax_cli.core.softmax import jacobian
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.losses.loss_rows import CountedRows, LossRows
from softmax_cli.losses.settings import LossSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

Wrong: TypeAlias = "dict[str, Callable[[], NDArray[Any]]]"
# The exact gradients of some rows, their tolerances, and common wrong gradients by name.
Reference: TypeAlias = "tuple[NDArray[np.float64], Tolerances, Wrong]"
# Takes the rows with the claimed gradients, and the rounding of the file.
Exact: TypeAlias = "Callable[[Block, Rounding], Reference]"

_T_LEFT_OUT = "the temperature left out"
# Of each function, the Jacobian, and the product of an upstream gradient and the Jacobian.
_DERIVATIVES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (jacobian.softmax_jacobian, jacobian.softmax_vjp),
    "log-softmax": (jacobian.log_softmax_jacobian, jacobian.log_softmax_vjp),
}


# Compares the rows of a block as a whole; None if they have to be compared entry by entry.
Rowwise: TypeAlias = "Callable[[Block, Rounding], RowComparison | None]"


def derivative_reference(function: str, T: float, block: Block, rounding: Rounding) -> Reference:
    """Return Jacobians of softmax or log-softmax, times upstream gradients if the block has any."""
    a = wide(block.values)
    v = None if block.partner is None else np.asarray(block.partner, np.float64)

    def derivative(of: str, T: float) -> NDArray[np.float64]:
        whole, product = _DERIVATIVES[of]
        return wide(whole(a, temperature=T) if v is None else product(a, v, temperature=T))

    n = derivative(function, T)
    if v is None:
        kind, tolerances = "Jacobian", rounding.of_jacobian(n, a, function)
        N = a.shape[-1]
        wrong: Wrong = {
            "a Jacobian with only its diagonal": lambda: n * np.eye(N),
            "a transposed matrix": lambda: np.swapaxes(n, 1, 2),
            "a Jacobian without its diagonal term": lambda: n * (1 - np.eye(N)),
        }
    else:
        kind, tolerances = "gradient", rounding.of_product(n, a, v, function)
        wrong = _wrong_products(function, a, v, T)
    if T != 1:
        wrong[_T_LEFT_OUT] = partial(derivative, function, 1.0)
    other = "log-softmax" if function == "softmax" else "softmax"
    wrong[f"the {kind} of {other}"] = partial(derivative, other, T)
    return n, tolerances, wrong


def _wrong_products(function: str, a: Rows, v: Rows, T: float) -> Wrong:
    is_softmax = function == "softmax"
    result = "probabilities" if is_softmax else "log-probabilities"

    def only_diagonal() -> Rows:
        P = softmax(a, temperature=T)
        return v * (P * (1 - P) if is_softmax else 1 - P) / T

    return {
        f"a gradient with respect to the {result}, not the logits": lambda: v,
        "a Jacobian with only its diagonal": only_diagonal,
        "a missing sum over the classes": lambda: (
            v * (softmax(a, temperature=T) if is_softmax else 1) / T
        ),
    }


def by_column(exact: Exact) -> Exact:
    """Return a function that gives references with respect to the single column of --binary."""

    def reference(block: Block, rounding: Rounding) -> Reference:
        n, tolerances, wrong = exact(block, rounding)
        atol, doubt = np.broadcast_to(tolerances.atol, n.shape), np.asarray(tolerances.doubt)
        tolerances = tolerances._replace(
            atol=by_number(atol), doubt=by_number(np.broadcast_to(doubt, n.shape))
        )
        found = {name: _after(gradient, by_number) for name, gradient in wrong.items()}
        return by_number(n), tolerances, found

    return reference


def _after(
    first: Callable[[], NDArray[Any]], then: Callable[[NDArray[Any]], NDArray[Any]]
) -> Callable[[], NDArray[Any]]:
    return lambda: then(first())


class Variant(NamedTuple):
    """A loss with an option left out; `with_samples` unless the sample weights are."""

    settings: LossSettings
    with_samples: bool

    def samples(self, rows: CountedRows) -> Rows | None:
        """Return the sample weights, 0 for ignored rows; None if all are 1."""
        if self.with_samples:
            return rows.samples
        return None if rows.used.all() else rows.used.astype(np.float64)


def variants(
    inputs: LossInputs, settings: LossSettings, reduced: Mapping[str, ReducedLoss]
) -> dict[str, Variant]:
    """Return the variants by name, with divisors from the weights of their rows."""
    weights = settings.weights
    plain = replace(weights, smoothing=0.0, of_classes=None)
    found = {}
    if weights.smoothing:
        found["the label smoothing left out"] = replace(weights, smoothing=0.0), True
    if weights.of_classes is not None:
        found["the class weights left out"] = replace(weights, of_classes=None), True
    if inputs.options.sample_weights is not None:
        found["the sample weights left out"] = weights, False
    if len(found) > 1:
        found["all weights and the label smoothing left out"] = plain, False
    no_rows, reduction = ReducedLoss(), settings.reduction
    divisors = {name: reduced.get(name, no_rows).divisor(reduction) or 1.0 for name in found}
    return {
        name: Variant(
            settings._replace(weights=kept, gradient_divisor=divisors[name]), with_samples
        )
        for name, (kept, with_samples) in found.items()
    }


def weighed_without(
    inputs: LossInputs, source: Source, settings: LossSettings, write: WriteOptions
) -> dict[str, ReducedLoss]:
    """Return the weights of the rows in each variant; this may read labels and weights again."""
    others = variants(inputs, settings, {})
    reduced = {name: ReducedLoss() for name in others}

    def count(rows: CountedRows) -> None:
        for name, variant in others.items():
            weights = variant.settings.weights.of_rows(rows.targets, variant.samples(rows))
            reduced[name].count(int(rows.used.sum()), weights)

    if others and settings.reduction not in ("sum", "none"):
        inputs.count_rows(source, settings, count, write)
    return reduced


def loss_factors(settings: LossSettings, rows: int) -> dict[str, float]:
    """Return factors by which gradients of the loss of so many rows are often wrong."""
    divisor, factors = float(settings.gradient_divisor or 1.0), {}
    if divisor not in (1, rows):
        factors["a missing division by the denominator of the mean"] = divisor
        factors["a division by all rows, not by what they weigh or by those used"] = divisor / rows
    if BASES[settings.base] == 10:
        factors["a factor of ln 10"] = math.log(10)
    return factors


def loss_reference(
    settings: LossSettings,
    row_count: int,
    others: Mapping[str, Variant],
    block: Block,
    rounding: Rounding,
) -> Reference:
    """Return gradients of the reduced loss of `row_count` rows with respect to the logits."""
    rows, T, divisor = settings.rows(block), settings.temperature, settings.gradient_divisor or 1.0
    n, lines = _gradients(settings, rows), np.asarray(block.claimed)
    weighted = settings.weights.weighted(rows.targets, rows.samples, slice(None))
    unit = _unit(settings)

    def targets() -> NDArray[Any]:
        """Return w(j) Y'(j), times the sample weight."""
        if weighted.is_soft:
            return weighted.scaled_targets()
        Y = np.zeros_like(n)
        np.put_along_axis(Y, weighted.targets, 1.0, -1)
        return weighted.scaled(Y)

    def shifted(step: int) -> NDArray[Any]:
        labels = rows.targets
        if rows.labels() is None:
            return np.full_like(n, np.nan)
        moved = (labels + step) % n.shape[-1] if labels.ndim == 1 else np.roll(labels, step, -1)
        return _gradients(settings, replace(rows, targets=moved))

    wrong: Wrong = {
        "the missing -1 at the label": lambda: n + targets() / (unit * T),
        "a gradient with respect to the probabilities, not the logits": lambda: (
            -targets() / (unit * softmax(wide(rows.values), temperature=T))
        ),
        "labels off by one: too high": partial(shifted, 1),
        "labels off by one: too low": partial(shifted, -1),
    }
    if T != 1:
        wrong[_T_LEFT_OUT] = partial(_gradients, settings._replace(temperature=1.0), rows)
    if settings.ignores:
        used, share = rows.used[:, None], float(divisor) / row_count
        wrong["ignored rows that are not zero"] = lambda: np.where(used, n, lines)
        wrong["ignored rows that are not zero, and count in the mean"] = lambda: np.where(
            used, n * share, lines
        )
    for name, variant in others.items():
        kept = replace(rows, samples=variant.samples(rows))
        wrong[name] = partial(_gradients, variant.settings, kept)
    return n, rounding.of_loss(n, rows.values, weighted, unit), wrong


def loss_rows(settings: LossSettings, block: Block, rounding: Rounding) -> RowComparison | None:
    """Compare the claimed gradients of a block with those of the reduced loss."""
    rows, T, claimed = settings.rows(block), settings.temperature, block.claimed
    if claimed is None or not (computes(claimed) and computes(rows.values, T)):
        return None
    weighted = settings.weights.weighted(rows.targets, rows.samples, slice(None))
    compare = partial(
        row_errors,
        rows.values,
        weighted,
        claimed,
        temperature=T,
        count=settings.gradient_divisor or 1.0,
        base=BASES[settings.base],
    )
    return rounding.rows_of_loss(rows.values, weighted, _unit(settings), compare)


def _unit(settings: LossSettings) -> float:
    """Return what gradients are divided by, but for the temperature."""
    return factor(count=settings.gradient_divisor or 1.0, base=BASES[settings.base]).high


def _gradients(settings: LossSettings, rows: LossRows) -> NDArray[np.float64]:
    result = np.empty_like(rows.values, np.float64)
    row_losses_and_gradients(
        rows.values,
        rows.targets,
        temperature=settings.temperature,
        count=settings.gradient_divisor or 1.0,
        base=BASES[settings.base],
        out=result,
        weights=settings.weights,
        samples=rows.samples,
    )
    return result
