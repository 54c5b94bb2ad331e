"""Calibration against its definition, row by row; the temperature against mpmath."""

from __future__ import annotations

import json
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli.core.exact.arrays import wide
from softmax_cli.core.loss.temperature import Fitted, Slopes, fitted_temperature
from softmax_cli.core.loss.weights import UNWEIGHTED, Weights
from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import DomainError
from softmax_cli.losses.calibration import Calibration
from tests.core import mpmath_reference as exact

DRAW = np.random.default_rng(6)
LOGITS = DRAW.normal(0, 2, (300, 4))
LABELS = np.where(DRAW.random(300) < 0.6, LOGITS.argmax(-1), DRAW.integers(0, 4, 300))


def _calibration(P: Any, labels: Any, bins: int) -> Calibration:
    calibration = Calibration.empty(bins)
    for part in (slice(0, 1), slice(1, 100), slice(100, None)):
        likeliest = P[part].argmax(-1)
        calibration.merge(calibration.of_probabilities(P[part].copy(), labels[part], likeliest))
    return calibration


@pytest.mark.parametrize("bins", [1, 5, 15, 100])
def test_scores_are_what_they_are_defined_as(bins: int) -> None:
    P = softmax(LOGITS)
    confidence, right = P.max(-1), P.argmax(-1) == LABELS
    gaps, ece = [], 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            gaps.append(abs(right[inside].mean() - confidence[inside].mean()))
            ece += inside.mean() * gaps[-1]
    calibration = _calibration(P, LABELS, bins)
    assert calibration.ece() == pytest.approx(ece, rel=1e-12)
    assert calibration.mce() == pytest.approx(max(gaps), rel=1e-12)
    brier = ((P - np.eye(4)[LABELS]) ** 2).sum(-1).mean()
    assert calibration.brier() == pytest.approx(brier, rel=1e-12)
    assert sum(each.rows for each in calibration.bins()) == 300


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it() -> None:
    P = np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])
    bins = _calibration(P, np.array([0, 0, 0]), 4).bins()
    assert [each.rows for each in bins] == [0, 1, 1, 1]


def test_the_brier_score_of_a_confident_row_keeps_its_digits() -> None:
    P = wide(softmax([[60.0, 0.0]]))
    calibration = Calibration.empty(15).of_probabilities(P, np.array([0]), np.array([0]))
    other = exact.probabilities([60.0, 0.0], 1.0)[1]
    assert calibration.brier() == pytest.approx(float(2 * other * other), rel=1e-14)


def test_a_perfect_and_a_hopeless_calibration() -> None:
    sure = np.eye(3)
    assert _calibration(sure, np.arange(3), 10).ece() == 0
    wrong = _calibration(sure, (np.arange(3) + 1) % 3, 10)
    assert (wrong.ece(), wrong.mce(), wrong.brier()) == (1, 1, 2)


# The temperature


def _fit(
    logits: Any,
    targets: Any,
    start: float = 1.0,
    weights: Weights = UNWEIGHTED,
    samples: Any = None,
) -> Fitted:
    def slopes_at(temperature: float) -> Slopes:
        slopes = Slopes(temperature)
        slopes.add(np.asarray(logits), np.asarray(targets), weights, samples)
        return slopes

    return fitted_temperature(slopes_at, start)


def _slope(logits: Any, weights: Any, temperature: Any) -> Any:
    """d loss / d(1/T) by its formula, in 400 digits."""
    total = mpmath.mpf(0)
    for row, Y in zip(logits, weights, strict=True):
        a = [exact.real.mpf(entry) for entry in row.tolist()]
        exponentials = [exact.real.exp(entry / temperature) for entry in a]
        mean = exact.real.fdot(a, exponentials) / exact.real.fsum(exponentials)
        total += exact.real.fdot(Y, [mean - entry for entry in a])
    return total


@pytest.mark.parametrize("start", [1.0, 1e-3, 1e4])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_slope_is_0_at_the_temperature(start: float, scale: float) -> None:
    logits, labels = LOGITS[:40] * scale, LABELS[:40]
    weights = [exact.weighted_targets(np.eye(4)[label]) for label in labels]
    T = _fit(logits, labels, start).temperature
    below, above = (_slope(logits, weights, exact.real.mpf(T) * f) for f in (1 - 1e-12, 1 + 1e-12))
    assert below > 0 > above


def test_weights_smoothing_and_samples_move_it() -> None:
    w, s, rows = np.array([1.0, 5.0, 0.5, 2.0]), np.linspace(0, 2, 40), LOGITS[:40]
    weighted = Weights(4, w, 0.1)
    T = _fit(rows, LABELS[:40], 1.0, weighted, s).temperature
    targets = [
        exact.weighted_targets(np.eye(4)[label], w, 0.1, sample_weight=weight)
        for label, weight in zip(LABELS[:40], s.tolist(), strict=True)
    ]
    below, above = (_slope(rows, targets, exact.real.mpf(T) * f) for f in (1 - 1e-12, 1 + 1e-12))
    assert below > 0 > above
    assert_allclose(_fit(rows, np.eye(4)[LABELS[:40]], 1.0, weighted, s).temperature, T, rtol=1e-12)


def test_masked_classes_do_not_matter() -> None:
    wider = np.insert(LOGITS, 2, -np.inf, axis=-1)
    moved = LABELS + (LABELS >= 2)
    assert_allclose(_fit(wider, moved).temperature, _fit(LOGITS, LABELS).temperature, rtol=1e-12)


def test_few_steps_are_needed() -> None:
    assert _fit(LOGITS, LABELS).steps <= 8
    assert _fit(LOGITS * 1e6, LABELS).steps <= 20


# The loss of such rows is the logarithm of the number of classes at any temperature.
ALIKE: list[tuple[Any, Any]] = [
    ([[0.0, 0.0]], [1]),
    ([[0.0, 0.0], [0.0, 0.0]], [0, 1]),
    ([[1e300, 1e300, 1e300], [-3.0, -3.0, -3.0]], [0, 2]),
    ([[0.1, 0.1, -np.inf], [2.0, -np.inf, 2.0]], [0, 2]),
    ([[7.0]], [0]),
    ([[0.0, 0.0]], [[0.3, 0.7]]),
    ([[0.1, 0.1, 0.1]], [[0.1, 0.2, 0.7]]),
]


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[3.0, 1.0], [0.0, 2.0]], [0, 1], "the loss falls as the temperature goes to 0"),
        ([[1.0, 1.0, 0.0]], [0], "the loss falls as the temperature goes to 0"),
        ([[5.0, 5.0], [2.0, 1.0]], [1, 0], "each label has the largest logit"),
        ([[3.0, 1.0], [0.0, 2.0]], [1, 0], "the loss falls as the temperature goes to infinity"),
        ([[5.0, 5.0], [2.0, 1.0]], [1, 1], "the loss falls as the temperature goes to infinity"),
        *((rows, labels, "the loss is the same at every temperature") for rows, labels in ALIKE),
        ([[0.0, -np.inf], [1.0, 2.0]], [1, 0], "infinite at every temperature"),
    ],
)
def test_no_temperature_at_all(logits: Any, labels: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        _fit(logits, labels)


def test_merged_calibrations_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    P, labels = rng.dirichlet(np.ones(4), 40), rng.integers(0, 4, 40)
    empty, merged = Calibration.empty(7), Calibration.empty(7)
    whole = empty.of_probabilities(P.copy(), labels, P.argmax(-1))
    for rows in (slice(0, 11), slice(11, 40)):
        part = empty.of_probabilities(P[rows].copy(), labels[rows], P[rows].argmax(-1))
        state = json.loads(json.dumps(part.state(), allow_nan=False))
        merged.merge(empty.from_state(state, 0))
    assert merged.bins() == whole.bins()
    assert (merged.ece(), merged.brier()) == (whole.ece(), whole.brier())
    assert (empty.count, merged.count) == (0, 40)
