"""How far from 1 the sum of a distribution may be that was rounded to a dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.core.exact.bfloat16 import BFLOAT16, limits_of, nearest

# A distribution typed with four digits still sums to 1 within this.
_TYPED = 1e-3
# Other programs round a result to a wider dtype first.
_ROUNDINGS = 2


def sum_tolerance(dtypes: Sequence[np.dtype[Any]], classes: int, *, logs: bool = False) -> float:
    """Return how far from 1 the sum may be, in the least exact of the dtypes.

    With u = eps / 2, rounding changes p by at most u p, or by half the smallest subnormal s:

        |sum_k p'(k) - 1| <= u + N s / 2

    and log p by at most u |log p|, so that the sum of the exponentials is at most

        sum_k p(k)^(1 - u) <= N^u

    >>> sum_tolerance([BFLOAT16], 10), sum_tolerance([np.dtype("f4")], 10)
    (0.0078125, 0.001)
    >>> print(f"{sum_tolerance([BFLOAT16], 1000, logs=True):.4f}")
    0.0554
    """
    tolerance = _TYPED
    for dtype in dtypes:
        eps, smallest = limits_of(dtype)
        if logs:
            off = math.expm1(_ROUNDINGS * eps / 2 * math.log(max(1, classes)))
        else:
            off = _ROUNDINGS * (eps + classes * smallest) / 2
        tolerance = max(tolerance, off)
    return tolerance


def rounded_to(values: NDArray[Any], off: float, *, logs: bool = False) -> str:
    """Return the dtype that a row was rounded to before it was widened, if its sum is off by that.

    >>> rounded_to(np.array([-0.69140625, -0.6953125]), 0.002, logs=True)
    'bfloat16'
    """
    halves: dict[str, tuple[np.dtype[Any], Any]] = {
        "bfloat16": (BFLOAT16, nearest),
        "float16": (np.dtype(np.float16), lambda row: row.astype(np.float16)),
    }
    with np.errstate(over="ignore"):
        # Text has the shortest digits of a float32.
        single = values.astype(np.float32)
    for name, (dtype, rounded) in halves.items():
        with np.errstate(over="ignore"):
            is_rounded = bool((rounded(single) == single).all())
        if is_rounded and off <= sum_tolerance([dtype], len(values), logs=logs):
            return name
    return ""
