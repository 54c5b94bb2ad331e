"""xent: weights, reductions, ignored labels and masked classes, as other programs get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy, cross_entropy_gradient, softmax
from tests.commands.loss.reports import report
from tests.running import Outcome, run

pytestmark = pytest.mark.fast(4)

LOGITS = np.random.default_rng(11).normal(0, 3, (6, 4))
LABELS = np.array([0, 3, 1, 2, 3, 0])


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", LOGITS)
    np.save("l.npy", LABELS)


def test_smoothing_does_not_touch_ignored_rows() -> None:
    """pytorch#73205."""
    line = "--label-smoothing 0.2 --ignore-label -100"
    np.save("l.npy", np.where(np.arange(6) == 2, -100, LABELS))
    run(f"softmax-cli xent z.npy --labels l.npy {line} --losses o.npy --grad g.npy")
    assert np.load("o.npy")[2] == 0
    assert not np.load("g.npy")[2].any()
    rest = np.delete(np.arange(6), 2)
    expected = cross_entropy(LOGITS[rest], LABELS[rest], label_smoothing=0.2)
    assert report(f"z.npy --labels l.npy {line}")["loss"] == pytest.approx(expected, rel=1e-15)


def test_weights_smoothing_and_ignored_labels_together() -> None:
    """pytorch#69339, pytorch#91383: the smoothed part is divided by the same weights."""
    w, E = np.array([0.5, 2, 1, 3]), 0.3
    P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    used = LABELS != 1
    Y = (1 - E) * np.eye(4)[LABELS] + E / 4
    losses = (-w * Y * np.log(P)).sum(axis=-1)
    expected = losses[used].sum() / w[LABELS][used].sum()
    line = "z.npy --labels l.npy --class-weights 0.5,2,1,3 --label-smoothing 0.3 --ignore-label 1"
    assert report(line)["loss"] == pytest.approx(expected, rel=1e-13)


def test_the_denominator_of_a_weighted_mean_is_reported() -> None:
    """pytorch#40560, pytorch#104776."""
    line = "z.npy --labels l.npy --class-weights 1,2,3,4"
    weighted = report(line)
    assert weighted["denominator"] == np.array([1.0, 2, 3, 4])[LABELS].sum()
    total = report(f"{line} --reduction sum")
    assert total["denominator"] == 1
    assert weighted["loss"] == pytest.approx(total["loss"] / weighted["denominator"], rel=1e-15)
    by_rows = report(f"{line} --reduction batch-mean")
    assert (by_rows["denominator"], by_rows["loss"]) == (6, pytest.approx(total["loss"] / 6))
    shown = run(f"softmax-cli xent {line} --format table").out
    assert "denominator        15   weights of the rows used, summed" in shown
    found = " ".join(run("softmax-cli xent --help").out.split())
    assert (
        "mean the sum of the weights of the rows used: s w(label) for labels, s for targets"
        in found
    )


@pytest.mark.parametrize("reduction", ["mean", "batch-mean", "sum", "none"])
def test_all_rows_ignored_is_an_error(reduction: str) -> None:
    """pytorch#116349."""
    np.save("l.npy", np.full(6, -100))
    outcome = run(
        f"softmax-cli xent z.npy --labels l.npy --ignore-label -100 --reduction {reduction} "
        "--losses o.npy --grad g.npy -o out.json"
    )
    assert outcome.code == 2
    assert "z.npy: every row is ignored, so there is no loss" in outcome.err
    assert not [path for path in ("o.npy", "g.npy", "out.json") if Path(path).exists()]


def test_an_ignored_label_stays_in_the_denominator_of_the_softmax() -> None:
    """pytorch#63004."""
    kept, used = report("z.npy --labels l.npy --ignore-label 3"), LABELS != 3
    assert kept["loss"] == pytest.approx(cross_entropy(LOGITS[used], LABELS[used]), rel=1e-15)
    without = report("z.npy --labels l.npy --ignore-label 3 --mask-class 3")
    expected = cross_entropy(LOGITS[used, :3], LABELS[used])
    assert without["loss"] == pytest.approx(expected, rel=1e-15)
    assert without["loss"] < kept["loss"]


@pytest.mark.parametrize("label", [4, -1])
def test_a_label_out_of_range_is_an_error_with_its_row(label: int) -> None:
    """optax#1185, tensorflow#10268."""
    np.save("l.npy", np.where(np.arange(6) == 4, label, LABELS))
    outcome = run("softmax-cli xent z.npy --labels l.npy")
    assert outcome.code == 2
    assert f"z.npy: row 4: label {label} is out of range" in outcome.err


def test_a_masked_logit_under_a_target_of_0_costs_nothing() -> None:
    """optax#896, optax#1762."""
    np.save("z.npy", [[-np.inf, 1.0, 2.0]])
    line = "softmax-cli xent z.npy --targets 0,0.25,0.75 --grad g.npy"
    loss = float(run(line).out)
    assert loss == pytest.approx(cross_entropy([1.0, 2.0], [0.25, 0.75]), rel=1e-15)
    P = 1 / (1 + np.exp(-1.0))
    assert_allclose(np.load("g.npy"), [[0, 0.75 - P, P - 0.75]], atol=1e-15)


@pytest.mark.parametrize("weight", [1e150, 1e-150])
def test_weights_at_their_bounds(weight: float) -> None:
    w = f"{weight},{weight}"
    line = f"0,-1 0,0 --labels 1,0 --class-weights {w} --sample-weights {w} --grad g.csv"
    found = json.loads(run(f"softmax-cli xent {line} --format json").out)
    assert found["loss"] == pytest.approx(
        cross_entropy([[0.0, -1.0], [0.0, 0.0]], [1, 0]), rel=1e-14
    )
    expected = cross_entropy_gradient([[0.0, -1.0], [0.0, 0.0]], [1, 0])
    assert_allclose(np.loadtxt("g.csv", delimiter=","), expected, rtol=1e-13)


def test_a_small_divisor_makes_no_nan() -> None:
    line = (
        "0,-1000000 0,1 --labels 0,0 --label-smoothing 0.5 --class-weights 1e-150,1e-8 "
        "--sample-weights 1e-150,1e-150 --grad g.csv"
    )
    assert run(f"softmax-cli xent {line}").code == 0
    assert np.isfinite(np.loadtxt("g.csv", delimiter=",")).all()


def test_numbers_that_are_large_for_half_precision_warn_of_nothing() -> None:
    np.save("z.npy", np.array([[60000, 60000, 60000], [1, 2, 3]], np.float16))
    assert run("softmax-cli xent z.npy --labels 0,1").err == ""
    line = "softmax-cli xent --p 0.5,0.5 --q 1,0 --sample-weights 0 --reduction sum"
    assert run(line) == Outcome(0, "0.0\n", "")


def test_ignored_labels_may_be_an_array() -> None:
    rows = [[1.0, 2.0], [3.0, 1.0]]
    for function in (cross_entropy, cross_entropy_gradient):
        plain = function(rows, [0, 1], ignore_labels=[0])
        assert_allclose(function(rows, [0, 1], ignore_labels=np.array([0])), plain, rtol=0)


def _two(line: str) -> dict[str, Any]:
    outcome = run(f"softmax-cli xent {line} --format json")
    assert (outcome.code, outcome.err) == (0, "")
    report: dict[str, Any] = json.loads(outcome.out)
    return report


def test_p_and_q_are_probabilities_unless_from_says_otherwise() -> None:
    logits = np.random.default_rng(4).normal(0, 2, (2, 9, 3))
    P, Q = (softmax(each, temperature=2.0) for each in logits)
    for name, values in zip("abcdef", (*logits, P, Q, np.log(P), np.log(Q)), strict=True):
        np.save(f"{name}.npy", values)
    of_probabilities = _two("--p c.npy --q d.npy")
    of_logits = _two("--p a.npy --q b.npy --from logits --temperature 2")
    assert of_logits["temperature"] == 2.0
    for key in ("loss", "entropy", "kl_divergence", "perplexity"):
        assert of_logits[key] == pytest.approx(of_probabilities[key], rel=1e-13)
        of_logs = _two("--p e.npy --q f.npy --from log-probabilities")
        assert of_logs[key] == pytest.approx(of_probabilities[key], rel=1e-13)


def test_a_class_that_is_masked_is_in_neither_softmax() -> None:
    masked = _two("--p 1,2,3 --q 3,9,0 --from logits --mask-class 1")
    without = _two("--p 1,3 --q 3,0 --from logits")
    assert masked["loss"] == without["loss"]
    assert masked["kl_divergence"] == without["kl_divergence"]


def test_a_probability_too_small_for_a_number_is_still_above_0() -> None:
    outcome = run("softmax-cli xent --p 1,-800 --q 1,-inf --from logits --format json")
    assert json.loads(outcome.out)["loss"] == json.loads(outcome.out)["kl_divergence"] == "inf"
    assert outcome.err == "softmax-cli: 1 row has an infinite loss: --q: row 0\n"
    assert _two("--p 1,-inf --q 1,-inf --from logits")["loss"] == 0


def test_the_gradient_of_two_distributions_is_of_the_logits_of_q() -> None:
    p, q, path = [1.0, 2.0, 3.0], [3.0, 1.0, 0.5], "g.npy"
    line = f"--p {_typed(p)} --q {_typed(q)} --from logits -t 2 --grad {path}"
    assert run(f"softmax-cli xent {line}").code == 0
    expected = (softmax(q, temperature=2.0) - softmax(p, temperature=2.0)) / 2
    assert_allclose(np.load(path)[0], expected, rtol=1e-13)


def _typed(row: list[float]) -> str:
    return ",".join(map(repr, row))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--p 1,inf --q 1,2 --from logits", "--p: row 0: p has no softmax: it holds +inf; "),
        ("--p=-inf,-inf --q 1,2 --from logits", "p has no softmax: it holds nothing but -inf"),
        ("--p 1,2 --q 1,2 --from logits --ignore-label 0", "ignore-label: p and q have no labels"),
        ("--p 1,2 --q 1,2 --from logits --fit-temperature", "p and q have no labels; leave it out"),
        ("--p 1,2 --q 1,2 -t 2", "--temperature: goes with logits alone"),
        (
            "--p 0.5,0.6 --q=-0.5,-0.93275 --from log-probabilities",
            "p whose exponentials sum to 3.47084, not 1; --from says what the values are",
        ),
    ],
)
def test_refused_forms_of_two_distributions(line: str, message: str) -> None:
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 2
    assert message in outcome.err
