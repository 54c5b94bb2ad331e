"""The exact gradients that a file should hold, and what common mistakes would make of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.gradients.variants import Variant
from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows, factor
from softmax_cli.core.gradcheck.rounding import Rounding, Tolerances
from softmax_cli.core.loss.row_losses import row_losses_and_gradients
from softmax_cli.core.loss.weights import WeightedTargets, Weights
from softmax_cli.core.softmax import jacobian
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.loss_rows import LossRows, LossSettings

if TYPE_CHECKING:
    from fractions import Fraction

Wrong = dict[str, Callable[[], NDArray[Any]]]
_T_LEFT_OUT = "the temperature left out"
_JACOBIANS: dict[str, Callable[..., NDArray[Any]]] = {
    "softmax": jacobian.softmax_jacobian,
    "log-softmax": jacobian.log_softmax_jacobian,
}
_PRODUCTS: dict[str, Callable[..., NDArray[Any]]] = {
    "softmax": jacobian.softmax_vjp,
    "log-softmax": jacobian.log_softmax_vjp,
}


class Reference(NamedTuple):
    """The exact gradients of some rows, their tolerances, and common wrong gradients by name."""

    gradients: NDArray[np.float64]
    tolerances: Tolerances
    wrong: Wrong


# Takes the rows, the lines of the gradient file for these rows, and the rounding of the file.
Exact = Callable[[Block, NDArray[Any], Rounding], Reference]


def derivative_reference(
    function: str, T: float, block: Block, _lines: NDArray[Any], rounding: Rounding
) -> Reference:
    """Return Jacobians of softmax or log-softmax, times upstream gradients if the block has any."""
    a = wide(block.values)
    v = None if block.partner is None else np.asarray(block.partner, np.float64)
    other = "log-softmax" if function == "softmax" else "softmax"

    def derivative(of: str, T: float) -> NDArray[np.float64]:
        if v is None:
            return wide(_JACOBIANS[of](a, temperature=T))
        return wide(_PRODUCTS[of](a, v, temperature=T))

    n = derivative(function, T)
    if v is None:
        kind, tolerances = "Jacobian", rounding.of_jacobian(n, a, function)
        identity = np.eye(a.shape[-1])
        wrong: Wrong = {
            "a Jacobian with only its diagonal": lambda: n * identity,
            "a transposed matrix": lambda: np.swapaxes(n, 1, 2),
            "a Jacobian without its diagonal term": lambda: n * (1 - identity),
        }
    else:
        kind, tolerances = "gradient", rounding.of_product(n, a, v, function)
        wrong = _wrong_products(function, a, v, T)
    if T != 1:
        wrong[_T_LEFT_OUT] = partial(derivative, function, 1.0)
    wrong[f"the {kind} of {other}"] = partial(derivative, other, T)
    return Reference(n, tolerances, wrong)


def _wrong_products(function: str, a: Rows, v: Rows, T: float) -> Wrong:
    is_softmax = function == "softmax"
    result = "probabilities" if is_softmax else "log-probabilities"

    def only_diagonal() -> Rows:
        P = softmax(a, temperature=T)
        return v * (P * (1 - P) if is_softmax else 1 - P) / T

    def without_sum() -> Rows:
        return v * (softmax(a, temperature=T) if is_softmax else 1) / T

    return {
        f"a gradient with respect to the {result}, not the logits": lambda: v,
        "a Jacobian with only its diagonal": only_diagonal,
        "a missing sum over the classes": without_sum,
    }


@dataclass(frozen=True)
class LossReference:
    """Gradients of the reduced loss with respect to the logits.

    rows      of all files together; 1 if unknown
    variants  losses with an option left out, by name
    """

    form: LossSettings
    temperature: float
    base: float
    divisor: Fraction | float
    rows: int
    variants: dict[str, Variant]

    def factors(self) -> dict[str, float]:
        """Return factors by which gradients of this loss are often wrong."""
        divisor, factors = float(self.divisor), {}
        if divisor not in (1, self.rows):
            factors["a missing division by the denominator of the mean"] = divisor
            factors["a division by all rows, not by what they weigh or by those used"] = (
                divisor / max(1, self.rows)
            )
        if self.base == 10:
            factors["a factor of ln 10"] = math.log(10)
        return factors

    def of(self, block: Block, lines: NDArray[Any], rounding: Rounding) -> Reference:
        """Return the exact gradients of a block."""
        rows, weights = self.form.rows(block), self.form.weights
        n = self._gradients(rows, weights, self.divisor, self.temperature)
        wanted = weights.wanted(rows.targets, rows.samples, slice(None))
        unit = factor(count=self.divisor, base=self.base).high
        tolerances = rounding.of_loss(n, wide(rows.values), wanted, unit)
        return Reference(n, tolerances, self._wrong(rows, wanted, lines, n, unit))

    def _gradients(
        self, rows: LossRows, weights: Weights, divisor: Fraction | float, T: float
    ) -> NDArray[np.float64]:
        result = np.empty_like(rows.values, np.float64)
        row_losses_and_gradients(
            rows.values,
            rows.targets,
            temperature=T,
            count=divisor,
            base=self.base,
            out=result,
            weights=weights,
            samples=rows.samples,
        )
        return result

    def _wrong(
        self,
        rows: LossRows,
        wanted: WeightedTargets,
        lines: NDArray[Any],
        n: NDArray[np.float64],
        unit: float,
    ) -> Wrong:
        T = self.temperature
        gradients = partial(self._gradients, weights=self.form.weights, divisor=self.divisor)

        def targets() -> NDArray[Any]:
            """Return w(j) Y'(j), times the sample weight."""
            if wanted.is_soft:
                return wanted.scaled_targets()
            Y = np.zeros_like(n)
            np.put_along_axis(Y, wanted.targets, 1.0, -1)
            return wanted.scaled(Y)

        def shifted_labels(step: int) -> NDArray[Any]:
            labels = rows.targets
            if rows.labels() is None:
                return np.full_like(n, np.nan)
            moved = (labels + step) % n.shape[-1] if labels.ndim == 1 else np.roll(labels, step, -1)
            return gradients(replace(rows, targets=moved), T=T)

        wrong: Wrong = {
            "the missing -1 at the label": lambda: n + targets() / (unit * T),
            "a gradient with respect to the probabilities, not the logits": lambda: (
                -targets() / (unit * softmax(wide(rows.values), temperature=T))
            ),
            "labels off by one: too high": partial(shifted_labels, 1),
            "labels off by one: too low": partial(shifted_labels, -1),
        }
        if T != 1:
            wrong[_T_LEFT_OUT] = partial(gradients, rows, T=1.0)
        if self.form.ignores:
            used = rows.used[:, None]
            share = float(self.divisor) / max(1, self.rows)
            wrong["ignored rows that are not zero"] = lambda: np.where(used, n, lines)
            wrong["ignored rows that are not zero, and count in the mean"] = lambda: np.where(
                used, n * share, lines
            )
        for name, variant in self.variants.items():
            kept = replace(rows, samples=variant.samples(rows))
            wrong[name] = partial(self._gradients, kept, variant.weights, variant.divisor, T)
        return wrong
