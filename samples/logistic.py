"""A function and its gradient, to be checked by `softmax-cli gradcheck samples.logistic:loss`.

The loss of logistic regression at the margins x: sum_i log(1 + exp(-x_i)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def loss(x: Vector) -> float:
    """Return sum_i log(1 + exp(-x_i)), in nats."""
    return float(np.logaddexp(0, -x).sum())


def gradient(x: Vector) -> Vector:
    """Return its derivative, -1 / (1 + exp(x_i))."""
    slope: Vector = -1 / (1 + np.exp(x))
    return slope


def loss_and_gradient(x: Vector) -> tuple[float, Vector]:
    """Return both, as optimizers want them."""
    return loss(x), gradient(x)
