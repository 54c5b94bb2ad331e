"""Ways in which a right gradient becomes a wrong one, whatever it is the gradient of.

Each takes the right one, (inputs,), (rows, classes) or (outputs, inputs), and a source of chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from tests.mutants.cases import Array, Function, Random

Mutation = Callable[[Array, Random], Array]
Which = Literal["largest", "random", "smallest"]


def times(factor: float) -> Mutation:
    """Multiply all of it."""
    return lambda gradient, _: gradient * factor


def entry_times(which: Which, factor: float) -> Mutation:
    """Multiply one entry: that with the largest size, any, or that with the smallest but 0."""

    def mutate(gradient: Array, random: Random) -> Array:
        wrong = gradient.copy()
        wrong.flat[_entry(gradient, which, random)] *= factor
        return wrong

    return mutate


def entry_is(value: float) -> Mutation:
    """Put a number in the place of a random entry."""

    def mutate(gradient: Array, random: Random) -> Array:
        wrong = gradient.copy()
        wrong.flat[_entry(gradient, "random", random)] = value
        return wrong

    return mutate


def shifted(share: float) -> Mutation:
    """Add a constant: this part of the largest entry."""
    return lambda gradient, _: gradient + share * np.abs(gradient).max()


def rolled(axis: int) -> Mutation:
    """Move everything on by one along an axis: rows, classes or entries in the wrong order."""
    return lambda gradient, _: np.roll(gradient, 1, axis)


def neighbours_swapped(gradient: Array, random: Random) -> Array:
    """Swap two entries that stand side by side."""
    wrong = gradient.copy()
    first = int(random.integers(gradient.size - 1))
    wrong.flat[[first, first + 1]] = wrong.flat[[first + 1, first]]
    return wrong


def row_times(row: int, factor: float) -> Mutation:
    """Multiply one row."""

    def mutate(gradient: Array, _: Random) -> Array:
        wrong = gradient.copy()
        wrong[row] *= factor
        return wrong

    return mutate


def last_rows_times(rows: int, factor: float) -> Mutation:
    """Multiply the last rows."""

    def mutate(gradient: Array, _: Random) -> Array:
        wrong = gradient.copy()
        wrong[-rows:] *= factor
        return wrong

    return mutate


def diagonal_only(J: Array, _: Random) -> Array:
    """Keep the diagonal of a matrix, or of each of several."""
    wrong: Array = J * np.eye(J.shape[-1])
    return wrong


def transposed(J: Array, _: Random) -> Array:
    """Swap outputs and inputs."""
    return np.swapaxes(J, -1, -2)


def negated(gradient: Array, _: Random) -> Array:
    """Flip the sign."""
    return -gradient


def without_negative(gradient: Array, _: Random) -> Array:
    """Take the size for the number."""
    return np.abs(gradient)


def mutated(right: Function, mutation: Mutation, random: Random) -> Function:
    """Return a wrong derivative that is wrong in the same way each time it is called."""
    seed = int(random.integers(2**32))
    return lambda x: mutation(right(x), np.random.default_rng(seed))


def _entry(gradient: Array, which: Which, random: Random) -> int:
    sizes = np.abs(gradient).ravel()
    there = np.flatnonzero(sizes)
    if which == "random":
        return int(random.choice(there))
    ordered = there[sizes[there].argsort()]
    return int(ordered[-1] if which == "largest" else ordered[0])
