"""Confidences and Brier scores, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli.core.kernel import compiled
from softmax_cli.core.loss.scores import scores_of_logits, scores_of_probabilities
from tests.core import mpmath_reference as exact


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("classes", [1, 2, 10, 129, 3000])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_scores_of_logits(dtype: str, classes: int, temperature: float) -> None:
    random, rows = np.random.default_rng(classes), 18 if classes < 100 else 4
    a = random.normal(0, 4, (rows, classes)).astype(dtype)
    a[0] += 900
    a[1, 0] += 40
    labels = random.integers(0, classes, rows)
    labels[1:4] = a.argmax(-1)[1:4]
    confidences, squares = scores_of_logits(a, labels, a.argmax(-1), temperature)
    for row in range(rows):
        P = exact.probabilities(a[row], temperature)
        others = [p for number, p in enumerate(P) if number != labels[row]]
        brier = sum(others) ** 2 + sum(p * p for p in others)
        assert_allclose(confidences[row], float(max(P)), rtol=1e-15)
        assert_allclose(squares[row], float(brier), rtol=2e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_equal_logits_have_equal_confidences(dtype: str) -> None:
    for classes in (1, 2, 3, 7, 10, 15, 130):
        a, zeros = np.full((3, classes), 1.25, dtype), np.zeros(3, np.intp)
        a[1], a[2] = -700, 3e4
        confidences, _ = scores_of_logits(a, zeros, zeros, 1.0)
        # NumPy rounds the exponentials and their sum before it divides.
        most = 0 if compiled.computes(a) else 1
        assert np.all(np.abs(confidences - 1 / classes) <= most * np.spacing(1 / classes))


def test_scores_of_probabilities() -> None:
    P, labels = np.array([[0.75, 0.25], [0.0, 1.0]]), np.array([0, 0])
    confidences, squares = scores_of_probabilities(P, labels, np.array([0, 1]))
    assert confidences.tolist() == [0.75, 1.0]
    assert squares.tolist() == [0.125, 2.0]
