"""The rows of a loss: ignored rows, masked classes, distributions that do not sum to 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy, softmax
from tests.commands.loss.reports import LABELS, LOGITS, refused, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(folder: Path) -> None:
    assert folder.is_dir()
    save_inputs()


def test_masked_classes_of_probabilities() -> None:
    P = softmax(LOGITS)
    np.save("p.npy", P)
    np.save("logp.npy", np.log(P))
    labels = np.where(LABELS == 3, 0, LABELS)
    np.save("l.npy", labels)
    expected = cross_entropy(LOGITS[:, :3], labels)
    for line in ("z.npy", "p.npy --from probabilities", "logp.npy --from log-probabilities"):
        found = report(f"{line} --labels l.npy --mask-class 3")
        assert found["loss"] == pytest.approx(expected, rel=1e-13)
        assert found["accuracy"] == (LOGITS[:, :3].argmax(-1) == labels).mean()
    outcome = run("softmax-cli xent 0,1 --from probabilities --labels 0 --mask-class 1")
    assert outcome.code == 2
    assert "row 0: only masked classes have a probability above 0; mask fewer" in outcome.err


@pytest.mark.parametrize("from_", ["probabilities", "log-probabilities"])
def test_all_of_the_probability_is_masked(from_: str) -> None:
    row = "1,0,0" if from_ == "probabilities" else "0,-inf,-inf"
    line = f"{row} --from {from_} --labels 1 --mask-class 0"
    refused(line, "row 0: only masked classes have a probability above 0")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_masked_log_probabilities_are_computed_in_float64(dtype: str) -> None:
    row = np.log([[0.1, 0.2, 0.7]]).astype(dtype)
    np.save("p.npy", row)
    loss = float(
        run("softmax-cli xent p.npy --from log-probabilities --labels 1 --mask-class 0").out
    )
    expected = cross_entropy(row[:, 1:].astype(float), [0])
    assert loss == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("smoothing", ["", "--label-smoothing 0.1"])
@pytest.mark.parametrize("weights", ["", "--class-weights 1,2,0,4", "--sample-weights s.npy"])
@pytest.mark.parametrize("ignored", ["", "--ignore-label 2"])
@pytest.mark.parametrize("masked", ["", "--mask-class 2"])
def test_every_form_and_source_comes_to_the_same(
    smoothing: str, weights: str, ignored: str, masked: str
) -> None:
    if masked and not ignored:
        ignored = "--ignore-label 2"
    P = softmax(LOGITS)
    np.save("p.npy", P)
    np.save("logp.npy", np.log(P))
    np.save("s.npy", np.linspace(0, 2, 60))
    options = f"{smoothing} {weights} {ignored} {masked} --reduction sum --base 2"
    expected = report(f"z.npy --labels l.npy {options}")
    for line in (
        "z.npy --targets onehot.npy",
        "p.npy --from probabilities --labels l.npy",
        "p.npy --from probabilities --targets onehot.npy",
        "logp.npy --from log-probabilities --labels l.npy",
        "z.csv --id-columns id --label-column y",
        "--p onehot.npy --q p.npy",
    ):
        found = report(
            f"{line} {options}".replace("label 2", "label south")
            if "csv" in line
            else f"{line} {options}"
        )
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-12)
        for key in ("rows", "used", "ignored", "denominator"):
            assert found[key] == expected[key]
        if not line.startswith("--p"):
            assert found["accuracy"] == expected["accuracy"]


def test_nothing_of_an_ignored_row_is_looked_at() -> None:
    line = "softmax-cli xent 1,2,3 nan,2,1 --labels 0,1 --sample-weights 1,nan --ignore-label 1"
    assert run(line).out == run("softmax-cli xent 1,2,3 --labels 0").out
    loss = cross_entropy(
        [[1.0, 2.0], [np.nan, 1.0]], [0, -100], ignore_labels=[-100], sample_weights=[1, -1]
    )
    assert loss == cross_entropy([[1.0, 2.0]], [0])


def test_one_hot_targets_have_no_label_that_is_no_class() -> None:
    line = "softmax-cli xent 1,2 3,1 --targets '[[0,1],[1,0]]'"
    assert run(f"{line} --ignore-label -100").out == run(line).out


def test_soft_targets_that_do_not_sum_to_1() -> None:
    """Paddle#63678."""
    outcome = run("softmax-cli xent 1 2 3 --targets 0.5,0.5,0.5")
    assert outcome.code == 2
    assert "--targets: row 0: the targets with the sum 1.5, not 1; --normalize" in outcome.err
    said = "softmax-cli: 1 distribution divided by the sum, which was not 1\n"
    normalized = report("1 2 3 --targets 0.5,0.5,0.5 --normalize", said)
    expected = cross_entropy([1.0, 2, 3], [1 / 3] * 3)
    assert normalized["loss"] == pytest.approx(expected, rel=1e-15)


def test_nothing_is_renormalised_unasked() -> None:
    """scikit-learn#17399."""
    outcome = run("softmax-cli xent 0.2,0.2 --from probabilities --labels 0")
    assert outcome.code == 2
    assert "probabilities with the sum 0.4, not 1; --normalize divides by the sum" in outcome.err


def test_logits_given_as_probabilities_are_an_error() -> None:
    outcome = run("softmax-cli xent 2,3 --from probabilities --labels 1")
    assert outcome.code == 2
    assert "probabilities with the sum 5, not 1" in outcome.err
    assert "--from says what the values are" in outcome.err


SEVERAL = "a loss of several labels (sigmoids) is not computed here; give one label per row"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("1,2,3 --targets 1,1,0", SEVERAL),
        ("1,2,3 4,5,6 --targets '[[0,1,0],[1,0,1]]'", SEVERAL),
        ("--p 1,1,0 --q 0.5,0.25,0.25", SEVERAL),
        ("1,2,3 --targets 0,0,0", "each row needs a label, or leave the row out"),
        ("column.csv --from probabilities --labels 0,1", "--binary takes one column"),
        ("column.csv --targets ones.csv", "--binary takes one column"),
        ("--p ones.csv --q column.csv", "the other's, 1 - p, is needed"),
        ("log.csv --from log-probabilities --labels 0,0", "--binary takes one column"),
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


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("1,2,3", "row 2: label 3 is out of range (0 to 2); --label-base 1 if labels count from 1"),
        ("0,3,2", "row 1: label 3 is out of range (0 to 2); labels are whole numbers that count"),
        ("0,3,3", "row 1: label 3 is out of range (0 to 2); --ignore-label 3 leaves such rows out"),
        ("255,1,255", "label 255 is out of range (0 to 2); --ignore-label 255 leaves such rows"),
        ("0,-100,1", "label -100 is out of range (0 to 2); --ignore-label -100 leaves such rows"),
        ("0,1,12345678", "label 12345678 is out of range (0 to 2)"),
        (
            "1,0,2 --label-base 1",
            "label 0 is out of range (1 to 3); leave --label-base out if labels count from 0",
        ),
        ("1,0,3 --label-base 1", "label 0 is out of range (1 to 3); labels are whole numbers"),
        ("1,4,3 --label-base 1", "label 4 is out of range (1 to 3); labels are whole numbers"),
    ],
)
def test_a_label_out_of_range_is_met_with_what_would_help(labels: str, message: str) -> None:
    refused(f"1,2,3 3,2,1 0,1,0 --labels {labels}", message)


def test_labels_of_two_signs() -> None:
    refused("1,2 3,1 --labels 1,-1", "label -1 is out of range (0 to 1); write 0 for -1")


@pytest.mark.parametrize("line", ["--p 1,0 --q 1,-2", "--p 3,-2 --q 0.5,0.5"])
def test_a_negative_entry_names_what_takes_it(line: str) -> None:
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 2
    assert "with a negative entry; they are 0 or more; --from logits" in outcome.err
    assert run(f"softmax-cli xent {line} --from logits").code == 0


def test_logits_given_as_probabilities_are_told_so() -> None:
    outcome = run("softmax-cli xent 1.5,-2 --from probabilities --labels 0")
    assert outcome.code == 2
    assert "probabilities with a negative entry; they are 0 or more; --from logits" in outcome.err
