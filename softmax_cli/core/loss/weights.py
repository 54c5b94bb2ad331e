"""Class weights, sample weights and label smoothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.exact.double_double import Rows, quotient, times, two_sum
from softmax_cli.core.exact.rows import FEW_CLASSES
from softmax_cli.errors import DomainError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Parts = tuple[Rows, Rows]

WEIGHTS_ARE = "weights are 0, or from 1e-150 to 1e150"


class WeightedTargets(NamedTuple):
    """Targets and scale of row losses: scale * -sum_k Y(k) log P(k).

    is_soft  whether the targets are Y (rows, classes), not labels (rows, 1)
    rest     (rows, classes) the rounding error of Y, or None
    scale    (rows, 1) as a double-double, None for 1
    """

    is_soft: bool
    targets: NDArray[Any]
    rest: Rows | None
    scale: Parts | None

    def rows(self, chosen: NDArray[np.intp]) -> WeightedTargets:
        """Return those of some rows."""
        rest = None if self.rest is None else self.rest[chosen]
        scale = None if self.scale is None else (self.scale[0][chosen], self.scale[1][chosen])
        return WeightedTargets(self.is_soft, self.targets[chosen], rest, scale)

    def scaled(self, values: Rows, rows: Any = ...) -> Rows:
        """Return values (rows, ...) times the scale."""
        return values if self.scale is None else values * self.scale[0][rows]

    def scaled_targets(self) -> Rows:
        """Return scale * Y, rounded once."""
        Y, rest = wide(self.targets), self.rest
        if self.scale is None:
            return Y if rest is None else Y + rest
        high, low = times(Y, self.scale[0])
        low += Y * self.scale[1]
        if rest is not None:
            low += rest * self.scale[0]
        result: Rows = high + low
        return result

    def clear(self, values: Rows) -> None:
        """Set the values of rows with weight 0 to 0; they may be NaN."""
        if self.scale is not None:
            values[self.scale[0][:, 0] == 0] = 0


@dataclass(frozen=True, eq=False)
class Weights:
    """Class weights w, and label smoothing E over the N classes that are not masked.

        Y'(k) = w(k) ((1 - E) Y(k) + E / N)

    classes     N, masked ones included; 0 until `over` sets it
    of_classes  (classes,) w; None for 1
    smoothing   E, from 0 to 1
    masked      classes without smoothing
    """

    classes: int = 0
    of_classes: Rows | None = None
    smoothing: float = 0.0
    masked: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        class_weights: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        mask_classes: Collection[int] = (),
    ) -> Weights:
        """Check the options; the number of classes is not known yet."""
        if not 0 <= label_smoothing <= 1:
            problem = f"the label smoothing is {label_smoothing}"
            raise DomainError(problem, "it must be from 0 to 1")
        given = class_weights
        of_classes = None if given is None else checked_weights(given, None, "class weights")
        return cls(0, of_classes, float(label_smoothing), tuple(mask_classes))

    def over(self, classes: int) -> Weights:
        """Return the weights for a number of classes, if they fit it."""
        if self.of_classes is not None and self.of_classes.shape != (classes,):
            problem = f"class weights of shape {self.of_classes.shape} do not fit {classes} classes"
            raise ShapeError(problem)
        outside = [number for number in self.masked if not 0 <= number < classes]
        if outside:
            raise DomainError(f"masked class {outside[0]} is out of range (0 to {classes - 1})")
        if len(set(self.masked)) == classes:
            raise DomainError("every class is masked", "at least one must remain")
        return replace(self, classes=classes)

    def of_rows(self, targets: NDArray[Any], samples: Rows | None) -> Parts | None:
        """Return the weight of each row in a mean, (rows,) as a double-double; None for 1.

        It is the sample weight, times the class weight of the label (rows,) if there are labels.
        """
        if targets.ndim == 2 or self.of_classes is None:
            return _exact(samples)
        of_labels = self.of_classes[targets]
        return _exact(of_labels) if samples is None else times(of_labels, samples)

    def weighted(self, targets: NDArray[Any], samples: Rows | None, rows: slice) -> WeightedTargets:
        """Return targets and scale of some rows; the arguments are those of `of_rows`."""
        targets, samples = targets[rows], None if samples is None else samples[rows]
        if targets.ndim == 1 and not self.smoothing:
            return WeightedTargets(
                False, targets[:, None], None, _as_column(self.of_rows(targets, samples))
            )
        soft = self._of_labels(targets) if targets.ndim == 1 else self._of_soft(wide(targets))
        return WeightedTargets(True, *soft, _as_column(_exact(samples)))

    def smoothed(self, Y: Rows) -> Rows:
        """Return smoothed distributions without class weights, rounded."""
        if not self.smoothing:
            return Y
        high, low = self._mixed(Y)
        return high + low

    def _of_labels(self, labels: NDArray[np.intp]) -> Parts:
        rows = np.arange(len(labels))
        # The memory order of `to_kernel_layout`.
        order: Literal["C", "F"] = "F" if self.classes < FEW_CLASSES else "C"
        of_label = self._weighted(*self._mixed(np.ones(self.classes)))
        of_others = self._weighted(*self._spread)
        parts = []
        for label, others in zip(of_label, of_others, strict=True):
            part = np.empty((len(labels), self.classes), order=order)
            part[:] = others
            part[rows, labels] = label[labels]
            parts.append(part)
        return parts[0], parts[1]

    def _of_soft(self, Y: Rows) -> tuple[Rows, Rows | None]:
        if self.smoothing:
            return self._weighted(*self._mixed(Y))
        return (Y, None) if self.of_classes is None else times(Y, self.of_classes)

    def _mixed(self, Y: Rows) -> Parts:
        """Return (1 - E) Y(k) + E / N."""
        kept = 1 - self.smoothing
        rest = (1 - kept) - self.smoothing
        high, low = times(Y, kept)
        spread, spread_rest = self._spread
        total, left = two_sum(high, spread)
        return total, left + (low + Y * rest + spread_rest)

    def _weighted(self, high: Rows, low: Rows) -> Parts:
        if self.of_classes is None:
            return high, low
        result, left = times(high, self.of_classes)
        return result, left + low * self.of_classes

    @cached_property
    def _spread(self) -> Parts:
        """E / N, and 0 for masked classes: (classes,) as a double-double."""
        mask = np.isin(np.arange(self.classes), self.masked)
        share = np.where(mask, 0, self.smoothing)
        return quotient(share, np.zeros_like(share), np.float64(self.classes - mask.sum()), 0.0)


def checked_weights(
    values: ArrayLike,
    shape: tuple[int, ...] | None,
    name: str,
    but: NDArray[np.bool_] | None = None,
) -> Rows:
    """Return weights as a flat float64 array after checking them, except those marked in `but`."""
    array = np.asarray(values, dtype=np.float64)
    if shape is not None and array.shape != shape:
        raise ShapeError(f"{name} of shape {array.shape} do not fit rows of shape {shape}")
    weights = array.reshape(-1)
    wrong = ~are_weights(weights)
    if but is not None:
        wrong &= ~but
    if wrong.any():
        raise DomainError(f"{name} hold {weights[wrong][0]:g}", WEIGHTS_ARE)
    return weights


def are_weights(values: Rows) -> NDArray[np.bool_]:
    """Return which numbers are allowed as weights: their products must be normal numbers."""
    result: NDArray[np.bool_] = (values == 0) | ((values >= 1e-150) & (values <= 1e150))
    return result


def _exact(values: Rows | None) -> Parts | None:
    return None if values is None else (values, np.zeros_like(values))


def _as_column(parts: Parts | None) -> Parts | None:
    return None if parts is None else (parts[0][:, None], parts[1][:, None])


UNWEIGHTED = Weights()
