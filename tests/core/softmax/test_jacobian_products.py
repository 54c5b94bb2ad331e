"""Jacobian-vector products on which an earlier formula was wrong, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.core.softmax.jacobian import log_softmax_jvp, log_softmax_vjp, softmax_jvp
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import assert_digits


@pytest.mark.parametrize(
    ("row", "vector", "temperature"),
    [
        (
            [-1.8557100213590756, 6.742324822525275],
            [0.0027158352, 1.4680036486591],
            10.999734944734,
        ),
        (
            [3.023356562995, -3.43301147617, 2.1921426853],
            [0.10433, 0.006920146, 2.195194],
            5.42052343,
        ),
        ([-0.3479255295288084, -2.1938483958443844], [-3.21933124842, 0.013919997228], 3.0),
        ([0.0, -720.0], [3.0, 1e20], 1.0),
        ([0.0, -720.0], [1e20, 0.0], 1.0),
        ([9281.376554963512, 9288.837049905522], [-3487420491883889.0, 32665.18131424287], 0.01),
        ([0.0, 6.0], [1.7e308, -1.7e308], 1.0),
    ],
)
def test_products(row: list[float], vector: list[float], temperature: float) -> None:
    for product, reference, turned in (
        (softmax_jvp, exact.softmax_jacobian, False),
        (log_softmax_jvp, exact.log_softmax_jacobian, False),
        (log_softmax_vjp, exact.log_softmax_jacobian, True),
    ):
        lines = reference(row, temperature)
        matrix = [list(line) for line in zip(*lines, strict=True)] if turned else lines
        sizes = [[abs(entry) for entry in line] for line in matrix]
        with np.errstate(over="ignore"):
            scale = exact.times(sizes, np.abs(vector))
        assert_digits(
            product(row, vector, temperature=temperature), exact.times(matrix, vector), scale=scale
        )


@pytest.mark.parametrize("shape", [(1, 3), (37, 10), (3, 200), (2, 5000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_vector_for_all_rows_is_as_good_as_one_for_each(
    shape: tuple[int, int], dtype: type[np.floating]
) -> None:
    random = np.random.default_rng(0)
    logits, vector = random.normal(0, 5, shape).astype(dtype), random.normal(0, 5, shape[1])
    each = np.broadcast_to(vector, shape).copy()
    for product in (softmax_jvp, log_softmax_jvp, log_softmax_vjp):
        assert_array_equal(product(logits, vector), product(logits, each))
