"""Gradients of cross-entropy, right and wrong, as functions or as files of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.mutants.cases import Array, Build, Files, Problem, Random
from tests.mutants.dtypes import Rounding, rounding, stored
from tests.mutants.losses import IGNORED, Family, Loss
from tests.mutants.mutations import Mutation

# Takes the loss, logits (rows, classes), the rounding of a type, and a source of chance.
Tolerances = Callable[[Loss, Array, Rounding, Random], Array]


def naive(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """P - Y, as anyone would write it."""
    return loss.gradient(logits, rounded)


def spoiled(mutation: Mutation) -> Tolerances:
    """Return the right gradient, mutated."""
    return lambda loss, logits, rounded, random: rounded(
        mutation(loss.gradient(logits, rounded), random)
    )


def of_other(**settings: Any) -> Tolerances:
    """Return the gradient of a loss with other settings."""
    return lambda loss, logits, rounded, _: replace(loss, **settings).gradient(logits, rounded)


def of_changed(change: Callable[[Loss], Loss]) -> Tolerances:
    """Return the gradient of the loss that a change makes of this one."""
    return lambda loss, logits, rounded, _: change(loss).gradient(logits, rounded)


def labels_off_by_one(loss: Loss) -> Loss:
    """Count labels from 1 where they count from 0."""
    labels = np.asarray(loss.labels)
    return replace(loss, labels=np.where(loss.used, (labels + 1) % loss.classes, IGNORED))


def ignored_taken_for_zero(loss: Loss) -> Loss:
    """Take ignored rows for rows of class 0, in a mean over those that were to be used."""
    labels = np.where(loss.used, np.asarray(loss.labels), 0)
    share = len(labels) / loss.used.sum()
    return replace(loss, labels=labels, sample_weights=np.full(len(labels), share))


def without_label(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """P alone, without the -1 at the label."""
    P = loss.probabilities(logits, rounded)
    return rounded(P * loss.row_weights[:, None] / loss.temperature)


def by_probabilities(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """-Y / P: the gradient with respect to the probabilities."""
    P = loss.probabilities(logits, rounded)
    return rounded(-loss.targets / P * loss.row_weights[:, None])


def through_no_normaliser(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """-Y: the sum of the exponentials taken for a constant."""
    slope = -loss.targets * loss.row_weights[:, None] / loss.temperature
    return rounded(np.broadcast_to(slope, logits.shape))


def clipped_log(epsilon: float) -> Tolerances:
    """Return the gradient of -log(P + epsilon)."""

    def gradient(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
        P = loss.probabilities(logits, rounded)
        by_P = -loss.targets / (P + epsilon) * loss.row_weights[:, None]
        return rounded(P * (by_P - (P * by_P).sum(axis=-1, keepdims=True)) / loss.temperature)

    return gradient


def squared_error_of_probabilities(
    loss: Loss, logits: Array, rounded: Rounding, _: Random
) -> Array:
    """P (v - P.v) with v = P - Y: the gradient of another loss."""
    P = loss.probabilities(logits, rounded)
    v = P - loss.targets
    by_logits = P * (v - (P * v).sum(axis=-1, keepdims=True)) / loss.temperature
    return rounded(by_logits * loss.row_weights[:, None])


def softmax_over_rows(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """Exponentials divided by their sums along the wrong axis."""
    exponentials = np.exp(logits / loss.temperature)
    P = exponentials / exponentials.sum(axis=0)
    return rounded((P - loss.targets) * loss.row_weights[:, None] / loss.temperature)


def over_classes(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """A mean over the classes in place of the rows."""
    return rounded(loss.gradient(logits, rounded) * len(loss.rows) / loss.classes)


def through_log_softmax_alone(loss: Loss, logits: Array, rounded: Rounding, _: Random) -> Array:
    """v - P: the gradient of log P with an upstream v whose sum was taken for 1."""
    P = loss.probabilities(logits, rounded)
    return rounded((P - loss.targets) * loss.row_weights[:, None] / loss.temperature)


def as_function(
    family: Family,
    judged: Tolerances,
    dtype: str = "float64",
    offset: float = 0.0,
    scale: float = 1.0,
) -> Build:
    """Return a case of the loss as a function of the flattened logits: offset + scale loss."""

    def build(random: Random) -> Problem:
        loss, logits, gradient = _drawn(family, judged, dtype, random)
        return Problem(
            lambda x: offset + scale * loss.value(x),
            lambda x: scale * loss.gradient(x.reshape(logits.shape)).ravel(),
            lambda x: (scale * gradient(x.reshape(logits.shape)).ravel()).astype(dtype),
            logits.reshape(1, -1),
            dtype,
            scale * _natural(loss),
        )

    return build


def as_files(
    family: Family, judged: Tolerances, dtype: str = "float64", suffix: str = ".npy"
) -> Build:
    """Return a case of the loss whose logits and gradient are files of a type."""

    def build(random: Random) -> Problem:
        loss, logits, gradient = _drawn(family, judged, dtype, random)
        written = gradient(logits)
        arrays, options = command_line(loss)
        files = Files(
            "--grad",
            {"--logits": stored(logits, dtype), **arrays, "--grad": stored(written, dtype)},
            options + (f" --dtype {dtype}" if dtype == "bfloat16" else ""),
            suffix,
        )
        return of_files(loss, logits, written, dtype, files)

    return build


def of_files(loss: Loss, logits: Array, written: Array, dtype: str, files: Files) -> Problem:
    """Return the problem of a gradient file: its function is the loss of the flattened logits."""
    return Problem(
        loss.value,
        lambda x: loss.gradient(x.reshape(logits.shape)).ravel(),
        lambda _: written.ravel(),
        logits.reshape(1, -1),
        dtype,
        _natural(loss),
        files=files,
    )


def command_line(loss: Loss) -> tuple[dict[str, Array | str], str]:
    """Return the arrays, by their option, and the options that say what the loss is."""
    arrays: dict[str, Array | str] = {}
    for option, array in (
        ("--labels", loss.labels),
        ("--targets", loss.soft),
        ("--class-weights", loss.class_weights),
        ("--sample-weights", loss.sample_weights),
    ):
        if array is not None:
            arrays[option] = array
    said = {
        "--temperature": None if loss.temperature == 1 else loss.temperature,
        "--reduction": None if loss.reduction == "mean" else loss.reduction,
        "--label-smoothing": loss.smoothing or None,
        "--ignore-label": None if loss.used.all() else IGNORED,
        "--mask-class": loss.masked,
        "--base": None if loss.base == np.e else f"{loss.base:g}",
    }
    return arrays, "".join(f" {name} {value}" for name, value in said.items() if value is not None)


def _drawn(
    family: Family, judged: Tolerances, dtype: str, random: Random
) -> tuple[Loss, Array, Callable[[Array], Array]]:
    rounded = rounding(dtype)
    loss, logits = family(random)
    seed = int(random.integers(2**32))

    def gradient(at: Array) -> Array:
        return judged(loss, at, rounded, np.random.default_rng(seed))

    return loss, rounded(logits), gradient


def _natural(loss: Loss) -> float:
    weighted = np.abs(loss.row_weights) * np.abs(loss.targets).sum(axis=-1)
    return float(weighted.max() / loss.temperature)
