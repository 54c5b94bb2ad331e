"""Gradients of cross-entropy in files, for which the command line has an exact reference."""

from __future__ import annotations

import numpy as np

from tests.mutants.cases import Case
from tests.mutants.loss_gradients import (
    Tolerances,
    as_files,
    by_probabilities,
    clipped_log,
    labels_off_by_one,
    naive,
    of_changed,
    of_other,
    over_classes,
    softmax_over_rows,
    spoiled,
    squared_error_of_probabilities,
    through_no_normaliser,
    without_label,
)
from tests.mutants.losses import Family, confident, off_label, rows_of, with_offset
from tests.mutants.mutations import (
    entry_is,
    entry_times,
    last_rows_times,
    neighbours_swapped,
    rolled,
    row_times,
    shifted,
    times,
)

T = 0.7
_PLAIN = rows_of(8, 10)
_LONG = rows_of(20_000, 10)


def _wrong(
    name: str, family: Family, judged: Tolerances, dtype: str = "float64", suffix: str = ".npy"
) -> Case:
    build = as_files(family, judged, dtype, suffix)
    return Case(f"{suffix} {dtype}: {name}", "files", False, build)


def _right(
    name: str,
    family: Family,
    dtype: str = "float64",
    suffix: str = ".npy",
    *,
    may_be_vacuous: bool = False,
) -> Case:
    build = as_files(family, naive, dtype, suffix)
    return Case(f"{suffix} {dtype}: {name}", "files", True, build, may_be_vacuous)


_WRONG = [
    _wrong("twice", _PLAIN, spoiled(times(2))),
    _wrong("the sign", _PLAIN, spoiled(times(-1))),
    _wrong("times ln 2", _PLAIN, spoiled(times(float(np.log(2))))),
    _wrong("times the rows", _PLAIN, of_other(reduction="sum")),
    _wrong("of the mean", rows_of(8, 10, reduction="sum"), of_other(reduction="mean")),
    _wrong("a mean over the classes", _PLAIN, over_classes),
    _wrong("without 1/T", rows_of(8, 10, temperature=T), spoiled(times(T))),
    _wrong("at T = 1", rows_of(8, 10, temperature=T), of_other(temperature=1.0)),
    _wrong("labels off by one", _PLAIN, of_changed(labels_off_by_one)),
    _wrong("rows shuffled", _PLAIN, spoiled(rolled(0))),
    _wrong("classes shuffled", _PLAIN, spoiled(rolled(1))),
    _wrong("without -1 at the label", _PLAIN, without_label),
    _wrong("by the probabilities", _PLAIN, by_probabilities),
    _wrong("-Y, no normaliser", _PLAIN, through_no_normaliser),
    _wrong("of the squared error", _PLAIN, squared_error_of_probabilities),
    _wrong("softmax over the rows", _PLAIN, softmax_over_rows),
    _wrong("log(P + 1e-8)", confident(14.0, right=False), clipped_log(1e-8)),
    _wrong("random entry by 1e-4", _PLAIN, spoiled(entry_times("random", 1 + 1e-4))),
    _wrong("largest entry by 1e-4", _PLAIN, spoiled(entry_times("largest", 1 - 1e-4))),
    _wrong("entry of 1e-6 by 1e-4", off_label(1e-6), spoiled(entry_times("smallest", 1 + 1e-4))),
    _wrong("entry of 1e-12 twice", off_label(1e-12), spoiled(entry_times("smallest", 2.0))),
    _wrong("an entry 0", _PLAIN, spoiled(entry_is(0.0))),
    _wrong("entry of 1e-12 is 0", off_label(1e-12), spoiled(entry_times("smallest", 0.0))),
    _wrong("an entry NaN", _PLAIN, spoiled(entry_is(np.nan))),
    _wrong("an entry inf", _PLAIN, spoiled(entry_is(-np.inf))),
    _wrong("neighbours swapped", _PLAIN, spoiled(neighbours_swapped)),
    _wrong("a row 0", _PLAIN, spoiled(row_times(3, 0.0))),
    _wrong("off by 1e-3 of the largest", _PLAIN, spoiled(shifted(1e-3))),
    _wrong("soft targets, the sign", rows_of(8, 10, soft=True), spoiled(times(-1))),
    _wrong("soft targets, without Y", rows_of(8, 10, soft=True), without_label),
    _wrong("the last rows of many", _LONG, spoiled(last_rows_times(100, 2.0))),
    _wrong("largest entry by 1e-2", _PLAIN, spoiled(entry_times("largest", 1.01)), "float32"),
    _wrong("random entry by 1e-2", _PLAIN, spoiled(entry_times("random", 0.99)), "float32"),
    _wrong(
        "entry of 1e-6 by 1e-2", off_label(1e-6), spoiled(entry_times("smallest", 1.01)), "float32"
    ),
    _wrong(
        "entry of 1e-12 twice", off_label(1e-12), spoiled(entry_times("smallest", 2.0)), "float32"
    ),
    _wrong("the last rows of many", _LONG, spoiled(last_rows_times(10, 1.01)), "float32"),
    _wrong("one entry of many", _LONG, spoiled(entry_times("random", 0.5)), "float32"),
    _wrong("twice", _PLAIN, spoiled(times(2)), "float16"),
    _wrong("largest entry by 1/10", _PLAIN, spoiled(entry_times("largest", 1.1)), "float16"),
    _wrong("labels off by one", _PLAIN, of_changed(labels_off_by_one), "float16"),
    _wrong("neighbours swapped", _PLAIN, spoiled(rolled(1)), "float16"),
    _wrong("half of it", _PLAIN, spoiled(times(0.5)), "bfloat16"),
    _wrong("without -1 at the label", _PLAIN, without_label, "bfloat16"),
    _wrong("a row 0", _PLAIN, spoiled(row_times(3, 0.0)), "bfloat16"),
    _wrong("largest entry by 1/2", _PLAIN, spoiled(entry_times("largest", 1.5)), "bfloat16"),
    _wrong("1000 classes, twice", rows_of(4, 1000), spoiled(times(2)), "bfloat16"),
    _wrong("random entry by 1e-4", _PLAIN, spoiled(entry_times("random", 1.0001)), suffix=".csv"),
    _wrong("of the sum", _PLAIN, of_other(reduction="sum"), suffix=".csv"),
    _wrong("classes shuffled", _PLAIN, spoiled(rolled(1)), suffix=".csv"),
]

_RIGHT = [
    _right("labels", _PLAIN),
    _right("soft targets", rows_of(8, 10, soft=True)),
    _right("sum", rows_of(8, 10, reduction="sum")),
    _right("none", rows_of(8, 10, reduction="none")),
    _right("batch-mean", rows_of(8, 10, reduction="batch-mean")),
    _right("bits", rows_of(8, 10, base=2.0)),
    _right("T = 0.1", rows_of(8, 10, temperature=0.1)),
    _right("T = 30", rows_of(8, 10, temperature=30.0)),
    _right("logits of 1e-6", rows_of(8, 10, spread=1e-6)),
    _right("logits of 1e6", rows_of(8, 10, spread=1e6), may_be_vacuous=True),
    _right("logits + 1e6", with_offset(1e6)),
    _right("an entry of 1e-12", off_label(1e-12)),
    _right("confident and right", confident(20.0), may_be_vacuous=True),
    _right("surely right", confident(60.0), may_be_vacuous=True),
    _right("confident and wrong", confident(40.0, right=False)),
    _right("one class", rows_of(8, 1), may_be_vacuous=True),
    _right("1000 classes", rows_of(4, 1000)),
    _right("many rows", _LONG),
    _right("labels", _PLAIN, "float32"),
    _right("soft targets", rows_of(8, 10, soft=True), "float32"),
    _right("T = 0.7", rows_of(8, 10, temperature=T), "float32"),
    _right("logits + 1e3", with_offset(1e3), "float32"),
    _right("an entry of 1e-6", off_label(1e-6), "float32"),
    _right("an entry of 1e-12", off_label(1e-12), "float32"),
    _right("confident and right", confident(12.0), "float32", may_be_vacuous=True),
    _right("surely right", confident(60.0), "float32", may_be_vacuous=True),
    _right("1000 classes", rows_of(4, 1000), "float32"),
    _right("many rows", _LONG, "float32"),
    _right("labels", _PLAIN, "float16"),
    _right("soft targets", rows_of(8, 10, soft=True), "float16"),
    _right("confident and right", confident(6.0), "float16", may_be_vacuous=True),
    _right("1000 classes", rows_of(4, 1000), "float16"),
    _right("labels", _PLAIN, "bfloat16"),
    _right("soft targets", rows_of(8, 10, soft=True), "bfloat16"),
    _right("1000 classes", rows_of(4, 1000), "bfloat16"),
    _right("confident and right", confident(4.0), "bfloat16", may_be_vacuous=True),
    _right("labels", _PLAIN, suffix=".csv"),
    _right("soft targets", rows_of(8, 10, soft=True), suffix=".csv"),
    _right("many rows", rows_of(2000, 10), suffix=".csv"),
]

FILE_CASES = [*_WRONG, *_RIGHT]
