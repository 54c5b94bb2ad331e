"""Functions that return a number, with their gradients and what is often written in their place."""

from __future__ import annotations

import math

import numpy as np

from tests.mutants.cases import Array, Draw, Drawn, Random


def softmax(x: Array) -> Array:
    """Return exp(x) / sum exp(x)."""
    exponentials = np.exp(x - x.max())
    result: Array = exponentials / exponentials.sum()
    return result


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    result: Array = 1 / (1 + np.exp(-x))
    return result


def logsumexp(inputs: int = 5) -> Draw:
    """Return log sum exp."""

    def draw(random: Random) -> Drawn:
        return Drawn(
            lambda x: np.log(np.exp(x - x.max()).sum()) + x.max(),
            softmax,
            random.standard_normal((1, inputs)),
            {"not divided by the sum": np.exp},
        )

    return draw


def logistic(random: Random) -> Drawn:
    """Return sum log(1 + exp(-x))."""
    return Drawn(
        lambda x: np.logaddexp(0, -x).sum(),
        lambda x: -sigmoid(-x),
        random.normal(0, 2, (2, 6)),
        {"of the other label": sigmoid, "P - 1 for a label of -1": lambda x: sigmoid(-x) - 1},
    )


def squared_error(random: Random) -> Drawn:
    """Return |A x - b|^2 / 2."""
    A, b = random.standard_normal((8, 5)), random.standard_normal(8)
    return Drawn(
        lambda x: 0.5 * ((A @ x - b) ** 2).sum(),
        lambda x: A.T @ (A @ x - b),
        random.standard_normal((3, 5)),
        {"without b": lambda x: A.T @ (A @ x), "mean": lambda x: A.T @ (A @ x - b) / 8},
    )


def quadratic_form(random: Random) -> Drawn:
    """Return x^T A x, with A that is not symmetric."""
    A = random.standard_normal((5, 5))
    return Drawn(
        lambda x: x @ A @ x,
        lambda x: (A + A.T) @ x,
        random.standard_normal((2, 5)),
        {
            "2 A x": lambda x: 2 * A @ x,
            "A x": lambda x: A @ x,
            "(A - A^T) x": lambda x: (A - A.T) @ x,
        },
    )


def log_determinant(random: Random) -> Drawn:
    """Return log |det X| of the flattened X."""
    X = np.eye(3) * 2 + random.standard_normal((3, 3)) / 2
    return Drawn(
        lambda x: np.linalg.slogdet(x.reshape(3, 3))[1],
        lambda x: np.linalg.inv(x.reshape(3, 3)).T.ravel(),
        X.reshape(1, 9),
        {"not transposed": lambda x: np.linalg.inv(x.reshape(3, 3)).ravel()},
    )


def l2_norm(random: Random) -> Drawn:
    """Return |x|."""
    return Drawn(
        lambda x: np.sqrt((x * x).sum()),
        lambda x: x / np.sqrt((x * x).sum()),
        random.standard_normal((1, 6)),
        {"of the square": lambda x: 2 * x, "divided by the square": lambda x: x / (x * x).sum()},
    )


def huber(random: Random) -> Drawn:
    """Return the sum of x^2 / 2 within 1 and |x| - 1/2 beyond, away from where they meet."""
    inside, outside = random.uniform(-0.9, 0.9, 3), random.uniform(1.1, 4, 3)
    return Drawn(
        lambda x: np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5).sum(),
        lambda x: np.clip(x, -1, 1),
        np.concatenate([inside, outside * random.choice([-1, 1], 3)])[None],
        {"not clipped": lambda x: x, "the sign alone": np.sign},
    )


def polynomial(random: Random) -> Drawn:
    """Return sum c x^3 - x."""
    c = random.uniform(0.5, 2, 4)
    return Drawn(
        lambda x: (c * x**3 - x).sum(),
        lambda x: 3 * c * x**2 - 1,
        random.normal(0, 2, (3, 4)),
        {"2 c x^2": lambda x: 2 * c * x**2 - 1, "without -1": lambda x: 3 * c * x**2},
    )


def attention(random: Random) -> Drawn:
    """Return softmax(K q / sqrt d) . v of a query q."""
    K, v = random.standard_normal((7, 4)), random.standard_normal(7)

    def right(q: Array) -> Array:
        S = softmax(K @ q / 2)
        slope: Array = K.T @ (S * (v - S @ v)) / 2
        return slope

    return Drawn(
        lambda q: softmax(K @ q / 2) @ v,
        right,
        random.standard_normal((2, 4)),
        {
            "without S.v": lambda q: K.T @ (softmax(K @ q / 2) * v) / 2,
            "without 1 / sqrt d": lambda q: 2 * right(q),
            "S (1 - S) v": lambda q: K.T @ (softmax(K @ q / 2) * (1 - softmax(K @ q / 2)) * v) / 2,
        },
    )


def softmax_product(random: Random) -> Drawn:
    """Return v . softmax(x) with a v that is not uniform."""
    v = random.standard_normal(6)
    return Drawn(
        lambda x: softmax(x) @ v,
        lambda x: softmax(x) * (v - softmax(x) @ v),
        random.standard_normal((2, 6)),
        {
            "without S.v": lambda x: softmax(x) * v,
            "the mean of v": lambda x: softmax(x) * (v - v.mean()),
        },
    )


def log_softmax_product(random: Random) -> Drawn:
    """Return v . log softmax(x) with a v that is not uniform."""
    v = random.standard_normal(6)
    return Drawn(
        lambda x: np.log(softmax(x)) @ v,
        lambda x: v - softmax(x) * v.sum(),
        random.standard_normal((2, 6)),
        {"without the sum": lambda x: v - softmax(x), "v alone": lambda _: v},
    )


def layer_norm(random: Random) -> Drawn:
    """Return v . (x - mean) / deviation."""
    v = random.standard_normal(6)

    def parts(x: Array) -> tuple[Array, Array]:
        deviation = np.sqrt(x.var() + 1e-5)
        return (x - x.mean()) / deviation, deviation

    def right(x: Array) -> Array:
        y, deviation = parts(x)
        slope: Array = (v - v.mean() - y * (v * y).mean()) / deviation
        return slope

    return Drawn(
        lambda x: parts(x)[0] @ v,
        right,
        random.normal(1, 2, (2, 6)),
        {
            "a constant deviation": lambda x: (v - v.mean()) / parts(x)[1],
            "a constant mean": lambda x: (v - parts(x)[0] * (v * parts(x)[0]).mean()) / parts(x)[1],
        },
    )


def gelu(random: Random) -> Drawn:
    """Return sum x Phi(x)."""

    def phi(x: Array) -> Array:
        return np.array([0.5 * (1 + math.erf(entry / math.sqrt(2))) for entry in x])

    def right(x: Array) -> Array:
        slope: Array = phi(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return slope

    return Drawn(
        lambda x: (x * phi(x)).sum(),
        right,
        np.concatenate([random.uniform(-2, -0.2, 3), random.uniform(0.2, 2, 3)])[None],
        {
            "Phi alone": phi,
            "0 below 0": lambda x: np.where(x < 0, 0, right(x)),
            "by 1e-3 below 0": lambda x: np.where(x < 0, 1.001, 1) * right(x),
        },
    )


def tanh_sum(random: Random) -> Drawn:
    """Return sum tanh."""
    return Drawn(
        lambda x: np.tanh(x).sum(),
        lambda x: 1 - np.tanh(x) ** 2,
        random.standard_normal((2, 6)),
        {"1 - tanh": lambda x: 1 - np.tanh(x), "1 + tanh^2": lambda x: 1 + np.tanh(x) ** 2},
    )


def sigmoid_sum(random: Random) -> Drawn:
    """Return sum sigmoid."""
    return Drawn(
        lambda x: sigmoid(x).sum(),
        lambda x: sigmoid(x) * sigmoid(-x),
        random.normal(0, 2, (2, 6)),
        {"S alone": sigmoid, "S (1 - x)": lambda x: sigmoid(x) * (1 - x)},
    )


def entropy(random: Random) -> Drawn:
    """Return the entropy of softmax(x)."""

    def value(x: Array) -> float:
        P = softmax(x)
        return float(-(P * np.log(P)).sum())

    return Drawn(
        value,
        lambda x: -softmax(x) * (np.log(softmax(x)) + value(x)),
        random.standard_normal((2, 6)),
        {"by the probabilities": lambda x: -np.log(softmax(x)) - 1},
    )


def cosine(random: Random) -> Drawn:
    """Return x.v / (|x| |v|)."""
    v = random.standard_normal(5)
    v /= np.sqrt(v @ v)

    def right(x: Array) -> Array:
        norm = np.sqrt(x @ x)
        slope: Array = v / norm - x * (x @ v) / norm**3
        return slope

    return Drawn(
        lambda x: x @ v / np.sqrt(x @ x),
        right,
        random.standard_normal((2, 5)),
        {"a constant norm": lambda x: v / np.sqrt(x @ x)},
    )
