"""Functions that return a vector, with their Jacobians (outputs, inputs)."""

from __future__ import annotations

import numpy as np

from tests.mutants.cases import Array, Draw, Drawn, Random
from tests.mutants.scalar_functions import sigmoid, softmax


def _softmax_matrix(x: Array) -> Array:
    S = softmax(x)
    J: Array = np.diag(S) - np.outer(S, S)
    return J


def softmax_of(classes: int, spread: float = 1.0, T: float = 1.0, points: int = 1) -> Draw:
    """Return softmax(x / T)."""

    def draw(random: Random) -> Drawn:
        return Drawn(
            lambda x: softmax(x / T),
            lambda x: _softmax_matrix(x / T) / T,
            spread * random.standard_normal((points, classes)),
            {
                "diag(S)": lambda x: np.diag(softmax(x / T)) / T,
                "-S S^T": lambda x: -np.outer(softmax(x / T), softmax(x / T)) / T,
                "without 1/T": lambda x: _softmax_matrix(x / T),
                "at T = 1": _softmax_matrix,
                "of log-softmax": lambda x: (np.eye(classes) - softmax(x / T)) / T,
            },
        )

    return draw


def log_softmax_of(classes: int, spread: float = 1.0, T: float = 1.0) -> Draw:
    """Return log softmax(x / T)."""

    def draw(random: Random) -> Drawn:
        def value(x: Array) -> Array:
            z = x / T - (x / T).max()
            result: Array = z - np.log(np.exp(z).sum())
            return result

        return Drawn(
            value,
            lambda x: (np.eye(classes) - softmax(x / T)) / T,
            spread * random.standard_normal((1, classes)),
            {
                "without the sum": lambda _: np.eye(classes) / T,
                "of softmax": lambda x: _softmax_matrix(x / T) / T,
                "1/N for S": lambda _: (np.eye(classes) - 1 / classes) / T,
            },
        )

    return draw


def masked_softmax(random: Random) -> Drawn:
    """Return softmax where two classes have the logit -inf, whatever the inputs."""
    kept = np.arange(6) % 3 != 1

    def right(x: Array) -> Array:
        return _softmax_matrix(np.where(kept, x, -np.inf))

    return Drawn(
        lambda x: softmax(np.where(kept, x, -np.inf)),
        right,
        random.standard_normal((2, 6)),
        {"mask left out": _softmax_matrix},
    )


def linear(random: Random) -> Drawn:
    """Return A x of more outputs than inputs."""
    A = random.standard_normal((5, 3))
    return Drawn(lambda x: A @ x, lambda _: A, random.standard_normal((2, 3)))


def square_linear(random: Random) -> Drawn:
    """Return A x of as many outputs as inputs."""
    A = random.standard_normal((4, 4))
    return Drawn(lambda x: A @ x, lambda _: A, random.standard_normal((1, 4)))


def tanh(random: Random) -> Drawn:
    """Return tanh(A x)."""
    A = random.standard_normal((4, 4)) / 2
    return Drawn(
        lambda x: np.tanh(A @ x),
        lambda x: (1 - np.tanh(A @ x) ** 2)[:, None] * A,
        random.standard_normal((2, 4)),
        {
            "along the inputs": lambda x: (1 - np.tanh(A @ x) ** 2)[None] * A,
            "1 - tanh": lambda x: (1 - np.tanh(A @ x))[:, None] * A,
        },
    )


def elementwise_sigmoid(random: Random) -> Drawn:
    """Return sigmoid of each input: all but the diagonal is zero."""
    return Drawn(
        lambda x: sigmoid(x),
        lambda x: np.diag(sigmoid(x) * sigmoid(-x)),
        random.normal(0, 2, (2, 6)),
        {
            "a full matrix": lambda x: np.tile(sigmoid(x) * sigmoid(-x), (6, 1)),
            "diag(S)": lambda x: np.diag(sigmoid(x)),
        },
    )


def normalized(random: Random) -> Drawn:
    """Return x / |x|."""

    def right(x: Array) -> Array:
        norm = np.sqrt(x @ x)
        J: Array = np.eye(5) / norm - np.outer(x, x) / norm**3
        return J

    return Drawn(
        lambda x: x / np.sqrt(x @ x),
        right,
        random.standard_normal((2, 5)),
        {"a constant norm": lambda x: np.eye(5) / np.sqrt(x @ x)},
    )


def layer_norm(random: Random) -> Drawn:
    """Return (x - mean) / deviation."""

    def value(x: Array) -> Array:
        y: Array = (x - x.mean()) / np.sqrt(x.var())
        return y

    def right(x: Array) -> Array:
        y, N = value(x), len(x)
        J: Array = (np.eye(N) - 1 / N - np.outer(y, y) / N) / np.sqrt(x.var())
        return J

    return Drawn(
        value,
        right,
        random.normal(2, 3, (2, 6)),
        {
            "a constant deviation": lambda x: (np.eye(6) - 1 / 6) / np.sqrt(x.var()),
            "a constant mean": lambda x: (
                (np.eye(6) - np.outer(value(x), value(x)) / 6) / np.sqrt(x.var())
            ),
        },
    )


def attention(random: Random) -> Drawn:
    """Return V^T softmax(K q)."""
    K, V = random.standard_normal((6, 3)), random.standard_normal((6, 4))
    return Drawn(
        lambda q: V.T @ softmax(K @ q),
        lambda q: V.T @ _softmax_matrix(K @ q) @ K,
        random.standard_normal((2, 3)),
        {"diagonal inside": lambda q: V.T @ np.diag(np.diag(_softmax_matrix(K @ q))) @ K},
    )


def polar(random: Random) -> Drawn:
    """Return (r cos t, r sin t)."""

    def right(x: Array) -> Array:
        r, t = x
        return np.array([[np.cos(t), -r * np.sin(t)], [np.sin(t), r * np.cos(t)]])

    return Drawn(
        lambda x: np.array([x[0] * np.cos(x[1]), x[0] * np.sin(x[1])]),
        right,
        random.uniform([1.5, 0.3], [4, 1.2], (3, 2)),
        {"without r": lambda x: right(np.array([1.0, x[1]]))},
    )
