"""Second inputs: read like the values, with the columns that the values have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy_gradient
from tests.running import run

LOGITS = np.array([[2.0, 1.0, 0.5], [0.0, 1.5, -1.0]])


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gradient = cross_entropy_gradient(LOGITS, [0, 1])
    np.save("g.npy", gradient)
    for name, numbers in (("z", LOGITS), ("g", gradient), ("y", np.eye(3)[[0, 1]])):
        rows = [",".join(map(repr, row)) for row in numbers.tolist()]
        Path(f"{name}.csv").write_text("id,a,b,c\n" + f"r1,{rows[0]}\nr2,{rows[1]}\n")
        Path(f"{name}_alone.csv").write_text("a,b,c\n" + "".join(f"{row}\n" for row in rows))


@pytest.mark.fast(6)
@pytest.mark.parametrize("columns", ["--id-columns id", "--columns a,b,c", "--id-columns 1"])
@pytest.mark.parametrize("gradient", ["g.csv", "g_alone.csv", "g.npy"])
@pytest.mark.parametrize("targets", ["--labels 0,1", "--targets y.csv", "--targets y_alone.csv"])
def test_columns_are_chosen_in_every_table(columns: str, gradient: str, targets: str) -> None:
    line = f"gradcheck --logits z.csv {columns} {targets} --grad {gradient} --format json"
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["checks"][0]["entries"] == 6


def test_two_distributions_with_ids() -> None:
    assert run("softmax-cli xent --p y.csv --q y.csv --id-columns id").out == "0.0\n"


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("xent z.csv --id-columns id --labels 0,1", ["0.3"]),
        (
            "xent z.csv --id-columns id --labels 0,1 --reduction none",
            ["id,loss", "r1,0.4", "r2,0."],
        ),
        ("xent z_alone.csv --labels 0,1 --reduction none", ["0.4", "0."]),
    ],
)
def test_losses_stand_alone_or_beside_their_ids(line: str, printed: list[str]) -> None:
    lines = run(f"softmax-cli {line}").out.splitlines()
    assert len(lines) == len(printed)
    assert all(got.startswith(start) for got, start in zip(lines, printed, strict=True))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("softmax odd.csv", "the column 'id' is taken for a class"),
        ("softmax one.csv", "every row has one class"),
    ],
)
def test_what_is_odd_is_said_and_is_no_error(line: str, said: str) -> None:
    Path("odd.csv").write_text("id,a\n1,2\n2,3\n")
    Path("one.csv").write_text("1\n2\n")
    outcome = run(f"softmax-cli {line}")
    assert outcome.code == 0
    assert said in outcome.err
    assert run(f"softmax-cli {line} --quiet").err == ""


@pytest.mark.parametrize(
    ("logits", "labels", "axis"),
    [((2, 3, 4), (2, 4), 1), ((2, 3, 4), (8,), 1), ((3, 5), (5,), 0), ((3, 4, 5), (4, 5), 0)],
)
def test_labels_of_an_array_with_its_classes_along_another_axis(
    logits: tuple[int, ...], labels: tuple[int, ...], axis: int
) -> None:
    np.save("z.npy", np.zeros(logits))
    np.save("l.npy", np.zeros(labels, int))
    np.savetxt("l.csv", np.zeros(labels, int).reshape(-1), fmt="%d")
    for name in ("l.npy", "l.csv"):
        outcome = run(f"softmax-cli xent z.npy --labels {name}")
        assert outcome.code == 2
        assert f"--axis {axis} if that axis holds the classes" in outcome.err
        assert run(f"softmax-cli xent z.npy --labels {name} --axis {axis}").code == 0


def test_labels_of_the_same_number_and_another_shape() -> None:
    np.save("z.npy", np.zeros((4, 2, 4)))
    np.save("l.npy", np.zeros((2, 4), int))
    outcome = run("softmax-cli xent z.npy --labels l.npy")
    assert (
        "--axis 0 if that axis holds the classes, else give labels of shape (4, 2)" in outcome.err
    )


def test_one_label_too_many_may_be_a_header() -> None:
    Path("l.csv").write_text("0\n2\n1\n")
    line = "softmax-cli xent 1,2,3 3,2,1 --labels l.csv"
    outcome = run(line)
    assert "has more rows than arguments; --header-of labels=yes if the first line" in outcome.err
    assert run(f"{line} --header-of labels=yes").code == 0
    Path("l.csv").write_text("1\n2\n1\n")
    assert "--header" not in run(line).err
