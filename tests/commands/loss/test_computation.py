"""xent --losses and --grad: what belongs to the rows, in files beside the loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from softmax_cli import cross_entropy, cross_entropy_gradient
from softmax_cli.commands.inputs.values import opened
from softmax_cli.formats.model.blocks import Chunk, Source
from tests.running import run

pytestmark = pytest.mark.fast(3)

LOGITS = np.random.default_rng(3).normal(0, 4, (7, 3))
LABELS = np.array([0, 1, 2, 2, 1, 0, 0])
Y = np.array([[0.2, 0.3, 0.5]] * 7)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", LOGITS)
    np.save("l.npy", LABELS)
    np.save("y.npy", Y)
    rows = [",".join(map(repr, row)) for row in LOGITS.tolist()]
    lines = [
        f"r{n},{row},{'abc'[label]}"
        for n, (row, label) in enumerate(zip(rows, LABELS, strict=True))
    ]
    Path("z.csv").write_text("\n".join(["id,a,b,c,y", *lines]) + "\n")


@pytest.mark.parametrize("reduction", ["mean", "batch-mean", "sum", "none"])
@pytest.mark.parametrize("targets", ["--labels l.npy", "--targets y.npy"])
@pytest.mark.parametrize("base", ["e", "2"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_losses_and_gradient(reduction: Any, targets: str, base: str, temperature: float) -> None:
    line = f"xent z.npy {targets} --reduction {reduction} --base {base} -t {temperature}"
    plain = run(f"softmax-cli {line}")
    outcome = run(f"softmax-cli {line} --losses out.npy --grad grad.npy")
    assert (outcome.code, outcome.err, outcome.out) == (0, "", plain.out)
    settings: dict[str, Any] = {"base": np.e if base == "e" else 2, "temperature": temperature}
    wanted = LABELS if "labels" in targets else Y
    losses = cross_entropy(LOGITS, wanted, reduction="none", **settings)
    gradient = cross_entropy_gradient(LOGITS, wanted, reduction=reduction, **settings)
    assert_allclose(np.load("out.npy"), losses, rtol=1e-14)
    assert_allclose(np.load("grad.npy"), gradient, rtol=1e-13, atol=1e-17)


def test_gradient_in_the_dtype_and_shape_of_the_logits() -> None:
    np.save("z.npy", LOGITS.astype(np.float32))
    assert run("softmax-cli xent z.npy --labels l.npy --grad grad.npy").code == 0
    gradient = np.load("grad.npy")
    assert gradient.dtype == np.float32
    exact = cross_entropy_gradient(LOGITS.astype(np.float32).astype(float), LABELS)
    assert_allclose(gradient, exact, rtol=2e-7, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1])
def test_losses_have_the_leading_shape_of_the_logits(axis: int) -> None:
    logits = np.random.default_rng(8).normal(size=(4, 5, 10))
    labels = np.arange(20) % 10
    np.save("cube.npy", np.moveaxis(logits, -1, axis))
    np.save("flat.npy", labels)
    expected = cross_entropy(logits.reshape(20, 10), labels, reduction="none")
    line = f"cube.npy --axis {axis} --labels flat.npy --losses"
    for output in ("out.npy", "out.npz", "out.safetensors"):
        assert run(f"softmax-cli xent {line} {output}").code == 0
    losses = np.load("out.npy")
    assert losses.shape == (4, 5)
    assert np.array_equal(losses.ravel(), expected)
    assert np.array_equal(np.load("out.npz")["losses"], losses)
    assert b'"shape": [4, 5]' in Path("out.safetensors").read_bytes()
    assert run(f"softmax-cli xent {line} out.csv").code == 0
    assert len(Path("out.csv").read_text().splitlines()) == 20


def test_gradient_is_right_for_gradcheck() -> None:
    assert run("softmax-cli xent z.npy --labels l.npy --grad grad.npy").code == 0
    line = "softmax-cli gradcheck --logits z.npy --labels l.npy --grad grad.npy"
    assert run(line).code == 0
    assert run(f"{line} --reduction sum").code == 1


def test_a_table_of_names_is_read_twice_for_its_mean() -> None:
    line = "xent z.csv --id-columns id --label-column y --losses losses.csv --grad grad.csv"
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.err) == (0, "")
    header, *rows = Path("grad.csv").read_text().splitlines()
    assert header == "id,a,b,c"
    assert [row.split(",")[0] for row in rows] == [f"r{n}" for n in range(7)]
    back = np.array([row.split(",")[1:] for row in rows], float)
    assert_allclose(back, cross_entropy_gradient(LOGITS, LABELS), rtol=1e-13, atol=1e-17)
    losses = Path("losses.csv").read_text().splitlines()
    assert losses[0] == "id,loss"
    assert float(losses[1].split(",")[1]) == pytest.approx(
        float(cross_entropy(LOGITS[:1], LABELS[:1])), rel=1e-14
    )


@pytest.mark.parametrize(("policy", "used"), [("nan", 7), ("zero", 7), ("skip", 6)])
@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_bad_rows(policy: str, used: int, suffix: str) -> None:
    bad = LOGITS.copy()
    bad[2, 1] = np.nan
    if suffix == ".npy":
        np.save("z.npy", bad)
    else:
        np.savetxt("z.csv", bad, delimiter=",", fmt="%.17g")
    line = (
        f"xent z{suffix} --labels l.npy --on-bad-row {policy} --losses o.npy --grad g.npy --quiet"
    )
    assert run(f"softmax-cli {line}").code == 0
    good = np.delete(np.arange(7), 2)
    expected = cross_entropy_gradient(LOGITS[good], LABELS[good], reduction="sum") / used
    gradient, losses = np.load("g.npy"), np.load("o.npy")
    if policy != "skip":
        filling = np.nan if policy == "nan" else 0.0
        assert_array_equal(gradient[2], filling)
        assert_array_equal(losses[2], filling)
        gradient, losses = gradient[good], losses[good]
    assert_allclose(gradient, expected, rtol=1e-13, atol=1e-17)
    assert_allclose(losses, cross_entropy(LOGITS[good], LABELS[good], reduction="none"), rtol=1e-13)


def test_losses_with_every_form_of_report() -> None:
    for form in ("json", "table", "csv"):
        outcome = run(f"softmax-cli xent z.npy --labels l.npy --format {form} --losses {form}.txt")
        assert outcome.code == 0
    assert "losses" not in json.loads(
        run("softmax-cli xent z.npy --labels l.npy --format json").out
    )
    assert (
        Path("json.txt").read_text() == Path("csv.txt").read_text() == Path("table.txt").read_text()
    )


def test_losses_of_two_distributions() -> None:
    assert run("softmax-cli xent --p y.npy --q y.npy --losses o.npy").code == 0
    assert_allclose(np.load("o.npy"), -(Y * np.log(Y)).sum(axis=-1), rtol=1e-14)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("xent z.npy --labels l.npy --losses -", "--losses: standard output takes the loss"),
        ("xent z.npy --labels l.npy --losses o.npy --grad ./o.npy", "--grad: names the same file"),
        ("xent z.npy --labels l.npy --grad o.json -o o.json", "--output: names the same file"),
        ("xent z.npy --labels l.npy --losses z.npy", "z.npy: is also an input"),
        ("xent z.npy --labels l.npy --grad l.npy", "l.npy: is also an input"),
        ("xent z.npy --labels l.npy --grad g.what", "no format has this suffix"),
        ("xent --p y.npy --q y.npy --grad g.npy", "--grad: goes with logits alone"),
        ("xent y.npy --from probabilities --labels l.npy --grad g.npy", "--grad: goes with logits"),
        ("xent z.npy --labels 0,1 --losses o.npy --grad g.npy", "row"),
        ("xent z.npy --labels 0,1,2,3,0,0,0 --losses o.npy --grad g.npy -o o.json", "out of range"),
    ],
)
def test_refused_and_nothing_left(line: str, word: str) -> None:
    before = sorted(Path().iterdir())
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert word in outcome.err
    assert outcome.err.count("\n") == 1
    assert sorted(Path().iterdir()) == before
    assert_array_equal(np.load("z.npy"), LOGITS)


COUNTED = [
    "--labels l.csv",
    "--targets t.csv",
    "--labels l.csv --class-weights 1,2,3",
    "--labels l.csv --ignore-label 2",
    "--targets t.csv --ignore-label 2 --sample-weights w.csv",
    "--labels l.csv --sample-weights w.csv --class-weights 3,1,2 --label-smoothing 0.1",
]


def _write_tables() -> str:
    """Write logits, labels, targets and weights as CSV; return the logits as printf prints them."""
    np.savetxt("x.csv", LOGITS, delimiter=",")
    np.savetxt("l.csv", LABELS, fmt="%d")
    np.savetxt("t.csv", np.eye(3)[LABELS], delimiter=",")
    np.savetxt("w.csv", np.arange(7) / 4)
    return f"printf '{Path('x.csv').read_text()}' | softmax-cli xent -"


@pytest.mark.parametrize("options", COUNTED)
@pytest.mark.parametrize("reduction", ["mean", "batch-mean"])
def test_a_gradient_of_standard_input_is_that_of_the_file(options: str, reduction: str) -> None:
    piped = _write_tables()
    options += f" --reduction {reduction}"
    of_file = run(f"softmax-cli xent x.csv {options} --grad file.csv")
    of_pipe = run(f"{piped} {options} --grad pipe.csv")
    assert (of_file.code, of_pipe.code) == (0, 0), of_pipe.err
    assert of_pipe.out == of_file.out
    assert Path("pipe.csv").read_bytes() == Path("file.csv").read_bytes()


def _count_readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each reading of logits."""
    readings: list[str] = []

    def counted(*args: Any, **more: Any) -> Source:
        source = opened(*args, **more)

        def chunks() -> Iterator[Chunk]:
            readings.append(source.place)
            return source.chunks()

        return replace(source, chunks=chunks)

    monkeypatch.setattr("softmax_cli.commands.inputs.loss.opened", counted)
    return readings


@pytest.mark.parametrize("options", [*COUNTED, "--labels l.csv --on-bad-row nan"])
@pytest.mark.parametrize("logits", ["x.csv", "z.npy"])
def test_a_gradient_reads_the_logits_once(
    options: str, logits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_tables()
    readings = _count_readings(monkeypatch)
    assert run(f"softmax-cli xent {logits} {options} --grad g.npy").code == 0
    assert readings == [logits]


@pytest.mark.parametrize(
    "line", ["z.csv --id-columns id --label-column y", "x.csv --labels l.csv --on-bad-row skip"]
)
def test_logits_that_decide_what_counts_are_read_twice(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_tables()
    readings = _count_readings(monkeypatch)
    assert run(f"softmax-cli xent {line} --grad g.npy").code == 0
    assert len(readings) == 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--labels 0,1", "x.csv"),
        ("--labels 0,1,2,0,1,2,0,1", "--labels: has more rows than x.csv"),
        ("--labels 0,1,5,0,1,2,0", "x.csv:3: label 5 is out of range"),
        ("--labels 0,1,2,0,cat,2,0", "--labels, label 4: the label 'cat' is not a class"),
        ("--labels l.csv --sample-weights 1,2", "--sample-weights: has fewer rows than x.csv"),
        ("--labels l.csv --sample-weights 1,1,1,1,1,1,-1", "x.csv:7: its sample weight is -1"),
        ("--labels 1,1,1,1,1,1,1 --ignore-label 1", "x.csv: every row is ignored"),
        (
            "--targets y.npy --ignore-label 1",
            "y.npy: row 0: --ignore-label needs labels, not soft targets",
        ),
    ],
)
def test_errors_name_the_same_place_with_and_without_a_gradient(options: str, error: str) -> None:
    _write_tables()
    plain = run(f"softmax-cli xent x.csv {options}")
    outcome = run(f"softmax-cli xent x.csv {options} --grad g.csv")
    assert error in plain.err
    assert (outcome.code, outcome.err) == (2, plain.err)


def test_a_mean_of_standard_input_that_is_counted_first_has_no_gradient() -> None:
    piped = _write_tables()
    table = f"printf '{Path('z.csv').read_text()}' | softmax-cli xent - --id-columns id"
    labels = f"printf '{Path('l.csv').read_text()}' | softmax-cli xent x.csv --labels -"
    weights = f"printf '{Path('w.csv').read_text()}' | softmax-cli xent x.csv --labels l.csv"
    for line in (
        f"{piped} --labels l.csv --on-bad-row skip",
        f"{table} --label-column y",
        labels,
        f"{weights} --sample-weights -",
    ):
        outcome = run(f"{line} --grad g.npy")
        assert (outcome.code, outcome.out) == (2, ""), line
        assert "--reduction sum" in outcome.err
        assert run(f"{line} --grad g.npy --reduction sum").code == 0
