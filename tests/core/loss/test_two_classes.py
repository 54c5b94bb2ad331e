"""One number as two classes: exact where 1 - p loses the digits of p."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from softmax_cli.core.loss.two_classes import by_number, logarithms, two_classes

PROBABILITIES = [1e-300, 1e-20, 2**-53, 0.25, 0.3, 0.5, 0.6, 1 - 1e-10, 1 - 2**-53]


def _exact(p: float) -> list[float]:
    with mp.workprec(2200):
        return [float(mp.log(1 - mp.mpf(p))), float(mp.log(mp.mpf(p)))]


def test_logarithms_lose_no_digit() -> None:
    numbers = np.array(PROBABILITIES)[:, None]
    found = logarithms(two_classes(numbers, "probabilities"))
    np.testing.assert_allclose(found, list(map(_exact, PROBABILITIES)), rtol=4e-16)


def test_logarithms_of_the_other_class_lose_no_digit() -> None:
    logs = np.array([-745.0, -40.0, -1.0, -0.7, -0.69, -1e-3, -1e-20, -5e-324])
    found = two_classes(logs[:, None], "log-probabilities")
    with mp.workprec(2200):
        expected = [float(mp.log(-mp.expm1(mp.mpf(each)))) for each in logs.tolist()]
    np.testing.assert_allclose(found[:, 0], expected, rtol=4e-16)
    assert (found[:, 1] == logs).all()


def test_certain_classes() -> None:
    found = logarithms(two_classes(np.array([[0.0], [1.0]]), "probabilities"))
    assert found.tolist() == [[0.0, -math.inf], [-math.inf, 0.0]]
    logs = two_classes(np.array([[-math.inf], [0.0]]), "log-probabilities")
    assert logs.tolist() == [[0.0, -math.inf], [-math.inf, 0.0]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_keep_their_type(dtype: type[np.floating]) -> None:
    found = two_classes(np.array([[1.5], [-2.0]], dtype), "logits")
    assert found.dtype == dtype
    assert found.tolist() == [[0, 1.5], [0, -2]]
    assert by_number(found).tolist() == [[1.5], [-2]]


def test_probabilities_are_widened_before_they_are_subtracted() -> None:
    p = np.array([[0.1]], np.float32)
    assert two_classes(p, "probabilities")[0, 0] == 1 - float(p[0, 0])
