"""Class weights, sample weights, smoothing, ignored labels, masked classes: digits, identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli.core.exact.arrays import FloatArray
from softmax_cli.core.loss.cross_entropy import cross_entropy, cross_entropy_gradient
from softmax_cli.core.loss.distributions import entropies_and_divergences
from softmax_cli.core.loss.reduction import ReducedLoss, Reduction
from softmax_cli.core.loss.weights import Weights
from softmax_cli.errors import DomainError, ShapeError
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import Float64Array, assert_digits
from tests.core.strategies import logits_and_labels

pytestmark = pytest.mark.fast(8)

NAN, INF = np.nan, np.inf
both = pytest.mark.parametrize("function", [cross_entropy, cross_entropy_gradient])
Function = Callable[..., FloatArray]


def _class_weights(classes: int) -> Float64Array:
    return np.random.default_rng(classes).uniform(0.1, 7.0, classes)


def _labels(row: FloatArray) -> list[int]:
    return sorted({int(row.argmax()), int(row.argmin()), row.size - 1})


# Digits


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_digits_of_weighted_labels(row: FloatArray, temperature: float, smoothing: float) -> None:
    if smoothing and np.isneginf(row).any():
        row = np.where(np.isneginf(row), row.dtype.type(-30), row)
    w, s = _class_weights(row.size), 0.3
    labels = _labels(row)
    rows = np.tile(row, (len(labels), 1))
    options: dict[str, Any] = {
        "temperature": temperature,
        "class_weights": w,
        "sample_weights": [s] * len(labels),
        "label_smoothing": smoothing,
    }
    wanted = [
        exact.weighted_targets(np.eye(row.size)[label], w, smoothing, sample_weight=s)
        for label in labels
    ]
    losses = cross_entropy(rows, labels, reduction="none", **options)
    assert_digits(losses, [exact.loss_of(row, Y, temperature) for Y in wanted])
    gradient = cross_entropy_gradient(rows, labels, reduction="sum", **options)
    sizes = [exact.gradient_of(row, Y, temperature, sign=1) for Y in wanted]
    assert_digits(
        gradient,
        [exact.gradient_of(row, Y, temperature) for Y in wanted],
        scale=sizes if smoothing else 0.0,
    )


@pytest.mark.parametrize(("row", "temperature"), exact.cases(classes=5))
@pytest.mark.parametrize("base", [float(np.e), 2.0])
def test_digits_of_weighted_soft_targets(row: FloatArray, temperature: float, base: float) -> None:
    row = np.where(np.isneginf(row), row.dtype.type(-30), row)
    w, Y = _class_weights(row.size), np.arange(1, row.size + 1) / row.size
    wanted = exact.weighted_targets(Y, w, 0.1)
    loss = cross_entropy(
        row, Y, temperature=temperature, class_weights=w, label_smoothing=0.1, base=base
    )
    assert_digits(loss, exact.loss_of(row, wanted, temperature, base))


def test_digits_of_a_weighted_mean_and_its_gradient() -> None:
    draw = np.random.default_rng(4)
    rows, labels = draw.normal(0, 4, (50, 6)), draw.integers(0, 6, 50)
    w, s = draw.uniform(0, 3, 6), draw.uniform(0, 3, 50)
    wanted = [
        exact.weighted_targets(np.eye(6)[label], w, sample_weight=weight)
        for label, weight in zip(labels, s, strict=True)
    ]
    divisor = exact.real.fsum(exact.real.fsum(Y) for Y in wanted)
    total = exact.real.fsum(
        -Y_k * exact.real.log(P_k)
        for row, Y in zip(rows, wanted, strict=True)
        for Y_k, P_k in zip(Y, exact.probabilities(row, 1.0), strict=True)
    )
    options: dict[str, Any] = {"class_weights": w, "sample_weights": s}
    assert_digits(cross_entropy(rows, labels, **options), float(total / divisor))
    expected = [
        exact.gradient_of(row, [Y_k / divisor for Y_k in Y])
        for row, Y in zip(rows, wanted, strict=True)
    ]
    assert_digits(cross_entropy_gradient(rows, labels, **options), expected)


def test_a_large_weight_gives_a_small_gradient_its_digits_back() -> None:
    row, s = [0.0, -740.0, 5.0], 1e50
    wanted = exact.weighted_targets([0.0, 0.0, 1.0], sample_weight=s)
    for reduction in ("sum", "batch-mean"):
        gradient = cross_entropy_gradient([row], [2], sample_weights=[s], reduction=reduction)
        assert_digits(gradient, [exact.gradient_of(row, wanted)])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_digits_of_weighted_entropies(smoothing: float) -> None:
    p, q = np.array([[0.125, 0.25, 0.625]]), np.array([[0.7, 0.2, 0.1]])
    w, s = np.array([1.0, 2.0, 0.5]), np.array([0.3])
    entropies, divergences = entropies_and_divergences(
        p, q, base=2.0, weights=Weights(3, w, smoothing), samples=s
    )
    wanted = exact.weighted_targets(p[0], w, smoothing, sample_weight=0.3)
    smoothed = exact.weighted_targets(p[0], None, smoothing)
    log2 = exact.real.log(2)
    logs = [exact.real.log(entry) / log2 for entry in smoothed]
    entropy = -exact.real.fdot(wanted, logs)
    ratios = [
        log - exact.real.log(exact.real.mpf(q_k)) / log2
        for log, q_k in zip(logs, q[0].tolist(), strict=True)
    ]
    assert_digits(entropies, [float(entropy)])
    assert_digits(divergences, [float(exact.real.fdot(wanted, ratios))], scale=float(entropy) * 3)


# Identities


@given(logits_and_labels(), st.sampled_from(["mean", "sum"]))
def test_a_whole_sample_weight_is_a_row_that_often(
    drawn: tuple[Float64Array, Any], reduction: Reduction
) -> None:
    rows = drawn[0].reshape(-1, drawn[0].shape[-1])
    labels = drawn[1].reshape(-1)
    times = 1 + np.arange(len(rows)) % 3
    weighted = cross_entropy(rows, labels, sample_weights=times, reduction=reduction)
    repeated = cross_entropy(rows.repeat(times, 0), labels.repeat(times), reduction=reduction)
    assert_allclose(weighted, repeated, rtol=1e-13)


@given(logits_and_labels(), st.floats(0.0, 1.0))
def test_a_masked_class_is_as_if_it_were_not(
    drawn: tuple[Float64Array, Any], smoothing: float
) -> None:
    rows = drawn[0].reshape(-1, drawn[0].shape[-1])
    labels = drawn[1].reshape(-1)
    wider = np.insert(rows, 1, 1000.0, axis=-1)
    moved = labels + (labels >= 1)
    options: dict[str, Any] = {"label_smoothing": smoothing, "reduction": "none"}
    with np.errstate(invalid="ignore"):
        masked = cross_entropy(wider, moved, mask_classes=[1], **options)
    assert_array_equal(masked, cross_entropy(rows, labels, **options))
    gradient = cross_entropy_gradient(wider, moved, mask_classes=[1], **options)
    assert_array_equal(gradient[:, 1], 0)
    assert_array_equal(np.delete(gradient, 1, -1), cross_entropy_gradient(rows, labels, **options))


@given(logits_and_labels(), st.sampled_from(["mean", "batch-mean", "sum"]))
def test_an_ignored_row_is_as_if_it_were_not(
    drawn: tuple[Float64Array, Any], reduction: Reduction
) -> None:
    rows = drawn[0].reshape(-1, drawn[0].shape[-1])
    labels = drawn[1].reshape(-1)
    more = np.insert(rows, 0, NAN, axis=0)
    with_more = np.insert(labels, 0, -100)
    options: dict[str, Any] = {
        "reduction": reduction,
        "class_weights": _class_weights(rows.shape[-1]),
    }
    loss = cross_entropy(more, with_more, ignore_labels=[-100], **options)
    assert_array_equal(loss, cross_entropy(rows, labels, **options))
    gradient = cross_entropy_gradient(more, with_more, ignore_labels=[-100], **options)
    assert_array_equal(gradient[0], 0)
    assert_array_equal(gradient[1:], cross_entropy_gradient(rows, labels, **options))


def test_labels_and_one_hot_targets_are_smoothed_alike() -> None:
    draw = np.random.default_rng(5)
    rows, labels = draw.normal(0, 3, (9, 4)), draw.integers(0, 4, 9)
    options: dict[str, Any] = {
        "label_smoothing": 0.2,
        "class_weights": [1, 2, 0, 3],
        "reduction": "none",
    }
    for function in (cross_entropy, cross_entropy_gradient):
        of_labels = function(rows, labels, **options)
        assert_allclose(of_labels, function(rows, np.eye(4)[labels], **options), rtol=1e-14)


def test_soft_targets_are_ignored_only_if_they_are_one_hot() -> None:
    rows, Y = [[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]
    assert_array_equal(cross_entropy(rows, Y, ignore_labels=[0]), cross_entropy(rows[:1], Y[:1]))
    with pytest.raises(DomainError, match="row 1 has soft targets, not a label"):
        cross_entropy(rows, [[0.0, 1.0], [0.5, 0.5]], ignore_labels=[0])


# Special values; pytest turns a warning of NumPy into a failure.


def test_a_weight_of_0_takes_an_infinite_loss_away() -> None:
    rows = [[-INF, 0.0], [0.0, 0.0]]
    assert_allclose(cross_entropy(rows, [0, 0], sample_weights=[0, 1]), np.log(2))
    assert_allclose(cross_entropy(rows, [0, 1], class_weights=[0, 1]), np.log(2))
    gradient = cross_entropy_gradient(rows, [0, 1], class_weights=[0, 1])
    assert_array_equal(gradient, [[0.0, 0.0], [0.5, -0.5]])
    assert str(gradient[0].tolist()) == "[0.0, 0.0]"


def test_smoothing_over_a_masked_logit_is_infinite_and_over_a_masked_class_is_not() -> None:
    assert cross_entropy([[0.0, 0.0, -INF]], [0], label_smoothing=0.1) == INF
    masked = cross_entropy([[0.0, 0.0, -INF]], [0], label_smoothing=0.1, mask_classes=[2])
    assert_allclose(masked, np.log(2))


def test_a_label_that_is_masked_costs_infinity() -> None:
    assert cross_entropy([[0.0, 0.0]], [0], mask_classes=[0]) == INF


# Errors


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"label_smoothing": -0.1}, DomainError, "the label smoothing is -0.1; .* 0 to 1"),
        ({"label_smoothing": 1.1}, DomainError, "the label smoothing is 1.1"),
        ({"label_smoothing": NAN}, DomainError, "the label smoothing is nan"),
        ({"class_weights": [1, 2, 3]}, ShapeError, r"of shape \(3,\) do not fit 2 classes"),
        ({"class_weights": [1, -2]}, DomainError, "class weights hold -2; weights are 0, or"),
        ({"class_weights": [1, INF]}, DomainError, "class weights hold inf"),
        ({"sample_weights": [1, NAN]}, DomainError, "sample weights hold nan"),
        ({"sample_weights": [1]}, ShapeError, r"sample weights of shape \(1,\) do not fit"),
        ({"sample_weights": [0, 0]}, DomainError, "all rows have weight 0; at least one"),
        ({"class_weights": [0, 0]}, DomainError, "all rows have weight 0; at least one"),
        ({"ignore_labels": [0, 1]}, DomainError, "every row is ignored"),
        ({"ignore_labels": [0, 1], "reduction": "none"}, DomainError, "every row is ignored"),
        ({"mask_classes": [2]}, DomainError, r"masked class 2 is out of range \(0 to 1\)"),
        ({"mask_classes": [-1]}, DomainError, "masked class -1 is out of range"),
        ({"mask_classes": [0, 1]}, DomainError, "every class is masked"),
    ],
)
@both
def test_errors(
    function: Function, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function([[0.0, 1.0], [1.0, 0.0]], [0, 1], **options)


def test_a_divisor_is_exact() -> None:
    reduced = ReducedLoss()
    reduced.count(2, (np.array([1.0, 2.0**-60]), np.zeros(2)))
    divisor = reduced.divisor("mean")
    assert divisor > 1
    assert divisor - 1 == 2.0**-60
