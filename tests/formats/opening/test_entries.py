"""xent --from label-log-probabilities: one entry a row, in columns or lists of any length."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.running import run

pytestmark = pytest.mark.fast(4)

LISTS = [[None, -0.5, -1.5], [None, -1.25]]
ENTRIES = [math.nan, -0.5, -1.5, math.nan, -1.25]
FROM = "--from label-log-probabilities"


@pytest.fixture(autouse=True)
def _inputs(folder: Path) -> None:  # noqa: ARG001
    records = [{"id": row, "token_logprobs": each} for row, each in enumerate(LISTS)]
    Path("records.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    Path("several.jsonl").write_text('{"tokens": ["a", "b"], "lp": [null, -0.5]}')
    Path("lists.jsonl").write_text("".join(json.dumps(each) + "\n" for each in LISTS))
    Path("lists.json").write_text(json.dumps(LISTS))
    Path("flat.json").write_text(json.dumps(LISTS[0] + LISTS[1]))
    Path("object.json").write_text(json.dumps({"lp": LISTS, "other": 1}))
    Path("column.csv").write_text("logprob\n\n-0.5\n-1.5\nNA\n-1.25\n")
    Path("lists.csv").write_text('id,lp\n1,"[None, -0.5, -1.5]"\n2,"[nan, -1.25]"\n')
    Path("alone.csv").write_text('lp\n"[null, -0.5, -1.5]"\n"[NA -1.25]"\n')
    np.save("flat.npy", ENTRIES)
    padded = [[math.nan, -0.5, -1.5], [math.nan, -1.25, math.nan]]
    np.save("padded.npy", np.array(padded))
    pl.DataFrame({"id": [1, 2], "lp": LISTS}).write_parquet("lists.parquet")
    pl.DataFrame({"lp": LISTS[0] + LISTS[1]}).write_ipc("column.arrow")


def _report(line: str) -> dict[str, Any]:
    outcome = run(f"softmax-cli xent {line} {FROM} --format json")
    assert (outcome.code, outcome.err) == (0, "")
    report: dict[str, Any] = json.loads(outcome.out)
    return report


@pytest.mark.parametrize(
    "line",
    [
        "records.jsonl --columns token_logprobs",
        "records.jsonl --id-columns id",
        "records.jsonl",
        "lists.jsonl",
        "lists.json",
        "flat.json",
        "'object.json[lp]'",
        "column.csv",
        "lists.csv --columns lp",
        "lists.csv --id-columns id",
        "alone.csv",
        "flat.npy",
        "lists.parquet --columns lp",
        "lists.parquet",
        "column.arrow",
    ],
)
def test_a_missing_entry_is_an_ignored_row(line: str) -> None:
    report = _report(line)
    assert (report["rows"], report["used"], report["ignored"]) == (5, 3, 2)
    assert report["loss"] == 3.25 / 3
    assert report["perplexity"] == pytest.approx(math.exp(3.25 / 3), rel=1e-15)
    assert report["accuracy"] is None
    assert _report(f"{line} --base 2")["loss"] == pytest.approx(3.25 / 3 / math.log(2), rel=1e-15)


def test_a_padded_array_has_a_row_for_each_number() -> None:
    report = _report("padded.npy")
    assert (report["loss"], report["rows"], report["ignored"]) == (3.25 / 3, 6, 3)


def test_typed_and_piped_numbers() -> None:
    assert _report("-0.5 -1.5")["loss"] == 1
    piped = run(f"printf '[null,-0.5,-1.5]' | softmax-cli xent {FROM} --show loss,ignored")
    assert piped.out == "1.0,1\n"


def test_weights_and_losses_are_of_entries() -> None:
    line = "flat.npy --sample-weights 1,1,3,1,2 --losses l.csv"
    assert _report(line)["loss"] == (0.5 + 3 * 1.5 + 2 * 1.25) / 6
    assert Path("l.csv").read_text().split() == ["0.0", "0.5", "4.5", "0.0", "2.5"]


def test_an_infinite_loss_is_named_and_not_clipped() -> None:
    outcome = run(f"softmax-cli xent -0.5 -inf {FROM} --worst 1 --format json")
    report = json.loads(outcome.out)
    assert report["loss"] == "inf"
    assert report["worst"] == [{"row": 1, "label": None, "predicted": "", "loss": "inf"}]
    assert outcome.err == "softmax-cli: 1 row has an infinite loss: arguments: row 0, entry 1\n"


def test_what_rounding_left_above_0_is_0() -> None:
    assert _report("1e-7 -1.0")["loss"] == 0.5


@pytest.mark.parametrize("form", ["", "--output-dir out", "--output-dir out --reduction none"])
def test_each_file_has_its_loss(form: str) -> None:
    line = f"softmax-cli xent flat.npy padded.npy {FROM} {form} --report r.csv -q"
    outcome = run(line)
    assert outcome.code == 0
    with Path("r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["flat.npy", "padded.npy"]
    assert [row["rows"] for row in rows] == ["5", "6"]
    if "none" not in form:
        assert [float(row["loss"]) for row in rows] == [3.25 / 3] * 2
        assert float(outcome.out) == 3.25 / 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-0.5 0.2", "arguments: row 0, entry 1: log-probabilities are at most 0, got 0.2"),
        ("several.jsonl", "several.jsonl:1: has 2 columns, but one is needed; --columns chooses"),
        ("records.jsonl --columns token_logprob", "did you mean 'token_logprobs'?"),
        ("flat.npy --labels 1", "--labels: the labels are those of the numbers; leave it out"),
        (
            "flat.npy --per-class",
            "--per-class: only the log-probability of each row's label is known",
        ),
        (
            "flat.npy --show ece",
            "--show ece: only the log-probability of each row's label is known",
        ),
        ("flat.npy --show temperature", "goes with logits alone; leave it out\n"),
        ("records.jsonl --id-columns ids", "no column named 'ids'; did you mean 'id'?"),
        ("flat.npy --fit-temperature", "--fit-temperature: only the log-probability"),
        ("flat.npy -t 2", "--temperature: goes with logits alone"),
        ("flat.npy --grad g.npy", "--grad: goes with logits alone"),
        ("flat.npy --explain", "--explain: there is nothing to derive"),
    ],
)
def test_refused(line: str, message: str) -> None:
    outcome = run(f"softmax-cli xent {line} {FROM}")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_no_entry_at_all() -> None:
    Path("none.json").write_text("[[null], [null, null]]")
    outcome = run(f"softmax-cli xent none.json {FROM}")
    assert outcome.code == 2
    assert "every log-probability is missing; give at least one" in outcome.err


def test_an_entry_that_is_no_number_is_named() -> None:
    Path("bad.json").write_text('[[-1, "x"]]')
    outcome = run(f"softmax-cli xent bad.json {FROM}")
    assert outcome.code == 2
    assert "bad.json: [0], entry 1: 'x' is not a number" in outcome.err


@pytest.mark.parametrize("name", ["records.jsonl", "lists.parquet", "lists.csv"])
def test_losses_have_the_ids_of_their_lists(name: str) -> None:
    first = 0 if "json" in name else 1
    line = f"softmax-cli xent {name} --id-columns id {FROM}"
    assert run(f"{line} --losses l.csv -q").code == 0
    losses = ["0.0", "0.5", "1.5", "0.0", "1.25"]
    ids = [first] * 3 + [first + 1] * 2
    rows = [f"{each},{loss}" for each, loss in zip(ids, losses, strict=True)]
    assert Path("l.csv").read_text().split() == ["id,loss", *rows]
    assert run(f"{line} --losses l.parquet -q").code == 0
    kept = pl.read_parquet("l.parquet").schema["id"]
    assert kept == (pl.String if name.endswith("csv") else pl.Int64)


def test_a_list_in_a_cell_may_be_missing_or_empty() -> None:
    Path("odd.csv").write_text('id,lp\na,"[-1.0, -2.0]"\nb,\nc,[]\n')
    report = _report("odd.csv --id-columns id")
    assert (report["loss"], report["rows"], report["ignored"]) == (1.5, 3, 1)
