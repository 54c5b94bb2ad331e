"""Functions whose derivatives are uneven: of many sizes, zero for some inputs, or in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants.cases import Draw, Drawn, Random


def quartic(random: Random) -> Drawn:
    """Return x^4 at points whose gradients are 18 orders of magnitude apart."""
    return Drawn(
        lambda x: (x**4).sum(),
        lambda x: 4 * x**3,
        np.array([[1e-3], [1e3]]) * random.uniform(1, 2),
        {
            "twice at the small point": lambda x: 4 * x**3 * (2 if abs(x[0]) < 1 else 1),
            "by 1e-2 at the small point": lambda x: 4 * x**3 * (1.01 if abs(x[0]) < 1 else 1),
            "0 at the small point": lambda x: 4 * x**3 * (abs(x[0]) > 1),
            "by 1e-4 at the large point": lambda x: 4 * x**3 * (1.0001 if abs(x[0]) > 1 else 1),
        },
    )


def squares(low: float, high: float, inputs: int = 7) -> Draw:
    """Return sum c x^2 with c over as many orders of magnitude as these exponents say."""

    def draw(random: Random) -> Drawn:
        c = np.logspace(low, high, inputs)
        return Drawn(
            lambda x: (c * x * x).sum(), lambda x: 2 * c * x, random.uniform(0.5, 2, (1, inputs))
        )

    return draw


def some_inputs_alone(random: Random) -> Drawn:
    """Return a function that half of the inputs do not change."""
    used = np.arange(8) % 2 == 0
    return Drawn(
        lambda x: np.exp(x[used]).sum(),
        lambda x: np.where(used, np.exp(x), 0),
        random.standard_normal((2, 8)),
        {"of all inputs": np.exp, "of the other inputs": lambda x: np.where(used, 0, np.exp(x))},
    )


def constant(random: Random) -> Drawn:
    """Return 3, whatever the inputs."""
    return Drawn(lambda _: 3.0, np.zeros_like, random.standard_normal((1, 4)))


def scaled(draw: Draw, scale: float = 1.0, offset: float = 0.0) -> Draw:
    """Return offset + scale f(x)."""

    def drawn(random: Random) -> Drawn:
        f = draw(random)
        return Drawn(
            lambda x: offset + scale * f.function(x), lambda x: scale * f.right(x), f.points
        )

    return drawn


def at(draw: Draw, scale: float) -> Draw:
    """Return the function at points that are so many times as large."""

    def drawn(random: Random) -> Drawn:
        f = draw(random)
        return Drawn(f.function, f.right, f.points * scale, f.wrong)

    return drawn


def in_float32(draw: Draw, returned: Callable[[Any], Any] = np.float32) -> Draw:
    """Return the function as it is when all of its numbers are float32, and its float32 points.

    returned  makes the type of the result
    """

    def drawn(random: Random) -> Drawn:
        f = draw(random)
        return Drawn(
            lambda x: returned(f.function(x.astype(np.float32))),
            f.right,
            f.points.astype(np.float32).astype(np.float64),
            f.wrong,
            rounding=float(np.finfo(np.float32).eps),
        )

    return drawn


def at_more_points(draw: Draw, points: int) -> Draw:
    """Return the function at more points than it has by itself."""

    def drawn(random: Random) -> Drawn:
        f = draw(random)
        steps = random.standard_normal((points, f.points.shape[1]))
        return Drawn(f.function, f.right, f.points[:1] + steps / 4, f.wrong)

    return drawn
