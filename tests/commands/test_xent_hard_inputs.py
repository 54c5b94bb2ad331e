"""Inputs that xent once read wrongly, or said the wrong thing about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from softmax_cli import cross_entropy, cross_entropy_gradient
from tests.running import Outcome, run

pytestmark = pytest.mark.fast(5)

LOGITS = np.random.default_rng(8).normal(0, 2, (40, 3))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(line: str, message: str) -> Outcome:
    """Run a line that must end with one line of error that holds the message."""
    outcome = run(f"softmax-cli xent {line}")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    return outcome


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("names", ["1.npy 2.npy", "1.npy 2.csv", "1.csv 2.npy", "[12].npy"])
def test_several_arrays_follow_each_other(threads: str, names: str) -> None:
    for name, rows in (("1", LOGITS[:25]), ("2", LOGITS[25:])):
        np.save(f"{name}.npy", rows)
        np.savetxt(f"{name}.csv", rows, delimiter=",", fmt="%.17g")
    run(f"softmax-cli softmax {names} -o out.npy --threads {threads}")
    np.save("whole.npy", LOGITS)
    run("softmax-cli softmax whole.npy -o whole_out.npy")
    assert np.load("out.npy").tobytes() == np.load("whole_out.npy").tobytes()


@pytest.mark.parametrize("option", ["--grad w.csv", "--losses w.csv", "-o w.csv"])
def test_a_file_of_weights_is_an_input_and_left_as_it_is(option: str) -> None:
    Path("w.csv").write_text("1,2,3\n")
    refused(f"1,2,3 --labels 0 --class-weights w.csv {option}", "is also an input")
    assert Path("w.csv").read_text() == "1,2,3\n"


def test_what_is_typed_may_be_longer_than_a_name() -> None:
    row = ",".join(["0.25"] * 300)
    labels = ",".join(["1"] * 300)
    rows = " ".join(["0,0"] * 300)
    assert run(f"softmax-cli xent {row} --labels 0 --class-weights {labels}").code == 0
    assert run(f"softmax-cli xent {rows} --labels {labels} --sample-weights {labels}").code == 0
    targets = json.dumps([[1, 0]] * 300).replace(" ", "")
    assert run(f"softmax-cli xent {rows} --targets '{targets}'").code == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "2\n0\n"),
        ("l.csv", "2.0\n0\n"),
        ("l.txt", "2 0"),
        ("l.json", "[2, 0]"),
        ("l.json", "[2.0, 0]"),
        ("l.npy", ""),
    ],
)
def test_names_that_are_numbers_are_names_wherever_labels_come_from(name: str, text: str) -> None:
    Path("z.csv").write_text("2,0,1\n1.5,2,3\n3,2,1.5\n")
    if text:
        Path(name).write_text(text)
    else:
        np.save(name, np.array([2, 0]))
    line = "softmax-cli xent z.csv --header --header-of labels=no --reduction none --labels"
    expected = cross_entropy([[1.5, 2.0, 3.0], [3.0, 2.0, 1.5]], [0, 1], reduction="none")
    for labels in (name, "2,0"):
        printed = run(f"{line} {labels}").out.split()
        assert_allclose(np.array(printed, float), expected, rtol=1e-15)
        ignoring = run(f"{line} {labels} --ignore-label 2").out.split()
        assert_allclose(np.array(ignoring, float), [0, expected[1]], rtol=1e-15)


def test_a_number_that_is_no_name_among_numbers_is_no_class() -> None:
    Path("z.csv").write_text("7,8,9\n1.5,2,3\n")
    np.save("l.npy", np.array([0]))
    for labels in ("0", "l.npy"):
        refused(f"z.csv --header --labels {labels}", "the label")
    assert run("softmax-cli xent z.csv --header --labels l.npy --ignore-label 0").code == 2
    assert (
        "every row is ignored"
        in run("softmax-cli xent z.csv --header --labels l.npy --ignore-label 0").err
    )


def test_a_label_that_is_nan_can_be_ignored_by_name_alone() -> None:
    np.save("l.npy", np.array([0, np.nan]))
    line = "1,2 3,1 --labels l.npy --ignore-label"
    assert run(f"softmax-cli xent {line} nan").code == 0
    refused(f"{line} 1", "l.npy: row 1: the label is missing: nan")


def test_one_hot_targets_have_no_label_that_is_no_class() -> None:
    line = "softmax-cli xent 1,2 3,1 --targets '[[0,1],[1,0]]'"
    assert run(f"{line} --ignore-label -100").out == run(line).out


def test_typed_labels_may_hold_commas_in_quotes() -> None:
    Path("z.csv").write_text('"x,y",b\n1,2\n3,1\n')
    expected = run("softmax-cli xent z.csv --labels 0,1").out
    assert run("""softmax-cli xent z.csv --labels '["x,y","b"]'""").out == expected
    assert run("""softmax-cli xent z.csv --labels '"x,y",b'""").out == expected


def test_nothing_of_an_ignored_row_is_looked_at() -> None:
    line = "softmax-cli xent 1,2,3 nan,2,1 --labels 0,1 --sample-weights 1,nan --ignore-label 1"
    assert run(line).out == run("softmax-cli xent 1,2,3 --labels 0").out
    loss = cross_entropy(
        [[1.0, 2.0], [np.nan, 1.0]], [0, -100], ignore_labels=[-100], sample_weights=[1, -1]
    )
    assert loss == cross_entropy([[1.0, 2.0]], [0])


def test_ignored_labels_may_be_an_array() -> None:
    rows = [[1.0, 2.0], [3.0, 1.0]]
    for function in (cross_entropy, cross_entropy_gradient):
        plain = function(rows, [0, 1], ignore_labels=[0])
        assert_allclose(function(rows, [0, 1], ignore_labels=np.array([0])), plain, rtol=0)


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


def test_numbers_that_are_large_for_half_precision_warn_of_nothing() -> None:
    np.save("z.npy", np.array([[60000, 60000, 60000], [1, 2, 3]], np.float16))
    assert run("softmax-cli xent z.npy --labels 0,1").err == ""
    line = "softmax-cli xent --p 0.5,0.5 --q 1,0 --sample-weights 0 --reduction sum"
    assert run(line) == Outcome(0, "0.0\n", "")


@pytest.mark.parametrize("weight", ["1e151", "1e-151", "inf", "-1"])
def test_weights_have_bounds(weight: str) -> None:
    message = "weights are 0, or from 1e-150 to 1e150"
    refused(f"0,1 0,0 --labels 1,0 --sample-weights 1,{weight}", message)
    refused(f"0,1 0,0 --labels 1,0 --class-weights 1,{weight}", message)


def test_a_weight_that_is_missing_is_named_by_its_cell() -> None:
    Path("w.csv").write_text("w\n1\nNA\n")
    line = "0,1 0,0 --labels 1,0 --sample-weights"
    refused(f"{line} w.csv", "w.csv:3: the weight is missing: 'NA'; every row needs one")
    refused(f"{line} 1,nan", "--sample-weights, weight 1: the weight is missing: 'nan'")
    Path("w.csv").write_text("NA\n1\n")
    refused(f"{line} w.csv", "w.csv:1: the weight is missing: 'NA'")
    Path("w.csv").write_text("50%\n1\n")
    refused(f"{line} w.csv", "w.csv:1: '50%' is not a number; write it without the percent sign")
    assert run(f"softmax-cli xent {line} 1,NA --ignore-label 0").code == 0
    refused("0,1 0,0 --labels 1,0 --class-weights 1,nan", "weights are 0, or from 1e-150 to 1e150")


@pytest.mark.parametrize("weight", [1e150, 1e-150])
def test_weights_at_their_bounds(weight: float) -> None:
    w = f"{weight},{weight}"
    line = f"0,-1 0,0 --labels 1,0 --class-weights {w} --sample-weights {w} --grad g.csv"
    told = json.loads(run(f"softmax-cli xent {line} --format json").out)
    assert told["loss"] == pytest.approx(
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


def test_standard_input_is_read_once() -> None:
    refused("- --labels -", "standard input: is given twice, and read once; name a file")
    np.save("z.npy", LOGITS[:3])
    line = "z.npy --labels 0,1,2 --class-weights -"
    refused(f"{line} --fit-temperature", "standard input is read once; name a file")
    line = "z.npy --labels 0,1,2 --sample-weights -"
    piped = f"printf '1\\n2\\n3' | softmax-cli xent {line} --grad g.npy"
    outcome = run(piped)
    assert outcome.code == 2
    assert "name a file, or add --reduction sum" in outcome.err
    assert run(f"{piped} --reduction sum").code == 0


def test_class_weights_of_standard_input_are_read_once_for_a_gradient() -> None:
    np.save("z.npy", LOGITS[:3])
    line = "softmax-cli xent z.npy --labels 0,1,2 --grad"
    assert run(f"printf '1,2,3' | {line} pipe.csv --class-weights -").code == 0
    assert run(f"{line} typed.csv --class-weights 1,2,3").code == 0
    assert Path("pipe.csv").read_bytes() == Path("typed.csv").read_bytes()


def test_remedies_help() -> None:
    refused("--p nan,0.5 --q 0.5,0.5", "p with the sum nan, not 1; they are finite, and not all 0")
    refused("--p 0,0 --q 0.5,0.5 --normalize", "they are finite, and not all 0")
    Path("w.csv").write_text("class,weight\nc,10\n")
    message = "--class-weights: w.csv:2:1: 'c' is not a number; give a row of numbers, or one"
    refused("1,2 --labels 0 --class-weights w.csv", message)
    message = "--class-weights: no.csv: neither a number nor a file that exists; check"
    refused("1,2 --labels 0 --class-weights no.csv", message)
    refused("--p .5,.5 --q .5,.5 --from log-probabilities", "two distributions are probabilities")


def test_a_table_of_losses_says_where_the_rest_is_shown() -> None:
    line = "xent 1,2 3,1 --labels 0,1 --worst 1 --per-class --reduction none --format table"
    assert "are shown with another reduction and by --format json" in run(f"softmax-cli {line}").err


def test_an_error_stands_alone() -> None:
    refused("1 2 --labels 0,0 --ignore-label 0", "has more rows than arguments")
    refused("'[[1],[2]]' --labels 0,0 --ignore-label 0", "every row is ignored")
    line = "1,2 nan,1 --labels 0,1 --class-weights 0,1 --on-bad-row skip"
    refused(line, "every weight is 0")


def test_a_bad_row_is_nan_whatever_it_weighs() -> None:
    line = "1,2 nan,1 --labels 0,1 --class-weights 1,0 --on-bad-row nan --reduction none -q"
    assert run(f"softmax-cli xent {line}").out.split()[1] == "nan"


def test_a_name_that_is_a_number_among_words_is_found_by_its_value() -> None:
    Path("z.csv").write_text("dog,1,0\n1,2,3\n3,2,1\n0,5,0\n")
    np.save("l.npy", np.array([0, 1, -100]))
    Path("l.csv").write_text("0.0\n1\n-100\n")
    expected = cross_entropy([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [2, 1], reduction="none")
    line = "softmax-cli xent z.csv --header-of values=yes --reduction none --ignore-label -100"
    for labels in ("0,1,-100", "l.npy", "l.csv"):
        printed = run(f"{line} --labels {labels}").out.split()
        assert_allclose(np.array(printed, float), [*expected, 0], rtol=1e-15)
        for ignored in ("0", "0.0"):
            printed = run(f"{line} --labels {labels} --ignore-label {ignored}").out.split()
            assert_allclose(np.array(printed, float), [0, expected[1], 0], rtol=1e-15)
    printed = run(f"{line} --labels dog,1,-100 --ignore-label 0.0").out.split()
    assert float(printed[0]) == pytest.approx(cross_entropy([1.0, 2.0, 3.0], 0))


@pytest.mark.parametrize("spelling", ["nan", "NaN"])
def test_nan_is_ignored_however_it_is_spelt(spelling: str) -> None:
    Path("l.csv").write_text("1\nNaN\n")
    Path("l.json").write_text('[1, "nan"]')
    for labels in ("l.csv", "l.json", "1,nan"):
        line = f"softmax-cli xent 1,2 3,1 --labels {labels} --ignore-label {spelling}"
        assert run(line).out == run("softmax-cli xent 1,2 --labels 1").out


def test_files_of_rows_replace_an_input_in_place() -> None:
    Path("w.csv").write_text("1\n2\n")
    line = "xent 1,2 3,1 --labels 0,1 --sample-weights w.csv --losses w.csv"
    refused(line.removeprefix("xent "), "add --in-place")
    outcome = run(f"softmax-cli {line} --in-place")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(Path("w.csv").read_text().split()) == 2


def test_a_class_without_a_number_for_a_loss_is_shown_first() -> None:
    rows = np.random.default_rng(3).normal(0, 1, (60, 30))
    rows[[4, 9]] = np.nan
    np.save("z.npy", rows)
    np.save("l.npy", np.arange(60) % 30)
    line = "softmax-cli xent z.npy --labels l.npy --on-bad-row nan -q --per-class"
    told = json.loads(run(f"{line} --format json").out)["per_class"]
    shown = run(f"{line} --format table").out.split("accuracy")[2].splitlines()[2:26]
    losses = [float(each["loss"]) for each in told]
    order = sorted(range(30), key=lambda c: (not np.isnan(losses[c]), -losses[c]))
    assert [int(each.split()[0]) for each in shown] == order[:24]


def test_a_label_may_have_quotes_of_its_own() -> None:
    Path("z.csv").write_text("o'wl,'q'\n1,2\n")
    assert run("""softmax-cli xent z.csv --labels "'q'" """).code == 0
    assert run("""softmax-cli xent z.csv --labels "o'wl" """).code == 0


def test_bins_are_told_apart() -> None:
    line = "1,2,3 5,5.001,1 --labels 2,1 --calibration --bins 2000 --format table"
    shown = run(f"softmax-cli xent {line}").out
    assert "0.665 to 0.6655" in shown


def test_several_files_are_named_together() -> None:
    for name in "ab":
        np.save(f"{name}.npy", LOGITS[:2])
    refused("a.npy b.npy --labels 0,1", "has fewer rows than a.npy and 1 more")


def test_a_file_of_weights_with_several_columns() -> None:
    Path("w.csv").write_text("1,2\n3,4\n")
    refused("1,2 3,1 --labels 0,1 --sample-weights w.csv", "2 columns where one of weights is")
