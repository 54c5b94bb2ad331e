"""The noise of functions: added noise is measured, and rounding is not taken for noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from softmax_cli.core.gradcheck.numerical.noise import EPS, Evaluated, noise_at

Array = NDArray[Any]
AT = np.array([1.3, -0.7, 2.1])


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-6, 1e-3])
def test_added_noise_is_measured(size: float) -> None:
    rng = np.random.default_rng(5)

    def noisy(x: Array) -> Array:
        return np.array([np.sin(x).sum() + size * rng.standard_normal()])

    noise = noise_at(Evaluated(noisy), AT)
    assert size / 4 < noise.level[0] < 4 * size
    assert noise.is_noisy
    assert noise.rounding == 0


@pytest.mark.parametrize(
    "function",
    [np.exp, np.sin, lambda x: x**3 + 1e3, lambda x: np.tanh(30 * x), lambda x: 1e-6 * x],
    ids=["exp", "sin", "offset", "steep", "small"],
)
def test_smooth_function_has_the_noise_of_rounding(function: Callable[[Array], Array]) -> None:
    noise = noise_at(Evaluated(function), AT)
    assert not noise.is_noisy
    assert np.all(noise.level <= 64 * EPS * np.maximum(1, np.abs(noise.value)))
    assert noise.eps == EPS


def test_rounding_of_cancelled_terms_shows_in_a_small_value() -> None:
    # log(1 + 2e-9): the 1 is rounded, and what is left of it is as exact as the 1 was.
    noise = noise_at(Evaluated(lambda x: np.log(1 + np.exp(-20 * x))), np.array([1.0]))
    assert noise.value[0] < 1e-8
    assert EPS / 32 < noise.level[0] < 4 * EPS


@pytest.mark.parametrize(
    ("function", "eps"),
    [
        (lambda x: np.exp(x.astype(np.float32)), np.finfo(np.float32).eps),
        (lambda x: np.exp(x.astype(np.float32)).astype(np.float64), np.finfo(np.float32).eps),
        (lambda x: np.exp(x.astype(np.float16)).astype(np.float64), np.finfo(np.float16).eps),
        (lambda x: x, EPS),
        (lambda _: np.array([1.0, 2.0, 3.0]), EPS),
        (lambda x: np.round(x), EPS),
    ],
    ids=["float32", "float32 inside", "float16 inside", "identity", "constant", "steps"],
)
def test_precision_in_which_a_function_computes(
    function: Callable[[Array], Array], eps: float
) -> None:
    assert noise_at(Evaluated(function), AT).eps == eps


def test_points_are_rounded_to_the_dtype() -> None:
    seen: list[np.dtype[Any]] = []

    def recorded(x: Array) -> Array:
        seen.append(x.dtype)
        return x

    evaluated = Evaluated(recorded, np.float32)
    assert evaluated(AT).dtype == np.float64
    assert seen == [np.dtype(np.float32)]
    assert evaluated.rounded(AT).tolist() == AT.astype(np.float32).tolist()
