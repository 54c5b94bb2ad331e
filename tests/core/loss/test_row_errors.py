"""Gradients compared with exact ones row by row: a plain copy of the rule, and wrong entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from softmax_cli.core.kernel import choice
from softmax_cli.core.loss.row_errors import RowErrors, Rule, row_errors
from softmax_cli.core.loss.row_losses import row_losses_and_gradients
from softmax_cli.core.loss.weights import Weights

pytestmark = [
    pytest.mark.skipif(choice.compiled() is None, reason="there is no compiled kernel"),
    pytest.mark.fast(9),
]

Array = NDArray[Any]
# Few classes, which are computed many rows at a time; many; more than a tile; several tiles.
CLASSES = [1, 3, 128, 129, 2050, 5000]
ROWS = 19
SAMPLES = np.linspace(0, 2, ROWS)


class Case:
    """Logits, targets and exact gradients."""

    def __init__(self, N: int, dtype: str = "float32", soft: bool = False) -> None:
        rng = np.random.default_rng(N)
        self.a = (3 * rng.standard_normal((ROWS, N))).astype(dtype)
        self.labels = rng.integers(0, N, ROWS)
        targets = rng.dirichlet(np.ones(N), ROWS) if soft else self.labels
        weights = Weights().over(N)
        self.weighted = weights.weighted(targets, SAMPLES, slice(None))
        self.n: Array = np.empty(self.a.shape)
        row_losses_and_gradients(
            self.a, targets, temperature=0.7, count=3, out=self.n, weights=weights, samples=SAMPLES
        )
        Y = self.weighted.scaled_targets() if soft else np.eye(N)[targets] * SAMPLES[:, None]
        self.terms = Y * 0.25
        self.rule = Rule(1e-3, 1e-6, 0.25, *np.abs(rng.standard_normal((3, ROWS))) * 1e-9)

    def errors(self, claimed: Array, rule: Rule | None = None) -> RowErrors:
        found = row_errors(
            self.a, self.weighted, claimed, rule or self.rule, temperature=0.7, count=3
        )
        assert found is not None
        return found


def _places(case: Case) -> Iterator[tuple[int, int]]:
    """The first and last entries, the label's, and those around the ends of tiles."""
    N = case.n.shape[-1]
    for column in {0, 1, 15, 16, 127, 2047, 2048, 4095, 4096, N - 1}:
        if column < N:
            yield ROWS - 1, column
    yield 0, 0
    yield 7, int(case.labels[7])


@np.errstate(all="ignore")
def _by_rule(case: Case, claimed: Array) -> list[Array]:
    a, n, rule, terms = claimed.astype(np.float64), case.n, case.rule, case.terms
    floor, share, least = (each[:, None] for each in rule[3:])
    atol = np.maximum(rule.units * terms + floor + share * (np.abs(n) + terms), least)
    larger, error = np.maximum(np.abs(a), np.abs(n)), np.abs(a - n)
    allowed, zeros_over = rule.rtol * larger + atol, np.abs(n) > atol + rule.rtol * np.abs(n)
    found = [error, error / larger, error / allowed, np.abs(n), atol]
    largest = [np.fmax.reduce(each, axis=-1, initial=0) for each in found]
    return [*largest, (error > allowed).sum(axis=-1), zeros_over.sum(axis=-1)]


@pytest.mark.parametrize("N", CLASSES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("soft", [False, True])
def test_the_rule(N: int, dtype: str, soft: bool) -> None:
    case = Case(N, soft=soft)
    noise = np.random.default_rng(0).standard_normal(case.n.shape)
    claimed = (case.n * (1 + 1e-3 * noise)).astype(dtype)
    expected = _by_rule(case, claimed)
    for field, got, wanted in zip(RowErrors._fields, case.errors(claimed), expected, strict=True):
        assert_array_equal(got, wanted, err_msg=field)


@pytest.mark.parametrize("N", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("soft", [False, True])
def test_one_wrong_entry_anywhere(N: int, dtype: str, soft: bool) -> None:
    case = Case(N, dtype, soft)
    assert not case.errors(case.n).over.any()
    for row, column in _places(case):
        for wrong in (case.n[row, column] + 0.5, np.nan, np.inf, -np.inf):
            claimed = case.n.astype(dtype)
            claimed[row, column] = wrong
            over = case.errors(claimed).over
            assert over[row] == 1 or (not np.isfinite(wrong) and np.isnan(over[row]))
            over[row] = 0
            assert not over.any()


@pytest.mark.parametrize("N", CLASSES)
def test_exactly_at_the_tolerance(N: int) -> None:
    case = Case(N)
    for row, column in _places(case):
        claimed = case.n.copy()
        claimed[row, column] += 2.0**-10
        error = abs(claimed[row, column] - case.n[row, column])
        none = np.zeros(ROWS)
        for floor, over in ((error, 0), (np.nextafter(error, 0), 1)):
            rule = Rule(0.0, 0.0, 1.0, np.full(ROWS, floor), none, none)
            assert case.errors(claimed, rule).over.sum() == over


def test_rows_with_few_classes_are_alone() -> None:
    case = Case(3)
    claimed = case.n.copy()
    claimed[4] = 7
    assert_array_equal(case.errors(claimed).over, np.where(np.arange(ROWS) == 4, 3, 0))
