"""Ids of every type leave a table as they came into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from numpy.testing import assert_allclose
from polars.testing import assert_frame_equal

from tests.peers.rows import FILES, IDS, NAMES, PROBABILITIES, SPECIES
from tests.running import run

TYPED = {
    "pandas/ids.parquet": ["image_id", "label"],
    "pandas/index.parquet": ["image_id", "label"],
    "pandas/typed.parquet": ["image_id", "label", "flagged"],
    "pandas/times.parquet": ["time", "label"],
    "pyarrow/timestamps.parquet": ["id", "label"],
    "pyarrow/dates.parquet": ["id", "label"],
    "pyarrow/dictionary.parquet": ["id", "label"],
    "pyarrow/list.parquet": ["id", "label"],
    "pyarrow/fixed_size_list.feather": ["id", "label"],
    "polars/frame.parquet": ["id", "label"],
    "polars/frame.arrow": ["id", "label"],
}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("name", TYPED)
def test_columns_of_parquet_and_arrow(name: str, suffix: str, tmp_path: Path) -> None:
    ids, out = TYPED[name], tmp_path / f"out{suffix}"
    path = FILES / name
    outcome = run(f"softmax-cli softmax {path} --id-columns {','.join(ids)} -o {out}")
    assert (outcome.code, outcome.err) == (0, "")
    given, got = _read(path), _read(out)
    if suffix == ".arrow":
        # Batches of Arrow would need one dictionary.
        given = given.cast({pl.Categorical: pl.String})
    assert_frame_equal(got.select(ids), given.select(ids))
    assert_allclose(_probabilities(got), PROBABILITIES, rtol=1e-15)


def _read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    return pl.read_ipc(path)


def _probabilities(frame: pl.DataFrame) -> Any:
    return frame["logits"].to_list() if "logits" in frame.columns else frame.select(NAMES).rows()


@pytest.mark.parametrize(
    "name",
    [
        *("pandas/ids.csv", "pandas/ids.parquet", "pandas/lines.jsonl", "pandas/lines.json"),
        *("duckdb/table.json", "duckdb/array.json", "duckdb/table.csv"),
        *("polars/frame.ndjson", "polars/frame.json", "r/records.json"),
    ],
)
def test_records_a_line(name: str) -> None:
    key = {"pandas": "image_id,", "r": ""}.get(name.partition("/")[0], "id,")
    outcome = run(f"softmax-cli softmax {FILES / name} --id-columns {key}label --format jsonl")
    assert (outcome.code, outcome.err) == (0, "")
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [record["label"] for record in records] == list(SPECIES)
    if key and not name.endswith(".csv"):
        assert [record[key[:-1]] for record in records] == list(IDS)
    assert_allclose([[record[name] for name in NAMES] for record in records], PROBABILITIES)
