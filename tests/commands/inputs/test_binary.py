"""`--binary`: one column as class 1 of two, in every command and kind of input."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from softmax_cli import cross_entropy, cross_entropy_gradient, softmax
from tests.running import run

Z = np.array([0.3, -1.5, 2.0, -700.0, 36.0])
Y = np.array([1, 0, 0, 0, 1])
PAIRS = np.stack([np.zeros(5), Z], axis=-1)
P = 1 / (1 + np.exp(-Z))
# The values' files, each with the logits.
FILES = ("z.npy", "column.npy", "z.json", "z.csv", "z.txt", "z.parquet", "z.npz", "z.jsonl")


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    np.save("column.npy", Z[:, None])
    np.savez("z.npz", z=Z)
    np.save("p.npy", P)
    np.save("y.npy", Y)
    np.savetxt("z.txt", Z)
    np.savetxt("signs.csv", 2 * Y - 1, fmt="%d")
    Path("z.json").write_text(json.dumps(Z.tolist()))
    Path("z.jsonl").write_text("".join(f'{{"score": {z}}}\n' for z in Z.tolist()))
    lines = [f"r{i},{z},{y}\n" for i, (z, y) in enumerate(zip(Z.tolist(), Y.tolist(), strict=True))]
    Path("table.csv").write_text("name,score,y\n" + "".join(lines))
    pl.DataFrame({"score": Z}).write_csv("z.csv")
    pl.DataFrame({"score": Z}).write_parquet("z.parquet")


def _array(line: str) -> NDArray[np.float64]:
    outcome = run(f"softmax-cli {line} -o out.npy")
    assert (outcome.code, outcome.err) == (0, "")
    return np.asarray(np.load("out.npy"))


def _loss(line: str) -> float:
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.err) == (0, "")
    return float(outcome.out)


@pytest.mark.parametrize("path", FILES)
def test_one_column_of_each_format(path: str) -> None:
    assert np.allclose(_array(f"softmax {path} --binary"), softmax(PAIRS), rtol=1e-15)
    assert _loss(f"{path} --binary --labels y.npy") == cross_entropy(PAIRS, Y)


def test_typed_numbers_are_rows() -> None:
    outcome = run("softmax-cli softmax 0.3 -1.5 --binary --format json")
    report = json.loads(outcome.out)
    assert (report["rows"], report["classes"], report["class_names"]) == (2, 2, None)
    assert np.allclose(report["probabilities"], softmax(PAIRS[:2]), rtol=1e-15)
    assert _loss("-0.3 --binary --labels 0") == pytest.approx(np.log1p(np.exp(-0.3)), rel=1e-15)


@pytest.mark.parametrize(
    ("path", "shape"), [("z.npy", (5,)), ("column.npy", (5, 1)), ("deep.npy", (1, 5, 1))]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_shape_and_type_of_the_logits(
    path: str, shape: tuple[int, ...], dtype: str
) -> None:
    np.save(path, Z.reshape(shape).astype(dtype))
    labels = "--labels y.npy"
    assert run(f"softmax-cli xent {path} --binary {labels} --grad g.npy").code == 0
    found = np.load("g.npy")
    assert (found.shape, found.dtype) == (shape, np.dtype(dtype))
    expected = cross_entropy_gradient(PAIRS.astype(dtype), Y)[:, 1]
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6 if dtype == "float32" else 1e-15)
    assert _array(f"softmax {path} --binary").shape == ((*shape[:-1], 2) if shape[1:] else (5, 2))
    outcome = run(f"softmax-cli gradcheck --binary --logits {path} {labels} --grad g.npy --quiet")
    assert outcome.code == 0


@pytest.mark.parametrize(
    "options",
    ["", "--class-weights 1,3 --sample-weights 1,2,0,1,5", "--label-smoothing 0.2 -t 0.7 --base 2"],
)
def test_gradients_of_every_option(options: str) -> None:
    line = f"--labels y.npy {options}"
    np.save("pairs.npy", PAIRS)
    assert run(f"softmax-cli xent z.npy --binary {line} --grad g.npy").code == 0
    assert run(f"softmax-cli xent pairs.npy {line} --grad pairs_g.npy").code == 0
    assert (np.load("g.npy") == np.load("pairs_g.npy")[:, 1]).all()
    check = f"softmax-cli gradcheck --binary --logits z.npy {line}"
    assert run(f"{check} --grad g.npy").code == 0
    np.save("wrong.npy", np.load("g.npy") * 2)
    outcome = run(f"{check} --grad wrong.npy")
    assert outcome.code == 1
    assert "looks like" in outcome.out


@pytest.mark.parametrize("of", ["softmax", "log-softmax"])
def test_jacobians_have_one_column(of: str) -> None:
    line = f"jacobian z.npy --binary --of {of} -t 2"
    J = _array(line)
    assert J.shape == (5, 2, 1)
    p, q = 1 / (1 + np.exp(-Z / 2)), 1 / (1 + np.exp(Z / 2))
    expected = [-p * q / 2, p * q / 2] if of == "softmax" else [-p / 2, q / 2]
    np.testing.assert_allclose(J[:, :, 0], np.stack(expected, axis=-1), rtol=1e-14)
    np.testing.assert_allclose(_array(f"{line} --vjp 3,1"), (J[:, :, 0] * [3, 1]).sum(-1))
    np.testing.assert_allclose(_array(f"{line} --jvp 2"), 2 * J[:, :, 0], rtol=1e-15)
    np.save("u.npy", np.arange(5.0))
    np.testing.assert_allclose(
        _array(f"{line} --jvp u.npy"), J[:, :, 0] * np.arange(5)[:, None], rtol=1e-15
    )
    np.save("j.npy", J)
    check = f"softmax-cli gradcheck --binary --logits z.npy --of {of} -t 2"
    assert run(f"{check} --jacobian j.npy").code == 0
    assert run(f"softmax-cli {line} --vjp 3,1 -o v.npy").code == 0
    assert run(f"{check} --upstream 3,1 --grad v.npy").code == 0
    np.save("wrong.npy", np.abs(J))
    assert run(f"{check} --jacobian wrong.npy").code == 1


@pytest.mark.parametrize("suffix", ["csv", "json", "npz", "safetensors"])
def test_jacobians_of_other_formats_can_be_checked(suffix: str) -> None:
    line = f"softmax-cli jacobian z.npy --binary -o j.{suffix}"
    assert run(line).code == 0
    check = "softmax-cli gradcheck --binary --logits z.npy --of softmax"
    assert run(f"{check} --jacobian j.{suffix}").code == 0


def test_jacobians_as_text_and_tables() -> None:
    outcome = run("softmax-cli jacobian 0 0 --binary")
    assert outcome.out == "0,0,0,-0.25\n0,1,0,0.25\n1,0,0,-0.25\n1,1,0,0.25\n"
    assert run("softmax-cli jacobian 0 --binary").out == "-0.25\n0.25\n"
    assert run("softmax-cli jacobian table.csv --columns score --binary -o j.parquet").code == 0
    assert pl.read_parquet("j.parquet").row(3)[:3] == (1, 1, 0)
    shown = run("softmax-cli jacobian 0 --binary --class-names no,yes --format table").out
    assert [line.split()[0] for line in shown.splitlines()[2:4]] == ["no", "yes"]
    assert run("softmax-cli jacobian 0 --binary --format jsonl").out.count("\n") == 2


def test_a_table_keeps_its_ids_and_has_a_header() -> None:
    line = "table.csv --binary --columns score --id-columns name"
    outcome = run(f"softmax-cli softmax {line} --precision 3")
    assert outcome.out.splitlines()[:2] == ["name,class_0,class_1", "r0,0.426,0.574"]
    outcome = run(f"softmax-cli softmax {line} --class-names no,yes --top-k 1 --precision 3")
    assert outcome.out.splitlines()[:2] == ["name,class_1,probability_1", "r0,yes,0.574"]
    outcome = run("softmax-cli softmax table.csv --binary --columns score --append --precision 3")
    header = "name,score,y,probability_class_0,probability_class_1"
    assert outcome.out.startswith(f"{header}\nr0,0.3,1,0.426,0.574\n")
    line = "table.csv --binary --label-column y --id-columns name"
    assert _loss(f"{line} --grad g.csv") == cross_entropy(PAIRS, Y)
    assert pl.read_csv("g.csv").columns == ["name", "score"]
    assert run("softmax-cli softmax 1 2 --binary --output-header").out.startswith("class_0,class_1")


@pytest.mark.parametrize("labels", ["1,0,0,0,1", "1,-1,-1,-1,1", "true,false,false,False,TRUE"])
def test_labels_of_two_classes(labels: str) -> None:
    assert _loss(f"z.npy --binary --labels {labels}") == cross_entropy(PAIRS, Y)
    Path("l.csv").write_text(labels.replace(",", "\n"))
    assert _loss("z.npy --binary --labels l.csv") == cross_entropy(PAIRS, Y)
    np.save("l.npy", Y if "true" in labels else np.array(labels.split(","), int))
    assert _loss("z.npy --binary --labels l.npy") == cross_entropy(PAIRS, Y)


def test_labels_with_names() -> None:
    line = "z.npy --binary --labels yes,no,no,no,yes --class-names no,yes"
    assert _loss(line) == cross_entropy(PAIRS, Y)
    report = json.loads(run(f"softmax-cli xent {line} --per-class --format json").out)
    assert [each["class"] for each in report["per_class"]] == ["no", "yes"]
    assert report["accuracy"] == 0.8


def test_soft_targets_are_those_of_class_1() -> None:
    y = np.array([0.25, 0, 1, 0.5, 1])
    np.save("soft.npy", y)
    expected = cross_entropy(PAIRS, np.stack([1 - y, y], axis=-1))
    for targets in ("soft.npy", "0.25,0,1,0.5,1"):
        assert _loss(f"z.npy --binary --targets {targets}") == expected
    np.save("both.npy", np.stack([1 - y, y], axis=-1))
    assert _loss("z.npy --binary --targets both.npy") == expected


def test_losses_of_probabilities_lose_no_digit() -> None:
    p = [1e-300, 1e-20, 2**-53, 0.3, 0.6, 1 - 2**-53, 0.0, 1.0]
    np.save("q.npy", p)
    np.save("l.npy", np.log(p[:6]))
    for label in (0, 1):
        labels = ",".join([str(label)] * 8)
        line = f"softmax-cli xent q.npy --binary --from probabilities --labels {labels}"
        assert run(f"{line} --reduction none -o losses.npy").code == 0
        found = np.load("losses.npy")
        with mp.workprec(2200):
            exact = [float(-mp.log(x if label else 1 - x)) for x in map(mp.mpf, p[:6])]
            logs = map(mp.mpf, np.log(p[:6]).tolist())
            of_logs = [float(-x if label else -mp.log(-mp.expm1(x))) for x in logs]
        np.testing.assert_allclose(found[:6], exact, rtol=9e-16)
        assert found[6:].tolist() == ([np.inf, 0] if label else [0, np.inf])
        line = f"softmax-cli xent l.npy --binary --from log-probabilities --labels {labels[:11]}"
        assert run(f"{line} --reduction none -o losses.npy").code == 0
        np.testing.assert_allclose(np.load("losses.npy"), of_logs, rtol=9e-16)


def test_calibration_of_probabilities_keeps_them_as_they_are() -> None:
    """0.6 is an edge of the bins."""
    line = "xent 0.6 0.4 0.9 --binary --from probabilities --labels 1,0,0 --calibration --bins 5"
    report = json.loads(run(f"softmax-cli {line} --format json").out)["calibration"]
    assert [each["rows"] for each in report["reliability"]] == [0, 0, 2, 0, 1]
    assert report["brier"] == pytest.approx(2 * (0.4**2 + 0.4**2 + 0.9**2) / 3, rel=1e-15)


def test_a_temperature_is_fitted() -> None:
    np.save("pairs.npy", PAIRS[:3])
    np.save("z3.npy", Z[:3])
    options = "--labels 0,0,1 --fit-temperature --format json"
    both = json.loads(run(f"softmax-cli xent pairs.npy {options}").out)
    one = json.loads(run(f"softmax-cli xent z3.npy --binary {options}").out)
    assert one["fit_temperature"] == both["fit_temperature"]


def test_missing_numbers_are_bad_rows() -> None:
    Path("m.csv").write_text("score\n0.5\n\n0\n")
    outcome = run("softmax-cli softmax m.csv --binary")
    assert "m.csv:3:1: is missing or NaN" in outcome.err
    outcome = run("softmax-cli softmax m.csv --binary --on-bad-row zero")
    assert outcome.out.splitlines()[2:] == ["0.0,0.0", "0.5,0.5"]
    outcome = run(
        "softmax-cli xent m.csv --binary --labels 1,0,1 --on-bad-row skip --reduction sum"
    )
    assert float(outcome.out) == pytest.approx(np.log1p(np.exp(-0.5)) + np.log(2))


@pytest.mark.parametrize(
    "scheduler", ["", pytest.param("--scheduler local", marks=pytest.mark.slow)]
)
def test_many_files_are_one(scheduler: str) -> None:
    if scheduler:
        pytest.importorskip("distributed")
    for name in ("v", "l", "g"):
        Path(name).mkdir()
    for part in (slice(0, 2), slice(2, 5)):
        np.save(f"v/{part.start}.npy", Z[part])
        np.save(f"l/{part.start}.npy", 2 * Y[part] - 1)
    line = (
        f"softmax-cli xent 'v/*.npy' --labels l --binary --output-dir out --grad g -q {scheduler}"
    )
    assert float(run(f"{line} --task-bytes 1" if scheduler else line).out) == cross_entropy(
        PAIRS, Y
    )
    expected = cross_entropy_gradient(PAIRS, Y)[:, 1]
    assert (np.concatenate([np.load("g/0.npy"), np.load("g/2.npy")]) == expected).all()
    line = "softmax-cli gradcheck --logits 'v/*.npy' --labels l --grad g --binary --output-dir c -q"
    assert run(f"{line} {scheduler}").code == 0
    line = f"softmax-cli softmax 'v/*.npy' --binary --output-dir s -q {scheduler}"
    assert run(line).code == 0
    assert np.load("s/2.npy").shape == (3, 2)
    assert run(f"softmax-cli jacobian 'v/*.npy' --binary --output-dir j -q {scheduler}").code == 0
    assert np.load("j/2.npy").shape == (3, 2, 1)
