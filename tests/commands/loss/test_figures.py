"""xent --show and --report: figures of a loss by name, on a line and for each file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy
from tests.commands.loss.reports import LABELS, LOGITS, refused, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_inputs()


def _printed(line: str) -> str:
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def test_figures_are_printed_on_one_line_in_their_order() -> None:
    line = "z.npy --labels l.npy"
    whole = report(f"{line} --calibration --bins 5")
    scores = whole["calibration"]
    keys = "rows,brier,loss,accuracy,perplexity,ece,mce,temperature,ignored,used"
    printed = _printed(f"{line} --show {keys} --bins 5")
    assert printed.endswith(",1.0,0,60\n")
    expected = [60, scores["brier"], whole["loss"], whole["accuracy"], whole["perplexity"]]
    expected += [scores["ece"], scores["mce"], 1.0, 0, 60]
    assert [float(cell) for cell in printed.split(",")] == expected
    assert _printed(f"{line} --show rows --show loss").startswith("60,")


def test_entropy_and_divergence_are_those_of_p_and_q() -> None:
    printed = _printed("--p 0.5,0.5 --q 0.25,0.75 --base 2 --show kl,entropy,loss")
    divergence, entropy, loss = map(float, printed.split(","))
    assert entropy == 1.0
    assert loss == pytest.approx(1.5 - np.log2(3) / 2 + 0.5, rel=1e-15)
    assert divergence == pytest.approx(loss - 1, rel=1e-14)


def test_figures_in_other_formats_and_files() -> None:
    line = "z.npy --labels l.npy --show loss,rows"
    loss = report("z.npy --labels l.npy")["loss"]
    assert _printed(f"{line} --format tsv") == f"{loss!r}\t60\n"
    assert json.loads(_printed(f"{line} --format jsonl")) == {"loss": loss, "rows": 60}
    assert report(line) == report("z.npy --labels l.npy")
    for name in ("f.csv", "f.npy"):
        assert _printed(f"{line} -o {name}") == ""
    assert Path("f.csv").read_text() == f"{loss!r},60\n"
    assert np.load("f.npy").tolist() == [loss, 60]


def test_digits_of_a_count_are_never_cut() -> None:
    np.save("many.npy", np.zeros((12345, 2)))
    np.save("zeros.npy", np.zeros(12345, int))
    printed = _printed("many.npy --labels zeros.npy --show rows,loss,used --precision 2 -q")
    assert printed == "12345,0.69,12345\n"


def test_a_table_shows_these_figures_alone() -> None:
    outcome = run("softmax-cli xent z.npy --labels l.npy --show ece,used --format table")
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["ECE", "used"]
    more = run("softmax-cli xent z.npy --labels l.npy --show loss --per-class --format table")
    assert more.out.startswith("loss")
    assert "mean loss" in more.out


def test_the_temperature_shown_is_the_fitted_one() -> None:
    line = "z.npy --labels l.npy --fit-temperature"
    T = report(line)["temperature"]
    assert float(run(f"softmax-cli xent {line} --show temperature").out) == T


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--show los", "--show: there is no figure 'los'; did you mean 'loss'?"),
        ("--show x,loss", "there is no figure 'x'; choose from loss, perplexity, accuracy"),
        ("--show loss --reduction none", "--show: --reduction none prints a loss for each row"),
        ("--show kl", "--show kl: goes with --p and --q alone; leave it out"),
        ("--from probabilities --show temperature", "--show temperature: goes with logits alone;"),
        ("--bins 5 --show loss", "--bins: requires --calibration or --fit-temperature"),
        ("--report r.txt", "--report: 'r.txt' is not a report file; name a file .csv or .json"),
        ("--report -", "--report: standard output takes the loss; name a file"),
        ("--report x.csv --losses x.csv", "names the same file as --losses; give each its own"),
    ],
)
def test_refused(line: str, message: str) -> None:
    refused(f"z.npy --labels l.npy {line}", message)


@pytest.mark.parametrize("key", ["accuracy", "ece", "mce", "brier"])
def test_figures_of_labels_need_labels(key: str) -> None:
    refused(f"--p 1,0 --q 1,0 --show {key}", f"--show {key}: p and q have no labels; leave it out")
    outcome = refused(f"1,2 --targets 0.5,0.5 --show {key}", f"--show {key}")
    assert "soft targets" in outcome.err
    assert outcome.out == ""


def _table(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def _save_parts() -> None:
    """Write the logits and labels in three parts of 10, 0 and 50 rows."""
    Path("z").mkdir()
    Path("l").mkdir()
    for part, rows in zip("abc", (slice(10), slice(0), slice(10, 60)), strict=True):
        np.save(f"z/{part}.npy", LOGITS[rows])
        np.save(f"l/{part}.npy", LABELS[rows])


@pytest.mark.parametrize(
    "form",
    [
        "z/a.npy z/b.npy z/c.npy --labels l.npy",
        "'z/*.npy' --labels l.npy --threads 2",
        "'z/*.npy' --labels l --output-dir out",
    ],
)
def test_a_report_has_a_line_for_each_file(form: str) -> None:
    _save_parts()
    line = f"softmax-cli xent {form} --calibration --top-k-accuracy 2 --ignore-label 3 -q"
    for _ in range(2):
        # The second run over many files computes nothing.
        outcome = run(f"{line} --report r.csv")
        assert outcome.code == 0
        first, empty, last = _table("r.csv")
        assert [first["file"], empty["file"], last["file"]] == ["z/a.npy", "z/b.npy", "z/c.npy"]
        assert (empty["rows"], empty["accuracy"], empty["ece"]) == ("0", "", "")
        for found, part in ((first, "a"), (last, "c")):
            own = report(
                f"z/{part}.npy --labels l/{part}.npy --calibration --top-k-accuracy 2 "
                "--ignore-label 3"
            )
            assert float(found["loss"]) == own["loss"]
            assert float(found["perplexity"]) == own["perplexity"]
            assert float(found["accuracy"]) == own["accuracy"]
            assert float(found["top_k_accuracy"]) == own["top_k_accuracy"]
            assert float(found["ece"]) == own["calibration"]["ece"]
            assert float(found["brier"]) == own["calibration"]["brier"]
            counts = [str(own[key]) for key in ("rows", "used", "ignored")]
            assert [found[key] for key in ("rows", "used", "ignored")] == counts
    assert run(f"{line} --report r.json").code == 0
    whole = json.loads(run(f"{line} --format json").out)
    assert json.loads(Path("r.json").read_text()) == whole


def test_rows_that_are_skipped_count_for_no_file() -> None:
    _save_parts()
    bad = LOGITS[10:].copy()
    bad[:3] = np.nan
    np.save("z/c.npy", bad)
    run("softmax-cli xent 'z/*.npy' --labels l.npy --on-bad-row skip --report r.csv")
    first, _, last = _table("r.csv")
    assert (first["rows"], last["rows"]) == ("10", "47")
    expected = cross_entropy(LOGITS[13:], LABELS[13:])
    assert float(last["loss"]) == pytest.approx(expected, rel=1e-15)


def test_a_report_of_one_input() -> None:
    _printed("z.csv --id-columns id --label-column y --report r.csv.gz --show rows")
    _printed("1,2 2,1 --labels 0,1 --report typed.csv")
    (typed,) = _table("typed.csv")
    assert (typed["file"], typed["rows"]) == ("arguments", "2")
    outcome = run("printf '1,2\\n3,1\\n' | softmax-cli xent --labels 0,1 --report piped.csv")
    assert outcome.code == 0
    assert _table("piped.csv")[0]["file"] == "standard input"
    _printed("--p 0.5,0.5 --q 0.5,0.5 --report two.csv")
    assert list(_table("two.csv")[0])[:5] == ["file", "loss", "perplexity", "entropy", "kl"]
    np.save("turned.npy", LOGITS.T)
    _printed("turned.npy --axis 0 --labels l.npy --report turned.csv")
    assert _table("turned.csv")[0]["file"] == "turned.npy"


def test_losses_of_rows_and_a_report() -> None:
    line = "z.npy --labels l.npy --reduction none --report r.json"
    losses = [float(each) for each in _printed(line).splitlines()]
    assert json.loads(Path("r.json").read_text())["losses"] == losses
    _printed("z.npy --labels l.npy --reduction none --report r.csv")
    assert (_table("r.csv")[0]["loss"], _table("r.csv")[0]["rows"]) == ("", "60")


def test_a_report_is_whole_or_absent_and_no_input() -> None:
    refused("1,nan --labels 0 --report r.csv", "has no softmax")
    assert not Path("r.csv").exists()
    before = Path("z.csv").read_bytes()
    line = "z.csv --id-columns id --label-column y --report z.csv"
    refused(line, "z.csv: is also an input, and is left as it is; name another file\n")
    assert Path("z.csv").read_bytes() == before
