"""Cross-entropy, entropy and divergence of two distributions, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest

from softmax_cli.core.loss.distributions import (
    distribution_cross_entropy,
    entropies_and_divergences,
)
from softmax_cli.core.loss.weights import Weights
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import assert_digits, real


@pytest.mark.parametrize("base", [float(np.e), 10.0])
def test_digits_of_the_cross_entropy(base: float) -> None:
    p, q = [0.4870620074862356, 0.5129379619040711], [0.9984727665997052, 0.9842530090172369]
    expected = exact.distribution_cross_entropy(p, q, base)
    assert_digits(distribution_cross_entropy(p, q, base=base), expected)


_DRAW = np.random.default_rng(7)
_A = _DRAW.normal(0, 3, 6)
LOGITS = {
    "far apart": (_A, _DRAW.normal(0, 30, 6)),
    "close": (_A, _A + _DRAW.normal(0, 1e-9, 6)),
    "equal but for rounding, and a constant": (_A, _A + 1000.0),
    "one class of p too small for float64": ([0.0, -2000.0], [0.0, -700.0]),
    "a divergence too large for exp": ([0.0, -1.0], [-5000.0, 3.0]),
    "a class that p leaves out": ([1.0, -np.inf, 2.0], [0.0, 3.0, 1.0]),
    "a class that both leave out": ([1.0, -np.inf, 2.0], [0.5, -np.inf, 2.0]),
    "a class that q leaves out": ([1.0, -800.0, 2.0], [0.5, -np.inf, 2.0]),
    "large logits": ([1e5, 2e5, -3e5], [1e5 + 0.25, 2e5, -3e5]),
    "enormous logits": ([0.0, 0.0], [1e308, -1e308]),
}


@pytest.mark.parametrize("T", [1.0, 0.3])
@pytest.mark.parametrize("name", LOGITS)
def test_digits_of_the_entropy_and_divergence_of_logits(name: str, T: float) -> None:
    a, b = (np.array([each]) for each in LOGITS[name])
    entropies, divergences = entropies_and_divergences(
        a, b, base=2.0, weights=Weights(), samples=None, source="logits", temperature=T
    )
    # Some sums cancel all but one digit in a thousand.
    with real.workdps(2500):
        powers = [[real.exp(real.mpf(x) / T) for x in row] for row in (*a.tolist(), *b.tolist())]
        p, q = ([power / real.fsum(row) for power in row] for row in powers)
        pairs = [(p_k, q_k) for p_k, q_k in zip(p, q, strict=True) if p_k]
        entropy = -real.fsum(p_k * real.log(p_k) for p_k, _ in pairs) / real.log(2)
        divergence = real.inf
        if all(q_k for _, q_k in pairs):
            divergence = real.fsum(p_k * real.log(p_k / q_k) for p_k, q_k in pairs) / real.log(2)
    assert_digits(entropies, [float(entropy)])
    assert_digits(divergences, [float(divergence)])
