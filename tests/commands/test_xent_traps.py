"""What users reported of cross-entropy elsewhere, each by its number, and what is done here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
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


SEVERAL = "this looks like a loss of several labels and sigmoids, which is not computed here"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("1,2,3 --targets 1,1,0", SEVERAL),
        ("1,2,3 4,5,6 --targets '[[0,1,0],[1,0,1]]'", SEVERAL),
        ("--p 1,1,0 --q 0.5,0.25,0.25", SEVERAL),
        ("1,2,3 --targets 0,0,0", "each row needs a label, or leave the row out"),
        ("column.csv --from probabilities --labels 0,1", "the other's, 1 - p, is needed"),
        ("column.csv --targets ones.csv", "the other's, 1 - p, is needed"),
        ("--p ones.csv --q column.csv", "the other's, 1 - p, is needed"),
        ("log.csv --from log-probabilities --labels 0,0", "the other's, log(1 - p), is needed"),
        ("0,0 --from probabilities --labels 0", "they are not all 0"),
    ],
)
def test_normalize_is_no_remedy_where_it_makes_another_problem(line: str, remedy: str) -> None:
    Path("column.csv").write_text("0.2\n0.7\n")
    Path("ones.csv").write_text("0\n1\n")
    Path("log.csv").write_text("-0.2\n-0.7\n")
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert remedy in outcome.err
    assert "--normalize" not in outcome.err


@pytest.mark.parametrize(
    "line",
    [
        "1,2,3 --targets 1,0.5,0",
        "1,2,3 --targets 2,1,0",
        "0.9,0.3 --from probabilities --labels 0",
        "--p 0.9,0.3 --q 0.5,0.5",
    ],
)
def test_normalize_stays_the_remedy_where_it_is_one(line: str) -> None:
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 2
    assert "--normalize divides by the sum" in outcome.err
    assert run(f"softmax-cli xent {line} --normalize").code == 0


TRUTH = "store truth values as numbers, 0 and 1"
TARGETS: dict[str, str] = {
    "y.json": "[[true, false], [false, true]]",
    "y.jsonl": '{"a": true, "b": false}\n{"a": false, "b": true}\n',
    "lists.jsonl": "[true, false]\n[false, true]\n",
    "y.csv": "a,b\nTrue,False\nFalse,True\n",
    "upper.csv": "a,b\nTRUE,FALSE\nFALSE,TRUE\n",
    "y.txt": "a b\ntrue false\nfalse true\n",
}


@pytest.fixture
def _booleans() -> None:
    for name, text in TARGETS.items():
        Path(name).write_text(text)
    Y = np.array([[True, False], [False, True]])
    np.save("y.npy", Y)
    np.savez("y.npz", y=Y)
    tensor = {"y": {"dtype": "BOOL", "shape": [2, 2], "data_offsets": [0, 4]}}
    header = json.dumps(tensor).encode()
    Path("y.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + Y.tobytes())
    frame = pl.DataFrame({"a": [True, False], "b": [False, True]})
    frame.write_parquet("y.parquet")
    frame.write_ipc("y.arrow")
    pl.DataFrame({"y": Y.tolist()}).write_parquet("lists.parquet")
    Path("labels.csv").write_text("y\nTrue\nFalse\n")
    np.save("labels.npy", Y[0])
    Path("beside.csv").write_text("a,b,y\n1,2,True\n3,4,False\n")
    pl.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0], "flag": [True, False]}).write_parquet(
        "z.parquet"
    )


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize(
    "name",
    [*TARGETS, *(f"y.{end}" for end in ("npy", "npz", "safetensors", "parquet", "arrow")),
     "lists.parquet"],
)  # fmt: skip
def test_truth_values_for_targets_are_to_be_numbers(name: str) -> None:
    outcome = run(f"softmax-cli xent 1,2 3,4 --targets {name}")
    assert (outcome.code, outcome.out) == (2, "")
    assert TRUTH in outcome.err
    assert "--id-columns" not in outcome.err
    assert "through" not in outcome.err


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize(
    "line",
    [
        "1,2 3,4 --labels labels.csv",
        "1,2 3,4 --labels labels.npy",
        "1,2 3,4 --labels true,false",
        "beside.csv --label-column y",
        "1,2 3,4 --labels 0,1 --sample-weights labels.csv",
        "1,2 3,4 --labels 0,1 --sample-weights labels.npy",
    ],
)
def test_truth_values_for_labels_and_weights_are_to_be_numbers(line: str) -> None:
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert TRUTH in outcome.err


@pytest.mark.usefixtures("_booleans")
def test_a_flag_beside_numbers_may_be_no_class() -> None:
    outcome = run("softmax-cli softmax z.parquet")
    assert outcome.code == 2
    assert f"{TRUTH}, or --id-columns flag if it is no class" in outcome.err
    assert run("softmax-cli softmax z.parquet --id-columns flag").code == 0
