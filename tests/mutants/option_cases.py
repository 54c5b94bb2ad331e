"""Gradient files of losses with the other options of `xent`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.mutants.cases import Array, Build, Case, Files, Problem, Random
from tests.mutants.dtypes import rounding
from tests.mutants.loss_gradients import (
    Tolerances,
    as_files,
    ignored_taken_for_zero,
    naive,
    of_changed,
    of_files,
    of_other,
    spoiled,
    through_log_softmax_alone,
    without_label,
)
from tests.mutants.losses import IGNORED, Family, Loss, Reduction, low_weight, rows_of
from tests.mutants.mutations import last_rows_times, row_times, times

_SMOOTH = rows_of(8, 10, smoothing=0.1)
_OF_CLASSES = rows_of(8, 10, class_weights=True)
_OF_ROWS = rows_of(8, 10, sample_weights=True)
_IGNORED = rows_of(8, 10, ignored=True)
_MASKED = rows_of(8, 10, masked=True)
_SOFT_WEIGHTED = rows_of(8, 10, soft=True, class_weights=True, sample_weights=True)


def _everything(reduction: Reduction) -> Family:
    return rows_of(
        12,
        7,
        smoothing=0.2,
        temperature=0.7,
        class_weights=True,
        sample_weights=True,
        ignored=True,
        masked=True,
        base=2.0,
        reduction=reduction,
    )


_EVERYTHING = _everything("mean")

Written = Callable[[Loss, Array, Array, Random], Files]


def _in(family: Family, judged: Tolerances, write: Written) -> Build:
    """Return a case whose files are written in another way; its gradient is float64."""

    def build(random: Random) -> Problem:
        loss, logits = family(random)
        gradient = judged(loss, logits, rounding("float64"), random)
        return of_files(loss, logits, gradient, "float64", write(loss, logits, gradient, random))

    return build


def _label_column(loss: Loss, logits: Array, gradient: Array, _: Random) -> Files:
    names = [f"c{number}" for number in range(loss.classes)]
    lines = [",".join([*names, "label"])]
    for row, label in zip(logits.tolist(), np.asarray(loss.labels).tolist(), strict=True):
        lines.append(",".join([*map(repr, row), names[label] if label != IGNORED else "none"]))
    arrays: dict[str, Array | str] = {"--logits": "\n".join(lines), "--grad": gradient}
    ignored = "" if loss.used.all() else " --ignore-label none"
    return Files("--grad", arrays, f" --label-column label{ignored}", ".csv")


def _not_normal(loss: Loss, logits: Array, gradient: Array, random: Random) -> Files:
    """Targets that are counts: only divided by their sums are they distributions."""
    counts = np.asarray(loss.soft) * random.uniform(2, 9, (len(logits), 1))
    arrays: dict[str, Array | str] = {"--logits": logits, "--targets": counts, "--grad": gradient}
    return Files("--grad", arrays, " --normalize")


def _rows_scaled(gradient: Array, random: Random) -> Array:
    return gradient * random.uniform(2, 9, (len(gradient), 1))


def _divided_by_weights_too_many(loss: Loss) -> Loss:
    """A mean over the class weights alone, where row weights count in it too."""
    assert loss.sample_weights is not None
    return replace(loss, sample_weights=loss.sample_weights / loss.sample_weights.mean())


def _wrong(name: str, build: Build) -> Case:
    return Case(f"options: {name}", "files", False, build)


def _right(name: str, build: Build) -> Case:
    return Case(f"options: {name}", "files", True, build)


_WRONG = [
    _wrong("without smoothing", as_files(_SMOOTH, of_other(smoothing=0.0))),
    _wrong("smoothing of 0.11", as_files(_SMOOTH, of_other(smoothing=0.11))),
    _wrong("without class weights", as_files(_OF_CLASSES, of_other(class_weights=None))),
    _wrong("class weights, over the rows", as_files(_OF_CLASSES, of_other(reduction="batch-mean"))),
    _wrong("without row weights", as_files(_OF_ROWS, of_other(sample_weights=None))),
    _wrong("row weights, over the rows", as_files(_OF_ROWS, of_other(reduction="batch-mean"))),
    _wrong("a row that weighs 1e-6 twice", as_files(low_weight, spoiled(row_times(0, 2.0)))),
    _wrong(
        "a row that weighs 1e-6 by 1e-2",
        as_files(low_weight, spoiled(row_times(0, 1.01)), "float32"),
    ),
    _wrong("ignored rows not 0", as_files(_IGNORED, of_changed(ignored_taken_for_zero))),
    _wrong("ignored rows counted", as_files(_IGNORED, spoiled(times(6 / 8)))),
    _wrong("masked class takes part", as_files(_MASKED, of_other(masked=None))),
    _wrong(
        "weighted targets, their sum taken for 1",
        as_files(_SOFT_WEIGHTED, through_log_softmax_alone),
    ),
    _wrong("everything, without -1 at the label", as_files(_EVERYTHING, without_label)),
    _wrong("everything, in nats", as_files(_EVERYTHING, of_other(base=np.e))),
    _wrong(
        "everything, last row by 1e-3", as_files(_EVERYTHING, spoiled(last_rows_times(1, 1.001)))
    ),
    _wrong("bits, in digits", as_files(rows_of(8, 10, base=2.0), of_other(base=10.0))),
    _wrong(
        "everything, weights in the sum",
        as_files(
            rows_of(8, 10, class_weights=True, sample_weights=True, reduction="sum"),
            of_changed(_divided_by_weights_too_many),
        ),
    ),
    _wrong("label column, twice", _in(rows_of(8, 4), spoiled(times(2)), _label_column)),
    _wrong(
        "targets not normalised", _in(rows_of(8, 4, soft=True), spoiled(_rows_scaled), _not_normal)
    ),
]

_RIGHT = [
    _right("smoothing", as_files(_SMOOTH, naive)),
    _right("smoothing, float32", as_files(_SMOOTH, naive, "float32")),
    _right("smoothing of 1", as_files(rows_of(8, 10, smoothing=1.0), naive)),
    _right("class weights", as_files(_OF_CLASSES, naive)),
    _right("class weights, float32", as_files(_OF_CLASSES, naive, "float32")),
    _right("row weights", as_files(_OF_ROWS, naive)),
    _right("row weights, bfloat16", as_files(_OF_ROWS, naive, "bfloat16")),
    _right("a row that weighs 1e-6", as_files(low_weight, naive)),
    _right("a row that weighs 1e-6, float32", as_files(low_weight, naive, "float32")),
    _right("ignored rows", as_files(_IGNORED, naive)),
    _right("ignored rows, float16", as_files(_IGNORED, naive, "float16")),
    _right("a masked class", as_files(_MASKED, naive)),
    _right("a masked class, float32", as_files(_MASKED, naive, "float32")),
    _right("weighted soft targets", as_files(_SOFT_WEIGHTED, naive)),
    _right(
        "smooth soft targets",
        as_files(rows_of(8, 10, soft=True, smoothing=0.3, class_weights=True), naive),
    ),
    _right("everything at once", as_files(_EVERYTHING, naive)),
    _right("everything at once, float32", as_files(_EVERYTHING, naive, "float32")),
    _right("everything at once, over the rows", as_files(_everything("batch-mean"), naive)),
    _right("digits", as_files(rows_of(8, 10, base=10.0), naive)),
    _right("label column", _in(rows_of(8, 4), naive, _label_column)),
    _right("label column, ignored", _in(rows_of(8, 4, ignored=True), naive, _label_column)),
    _right("normalised targets", _in(rows_of(8, 4, soft=True), naive, _not_normal)),
]

OPTION_CASES = [*_WRONG, *_RIGHT]
