"""Losses and gradients of rows on which an earlier formula was wrong, against mpmath."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.core.loss.cross_entropy import cross_entropy, cross_entropy_gradient
from softmax_cli.core.loss.row_losses import row_losses, row_losses_and_gradients
from tests.core import mpmath_reference as exact
from tests.core.mpmath_reference import assert_digits

E = float(np.e)


def _in_units_of(base: float) -> Any:
    return 1 if base == E else exact.real.log(exact.real.mpf(base))


@pytest.mark.parametrize(
    ("row", "temperature", "targets", "base"),
    [
        # A sum, a quotient, a logarithm and a base, each rounded.
        (
            [3.1599623845853873, 0.1195748867436535],
            1.5131876407387743,
            [1.0483679406144806, 8e-7],
            10,
        ),
        ([85.51785524227023, 66.68832059831774], 2.7973151739451283, [1.12258005264169, 1e-6], 2),
        ([1.684696501606463, 0.862979827928629], 0.3994508656393484, [0.99987071384, 2e-4], E),
        (
            [16.749446635644148, 8.084355550559817, 1.3676374133779343],
            1.149677766576817,
            [1, 0, 0],
            10,
        ),
        (
            [0.724182187663591, 0.3187598745238624, -0.4160672990898415],
            0.0649943223855,
            [1, 0, 0],
            E,
        ),
        ([79.5334210191431, -1.4637994634982632, 1.4785434313135455], 11.85995012161, [1, 0, 0], 2),
        ([0.708658335780646, 0.018950281096896216, -0.11258], 0.25, [1.04184458, 6e-14, 1e-4], E),
        ([0.2748292377456296, 0.35401260670247653], 3.0, [0.28607853, 0.71668578], 2),
        ([3.853051979595073, 3.139215663438168], 0.6649403878479476, [0.975544009, 1e-8], 10),
        ([-3.2372819628520144, 7.656791175863232], 7.0, [1.2714825345, 6054099.969389583], 10),
        # The terms of the odds are no normal numbers, and the odds are.
        ([0.0] + [-714.0] * 500, 1.0, [1.0] + [0.0] * 500, E),
        # The gap is no number, and its share in the loss is.
        ([1e308, -1e308], 1.0, [0.75, 0.25], E),
        ([1e308, -1e308], 1.0, [0.0, 1.0], 10),
    ],
)
def test_losses(row: list[float], temperature: float, targets: list[float], base: float) -> None:
    logs = [exact.real.log(S) for S in exact.probabilities(row, temperature)]
    terms = [exact.real.mpf(Y) * log for Y, log in zip(targets, logs, strict=True) if Y]
    expected = float(-exact.real.fsum(terms) / _in_units_of(base))
    options: Any = {"temperature": temperature, "base": base}
    assert_digits(cross_entropy(row, targets, **options), expected)
    if sum(targets) == 1 == max(targets):
        assert_digits(cross_entropy(row, targets.index(1), **options), expected)


@pytest.mark.parametrize(
    ("row", "temperature", "targets", "base", "count"),
    [
        (
            [1.1662378556030861, 3.0215802445773114, -0.25098964],
            0.06403389269925261,
            [0, 1, 0],
            10,
            1,
        ),
        (
            [-97.92265191534318, 291.58912474145217, 14.223280587643],
            19.752487789105,
            [0, 1, 0],
            2,
            503,
        ),
        ([-0.6523327533897445, 0.09019805379526728, -1.05376], 0.1, [0, 0, 1], E, 798),
        # A label that is nearly the likeliest.
        ([0.057999999999999996, 0.054000000000000006, 0.04], 0.01, [0, 1, 0], E, 1),
        ([0.00013638162938848864, 0.0001291233883055904], 0.03340882773822559, [0, 1], E, 1),
        ([1.2140923, -39.948847, 21.02354158957785, 20.80948518012661], 3.0, [0, 0, 0, 1], 2, 1),
        ([0.05922610429849011, 1.4724803799486093, 1.500128], 0.35526363, [0, 1, 0], 10, 1353),
        # A probability that is no normal number, and its gradient is.
        ([0.0, -7.1182420335750205], 0.01, [1, 0], 10, 1),
        ([0.0, -720.0], 1.0, [1e20, 0], E, 1),
        # The sum of exponentials times T is no number.
        ([690 * 2.0**30, 0.0], 2.0**30, [0, 1], E, 1),
        ([-707 * 2.0**-60, -707.5 * 2.0**-60], 2.0**-60, [1, 0], E, 1),
        ([-707.5 / 64, -707.6 / 64], 1 / 64, [1, 0], E, 1),
        ([-706.5, -707.5], 1.0, [1, 0], 1.0001, 1),
        ([-0.5315106999978927, -2.306203165942897], 2.1813795388, [0.9999988811260, 1e-6], 2, 437),
        ([-25.517, -19.8178, 18.83378, 36.29515604167415], 1.494, [0.03, 0.06, 0.9, 0.01], E, 1413),
    ],
)
def test_gradients(
    row: list[float], temperature: float, targets: list[float], base: float, count: int
) -> None:
    P = exact.probabilities(row, temperature)
    Y = [exact.real.mpf(weight) for weight in targets]
    divisor = exact.real.mpf(temperature) * _in_units_of(base) * count
    total = exact.real.fsum(Y)
    expected, sizes = (
        exact.rounded((p * total + sign * y) / divisor for p, y in zip(P, Y, strict=True))
        for sign in (-1, 1)
    )
    options: Any = {"temperature": temperature, "base": base}
    soft = cross_entropy_gradient([row] * count, [targets] * count, **options)
    assert_digits(soft[-1], expected, scale=sizes)
    if sum(targets) == 1 == max(targets):
        hard = cross_entropy_gradient([row] * count, [targets.index(1)] * count, **options)
        assert_digits(hard[-1], expected)


def test_large_weights_of_one_row_change_no_other() -> None:
    rows, Y = [[0.0, -0.5], [0.0, -400.0]], [[1e306, 0.0], [1.0, 0.0]]
    gradient = cross_entropy_gradient(rows, Y, reduction="none")
    assert np.isfinite(gradient).all()
    for place in (0, 1):
        alone = cross_entropy_gradient(rows[place], Y[place], reduction="none")
        assert_array_equal(alone, gradient[place])


@pytest.mark.parametrize("size", [1.0, 1e150, 1e306])
def test_soft_targets_in_any_order_of_memory(size: float) -> None:
    random = np.random.default_rng(0)
    rows, Y = random.normal(size=(2, 50)), np.abs(random.normal(size=(2, 50))) * size
    turned = np.asfortranarray(rows), np.asfortranarray(Y)
    for function in (cross_entropy, cross_entropy_gradient):
        assert_array_equal(function(*turned, reduction="none"), function(rows, Y, reduction="none"))


@pytest.mark.parametrize("temperature", [1e-271, 1e-300, 1e-308])
def test_a_saturated_row_at_a_tiny_temperature_has_no_gradient(temperature: float) -> None:
    gradient = cross_entropy_gradient([2.0, 0.0, 1.0], 0, temperature=temperature)
    assert_array_equal(gradient, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("classes", [1, 3, 17, 128, 129, 2049, 5000])
def test_the_likeliest_classes_change_nothing_if_they_are_known(dtype: str, classes: int) -> None:
    random = np.random.default_rng(classes)
    a = random.normal(0, 3, (37, classes)).round(1).astype(dtype)
    a[5], a[6, -1], a[7, 0], a[8] = -np.inf, np.nan, np.inf, 2
    labels, top = random.integers(0, classes, 37), a.argmax(axis=-1)
    room, room_known = np.empty_like(a), np.empty_like(a)
    losses = row_losses_and_gradients(a, labels, out=room)
    known = row_losses_and_gradients(a, labels, out=room_known, largest=top)
    assert_array_equal(known, losses)
    assert_array_equal(room_known, room)
    Y = random.dirichlet(np.ones(classes), 37)
    assert_array_equal(row_losses(a, Y, largest=top), row_losses(a, Y))
