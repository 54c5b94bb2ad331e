"""Cross-entropy of the flattened logits of a few rows, as a function."""

from __future__ import annotations

import numpy as np

from tests.mutants.cases import Case
from tests.mutants.loss_gradients import (
    Tolerances,
    as_function,
    by_probabilities,
    clipped_log,
    ignored_taken_for_zero,
    labels_off_by_one,
    naive,
    of_changed,
    of_other,
    over_classes,
    softmax_over_rows,
    spoiled,
    squared_error_of_probabilities,
    through_log_softmax_alone,
    through_no_normaliser,
    without_label,
)
from tests.mutants.losses import Family, confident, low_weight, off_label, rows_of, with_offset
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
_PLAIN = rows_of()
_EVERYTHING = rows_of(
    smoothing=0.1,
    temperature=T,
    class_weights=True,
    sample_weights=True,
    ignored=True,
    masked=True,
    base=2.0,
)


def _wrong(name: str, family: Family, judged: Tolerances, dtype: str = "float64") -> Case:
    return Case(f"loss: {name}", "functions", False, as_function(family, judged, dtype))


def _right(
    name: str,
    family: Family,
    dtype: str = "float64",
    *,
    offset: float = 0.0,
    scale: float = 1.0,
    may_be_vacuous: bool = False,
) -> Case:
    build = as_function(family, naive, dtype, offset, scale)
    return Case(f"loss: {name}", "functions", True, build, may_be_vacuous)


_WRONG = [
    _wrong("twice", _PLAIN, spoiled(times(2))),
    _wrong("the sign", _PLAIN, spoiled(times(-1))),
    _wrong("of the sum", _PLAIN, of_other(reduction="sum")),
    _wrong("of the mean", rows_of(reduction="sum"), of_other(reduction="mean")),
    _wrong("divided by the rows twice", _PLAIN, spoiled(times(1 / 6))),
    _wrong("a mean over the classes", _PLAIN, over_classes),
    _wrong("in bits", _PLAIN, of_other(base=2.0)),
    _wrong("without 1/T", rows_of(temperature=T), spoiled(times(T))),
    _wrong("1/T twice", rows_of(temperature=T), spoiled(times(1 / T))),
    _wrong("at another temperature", rows_of(temperature=T), of_other(temperature=1.0)),
    _wrong("labels off by one", _PLAIN, of_changed(labels_off_by_one)),
    _wrong("rows shuffled", _PLAIN, spoiled(rolled(0))),
    _wrong("classes shuffled", _PLAIN, spoiled(rolled(1))),
    _wrong("without -1 at the label", _PLAIN, without_label),
    _wrong("by the probabilities", _PLAIN, by_probabilities),
    _wrong("-Y, no normaliser", _PLAIN, through_no_normaliser),
    _wrong("of the squared error", _PLAIN, squared_error_of_probabilities),
    _wrong("softmax over the rows", _PLAIN, softmax_over_rows),
    _wrong("log(P + 1e-8)", confident(14.0, right=False), clipped_log(1e-8)),
    _wrong("log(P + 1e-3)", _PLAIN, clipped_log(1e-3)),
    _wrong("without smoothing", rows_of(smoothing=0.1), of_other(smoothing=0.0)),
    _wrong("without class weights", rows_of(class_weights=True), of_other(class_weights=None)),
    _wrong("without row weights", rows_of(sample_weights=True), of_other(sample_weights=None)),
    _wrong("ignored rows not 0", rows_of(ignored=True), of_changed(ignored_taken_for_zero)),
    _wrong("masked class takes part", rows_of(masked=True), of_other(masked=None)),
    _wrong(
        "weighted targets, their sum taken for 1",
        rows_of(soft=True, class_weights=True),
        through_log_softmax_alone,
    ),
    _wrong("everything, divided by the rows", _EVERYTHING, of_other(reduction="batch-mean")),
    _wrong("largest entry by 1e-4", _PLAIN, spoiled(entry_times("largest", 1 + 1e-4))),
    _wrong("random entry by 1e-4", _PLAIN, spoiled(entry_times("random", 1 - 1e-4))),
    _wrong("entry of 1e-3 by 1e-4", off_label(1e-3), spoiled(entry_times("smallest", 1 + 1e-4))),
    _wrong("entry of 1e-6 by 1e-4", off_label(1e-6), spoiled(entry_times("smallest", 1 + 1e-4))),
    _wrong("entry of 1e-6 by 1/2", off_label(1e-6), spoiled(entry_times("smallest", 0.5))),
    _wrong("float32, largest by 1e-2", _PLAIN, spoiled(entry_times("largest", 1.01)), "float32"),
    _wrong("float32, random by 1e-2", _PLAIN, spoiled(entry_times("random", 0.99)), "float32"),
    _wrong(
        "float32, entry of 1e-6 by 1/2",
        off_label(1e-6),
        spoiled(entry_times("smallest", 0.5)),
        "float32",
    ),
    _wrong("float16, twice", _PLAIN, spoiled(times(2)), "float16"),
    _wrong("an entry 0", _PLAIN, spoiled(entry_is(0.0))),
    _wrong("an entry NaN", _PLAIN, spoiled(entry_is(np.nan))),
    _wrong("an entry inf", _PLAIN, spoiled(entry_is(np.inf))),
    _wrong("an entry 1e3", _PLAIN, spoiled(entry_is(1e3))),
    _wrong("neighbours swapped", _PLAIN, spoiled(neighbours_swapped)),
    _wrong("a row 0", _PLAIN, spoiled(row_times(2, 0.0))),
    _wrong("the last row twice", _PLAIN, spoiled(last_rows_times(1, 2.0))),
    _wrong("off by 1e-3 of the largest", _PLAIN, spoiled(shifted(1e-3))),
    _wrong("a row that weighs 1e-6 twice", low_weight, spoiled(row_times(0, 2.0))),
    _wrong("10 rows of 20, one by 1e-3", rows_of(10, 20), spoiled(row_times(7, 1.001))),
]

_RIGHT = [
    _right("labels", _PLAIN),
    _right("soft targets", rows_of(soft=True)),
    _right("sum", rows_of(reduction="sum")),
    _right("smoothing", rows_of(smoothing=0.1)),
    _right("weights", rows_of(class_weights=True, sample_weights=True)),
    _right("weighted soft targets", rows_of(soft=True, class_weights=True, sample_weights=True)),
    _right("ignored rows", rows_of(ignored=True)),
    _right("a masked class", rows_of(masked=True)),
    _right("everything at once", _EVERYTHING),
    _right("bits", rows_of(base=2.0)),
    _right("T = 0.1", rows_of(temperature=0.1), may_be_vacuous=True),
    _right("T = 10", rows_of(temperature=10.0)),
    _right("logits of 1e-6", rows_of(spread=1e-6)),
    _right("logits of 10", rows_of(spread=10.0), may_be_vacuous=True),
    _right("logits of 1e3", rows_of(spread=1e3), may_be_vacuous=True),
    _right("logits of 1e6", rows_of(spread=1e6), may_be_vacuous=True),
    _right("logits + 1e3", with_offset(1e3)),
    _right("times 1e-6", _PLAIN, scale=1e-6),
    _right("times 1e6", _PLAIN, scale=1e6),
    _right("plus 1e3", _PLAIN, offset=1e3),
    _right("confident and right", confident(20.0), may_be_vacuous=True),
    _right("surely right", confident(60.0), may_be_vacuous=True),
    _right("confident and wrong", confident(20.0, right=False)),
    _right("one class", rows_of(4, 1), may_be_vacuous=True),
    _right("two classes", rows_of(4, 2)),
    _right("one row", rows_of(1, 10)),
    _right("one row of 300", rows_of(1, 300)),
    _right("10 rows of 20", rows_of(10, 20)),
    _right("an entry of 1e-6", off_label(1e-6)),
    _right("an entry of 1e-12", off_label(1e-12)),
    _right("a row that weighs 1e-6", low_weight),
    _right("float32", _PLAIN, "float32"),
    _right("float32, an entry of 1e-6", off_label(1e-6), "float32"),
    _right("float32, confident", confident(12.0), "float32", may_be_vacuous=True),
    _right("float32, everything", _EVERYTHING, "float32"),
    _right("float16", _PLAIN, "float16"),
    _right("float16, soft targets", rows_of(soft=True), "float16"),
]

LOSS_CASES = [*_WRONG, *_RIGHT]
