"""Cross-entropy of two distributions on which an earlier formula was wrong, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest

from softmax_cli.core.loss.distributions import distribution_cross_entropy
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import assert_digits


@pytest.mark.parametrize("base", [float(np.e), 10.0])
def test_digits_of_the_cross_entropy(base: float) -> None:
    p, q = [0.4870620074862356, 0.5129379619040711], [0.9984727665997052, 0.9842530090172369]
    expected = exact.distribution_cross_entropy(p, q, base)
    assert_digits(distribution_cross_entropy(p, q, base=base), expected)
