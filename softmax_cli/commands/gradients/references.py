"""The exact gradients that a file should hold, and what wrong ones would look like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from softmax_cli.commands.gradients.variants import Variant, used_alone
from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows, factor
from softmax_cli.core.gradcheck.diagnosis import common_factors
from softmax_cli.core.gradcheck.rounding import Rounding, Tolerances
from softmax_cli.core.loss.row_losses import row_losses_and_gradients
from softmax_cli.core.loss.weights import WeightedTargets, Weights
from softmax_cli.core.softmax import jacobian as jacobians
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.formats.model.blocks import Block
from softmax_cli.losses.loss_rows import LossForm, LossRows

if TYPE_CHECKING:
    from fractions import Fraction

Wrong = dict[str, Callable[[], NDArray[Any]]]
LEFT_OUT = "the temperature left out"


class Reference(NamedTuple):
    """The exact gradients of some rows, their tolerances, and what wrong ones would be."""

    gradients: NDArray[np.float64]
    judged: Tolerances
    wrong: Wrong


class References(Protocol):
    """What computes the references of a form of the command."""

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""

    def of(self, block: Block, lines: NDArray[Any], rounding: Rounding) -> Reference:
        """Return the references of a block's rows, whose gradients were given as lines."""

    def factors(self) -> dict[str, float]:
        """Return the factors that such gradients are often wrong by."""


@dataclass(frozen=True)
class JacobianReference:
    """Jacobians of softmax or log-softmax, a matrix a row."""

    function: str
    temperature: float
    rows: int = 1

    def of(self, block: Block, lines: NDArray[Any], rounding: Rounding) -> Reference:  # noqa: ARG002
        """Return exact Jacobians."""
        a, T = wide(block.values), self.temperature
        n = self._jacobian(a, T)
        N = a.shape[-1]
        wrong: Wrong = {
            "a Jacobian with only its diagonal": lambda: n * np.eye(N),
            "a transposed matrix": lambda: np.swapaxes(n, 1, 2),
            "a Jacobian without its diagonal term": lambda: n * (1 - np.eye(N)),
        }
        if T != 1:
            wrong[LEFT_OUT] = lambda: self._jacobian(a, 1.0)
        other = "log-softmax" if self.function == "softmax" else "softmax"
        wrong[f"the Jacobian of {other}"] = lambda: replace(self, function=other)._jacobian(a, T)
        return Reference(n, rounding.of_jacobian(n, a, self.function), wrong)

    def factors(self) -> dict[str, float]:
        """Return common ones."""
        return common_factors(self.rows, self.temperature)

    def _jacobian(self, a: Rows, T: float) -> NDArray[np.float64]:
        whole = (
            jacobians.softmax_jacobian
            if self.function == "softmax"
            else jacobians.log_softmax_jacobian
        )
        return wide(whole(a, temperature=T))


@dataclass(frozen=True)
class ProductReference:
    """An upstream gradient times the Jacobian of softmax or log-softmax."""

    function: str
    temperature: float
    rows: int = 1

    def of(self, block: Block, lines: NDArray[Any], rounding: Rounding) -> Reference:  # noqa: ARG002
        """Return exact products."""
        a, T = wide(block.values), self.temperature
        v = np.asarray(block.partner, dtype=np.float64)
        n = self._product(a, v, T)
        of_result = "probabilities" if self.function == "softmax" else "log-probabilities"

        def probabilities() -> Rows:
            return wide(softmax(a, temperature=T))

        wrong: Wrong = {
            f"a gradient with respect to the {of_result}, not the logits": lambda: v,
            "a Jacobian with only its diagonal": lambda: (
                v
                * (
                    probabilities() * (1 - probabilities())
                    if self.function == "softmax"
                    else 1 - probabilities()
                )
                / T
            ),
            "a missing sum over the classes": lambda: (
                v * (probabilities() if self.function == "softmax" else 1) / T
            ),
        }
        if T != 1:
            wrong[LEFT_OUT] = lambda: self._product(a, v, 1.0)
        other = "log-softmax" if self.function == "softmax" else "softmax"
        wrong[f"the gradient of {other}"] = lambda: replace(self, function=other)._product(a, v, T)
        return Reference(n, rounding.of_product(n, a, v, self.function), wrong)

    def factors(self) -> dict[str, float]:
        """Return common ones."""
        return common_factors(self.rows, self.temperature)

    def _product(self, a: Rows, v: Rows, T: float) -> NDArray[np.float64]:
        product = jacobians.softmax_vjp if self.function == "softmax" else jacobians.log_softmax_vjp
        return wide(product(a, v, temperature=T))


@dataclass(frozen=True)
class LossReference:
    """Gradients of the reduced loss with respect to the logits.

    rows      how many there are, if that is known
    variants  losses that leave something out, by name
    """

    form: LossForm
    temperature: float
    base: float
    divisor: Fraction | float
    rows: int = 1
    variants: dict[str, Variant] = field(default_factory=dict)

    def of(self, block: Block, lines: NDArray[Any], rounding: Rounding) -> Reference:
        """Return exact gradients."""
        rows = self.form.rows(block)
        n = self._gradients(rows, self.form.weights, self.divisor)
        wanted = self._wanted(rows)
        judged = rounding.of_loss(n, wide(rows.values), wanted, self._unit)
        return Reference(n, judged, self._wrong(rows, wanted, lines, n))

    def factors(self) -> dict[str, float]:
        """Return common ones, and those of a mean that is divided by something else."""
        factors = common_factors(self.rows, self.temperature)
        divisor = float(self.divisor)
        if divisor not in (1, self.rows):
            factors["a missing division by the denominator of the mean"] = divisor
            factors["a division by all rows, not by what they weigh or by those used"] = (
                divisor / max(1, self.rows)
            )
        if self.base == 10:
            factors["a factor of ln 10"] = math.log(10)
        return factors

    @property
    def _unit(self) -> float:
        return factor(count=self.divisor, base=self.base).high

    def _wanted(self, rows: LossRows) -> WeightedTargets:
        return self.form.weights.wanted(rows.targets, rows.samples, slice(None))

    def _gradients(
        self, rows: LossRows, weights: Weights, divisor: Fraction | float, T: float | None = None
    ) -> NDArray[np.float64]:
        result = np.empty_like(rows.values, np.float64)
        row_losses_and_gradients(
            rows.values,
            rows.targets,
            temperature=self.temperature if T is None else T,
            count=divisor,
            base=self.base,
            out=result,
            weights=weights,
            samples=rows.samples,
        )
        return result

    def _wrong(
        self, rows: LossRows, wanted: WeightedTargets, lines: NDArray[Any], n: NDArray[np.float64]
    ) -> Wrong:
        weights, T, unit = self.form.weights, self.temperature, self._unit

        def targets() -> NDArray[Any]:
            """Return w(j) Y'(j), times the sample weight."""
            if wanted.is_soft:
                return wanted.scaled_targets()
            Y = np.zeros_like(n)
            np.put_along_axis(Y, wanted.targets, 1.0, -1)
            return wanted.scaled(Y)

        def by_one(step: int) -> NDArray[Any]:
            labels = rows.targets
            if rows.labels() is None:
                return np.full_like(n, np.nan)
            moved = (labels + step) % n.shape[-1] if labels.ndim == 1 else np.roll(labels, step, -1)
            return self._gradients(rows._replace(targets=moved), weights, self.divisor)

        wrong: Wrong = {
            "the missing -1 at the label": lambda: n + targets() / (unit * T),
            "a gradient with respect to the probabilities, not the logits": lambda: (
                -targets() / (unit * softmax(wide(rows.values), temperature=T))
            ),
            "labels off by one: too high": lambda: by_one(1),
            "labels off by one: too low": lambda: by_one(-1),
        }
        if T != 1:
            wrong[LEFT_OUT] = lambda: self._gradients(rows, weights, self.divisor, 1.0)
        if self.form.ignores:
            used = rows.used[:, None]
            share = float(self.divisor) / max(1, self.rows)
            wrong["ignored rows that are not zero"] = lambda: np.where(used, n, lines)
            wrong["ignored rows that are not zero, and count in the mean"] = lambda: np.where(
                used, n * share, lines
            )
        for name, variant in self.variants.items():
            wrong[name] = partial(self._left_out, rows, variant)
        return wrong

    def _left_out(self, rows: LossRows, variant: Variant) -> NDArray[np.float64]:
        if not variant.with_samples:
            rows = rows._replace(samples=used_alone(rows.used))
        return self._gradients(rows, variant.weights, variant.divisor)
