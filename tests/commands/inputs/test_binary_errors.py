"""What --binary refuses, and what names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.running import run

Z = np.array([0.3, -1.5, 2.0, -700.0, 36.0])
P = 1 / (1 + np.exp(-Z))


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    np.save("column.npy", Z[:, None])
    np.save("pairs.npy", np.stack([np.zeros(5), Z], axis=-1))
    np.save("p.npy", P)
    np.savetxt("p.csv", P)
    np.save("zeros.npy", np.zeros((5, 1)))
    np.save("y.npy", np.array([1, 0, 0, 0, 1]))
    Path("z.csv").write_text("score\n0.3\n-1.5\n2\n0\n1\n")
    Path("table.csv").write_text("name,score,y\nr0,0.3,1\nr1,-1.5,0\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("softmax table.csv --binary --id-columns name", "--binary: takes a single column, but"),
        ("softmax 1,2 3,4 --binary", "takes a single column, but arguments has 2; leave it out"),
        ("softmax 1,2 --binary", "or type numbers with blanks between them, 0.2 0.7"),
        ("jacobian 1 --binary --jvp 1,2 --axis 0", "--axis: a single column has no other axis"),
        ("jacobian 1 2 --binary --vjp 1", "--vjp: a vector of 1 entries for 2 classes"),
        ("xent 1 2 --binary --labels 0,2", "label 2 is out of range (0 to 1)"),
        ("xent 1 2 4 --binary --labels 0,-1,1", "0,-1,1: has both labels 0 and -1"),
        ("xent 1 --binary --labels 0 --mask-class 0", "--mask-class: leaves only one class"),
        ("xent --p .5 --q .5 --binary", "--binary: does not apply to --p and --q"),
        ("xent 1 --binary --targets -1", "the target -1 is not from 0 to 1; --labels takes"),
        ("xent 1.5 --binary --from probabilities --labels 0", "from 0 to 1, got 1.5"),
        ("xent z.csv --binary --from probabilities --labels y.npy", "z.csv:3:1: probabilities are"),
        (
            "xent p.npy --from probabilities --labels y.npy",
            "5 rows, but p.npy has 1; --binary if each",
        ),
        ("xent p.npy --from probabilities --labels 1,0,0,0,1", "than p.npy; --binary if each"),
        ("xent .5 --binary --from log-probabilities --labels 0", "at most 0, got 0.5"),
        ("xent 1 --binary --labels 0 --class-names a", "1 name for the 2 classes"),
        ("gradcheck 1 --binary", "does not go with the built-in derivatives; it goes with --logit"),
        (
            "gradcheck --binary --logits 1 --labels 0 --grad 1,2 --quiet",
            "--grad: has more rows than --logits",
        ),
        (
            "gradcheck --binary --logits z.npy --labels y.npy --grad pairs.npy",
            "pairs.npy: 2 columns, and z.npy has 1; a gradient has the shape of its logits",
        ),
    ],
)
def test_what_does_not_go_with_it(line: str, said: str) -> None:
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize(
    "line",
    [
        "softmax column.npy",
        "jacobian column.npy",
        "xent column.npy --labels 0,0,0,0,0",
        "xent column.npy --labels y.npy",
        "xent p.csv --from probabilities --labels y.npy",
        "xent column.npy --from log-probabilities --labels y.npy",
        "xent 1,2 --labels -1",
        "gradcheck --logits column.npy --labels 0,0,0,0,0 --grad zeros.npy",
    ],
)
def test_one_column_without_it_names_it(line: str) -> None:
    assert "--binary takes" in run(f"softmax-cli {line}").err


def test_probabilities_taken_as_logits_get_a_warning() -> None:
    outcome = run("softmax-cli xent p.npy --binary --labels y.npy")
    assert "warning: every number lies in 0..1 as probabilities do, and was taken" in outcome.err
    assert run("softmax-cli xent z.npy --binary --labels y.npy").err == ""
