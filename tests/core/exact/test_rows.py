"""The classes of the largest logits, against a sort in Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from softmax_cli.core.exact.rows import most_likely

LOGITS = st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.5, -3.0, np.inf, -np.inf, np.nan])
ROWS = st.integers(1, 70).flatmap(
    lambda classes: st.lists(
        st.lists(LOGITS, min_size=classes, max_size=classes), min_size=1, max_size=3
    )
)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@example(rows=[[0.0, np.nan, 1.0], [0.0, -np.inf, -np.inf]], count=2)
@given(rows=ROWS, count=st.integers(1, 70))
def test_the_largest_come_first_and_lower_classes_before_equal_ones(
    dtype: str, rows: list[list[float]], count: int
) -> None:
    count = min(count, len(rows[0]))
    # NaN comes last.
    keys = [[(x != x, -x if x == x else 0) for x in row] for row in rows]
    ranked = [sorted(range(len(row)), key=row.__getitem__) for row in keys]
    logits = np.array(rows, dtype)
    for layout in (logits, np.asfortranarray(logits)):
        before = layout.copy()
        assert_array_equal(most_likely(layout, count), [row[:count] for row in ranked])
        assert_array_equal(layout, before)
