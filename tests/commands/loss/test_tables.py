"""The tables of xent's report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from softmax_cli import cross_entropy
from tests.commands.loss.reports import LABELS, LOGITS, report, save_inputs
from tests.running import run

pytestmark = pytest.mark.fast(4)


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_inputs()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_tables_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    line = "xent z.csv --id-columns id --label-column y --per-class --worst 3 --calibration"
    outcome = run(f"softmax-cli {line} --fit-temperature --format table", terminal=True)
    assert outcome.code == 0
    assert all(len(line) <= width for line in outcome.out.splitlines())
    for heading in ("class", "mean loss", "worst rows", "ECE", "Brier", "bin", "before"):
        assert heading in outcome.out


def test_many_classes_are_shown_by_their_loss() -> None:
    draw = np.random.default_rng(1)
    np.save("z.npy", draw.normal(0, 1, (400, 100)))
    np.save("l.npy", draw.integers(0, 100, 400))
    shown = run("softmax-cli xent z.npy --labels l.npy --per-class --format table").out
    assert "24 of 100 classes shown, those with the largest loss" in shown
    found = report("z.npy --labels l.npy --per-class")["per_class"]
    assert len(found) == 100
    worst = max(found, key=lambda each: each["loss"] or 0)
    assert shown.split("accuracy\n")[1].splitlines()[1].split()[0] == str(worst["class"])


def test_a_class_without_a_number_for_a_loss_is_shown_first() -> None:
    rows = np.random.default_rng(3).normal(0, 1, (60, 30))
    rows[[4, 9]] = np.nan
    np.save("z.npy", rows)
    np.save("l.npy", np.arange(60) % 30)
    line = "softmax-cli xent z.npy --labels l.npy --on-bad-row nan -q --per-class"
    found = json.loads(run(f"{line} --format json").out)["per_class"]
    shown = run(f"{line} --format table").out.split("accuracy")[2].splitlines()[2:26]
    losses = [float(each["loss"]) for each in found]
    order = sorted(range(30), key=lambda c: (not np.isnan(losses[c]), -losses[c]))
    assert [int(each.split()[0]) for each in shown] == order[:24]


def test_bins_are_told_apart() -> None:
    line = "1,2,3 5,5.001,1 --labels 2,1 --calibration --bins 2000 --format table"
    shown = run(f"softmax-cli xent {line}").out
    assert "0.665 to 0.6655" in shown


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_table_has_the_histogram_unasked(reduction: str) -> None:
    line = f"softmax-cli xent z.npy --labels l.npy --reduction {reduction} --format table"
    shown = run(line).out.partition("\nlosses ")[2].splitlines()[2:]
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    for each in shown:
        low, to, high, rows, *_ = each.split()
        if low != "below":
            assert to == "to"
            assert int(rows) == ((losses >= float(low)) & (losses < float(high))).sum()
    assert len(shown) > 3


def test_a_histogram_of_few_rows_is_shown_if_it_is_asked_for() -> None:
    line = "softmax-cli xent 1,2 3,1 --labels 0,1 --format table"
    assert "losses" not in run(line).out
    assert "losses" in run(f"{line} --histogram").out
    ignored = f"{line} --ignore-label 0 --ignore-label 1 --histogram"
    assert run(ignored).code == 2
