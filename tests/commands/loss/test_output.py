"""What xent prints in a pipe and as messages, and when it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmax_cli import softmax
from softmax_cli.errors import OutputError
from softmax_cli.storage.output import Target
from tests.commands.loss.reports import LOGITS, refused, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_inputs()


def test_in_a_pipe_the_loss_is_printed_alone_and_the_rest_as_messages() -> None:
    line = "softmax-cli xent z.npy --labels l.npy --worst 3 --per-class --fit-temperature"
    outcome = run(line)
    T = report("z.npy --labels l.npy --fit-temperature")["temperature"]
    assert float(outcome.out) == report(f"z.npy --labels l.npy -t {T!r}")["loss"]
    assert f"the temperature that minimises the loss is {T!r}\n" in outcome.err
    assert "--worst and --per-class are shown in a table and by --format json" in outcome.err
    assert run(f"{line} -q").err == ""


def test_a_pipe_says_that_it_shows_no_histogram() -> None:
    outcome = run("softmax-cli xent z.npy --labels l.npy --histogram")
    assert outcome.err == (
        "softmax-cli: --histogram is shown in a table and by --format json, not here\n"
    )


def test_a_table_of_losses_says_where_the_rest_is_shown() -> None:
    line = "xent 1,2 3,1 --labels 0,1 --worst 1 --per-class --reduction none --format table"
    assert "are shown with another reduction and by --format json" in run(f"softmax-cli {line}").err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--targets y.npy --per-class", "z.npy: row 0: --per-class needs labels, not soft"),
        ("--targets y.npy --calibration", "--calibration needs labels, not soft targets"),
        ("--targets y.npy --top-k-accuracy 2", "--top-k-accuracy needs labels, not soft targets"),
        (
            "--targets y.npy --ignore-label 0",
            "y.npy: row 0: --ignore-label needs labels, not soft targets",
        ),
        (
            "--labels l.npy --bins 5",
            "--bins: requires --calibration or --fit-temperature; add one of them",
        ),
        ("--labels l.npy --top-k-accuracy 0", "--top-k-accuracy"),
        ("--labels l.npy --label-smoothing 2", "--label-smoothing: must be from 0 to 1, got 2"),
        (
            "--labels l.npy --mask-class 4",
            "--mask-class: there is no class '4'; classes are 0 to 3",
        ),
        ("--labels l.npy --class-weights 1,2", "2 weights for the 4 classes of z.npy"),
        ("--labels l.npy --class-weights 1,2,3,4,5", "more than 4 weights for the 4 classes"),
        ("--labels l.npy --class-weights 1,2,-3,4", "the weight of class 2 is -3"),
        ("--labels l.npy --class-weights 0,0,0,0", "every weight is 0, so there is no mean"),
        ("--labels l.npy --sample-weights 1,2", "--sample-weights: has fewer rows than z.npy"),
        ("--labels l.npy --sample-weights s.csv", "s.csv:4: 'x' is not a number; a weight is"),
        ("--labels l.npy --sample-weights s.npy", "z.npy: row 3: its sample weight is -1"),
        ("--labels l.npy --sample-weights none.npy", "--sample-weights: none.npy: no such file"),
        (
            "--labels - --fit-temperature",
            "--fit-temperature: the rows are read again at each temperature",
        ),
        (
            "--labels l.npy --mask-class 0 --mask-class 1 --mask-class 2 --mask-class 3",
            "every class",
        ),
    ],
)
def test_errors(line: str, message: str) -> None:
    np.save("y.npy", softmax(LOGITS))
    Path("s.csv").write_text("weight\n1\n2\nx\n")
    np.save("s.npy", np.where(np.arange(60) == 3, -1.0, 1.0))
    outcome = run(f"softmax-cli xent z.npy {line} -o out.json")
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not Path("out.json").exists()


@pytest.mark.parametrize("option", ["--per-class", "--calibration", "--top-k-accuracy 2"])
def test_two_distributions_have_no_labels(option: str) -> None:
    outcome = run(f"softmax-cli xent --p 0.5,0.5 --q 0.5,0.5 {option}")
    assert outcome.code == 2
    assert f"{option.split()[0]}: p and q have no labels" in outcome.err


@pytest.mark.parametrize("option", ["--grad w.csv", "--losses w.csv", "-o w.csv"])
def test_a_file_of_weights_is_an_input_and_left_as_it_is(option: str) -> None:
    Path("w.csv").write_text("1,2,3\n")
    refused(f"1,2,3 --labels 0 --class-weights w.csv {option}", "is also an input")
    assert Path("w.csv").read_text() == "1,2,3\n"


def test_files_of_rows_replace_an_input_in_place() -> None:
    Path("w.csv").write_text("1\n2\n")
    line = "xent 1,2 3,1 --labels 0,1 --sample-weights w.csv --losses w.csv"
    refused(line.removeprefix("xent "), "add --in-place")
    outcome = run(f"softmax-cli {line} --in-place")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(Path("w.csv").read_text().split()) == 2


def test_probabilities_given_as_logits_get_a_warning() -> None:
    """keras#6143."""
    outcome = run("softmax-cli xent 0.2,0.8 0.5,0.5 --labels 1,0")
    assert outcome.code == 0
    assert "warning: every row lies in 0..1 and sums to 1 as probabilities do" in outcome.err
    ignored = "softmax-cli xent 5,7 0.5,0.5 --labels 9,0 --ignore-label 9"
    assert "warning: every row lies in 0..1" in run(ignored).err
    assert run("softmax-cli xent 0.2,0.8 0.5,0.6 --labels 1,0").err == ""


@pytest.mark.parametrize("options", ["--format json", "-o r.json", "--save r.svg", "--explain"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_nothing_is_reported_before_the_files_of_the_rows_are_there(
    options: str, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Target.publish

    def full_disk(target: Target, *how: Any) -> None:
        if target.place == "rows.npy":
            raise OutputError("cannot be written: No space left on device", place=target.place)
        publish(target, *how)

    monkeypatch.setattr(Target, "publish", full_disk)
    line = f"softmax-cli xent z.npy --labels l.npy --grad rows.npy --reduction {reduction}"
    before = sorted(Path().iterdir())
    outcome = run(f"{line} {options}")
    assert (outcome.code, outcome.out) == (2, "")
    assert sorted(Path().iterdir()) == before
