"""The columns of a table: which look like no class, and how errors name a cell."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.selection import column_spec
from softmax_cli.formats.columns.suspects import SuspectColumns, looks_like_no_class
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.rows import read, refusal, saved, warnings_of, write

NO_CLASSES = [
    *("id", "ID", "Id", "SampleId", "sample_id", "row_id", "image_id", "imageID", "userId", "uid"),
    *("UUID", "guid", "idx", "index", "row_index", "Index", "row", "RowNumber", "rownames", "qid"),
    *("label", "Label", "labels", "true_label", "target", "y_true", "class", "ground_truth", "gt"),
    *("weight", "weights", "sample_weight", "SampleWeight", "fold", "cv_fold", "Fold", "split"),
    *("document id", "doc-id", "customer.id", "userid", "level_0"),
]
CLASSES = [
    *("setosa", "a", "x", "y", "w", "VALID", "COVID", "GRID", "valid", "acid", "Invalid", "kid"),
    *("logit_1", "class_0", "Class=0", "RawFormulaVal:Class=0", "weighted", "indexed", "folder"),
    *("id_card", "labelled", "0", "prob_cat", ".pred_setosa", "LABEL_0"),
]


def test_names() -> None:
    assert [name for name in NO_CLASSES if not looks_like_no_class(name)] == []
    assert [name for name in CLASSES if looks_like_no_class(name)] == []


FRAME: dict[str, list[Any]] = {"a": [0.5, 1.5], "row_id": [7, 3], "fold": [1, 1]}


def stored(suffix: str, columns: dict[str, list[Any]]) -> str:
    frame = pl.DataFrame(columns)
    name = f"x{suffix}"
    if suffix == ".jsonl":
        rows = frame.iter_rows(named=True)
        return saved(name, "".join(json.dumps(row) + "\n" for row in rows))
    if suffix == ".parquet":
        frame.write_parquet(name)
    elif suffix == ".arrow":
        frame.write_ipc(name)
    else:
        frame.write_csv(name, separator={".csv": ",", ".tsv": "\t", ".txt": " "}[suffix])
    return name


every_table = pytest.mark.parametrize(
    "suffix", [".csv", ".tsv", ".txt", ".jsonl", ".parquet", ".arrow"]
)


@every_table
def test_every_suspicious_column_is_named(suffix: str) -> None:
    name = stored(suffix, FRAME)
    assert warnings_of(read(name).source) == [
        f"{name}: the columns 'row_id' and 'fold' are taken for classes and look like none; "
        "--id-columns row_id,fold passes them through, --columns names the classes"
    ]
    assert warnings_of(read(name, id_columns=["row_id,fold"]).source) == []
    assert warnings_of(read(name, columns=["a,row_id"]).source) == []
    (line,) = warnings_of(read(name, request=ColumnRequest(labels="fold")).source)
    assert "the column 'row_id' is taken for a class" in line


@every_table
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_whole_numbers_that_rise_by_one(
    suffix: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    name = stored(suffix, {"a": [0.5, 1.0, 2.0, 3.0, 4.5], "n": [4, 5, 6, 7, 8]})
    (line,) = warnings_of(read(name).source)
    assert "the column 'n' is taken for a class" in line


@pytest.mark.parametrize(
    "rows",
    [
        "1,5\n2,5\n3,5\n4,5\n",
        "1,1\n2,2\n3,3\n4,4\n5,5\n",
        "1,5\n2,5\n3,5\n4,5\n6,5\n",
        "0.5,1\n1.5,1\n2.5,1\n3.5,1\n4.5,1\n",
        "1,5\n2,5\n,5\n4,5\n5,5\n",
    ],
)
def test_numbers_that_do_not(rows: str) -> None:
    assert warnings_of(read(saved("x.csv", rows)).source) == []


def test_a_column_without_a_name_is_called_by_its_number() -> None:
    (line,) = warnings_of(read(saved("x.csv", "5,1\n5,2\n4,3\n5,4\n5,5\n0,0\n")).source)
    assert line.startswith("x.csv: column 2 is taken for a class")
    assert "--id-columns 2 passes it through" in line


def test_arrays_have_no_columns() -> None:
    rows = np.column_stack([np.arange(6.0), np.zeros(6)])
    assert warnings_of(read(write("x.npy", rows)).source) == []
    assert warnings_of(read(*(f"{row},0" for row in range(6))).source) == []


def test_option_values() -> None:
    names = ["y", "a b", "id", "id", "row_id", "5", "6"]
    layout = Layout(7, [1, 2, 4, 5], [], None, names)
    suspects = SuspectColumns(layout)
    suspects.columns = [1, 2, 4]
    assert "--id-columns 2,3,row_id passes" in suspects.error("x.csv").remedy
    assert layout.cell("x.csv:3", 3) == "x.csv:3:6"


def test_a_number_that_is_a_name_is_given_as_a_range() -> None:
    name = saved("x.csv", "q,0,1,2\n7,0.5,1.5,2.5\n")
    assert "--id-columns 1-1" in refusal(name)
    back = read(name, header=True, id_columns=["1-1"])
    assert back.source.class_names == ("0", "1", "2")
    assert column_spec(0, ["a b", "1"]) == "1-1"
    assert column_spec(1, ["a", "b", "a"]) == "b"
    assert column_spec(2, ["a", "b", "a"]) == "3"
    line = refusal(saved("y.csv", "id,0,1,2\n7,1,2,3\n"), header=True, columns=["2,3,4"])
    assert line.startswith("--columns: 2 is the name of a column, and 3 is not")


def test_a_pattern_makes_no_header_of_numbers() -> None:
    name = saved("x.csv", "1,2\n3,4\n5,6\n")
    for pattern in ("*", "[0-9]", "1*"):
        assert "the input has no header" in refusal(name, columns=[pattern])
    assert read(saved("x.csv", "1a,2\n3,4\n"), columns=["1*"]).source.class_names == ("1a",)
