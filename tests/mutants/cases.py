"""What a case is: a function, its right derivative, and the one that a checker has to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[[Array], Any]
Random = np.random.Generator

SEEDS = range(20)
# The relative error in some entry that makes a gradient of each type wrong.
WRONG_BY = {"float64": 0.9e-4, "float32": 0.9e-2, "float16": 0.9e-2, "bfloat16": 0.9e-2}
# What a right one keeps to: relative, and as a part of the size of what cancels in an entry.
RIGHT_WITHIN = {
    "float64": (1e-9, 4e-15),
    "float32": (1e-5, 1e-6),
    "float16": (2e-2, 4e-3),
    "bfloat16": (8e-2, 3e-2),
}


@dataclass(frozen=True)
class Drawn:
    """A function, its right derivative, its points (points, inputs), and wrong derivatives.

    rounding  the relative rounding of the function's values
    """

    function: Function
    right: Function
    points: Array
    wrong: Mapping[str, Function] = field(default_factory=dict)
    rounding: float = float(np.finfo(np.float64).eps)


Draw = Callable[[Random], Drawn]


@dataclass(frozen=True)
class Files:
    """The arrays of a command line by their option, or the text of a file, and what else it says.

    checked  the option of the file that is to be judged
    suffix   the format in which arrays are written
    """

    checked: str
    arrays: Mapping[str, Array | str]
    options: str = ""
    suffix: str = ".npy"


@dataclass(frozen=True)
class Problem:
    """One seed's function, derivative and points.

    function  takes (inputs,) and returns a number or (outputs,)
    right     its derivative: (inputs,) or (outputs, inputs)
    judged    the derivative that a checker judges
    points    (points, inputs)
    dtype     in which the judged derivative was computed
    natural   the size of the terms whose difference an entry may be
    rounding  the relative rounding of the function's values
    files     what a command line compares in place of functions
    """

    function: Function
    right: Function
    judged: Function
    points: Array
    dtype: str = "float64"
    natural: float = 0.0
    rounding: float = float(np.finfo(np.float64).eps)
    files: Files | None = None

    @cached_property
    def is_scalar(self) -> bool:
        """Whether the function returns a number."""
        return np.ndim(self.function(self.points[0].copy())) == 0

    def pairs(self) -> list[tuple[Array, Array]]:
        """Return (judged, right) at each point, in float64."""
        return [
            (
                np.asarray(self.judged(point.copy()), dtype=np.float64),
                np.asarray(self.right(point.copy()), dtype=np.float64),
            )
            for point in self.points
        ]


Build = Callable[[Random], Problem]


@dataclass(frozen=True)
class Case:
    """A gradient that is right, or wrong, for every seed.

    may_be_vacuous  its derivative may be zero to within rounding
    """

    name: str
    kind: str
    right: bool
    build: Build
    may_be_vacuous: bool = False

    def problem(self, seed: int) -> Problem:
        """Return the case for a seed."""
        return self.build(np.random.default_rng(seed))

    @property
    def verdicts(self) -> set[str]:
        """The verdicts that are true of it."""
        if not self.right:
            return {"fail"}
        return {"pass", "vacuous"} if self.may_be_vacuous else {"pass"}


def is_wrong(problem: Problem) -> bool:
    """Tell whether some entry is off by more than rounding explains."""
    for judged, right in problem.pairs():
        if not np.isfinite(judged).all():
            return True
        larger = np.maximum(np.abs(judged), np.abs(right))
        if (np.abs(judged - right) > WRONG_BY[problem.dtype] * larger).any():
            return True
    return False


def is_right(problem: Problem) -> bool:
    """Tell whether every entry is as its type allows."""
    relative, absolute = RIGHT_WITHIN[problem.dtype]
    for judged, right in problem.pairs():
        natural = max(problem.natural, float(np.abs(right).max()))
        smallest = 1e-7 if problem.dtype == "float16" else 0.0
        allowed = relative * np.abs(right) + absolute * natural + smallest
        if not (np.abs(judged - right) <= allowed).all():
            return False
    return True
