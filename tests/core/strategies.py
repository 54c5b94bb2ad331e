"""What Hypothesis draws for the identities of the mathematics."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.core.mpmath_reference import Float64Array

temperatures = st.floats(0.1, 10.0)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)


def logits(shape: Any = shapes) -> st.SearchStrategy[Float64Array]:
    """Rows that have a softmax, some of their classes masked."""
    entries = st.floats(-50.0, 50.0) | st.just(-np.inf)
    return hnp.arrays(np.float64, shape, elements=entries).map(_unmask_one)


def _unmask_one(rows: Float64Array) -> Float64Array:
    rows[..., 0] = np.where(np.isneginf(rows).all(axis=-1), 0.0, rows[..., 0])
    return rows


@st.composite
def logits_and_vectors(draw: st.DrawFn) -> tuple[Float64Array, Float64Array]:
    """Rows of logits, and a vector for every row."""
    rows = draw(logits())
    entries = st.floats(-10.0, 10.0)
    return rows, draw(hnp.arrays(np.float64, rows.shape, elements=entries))


@st.composite
def logits_and_labels(draw: st.DrawFn) -> tuple[Float64Array, Any]:
    """Rows of logits, and a label for every row."""
    rows = draw(logits())
    labels = hnp.arrays(np.int64, rows.shape[:-1], elements=st.integers(0, rows.shape[-1] - 1))
    return rows, draw(labels)


@st.composite
def two_distributions(draw: st.DrawFn) -> tuple[Float64Array, Float64Array]:
    """Two distributions over the same classes, with zeros."""
    counts = hnp.arrays(np.int64, draw(st.integers(1, 6)), elements=st.integers(0, 1000))
    p, q = (draw(counts.filter(lambda count: count.any())) for _ in range(2))
    return p / p.sum(), q / q.sum()
