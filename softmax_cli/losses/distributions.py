"""Checks that rows are distributions: entries of 0 or more that sum to 1, up to rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.core.exact.arrays import FloatArray, wide
from softmax_cli.core.exact.bfloat16 import BFLOAT16, limits_of, name_of, nearest
from softmax_cli.core.exact.double_double import LARGEST, Rows
from softmax_cli.core.exact.sums import row_sums
from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

Dtypes = Sequence[np.dtype[Any]]

# A distribution typed with four digits still sums to 1 within this.
_TYPED = 1e-3
# Other programs round a result to a wider dtype first.
_ROUNDINGS = 2
SAY_WHAT = "--from says what the values are"
_OTHERS = "they are 0 or more; --from logits or log-probabilities takes others"
_NEGATIVE = dict.fromkeys(("p", "q", "probabilities"), _OTHERS)
SEVERAL_LABELS = "a loss of several labels (sigmoids) is not computed here; give one label per row"


def sum_tolerance(dtypes: Dtypes, classes: int, *, logs: bool = False) -> float:
    """Return how far from 1 the sum may be, in the dtype with the lowest precision.

    With u = eps / 2, rounding changes p by at most u p, or by half the smallest subnormal s:

        |sum_k p'(k) - 1| <= u + N s / 2

    and log p by at most u |log p|; the sum of the exponentials is then at most

        sum_k p(k)^(1 - u) <= N^u

    >>> sum_tolerance([BFLOAT16], 10), sum_tolerance([np.dtype("f4")], 10)
    (0.0078125, 0.001)
    >>> print(f"{sum_tolerance([BFLOAT16], 1000, logs=True):.4f}")
    0.0554
    """
    tolerances = [_TYPED]
    for dtype in dtypes:
        eps, smallest = limits_of(dtype)
        if logs:
            tolerances.append(math.expm1(_ROUNDINGS * eps / 2 * math.log(max(1, classes))))
        else:
            tolerances.append(_ROUNDINGS * (eps + classes * smallest) / 2)
    return max(tolerances)


def rounded_to(values: NDArray[Any], off: float, *, logs: bool = False) -> str:
    """Return the name of the dtype whose rounding explains how far the sum is off, or nothing.

    >>> rounded_to(np.array([-0.69140625, -0.6953125]), 0.002, logs=True)
    'bfloat16'
    """
    with np.errstate(over="ignore"):
        # Text has the shortest digits of a float32.
        single = values.astype(np.float32)
        halves = {BFLOAT16: nearest(single), np.dtype(np.float16): single.astype(np.float16)}
    for dtype, half in halves.items():
        if (half == single).all() and off <= sum_tolerance([dtype], len(values), logs=logs):
            return name_of(dtype)
    return ""


def check_distributions(
    values: NDArray[Any],
    name: str,
    place: Callable[[int], str],
    used: NDArray[np.bool_],
    dtypes: Dtypes,
    *,
    logs: bool = False,
    normalize: bool = False,
    remedy: str = "--normalize divides by the sum",
    may_be_nan: bool = False,
) -> tuple[Rows, int]:
    """Return rows whose sums are 1, and how many rows were divided by their sum.

    name        what errors call the rows
    logs        whether they are log-probabilities, whose exponentials sum to 1
    used        (rows,) which rows are not ignored; the others are not checked
    normalize   divide rows by their sum, whatever it is
    remedy      what an error usually suggests
    may_be_nan  whether --on-bad-row lets rows of NaN pass
    """
    rows = wide(values)
    negative = (rows < 0).any(axis=-1)
    if not logs and negative.any():
        row = int(negative.argmax())
        problem = f"{name} with a negative entry"
        raise InputError(problem, _NEGATIVE.get(name, "they are 0 or more"), place(row))
    if normalize and (rows > LARGEST).any():
        rows = np.where((rows > LARGEST).any(axis=-1, keepdims=True), rows / LARGEST, rows)
    with np.errstate(over="ignore"):
        sums = np.exp(rows).sum(axis=-1) if logs else row_sums(rows)[:, 0]
    is_off = ~(np.abs(sums - 1) <= sum_tolerance(dtypes, rows.shape[-1], logs=logs))
    wrong = ~((sums > 0) & np.isfinite(sums)) if normalize else is_off
    wrong = wrong & used & ~(np.isnan(sums) & may_be_nan)
    if wrong.any():
        row = int(wrong.argmax())
        if normalize or np.isnan(sums[row]):
            remedy = "they are finite, and not all 0"
        else:
            remedy = _remedy(values[row], sums[row], name, remedy, logs=logs)
        having = "whose exponentials sum to" if logs else "with the sum"
        raise InputError(f"{name} {having} {sums[row]:.6g}, not 1", remedy, place(row))
    if not normalize:
        return rows, 0
    return rows / np.where(used, sums, 1)[:, None], int((used & is_off).sum())


def like_probabilities(values: FloatArray, dtypes: Dtypes) -> bool:
    """Return true if all rows look like probabilities: entries in 0..1 that sum to 1."""
    if not ((values >= 0) & (values <= 1)).all():
        return False
    off = np.abs(wide(values).sum(axis=-1) - 1)
    return bool((off < sum_tolerance(dtypes, values.shape[-1])).all())


def _remedy(row: NDArray[Any], total: float, name: str, usual: str, *, logs: bool) -> str:
    """Return the remedy for a row with the wrong sum."""
    if len(row) == 1:
        other = "log(1 - p)" if logs else "1 - p"
        if name in ("p", "q"):
            return f"one column is of one class of two: the other's, {other}, is needed"
        return "--binary takes one column as that of class 1 of two"
    if name in ("p", "the targets") and np.isin(row, (0, 1)).all():
        if row.any():
            return SEVERAL_LABELS
        return "they are not all 0: each row needs a label, or leave the row out"
    if not logs and not row.any():
        return "they are not all 0"
    dtype = rounded_to(row, abs(total - 1), logs=logs)
    return f"--dtype {dtype} if they were rounded to that, else {usual}" if dtype else usual


def above_zero(number: float, place: str) -> InputError:
    """Return the error of a log-probability above 0."""
    return InputError(f"log-probabilities are at most 0, got {number:g}", SAY_WHAT, place)


def checked_entries(block: Block, used: NDArray[np.bool_]) -> FloatArray:
    """Return log-probabilities of labels; one above 0 by no more than rounding is 0."""
    entries = block.values[:, 0]
    wrong = (entries > sum_tolerance((), 1)) & used
    if wrong.any():
        row = int(wrong.argmax())
        raise above_zero(entries[row], block.place(row))
    checked: FloatArray = np.minimum(block.values, 0)
    return checked
