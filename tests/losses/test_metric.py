"""The metrics of xent's report, against their definitions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy, softmax
from tests.commands.loss.reports import LABELS, LOGITS, NAMES, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)
DRAW = np.random.default_rng(22)


@pytest.fixture(autouse=True)
def _inputs(folder: Path) -> None:
    assert folder.is_dir()
    save_inputs()


of_both = pytest.mark.parametrize("form", ["--labels l.npy", "--targets onehot.npy"])


@of_both
@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_top_k_accuracy(form: str, k: int) -> None:
    found = report(f"z.npy {form} --top-k-accuracy {k}")
    order = np.argsort(-LOGITS, axis=-1, kind="stable")[:, :k]
    assert found["top_k"] == k
    assert found["top_k_accuracy"] == (order == LABELS[:, None]).any(-1).mean()
    if k == 1:
        assert found["top_k_accuracy"] == found["accuracy"]


def test_of_equal_logits_the_first_classes_are_the_likeliest() -> None:
    line = "1,1,1 1,1,1 1,1,1 --labels 0,1,2"
    assert report(f"{line} --top-k-accuracy 2")["top_k_accuracy"] == 2 / 3
    assert report(f"{line} --top-k-accuracy 1")["top_k_accuracy"] == 1 / 3


@of_both
def test_per_class(form: str) -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    for number, found in enumerate(report(f"z.npy {form} --per-class")["per_class"]):
        of = np.equal(LABELS, number)
        assert found["class"] == number
        assert found["rows"] == of.sum()
        assert found["loss"] == pytest.approx(losses[of].mean(), rel=1e-14)
        assert found["accuracy"] == (LOGITS.argmax(-1) == LABELS)[of].mean()


def test_per_class_of_weighted_rows_and_of_none() -> None:
    s = DRAW.random(60)
    np.save("s.npy", s)
    found = report(
        "z.npy --labels l.npy --per-class --sample-weights s.npy --class-weights 1,2,0,4 "
        "--ignore-label 3"
    )["per_class"]
    losses, of = cross_entropy(LOGITS, LABELS, reduction="none"), LABELS == 1
    assert found[1]["loss"] == pytest.approx(np.average(losses[of], weights=s[of]), rel=1e-14)
    assert found[2]["loss"] is None
    assert found[2]["rows"] == (LABELS == 2).sum()
    assert found[3] == {"class": 3, "rows": 0, "loss": None, "accuracy": None}


def test_the_worst_rows() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    found = report("z.npy --labels l.npy --worst 5")["worst"]
    order = np.argsort(-losses, kind="stable")[:5]
    assert [each["row"] for each in found] == order.tolist()
    assert [each["label"] for each in found] == LABELS[order].tolist()
    assert [each["predicted"] for each in found] == LOGITS[order].argmax(-1).tolist()
    assert_allclose([each["loss"] for each in found], losses[order], rtol=1e-15)


def test_the_worst_rows_have_names_and_ids() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    row = int(losses.argmax())
    line = "z.csv --id-columns id --label-column y --worst 1"
    names = NAMES.split(",")
    assert report(line)["worst"] == [
        {
            "row": row,
            "label": names[LABELS[row]],
            "predicted": names[LOGITS[row].argmax()],
            "loss": pytest.approx(losses[row], rel=1e-14),
            "ids": [f"r{row}"],
        }
    ]
    table = run(f"softmax-cli xent {line} --format table").out.partition("worst rows")[2]
    shown = table.splitlines()[2].split()
    assert (shown[0], shown[-1]) == (str(row), f"r{row}")


def test_of_equal_losses_the_first_rows_are_the_worst() -> None:
    found = report("0,0 0,0 0,0 0,0 --labels 0,1,0,1 --worst 2")["worst"]
    assert [each["row"] for each in found] == [0, 1]
    infinite = run("softmax-cli xent 0,0 -inf,0 0,0 --labels 0,0,1 --worst 1 --format json")
    assert json.loads(infinite.out)["worst"][0] == {
        "row": 1,
        "label": 0,
        "predicted": 1,
        "loss": "inf",
    }


def test_rows_keep_their_numbers_where_others_were_left_out() -> None:
    values = LOGITS.copy()
    values[[0, 7]] = np.nan
    np.save("z.npy", values)
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    losses[[0, 7]] = -1
    outcome = run(
        "softmax-cli xent z.npy --labels l.npy --worst 60 --on-bad-row skip -q --format json"
    )
    found = json.loads(outcome.out)["worst"]
    assert [each["row"] for each in found] == np.argsort(-losses, kind="stable")[:58].tolist()


def test_a_one_hot_row_has_a_label_whatever_its_neighbours_have() -> None:
    line = "1,2 3,1 0,1 --targets '[[1,0],[0.5,0.5],[0,1]]' --worst 3"
    found = {each["row"]: each["label"] for each in report(line)["worst"]}
    assert found == {0: 0, 1: None, 2: 1}


@of_both
@pytest.mark.parametrize("bins", [10, 15])
def test_calibration(form: str, bins: int) -> None:
    found = report(f"z.npy {form} -t 2 --calibration --bins {bins}")["calibration"]
    P = softmax(LOGITS, temperature=2.0)
    confidence, right = P.max(-1), P.argmax(-1) == LABELS
    of = np.ceil(confidence * bins).astype(int) - 1
    gaps = [
        abs(right[of == b].mean() - confidence[of == b].mean()) if (of == b).any() else 0.0
        for b in range(bins)
    ]
    assert found["bins"] == bins
    ece = np.average(gaps, weights=np.bincount(of, minlength=bins))
    assert found["ece"] == pytest.approx(ece, rel=1e-12)
    assert found["mce"] == pytest.approx(max(gaps), rel=1e-12)
    brier = ((P - np.eye(4)[LABELS]) ** 2).sum(-1).mean()
    assert found["brier"] == pytest.approx(brier, rel=1e-12)
    assert [each["rows"] for each in found["reliability"]] == np.bincount(
        of, minlength=bins
    ).tolist()


@pytest.mark.parametrize("from_", ["probabilities", "log-probabilities"])
def test_calibration_of_what_is_given(from_: str) -> None:
    expected = report("z.npy --labels l.npy --calibration")["calibration"]
    P = softmax(LOGITS)
    np.save("p.npy", P if from_ == "probabilities" else np.log(P))
    found = report(f"p.npy --from {from_} --labels l.npy --calibration")["calibration"]
    for score in ("ece", "mce", "brier"):
        assert found[score] == pytest.approx(expected[score], rel=1e-12)


def test_ignored_and_bad_rows_are_not_in_a_calibration() -> None:
    expected = run("softmax-cli xent z.npy --labels l.npy --calibration --format json")
    np.save("z.npy", np.concatenate([LOGITS, [[9.0, 0, 0, 0], [np.nan, 0, 0, 0]]]))
    np.save("l.npy", np.concatenate([LABELS, [-1, 0]]))
    line = "xent z.npy --labels l.npy --calibration --ignore-label -1 --on-bad-row zero -q"
    found = json.loads(run(f"softmax-cli {line} --format json").out)
    assert found["calibration"] == json.loads(expected.out)["calibration"]


def test_a_histogram_of_the_losses() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    found = report("z.npy --labels l.npy --histogram")["histogram"]
    assert "histogram" not in report("z.npy --labels l.npy")
    assert sum(each["rows"] for each in found) == 60
    for each in found:
        assert each["rows"] == ((losses >= each["low"]) & (losses < each["high"])).sum()


def test_ignored_rows_and_rows_without_a_softmax_are_in_no_bin() -> None:
    line = "1,2 2,1 nan,1 3,1 --labels 0,-1,0,0 --ignore-label -1 --on-bad-row zero --quiet"
    found = report(f"{line} --histogram")["histogram"]
    assert sum(each["rows"] for each in found) == 2
