"""gradcheck fails every wrong gradient and no right one, whatever the seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.mutants.cases import SEEDS, Array, Case, Problem, is_right, is_wrong
from tests.mutants.checked import verdict
from tests.mutants.table import CASES


def _each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@_each(CASES[::4])
def test_the_verdict(case: Case, tmp_path: Path) -> None:
    assert verdict(case.problem(SEEDS[0]), tmp_path) in case.verdicts


@pytest.mark.slow
@_each(CASES)
def test_the_verdict_at_any_seed(case: Case, tmp_path: Path) -> None:
    found = Counter(verdict(case.problem(seed), tmp_path) for seed in SEEDS)
    assert set(found) <= case.verdicts, dict(found)


@_each(CASES)
@pytest.mark.slow
def test_the_truth_of_the_table(case: Case) -> None:
    for seed in SEEDS:
        problem = case.problem(seed)
        assert is_right(problem) if case.right else is_wrong(problem), seed


@_each([case for case in CASES if case.right])
@pytest.mark.slow
def test_right_derivatives_are_those_of_their_functions(case: Case) -> None:
    problem = case.problem(0)
    for point in problem.points:
        direction = np.random.default_rng(0).choice([-1.0, 1.0], point.shape)
        expected = np.asarray(problem.right(point)) @ direction
        slope, allowed = _slope(problem, point, direction)
        assert (np.abs(slope - expected) <= allowed + 1e-4 * np.abs(expected)).all()


def _slope(problem: Problem, point: Array, direction: Array) -> tuple[Array, float]:
    """Return the derivative along a direction, by five points, and how far rounding takes it."""
    h = problem.rounding**0.2 / 20 * float(np.minimum(1, np.abs(point).max()))
    values = [
        np.asarray(problem.function(point + k * h * direction), dtype=np.float64)
        for k in (-2, -1, 1, 2)
    ]
    slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
    size = max(float(np.abs(point).max()), *(float(np.abs(value).max()) for value in values), 1.0)
    return slope, 16 * problem.rounding * size / h


def test_the_table_is_large_and_its_names_are_its_own() -> None:
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
    for right in (True, False):
        assert sum(case.right is right for case in CASES) >= 90
