"""The inputs of a loss: labels, targets and weights paired with values, by name or by order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy
from tests.commands.loss.reports import LOGITS, refused, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_inputs()


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


def test_weights_of_two_distributions() -> None:
    found = report("--p 0.5,0.5 --q 0.25,0.75 --class-weights 1,2 --label-smoothing 0.5")
    P, q, w = np.array([0.5, 0.5]), np.array([0.25, 0.75]), np.array([1.0, 2.0])
    assert found["loss"] == pytest.approx(-(w * P * np.log(q)).sum())
    assert found["entropy"] == pytest.approx(-(w * P * np.log(P)).sum())
    assert found["kl_divergence"] == pytest.approx(found["loss"] - found["entropy"])
    weighted = report("--p p.csv --q q.csv --sample-weights 1,3") if _two_rows() else {}
    assert weighted["denominator"] == 4
    assert weighted["loss"] == pytest.approx((np.log(2) + 3 * np.log(4)) / 4)


def _two_rows() -> bool:
    Path("p.csv").write_text("0.5,0.5\n1,0\n")
    Path("q.csv").write_text("0.5,0.5\n0.25,0.75\n")
    return True


def test_what_is_typed_may_be_longer_than_a_name() -> None:
    row = ",".join(["0.25"] * 300)
    labels = ",".join(["1"] * 300)
    rows = " ".join(["0,0"] * 300)
    assert run(f"softmax-cli xent {row} --labels 0 --class-weights {labels}").code == 0
    assert run(f"softmax-cli xent {rows} --labels {labels} --sample-weights {labels}").code == 0
    targets = json.dumps([[1, 0]] * 300).replace(" ", "")
    assert run(f"softmax-cli xent {rows} --targets '{targets}'").code == 0


def test_standard_input_is_read_once() -> None:
    refused(
        "- --labels -", "standard input: is given twice, but can be read only once; name a file"
    )
    np.save("z.npy", LOGITS[:3, :3])
    line = "z.npy --labels 0,1,2 --class-weights -"
    refused(f"{line} --fit-temperature", "standard input can be read only once; name a file")
    line = "z.npy --labels 0,1,2 --sample-weights -"
    piped = f"printf '1\\n2\\n3' | softmax-cli xent {line} --grad g.npy"
    outcome = run(piped)
    assert outcome.code == 2
    assert "name a file, or add --reduction sum" in outcome.err
    assert run(f"{piped} --reduction sum").code == 0


def test_class_weights_of_standard_input_are_read_once_for_a_gradient() -> None:
    np.save("z.npy", LOGITS[:3, :3])
    line = "softmax-cli xent z.npy --labels 0,1,2 --grad"
    assert run(f"printf '1,2,3' | {line} pipe.csv --class-weights -").code == 0
    assert run(f"{line} typed.csv --class-weights 1,2,3").code == 0
    assert Path("pipe.csv").read_bytes() == Path("typed.csv").read_bytes()


def test_several_files_are_named_together() -> None:
    for name in "ab":
        np.save(f"{name}.npy", LOGITS[:2])
    refused("a.npy b.npy --labels 0,1", "has fewer rows than a.npy and 1 more")


def test_remedies_help() -> None:
    refused("--p nan,0.5 --q 0.5,0.5", "p with the sum nan, not 1; they are finite, and not all 0")
    refused("--p 0,0 --q 0.5,0.5 --normalize", "they are finite, and not all 0")
    Path("w.csv").write_text("class,weight\nc,10\n")
    message = "--class-weights: w.csv:2:1: 'c' is not a number; give a number for each class"
    refused("1,2 --labels 0 --class-weights w.csv", message)
    message = "--class-weights: no.csv: no such file; did you"
    refused("1,2 --labels 0 --class-weights no.csv", message)
    message = (
        "--q: row 0: q whose exponentials sum to 3.29744, not 1; --from says what the values are"
    )
    refused("--p .5,.5 --q .5,.5 --from log-probabilities", message)


def test_an_error_stands_alone() -> None:
    refused("1 2 --labels 0,0 --ignore-label 0", "has more rows than arguments")
    refused("'[[1],[2]]' --labels 0,0 --ignore-label 0", "every row is ignored")
    line = "1,2 nan,1 --labels 0,1 --class-weights 0,1 --on-bad-row skip"
    refused(line, "every weight is 0")


@pytest.mark.parametrize("weight", ["1e151", "1e-151", "inf", "-1"])
def test_weights_have_bounds(weight: str) -> None:
    message = "weights are 0, or from 1e-150 to 1e150"
    refused(f"0,1 0,0 --labels 1,0 --sample-weights 1,{weight}", message)
    refused(f"0,1 0,0 --labels 1,0 --class-weights 1,{weight}", message)


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
