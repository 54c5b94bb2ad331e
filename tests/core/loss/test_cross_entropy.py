"""Losses and gradients: digits, identities, special values, reductions, errors."""

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
from softmax_cli.core.loss.distributions import distribution_cross_entropy, kl_divergence
from softmax_cli.core.loss.reduction import Reduction
from softmax_cli.core.loss.row_losses import Kind, row_losses, row_losses_and_gradients
from softmax_cli.core.softmax.softmax import log_softmax, softmax
from softmax_cli.errors import DomainError, ShapeError
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import TINY, Float64Array, assert_digits
from tests.core.strategies import logits, logits_and_labels, temperatures, two_distributions

pytestmark = pytest.mark.fast(8)

Function = Callable[..., FloatArray]

NAN, INF = np.nan, np.inf
NATS = float(np.e)

of_two_distributions = pytest.mark.parametrize(
    "function", [distribution_cross_entropy, kl_divergence]
)
both = pytest.mark.parametrize("function", [cross_entropy, cross_entropy_gradient])


def _labels(row: FloatArray) -> list[int]:
    """Every label of a short row, and those of a long one that differ most."""
    if row.size <= 5:
        return list(range(row.size))
    return [int(row.argmax()), int(row.argmin()), 1, row.size - 1]


def _weights(row: FloatArray) -> FloatArray:
    """Soft targets that do not sum to 1 and leave masked classes out."""
    weights: FloatArray = np.arange(1, row.size + 1) / row.size
    return np.where(np.isneginf(row), 0, weights).astype(row.dtype)


# Digits


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
def test_digits_of_label_losses(row: FloatArray, temperature: float) -> None:
    labels = _labels(row)
    rows = np.tile(row, (len(labels), 1))
    losses = cross_entropy(rows, labels, temperature=temperature, reduction="none")
    assert_digits(losses, [exact.label_loss(row, label, temperature) for label in labels])


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
def test_digits_of_label_gradients(row: FloatArray, temperature: float) -> None:
    labels = _labels(row)
    rows = np.tile(row, (len(labels), 1))
    gradient = cross_entropy_gradient(rows, labels, temperature=temperature, reduction="sum")
    one_hot = np.eye(row.size)[labels]
    assert_digits(gradient, [exact.target_gradient(row, Y, temperature) for Y in one_hot])


@pytest.mark.parametrize(("row", "temperature"), exact.cases())
def test_digits_of_soft_targets(row: FloatArray, temperature: float) -> None:
    Y = _weights(row)
    loss = cross_entropy(row, Y, temperature=temperature)
    assert_digits(loss, exact.target_loss(row, Y, temperature))
    assert_digits(
        cross_entropy_gradient(row, Y, temperature=temperature),
        exact.target_gradient(row, Y, temperature),
        scale=exact.target_gradient(row, Y, temperature, sign=1),
    )


@pytest.mark.parametrize("base", [NATS, 2.0, 10.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([0.5, 0.5], [0.25, 0.75]),
        ([0.125, 0.25, 0.625], [0.7, 0.2, 0.1]),
        ([1.0, 0.0], [0.9, 0.1]),
        ([0.0, 0.25, 0.75], [0.0, 0.5, 0.5]),
        ([0.25, 0.75], [1.0, 1e-30]),
        ([1.0, 0.0], [1.0 - 2.0**-20, 2.0**-20]),
        ([1.0], [1.0]),
        ([1e-3] * 1000, [1e-3] * 1000),
    ],
)
def test_digits_of_two_distributions(
    p: list[float], q: list[float], base: float, dtype: str
) -> None:
    P, Q = np.array(p, dtype), np.array(q, dtype)
    expected = exact.distribution_cross_entropy(P, Q, base)
    assert_digits(distribution_cross_entropy(P, Q, base=base), expected)
    # The terms of a divergence have both signs.
    size = expected + exact.distribution_cross_entropy(P, P, base)
    assert_digits(kl_divergence(P, Q, base=base), exact.kl_divergence(P, Q, base), scale=size)


def test_a_confident_right_label_costs_little_but_not_nothing() -> None:
    loss = cross_entropy([[60.0, 0.0]], [0])
    gradient = cross_entropy_gradient([[60.0, 0.0]], [0])
    assert_allclose(loss, 8.7565107626965203385e-27, rtol=1e-14)
    assert_allclose(gradient, [[-8.7565107626965203385e-27, 8.7565107626965203385e-27]], rtol=1e-14)


def _gradient_one_less(row: FloatArray, label: int) -> FloatArray:
    gradient = softmax(row)
    gradient[label] -= 1
    return gradient


@pytest.mark.parametrize(
    ("wrong", "case", "label"),
    [
        (lambda row, _: softmax(row), "ordinary", 0),
        (_gradient_one_less, "gap 60", 1),
        (lambda row, label: -cross_entropy_gradient(row, label), "ordinary", 1),
        (lambda row, label: cross_entropy_gradient(row, label - 1), "ordinary", 1),
        (lambda row, label: cross_entropy_gradient(row, label) / row.size, "ordinary", 1),
        (lambda row, label: cross_entropy_gradient(row, label, base=2), "ordinary", 1),
    ],
)
def test_wrong_gradients_are_refused(wrong: Function, case: str, label: int) -> None:
    row = np.array(exact.CASES[case].logits)
    expected = exact.target_gradient(row, np.eye(row.size)[label])
    with pytest.raises(AssertionError, match="numbers are wrong"):
        assert_digits(wrong(row, label), expected)


@pytest.mark.parametrize(
    ("wrong", "case", "label"),
    [
        (lambda row, label: -np.log(softmax(row)[label]), "gap 60", 1),
        (lambda row, label: np.log(np.exp(row).sum()) - row[label], "gap 60", 1),
        (lambda row, label: log_softmax(row)[label], "ordinary", 1),
        (lambda row, label: -np.log(np.clip(softmax(row)[label], 1e-7, 1)), "gap 20", 1),
    ],
)
def test_wrong_losses_are_refused(wrong: Function, case: str, label: int) -> None:
    row = np.array(exact.CASES[case].logits)
    with pytest.raises(AssertionError, match="numbers are wrong"):
        assert_digits(wrong(row, label), exact.label_loss(row, label))


# Identities


@given(logits_and_labels(), temperatures)
def test_one_hot_targets_equal_labels(drawn: tuple[Float64Array, Any], temperature: float) -> None:
    rows, labels = drawn
    one_hot = np.eye(rows.shape[-1])[labels]
    for reduction in ("none", "sum"):
        assert_allclose(
            cross_entropy(rows, one_hot, temperature=temperature, reduction=reduction),
            cross_entropy(rows, labels, temperature=temperature, reduction=reduction),
            rtol=1e-13,
            atol=TINY,
        )
    assert_allclose(
        cross_entropy_gradient(rows, one_hot, temperature=temperature),
        cross_entropy_gradient(rows, labels, temperature=temperature),
        rtol=1e-13,
        # P - 1 at a confident label.
        atol=1e-15 / temperature,
    )


@given(logits_and_labels(), temperatures)
def test_gradient_rows_sum_to_zero(drawn: tuple[Float64Array, Any], temperature: float) -> None:
    rows, labels = drawn
    gradient = cross_entropy_gradient(rows, labels, temperature=temperature, reduction="sum")
    sizes = np.abs(gradient).sum(axis=-1)
    assert (np.abs(gradient.sum(axis=-1)) <= 1e-14 * sizes + TINY).all()


@given(logits(), temperatures, st.floats(0.0, 3.0))
def test_soft_gradient_rows_sum_to_zero(
    rows: Float64Array, temperature: float, weight: float
) -> None:
    Y = np.where(np.arange(rows.shape[-1]) % 2, weight, 1.0) * np.ones(rows.shape)
    gradient = cross_entropy_gradient(rows, Y, temperature=temperature, reduction="sum")
    assert_allclose(gradient.sum(axis=-1), 0, atol=1e-14 * float(Y.sum()) / temperature + TINY)


@given(logits_and_labels(), st.integers(-(2**20), 2**20))
def test_a_shift_changes_no_loss(drawn: tuple[Float64Array, Any], shift: int) -> None:
    rows, labels = np.round(drawn[0]), drawn[1]
    for function in (cross_entropy, cross_entropy_gradient):
        assert_allclose(function(rows + shift, labels), function(rows, labels), rtol=2e-15)


@given(logits_and_labels(), temperatures)
def test_temperature_divides_the_logits(
    drawn: tuple[Float64Array, Any], temperature: float
) -> None:
    rows, labels = drawn
    assert_allclose(
        cross_entropy(rows, labels, temperature=temperature),
        cross_entropy(rows / temperature, labels),
        rtol=1e-11,
        atol=TINY,
    )
    assert_allclose(
        cross_entropy_gradient(rows, labels, temperature=temperature),
        cross_entropy_gradient(rows / temperature, labels) / temperature,
        rtol=1e-11,
        atol=TINY,
    )


@given(two_distributions())
def test_no_other_distribution_costs_less_than_the_true_one(
    drawn: tuple[Float64Array, Float64Array],
) -> None:
    p, q = drawn
    assert distribution_cross_entropy(p, p) <= distribution_cross_entropy(p, q) + 1e-14
    assert_array_equal(kl_divergence(p, p), 0.0)


@given(two_distributions(), st.sampled_from([NATS, 2.0, 10.0]))
def test_divergence_is_what_the_other_distribution_costs_more(
    drawn: tuple[Float64Array, Float64Array], base: float
) -> None:
    p, q = drawn
    more = distribution_cross_entropy(p, q, base=base) - distribution_cross_entropy(p, p, base=base)
    assert_allclose(kl_divergence(p, q, base=base), more, rtol=1e-13, atol=1e-14)


@given(two_distributions())
def test_logits_that_are_logarithms_give_the_cross_entropy_of_distributions(
    drawn: tuple[Float64Array, Float64Array],
) -> None:
    p, q = drawn
    with np.errstate(divide="ignore"):
        loss = cross_entropy(np.log(q), p)
    assert_allclose(loss, distribution_cross_entropy(p, q), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("soft", [False, True])
def test_axis_is_the_dimension_of_the_classes(axis: int, soft: bool) -> None:
    random = np.random.default_rng(8)
    array = random.normal(size=(2, 3, 4))
    last = np.moveaxis(array, axis, -1)
    targets = random.random(array.shape) if soft else random.integers(0, 2, last.shape[:-1])
    moved_targets = np.moveaxis(targets, axis, -1) if soft else targets
    assert_allclose(
        cross_entropy(array, targets, axis=axis, reduction="none"),
        cross_entropy(last, moved_targets, reduction="none"),
        rtol=1e-14,
    )
    gradient = cross_entropy_gradient(last, moved_targets)
    assert_allclose(
        cross_entropy_gradient(array, targets, axis=axis),
        np.moveaxis(gradient, -1, axis),
        rtol=1e-13,
        atol=1e-16,
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
@of_two_distributions
def test_axis_of_two_distributions(function: Function, axis: int) -> None:
    p, q = softmax(np.random.default_rng(9).normal(size=(2, 3, 4)), axis=axis)
    result = function(p, q, axis=axis)
    moved = function(np.moveaxis(p, axis, -1), np.moveaxis(q, axis, -1))
    assert_allclose(result, moved, rtol=1e-13)


@pytest.mark.parametrize("targets", [[2, 0], [[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]]])
@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8", "<f2", "<f4", "<f8", "int8", ">i4"])
def test_dtype_of_gradients(dtype: str, targets: Any) -> None:
    rows = np.array([[1, 0, 2], [0, 1, 1]]).astype(dtype)
    gradient = cross_entropy_gradient(rows, targets, temperature=0.5)
    assert gradient.dtype == (rows.dtype if rows.dtype.kind == "f" else np.float64)
    expected = cross_entropy_gradient(rows.astype(np.float64), targets, temperature=0.5)
    assert_allclose(gradient, expected, rtol=exact.RELATIVE[gradient.dtype.name])


@pytest.mark.parametrize(
    ("dtype", "returned"),
    [(">f4", "float32"), ("<f4", "float32"), (">f8", "float64"), ("int8", "float64")],
)
def test_dtype_of_losses(dtype: str, returned: str) -> None:
    rows = np.array([[1, 0, 2], [0, 1, 0]]).astype(dtype)
    for targets in ([2, 0], np.array([[0, 0, 1], [1, 0, 0]], dtype)):
        assert cross_entropy(rows, targets, reduction="none").dtype == returned
        assert cross_entropy(rows, targets, base=2).dtype == returned
    assert distribution_cross_entropy(rows, rows).dtype == returned
    assert kl_divergence(rows, rows).dtype == returned


@pytest.mark.parametrize("dtype", ["int8", "uint8", ">i2", "int32", "uint64"])
def test_labels_of_any_whole_dtype(dtype: str) -> None:
    rows, labels = [[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]], [2, 0]
    for function in (cross_entropy, cross_entropy_gradient):
        assert_array_equal(function(rows, np.array(labels, dtype)), function(rows, labels))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_input_is_not_modified(dtype: str, temperature: float) -> None:
    rows = np.array([[3.0, -INF, 1.0], [NAN, 0.0, 1.0]], dtype)
    soft = np.array([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]], dtype)
    labels = np.array([0, 2])
    copies = rows.copy(), soft.copy(), labels.copy()
    for targets in (soft, labels):
        cross_entropy(rows, targets, temperature=temperature)
        gradient = cross_entropy_gradient(rows, targets, temperature=temperature)
        assert not np.shares_memory(gradient, rows)
    distribution_cross_entropy(soft, soft)
    kl_divergence(soft, soft)
    for array, copy in zip((rows, soft, labels), copies, strict=True):
        assert_array_equal(array, copy)


# Reductions, bases, sources


@pytest.mark.parametrize("base", [NATS, 2.0, 10.0])
@pytest.mark.parametrize(
    ("reduction", "divisor"), [("mean", 6.0), ("batch-mean", 6.0), ("sum", 1.0)]
)
@pytest.mark.parametrize("soft", [False, True])
def test_reductions_and_bases(
    reduction: Reduction, divisor: float, base: float, soft: bool
) -> None:
    random = np.random.default_rng(10)
    rows, T = random.normal(scale=5.0, size=(2, 3, 4)), 0.7
    labels = random.integers(0, 4, (2, 3))
    Y = random.random((2, 3, 4)) if soft else np.eye(4)[labels]
    places, unit = list(np.ndindex(2, 3)), divisor * np.log(base)
    losses = [exact.target_loss(rows[place], Y[place], T) for place in places]
    gradients = [exact.target_gradient(rows[place], Y[place], T) for place in places]
    targets = Y if soft else labels
    loss = cross_entropy(rows, targets, temperature=T, reduction=reduction, base=base)
    gradient = cross_entropy_gradient(rows, targets, temperature=T, reduction=reduction, base=base)
    assert_digits(loss, sum(losses) / unit)
    assert_allclose(gradient, np.reshape(gradients, rows.shape) / unit, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("base", [NATS, 2.0, 10.0])
def test_reduction_none_keeps_the_rows(base: float) -> None:
    rows, labels = np.arange(24.0).reshape(2, 3, 4) % 5, np.arange(6).reshape(2, 3) % 4
    options: Any = {"reduction": "none", "base": base}
    losses = cross_entropy(rows, labels, **options)
    assert losses.shape == (2, 3)
    for place in np.ndindex(2, 3):
        alone = cross_entropy(rows[place], labels[place], **options)
        assert_allclose(losses[place], alone, rtol=1e-14)
    assert_allclose(
        cross_entropy_gradient(rows, labels, **options),
        cross_entropy_gradient(rows, labels, reduction="sum", base=base),
        rtol=1e-14,
    )


@given(logits_and_labels())
def test_sources_of_the_same_distribution_agree(drawn: tuple[Float64Array, Any]) -> None:
    rows = drawn[0].reshape(-1, drawn[0].shape[-1])
    labels = drawn[1].reshape(-1)
    one_hot = np.eye(rows.shape[-1])[labels]
    sources: list[tuple[Kind, FloatArray]] = [
        ("log-probabilities", log_softmax(rows)),
        ("probabilities", softmax(rows)),
    ]
    expected = row_losses(rows, labels)
    for source, values in sources:
        for targets in (labels, one_hot):
            losses = row_losses(values, targets, source=source)
            assert_allclose(losses, expected, rtol=1e-12, atol=1e-15)


def test_losses_of_half_precision_are_computed_in_float32() -> None:
    row, p = np.array([1.0, 2.5, -3.0], np.float16), np.array([0.125, 0.25, 0.625], np.float16)
    q = np.array([0.7, 0.2, 0.1], np.float16)
    assert_allclose(cross_entropy(row, 2), exact.label_loss(row, 2), rtol=1e-6)
    assert_allclose(cross_entropy(row, p), exact.target_loss(row, p), rtol=1e-6)
    expected = exact.distribution_cross_entropy(p, q, NATS)
    assert_allclose(distribution_cross_entropy(p, q), expected, rtol=1e-6)
    assert_allclose(kl_divergence(p, q), exact.kl_divergence(p, q, NATS), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradients_are_rounded_once_to_the_dtype_of_their_room(dtype: str) -> None:
    rows, labels = np.array([[1.0, 2.0], [0.5, 0.0]], np.float16), np.array([1, 1])
    gradient = np.empty_like(rows, dtype)
    losses = row_losses_and_gradients(rows, labels, temperature=0.5, out=gradient)
    expected = [exact.target_gradient(rows[i], [0.0, 1.0], 0.5) for i in range(2)]
    assert_digits(gradient, expected)
    assert_array_equal(losses, row_losses(rows, labels, temperature=0.5))


# Special values; pytest turns a warning of NumPy into a failure.


@pytest.mark.parametrize(
    ("row", "targets", "loss", "gradient"),
    [
        # A masked class that nobody asks for.
        ([-INF, 0.0], 1, 0.0, [0.0, 0.0]),
        ([-INF, 0.0], [0.0, 1.0], 0.0, [0.0, 0.0]),
        ([-INF, 0.0, 0.0], [0.0, 0.5, 0.5], np.log(2), [0.0, 0.0, 0.0]),
        # A masked class that is the label: infinite, and its gradient is still P - Y.
        ([-INF, 0.0], 0, INF, [-1.0, 1.0]),
        ([-INF, 0.0], [1.0, 0.0], INF, [-1.0, 1.0]),
        ([-INF, 0.0], [0.5, 0.5], INF, [-0.5, 0.5]),
        # No weight at all.
        ([1.0, 2.0], [0.0, 0.0], 0.0, [0.0, 0.0]),
        ([3.0], 0, 0.0, [0.0]),
        ([3.0], [2.0], 0.0, [0.0]),
        *(
            (row, targets, NAN, [NAN, NAN])
            for row in ([NAN, 0.0], [0.0, NAN], [INF, 0.0], [INF, INF], [INF, -INF], [-INF, -INF])
            for targets in (0, 1, [0.25, 0.75], [1.0, 0.0])
        ),
    ],
)
def test_special_rows_spoil_no_other(
    row: list[float], targets: Any, loss: float, gradient: list[float]
) -> None:
    ordinary = [0.0] * len(row)
    rows, both_targets = [ordinary, row], [targets, targets]
    losses = cross_entropy(rows, both_targets, reduction="none")
    assert_allclose(losses[1], loss, rtol=1e-15)
    assert np.isfinite(losses[0])
    gradients = cross_entropy_gradient(rows, both_targets, reduction="sum")
    assert_array_equal(gradients[1], gradient)
    assert np.isfinite(gradients[0]).all()


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        ([1.0, 0.0], [0.0, 1.0], INF),
        ([0.5, 0.5, 0.0], [1.0, 0.0, 0.0], INF),
        ([NAN, 0.0], [0.5, 0.5], NAN),
        ([0.5, 0.5], [NAN, 1.0], NAN),
    ],
)
@of_two_distributions
def test_special_distributions(
    function: Function, p: list[float], q: list[float], expected: float
) -> None:
    assert_array_equal(function(p, q), expected)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: cross_entropy([3.0], 0),
        lambda: cross_entropy([-INF, 0.0], 1),
        lambda: cross_entropy([-INF, 0.0], [0.0, 1.0]),
        lambda: distribution_cross_entropy([1.0, 0.0], [1.0, 0.0]),
        lambda: kl_divergence([1.0, 0.0], [1.0, 0.0]),
        lambda: row_losses(np.array([[1.0, 0.0]]), np.array([0]), source="probabilities"),
        lambda: row_losses(np.array([[0.0, -INF]]), np.array([0]), source="log-probabilities"),
        lambda: row_losses(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), source="probabilities"),
    ],
)
def test_a_loss_of_nothing_is_printed_without_a_minus(loss: Callable[[], FloatArray]) -> None:
    assert str(loss().item()) == "0.0"


@pytest.mark.parametrize("reduction", ["mean", "batch-mean", "sum"])
def test_an_infinite_loss_makes_the_reduced_loss_infinite(reduction: Reduction) -> None:
    rows = [[-INF, 0.0], [0.0, 0.0]]
    assert_array_equal(cross_entropy(rows, [0, 0], reduction=reduction), INF)


@pytest.mark.parametrize("source", ["probabilities", "log-probabilities"])
@pytest.mark.parametrize("targets", [1, [0.5, 0.5]])
def test_an_impossible_target_costs_infinity_from_every_source(source: Kind, targets: Any) -> None:
    values = np.array([[1.0, 0.0] if source == "probabilities" else [0.0, -INF]])
    assert_array_equal(row_losses(values, np.array([targets]), source=source), INF)


# Errors


@pytest.mark.parametrize(
    ("rows", "targets", "options", "error", "message"),
    [
        ([], [], {}, ShapeError, "no class along axis -1"),
        (1.0, 0, {}, ShapeError, "without dimensions have no classes"),
        ([1.0], 0, {"axis": 1}, ShapeError, "no axis 1"),
        ([1j], 0, {}, DomainError, "logits of dtype complex128 are not real"),
        ([None], 0, {}, DomainError, "logits of dtype object are not real"),
        (
            [1.0],
            0,
            {"temperature": 0},
            DomainError,
            "temperature must be positive and finite, got 0",
        ),
        (
            [1.0],
            0,
            {"temperature": -1},
            DomainError,
            "temperature must be positive and finite, got -1",
        ),
        (
            [1.0],
            0,
            {"temperature": NAN},
            DomainError,
            "temperature must be positive and finite, got nan",
        ),
        (
            [1.0],
            0,
            {"temperature": INF},
            DomainError,
            "temperature must be positive and finite, got inf",
        ),
        (
            [1.0],
            0,
            {"reduction": "median"},
            DomainError,
            "no reduction 'median'; give mean, batch-",
        ),
        ([[0, 0]] * 3, [0, 1, 2], {}, DomainError, r"label 2 of row 2 is out of range \(0 to 1\)"),
        ([[0, 0]] * 3, [0, -1, 7], {}, DomainError, "label -1 of row 1"),
        ([0, 0], 5, {}, DomainError, "label 5 of row 0"),
        (np.zeros((2, 2, 3)), [[0, 1], [3, 0]], {}, DomainError, r"label 3 of row 2 .* 2\)$"),
        (np.zeros((3, 2)), [2, 3], {"axis": 0}, DomainError, r"label 3 of row 1 .* 2\)$"),
        ([[0, 0]], np.array([2**64 - 1], np.uint64), {}, DomainError, "label 18446744073709551615"),
        ([[0, 0]], [1.0], {}, DomainError, "labels of dtype float64 are not whole"),
        ([[0, 0]], [True], {}, DomainError, "labels of dtype bool are not whole"),
        ([[0, 0]], ["1"], {}, DomainError, "labels of dtype <U1 are not whole"),
        ([[0, 0]], [None], {}, DomainError, "labels of dtype object are not whole"),
        ([[0, 0]], [0, 1], {}, ShapeError, r"labels of shape \(2,\) do not fit .* \(1, 2\)"),
        ([[0, 0]], 0, {}, ShapeError, r"labels of shape \(\) do not fit"),
        ([0, 0], [[0]], {}, ShapeError, r"labels of shape \(1, 1\) do not fit"),
        ([[0, 0]], [[0, 1, 0]], {}, ShapeError, r"targets of shape \(1, 3\) do not fit"),
        ([[0, 0]], [[0]], {}, ShapeError, r"targets of shape \(1, 1\) do not fit"),
        ([[0, 0]], [[1j, 0]], {}, DomainError, "the targets of dtype complex128"),
        ([[0, 0]], [["a", "b"]], {}, DomainError, "the targets of dtype <U1"),
    ],
)
@both
def test_errors(
    function: Function,
    rows: Any,
    targets: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        function(rows, targets, **options)


@pytest.mark.parametrize(
    ("p", "q", "error", "message"),
    [
        ([], [], ShapeError, r"p of shape \(0,\) have no class"),
        (1.0, [1.0], ShapeError, "p without dimensions"),
        ([0.5, 0.5], [1.0], ShapeError, r"p of shape \(2,\) and q of shape \(1,\) differ"),
        ([1.0], [[1.0]], ShapeError, r"q of shape \(1, 1\) differ"),
        ([-0.5, 1.5], [0.5, 0.5], DomainError, "p has a negative probability"),
        ([0.5, 0.5], [1.5, -0.5], DomainError, "q has a negative probability"),
        ([1j], [1.0], DomainError, "p of dtype complex128"),
        ([1.0], [None], DomainError, "q of dtype object"),
    ],
)
@of_two_distributions
def test_errors_of_two_distributions(
    function: Function, p: Any, q: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(p, q)
