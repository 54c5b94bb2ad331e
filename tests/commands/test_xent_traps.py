"""What users reported of cross-entropy elsewhere, each by its number, and what is done here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy
from tests.running import run

LOGITS = np.random.default_rng(11).normal(0, 3, (6, 4))
LABELS = np.array([0, 3, 1, 2, 3, 0])


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", LOGITS)
    np.save("l.npy", LABELS)


def report(line: str, said: str = "") -> dict[str, Any]:
    """The JSON report of a run that succeeds and says nothing else."""
    outcome = run(f"softmax-cli xent {line} --format json")
    assert (outcome.code, outcome.err) == (0, said)
    result: dict[str, Any] = json.loads(outcome.out)
    return result


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


def test_the_denominator_of_a_weighted_mean_is_told() -> None:
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
    told = " ".join(run("softmax-cli xent --help").out.split())
    assert (
        "mean the sum of the weights of the rows used: s w(label) for labels, s for targets" in told
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
    assert f"z.npy: row 4: its label is {label}, which is no class" in outcome.err


def test_a_masked_logit_under_a_target_of_0_costs_nothing() -> None:
    """optax#896, optax#1762."""
    np.save("z.npy", [[-np.inf, 1.0, 2.0]])
    line = "softmax-cli xent z.npy --targets 0,0.25,0.75 --grad g.npy"
    loss = float(run(line).out)
    assert loss == pytest.approx(cross_entropy([1.0, 2.0], [0.25, 0.75]), rel=1e-15)
    P = 1 / (1 + np.exp(-1.0))
    assert_allclose(np.load("g.npy"), [[0, 0.75 - P, P - 0.75]], atol=1e-15)


def test_soft_targets_that_do_not_sum_to_1() -> None:
    """Paddle#63678."""
    outcome = run("softmax-cli xent 1 2 3 --targets 0.5,0.5,0.5")
    assert outcome.code == 2
    assert "--targets: row 0: the targets with the sum 1.5, not 1; --normalize" in outcome.err
    said = "softmax-cli: 1 distribution divided by the sum, which was not 1\n"
    normalized = report("1 2 3 --targets 0.5,0.5,0.5 --normalize", said)
    expected = cross_entropy([1.0, 2, 3], [1 / 3] * 3)
    assert normalized["loss"] == pytest.approx(expected, rel=1e-15)


def test_nothing_is_clipped() -> None:
    """scikit-learn#24515."""
    outcome = run("softmax-cli xent 1,0 0,1 --from probabilities --labels 1,1")
    assert (outcome.code, outcome.out) == (0, "inf\n")
    assert "1 row has an infinite loss: arguments: row 0" in outcome.err
    assert report("1e-300,1 --from probabilities --labels 0")["loss"] == pytest.approx(
        300 * np.log(10), rel=1e-15
    )


def test_nothing_is_renormalised_unasked() -> None:
    """scikit-learn#17399."""
    outcome = run("softmax-cli xent 0.2,0.2 --from probabilities --labels 0")
    assert outcome.code == 2
    assert "probabilities with the sum 0.4, not 1; --normalize divides by the sum" in outcome.err


def test_the_names_of_columns_decide_not_their_order() -> None:
    """scikit-learn#30910."""
    Path("z.csv").write_text("spam,ham,eggs\n1,2,4\n0.5,3,1\n")
    Path("y.csv").write_text("eggs,ham,spam\n0.5,0.25,0.25\n0,0,1\n")
    Path("w.csv").write_text("ham,eggs,spam\n2,3,1\n")
    rows, Y = [[1.0, 2, 4], [0.5, 3, 1]], [[0.25, 0.25, 0.5], [1.0, 0, 0]]
    of_labels = report("z.csv --labels eggs,spam --class-weights w.csv")
    expected = cross_entropy(rows, [2, 0], class_weights=[1, 2, 3])
    assert of_labels["loss"] == pytest.approx(expected, rel=1e-15)
    of_targets = report("z.csv --targets y.csv")
    assert of_targets["loss"] == pytest.approx(cross_entropy(rows, Y), rel=1e-15)
    Path("p.csv").write_text("b,a\n0.25,0.75\n")
    Path("q.csv").write_text("a,b\n0.5,0.5\n")
    assert report("--p p.csv --q p.csv")["kl_divergence"] == 0
    assert report("--p p.csv --q q.csv")["loss"] == pytest.approx(np.log(2))


@pytest.mark.parametrize("header", ["spam,ham,bacon", "spam,ham,ham"])
def test_columns_of_other_names_are_an_error(header: str) -> None:
    Path("z.csv").write_text("spam,ham,eggs\n1,2,4\n")
    Path("y.csv").write_text(f"{header}\n0.5,0.25,0.25\n")
    for option in ("--targets", "--labels 0 --class-weights"):
        outcome = run(f"softmax-cli xent z.csv {option} y.csv")
        assert outcome.code == 2
        assert "the columns of y.csv are not named as those of z.csv" in outcome.err


def test_probabilities_given_as_logits_get_a_warning() -> None:
    """keras#6143."""
    outcome = run("softmax-cli xent 0.2,0.8 0.5,0.5 --labels 1,0")
    assert outcome.code == 0
    assert "warning: every row lies in 0..1 and sums to 1 as probabilities do" in outcome.err
    ignored = "softmax-cli xent 5,7 0.5,0.5 --labels 9,0 --ignore-label 9"
    assert "warning: every row lies in 0..1" in run(ignored).err
    assert run("softmax-cli xent 0.2,0.8 0.5,0.6 --labels 1,0").err == ""


def test_logits_given_as_probabilities_are_an_error() -> None:
    outcome = run("softmax-cli xent 2,3 --from probabilities --labels 1")
    assert outcome.code == 2
    assert "probabilities with the sum 5, not 1" in outcome.err
    assert "--from says what the values are" in outcome.err
