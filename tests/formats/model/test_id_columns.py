"""Id columns through the program: each keeps the type of its input, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from softmax_cli.formats.model.id_columns import IdColumns, JsonColumn, TextColumn
from tests.formats.rows import saved
from tests.running import run

LINES = '{"id": 7, "key": 12345678901234567890123, "a": 1, "b": 2}\n' * 3


def json_lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def column_of(values: list[object]) -> pl.Series:
    return JsonColumn(values, "x.jsonl", "id").series()


def test_rows_are_chosen_and_repeated() -> None:
    ids = IdColumns((TextColumn([b"x", b"y", b"z"]), JsonColumn([1, None, 2.5], "x", "k")))
    assert list(ids[1:].cells()) == [(b"y", b""), (b"z", b"2.5")]
    assert list(ids[np.array([2, 0])].json()) == [('"z"', "2.5"), ('"x"', "1")]
    assert list(ids[:1].repeated(2).cells()) == [(b"x", b"1")] * 2
    assert ids.texts(1) == ("y", "")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([7, None], pl.Int64),
        ([2**63, 0], pl.UInt64),
        ([1, 2.5], pl.Float64),
        ([2**60, 0.5], pl.Float64),
        (["x", None], pl.String),
        ([True, False], pl.Boolean),
        ([None], pl.Null),
    ],
)
def test_values_of_json_as_a_column(values: list[object], dtype: pl.DataType) -> None:
    column = column_of(values)
    assert column.dtype == dtype
    assert column.to_list() == values


@pytest.mark.parametrize(
    "values", [[2**64], [2**63, -1], [2**53 + 1, 0.5], [1, "x"], [1, True], [[1]], [{"a": 1}]]
)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_values_without_a_type_are_refused(values: list[object], form: str) -> None:
    lines = [json.dumps({"id": value, "a": 1, "b": 2}) for value in values]
    saved("x.jsonl", "\n".join(lines))
    outcome = run(f"softmax-cli softmax x.jsonl --id-columns id -o y.{form}")
    assert (outcome.code, outcome.out) == (2, "")
    problem = "no type of Parquet and Arrow holds all values of id column 'id'"
    assert f"x.jsonl: {problem}; write jsonl, which keeps the type of each value" in outcome.err
    assert run("softmax-cli softmax x.jsonl --id-columns id -o y.jsonl").code == 0
    assert [line["id"] for line in json_lines("y.jsonl")] == values


def test_json_lines_keep_values() -> None:
    saved("x.jsonl", LINES)
    run("softmax-cli softmax x.jsonl --id-columns id,key -o y.jsonl")
    assert [(row["id"], row["key"]) for row in json_lines("y.jsonl")] == [
        (7, 12345678901234567890123)
    ] * 3


@pytest.mark.parametrize("cell", ["007", " a ", "", "NA", "1e5", '" q "', '"a ""b"""', "é"])
def test_cells_of_text_stay_text(cell: str) -> None:
    saved("x.csv", f"id,a,b\n{cell},1,2\n")
    text = cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
    for form in ("jsonl", "json", "parquet", "csv"):
        assert run(f"softmax-cli softmax x.csv --id-columns id -o y.{form}").code == 0
    assert json_lines("y.jsonl")[0]["id"] == text
    assert json.loads(Path("y.json").read_text())["ids"] == [[text]]
    assert pl.read_parquet("y.parquet")["id"].to_list() == [text]
    assert Path("y.csv").read_text().splitlines()[1].startswith(f"{cell},0.26")


def test_appended_numbers_stay_numbers() -> None:
    saved("x.csv", "id,a,b\n007,1,2e0\n008,NA,.50\n009,-9,0\n")
    line = "softmax-cli softmax x.csv --id-columns id --append --na-values -9"
    line += " --on-bad-row nan -o y"
    for form in ("jsonl", "parquet", "arrow", "csv"):
        assert run(f"{line}.{form}").code == 0
    rows = json_lines("y.jsonl")
    assert [(row["id"], row["a"], row["b"]) for row in rows] == [
        ("007", 1, 2),
        ("008", None, 0.5),
        ("009", None, 0),
    ]
    for frame in (pl.read_parquet("y.parquet"), pl.read_ipc("y.arrow")):
        assert frame.dtypes[:3] == [pl.String, pl.Float64, pl.Float64]
        assert frame["a"].to_list() == [1, None, None]
    kept = [line.split(",")[:3] for line in Path("y.csv").read_text().splitlines()]
    assert kept == [["id", "a", "b"], ["007", "1", "2e0"], ["008", "NA", ".50"], ["009", "-9", "0"]]


def test_appended_numbers_of_json_lines() -> None:
    saved("x.jsonl", '{"a": 1, "b": "-inf"}\n{"a": 2.5, "b": 3}\n')
    for form in ("jsonl", "parquet", "csv"):
        assert run(f"softmax-cli softmax x.jsonl --append -o y.{form}").code == 0
    kept = [(row["a"], row["b"]) for row in json_lines("y.jsonl")]
    assert kept == [(1, "-inf"), (2.5, 3)]
    assert pl.read_parquet("y.parquet")["b"].to_list() == [-np.inf, 3]
    assert Path("y.csv").read_text().splitlines()[1].startswith("1,-inf,")


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
def test_likeliest_classes_keep_the_ids(form: str) -> None:
    saved("x.jsonl", LINES)
    line = "softmax-cli softmax x.jsonl --id-columns id --columns a,b -k 1"
    assert run(f"{line} -o y.{form}").code == 0
    text = Path(f"y.{form}").read_bytes()
    if form == "jsonl":
        assert [row["id"] for row in json_lines("y.jsonl")] == [7] * 3
        assert list(json_lines("y.jsonl")[0]) == ["id", "classes", "probabilities"]
    elif form == "json":
        assert json.loads(text)["ids"] == [[7]] * 3
    elif form == "csv":
        assert text.startswith(b"id,class_1,probability_1\n7,b,0.7")
    else:
        assert pl.read_parquet("y.parquet")["id"].to_list() == [7] * 3


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("jacobian x.jsonl --id-columns NAME -o", "row"),
        ("jacobian x.jsonl --id-columns NAME -o", "i"),
        ("softmax x.jsonl --id-columns NAME --append -o", "probability_a"),
        ("xent x.jsonl --id-columns NAME --labels 0,1 --losses", "loss"),
    ],
)
def test_a_name_that_the_result_has_is_refused(command: str, name: str, form: str) -> None:
    own = "losses" if name == "loss" and form in ("parquet", "arrow") else name
    saved("x.jsonl", f'{{"{own}": "u", "a": 1, "b": 2}}\n{{"{own}": "v", "a": 1, "b": 2}}\n')
    outcome = run(f"softmax-cli {command.replace('NAME', own)} y.{form}")
    assert (outcome.code, Path(f"y.{form}").exists()) == (2, False)
    assert f"the input has a column {own!r}, and so has the result; rename that" in outcome.err


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("option", ["--losses", "--grad"])
def test_losses_and_gradients_have_the_ids(form: str, option: str) -> None:
    saved("x.jsonl", '{"id": 7, "a": 1, "b": 2}\n{"id": 8, "a": 1, "b": 2}\n')
    line = f"softmax-cli xent x.jsonl --id-columns id --labels 0,1 {option} y.{form}"
    assert run(line).code == 0
    found: list[object]
    if form == "csv":
        found = [line.split(",")[0] for line in Path("y.csv").read_text().splitlines()]
        assert found == ["id", "7", "8"]
    elif form == "jsonl":
        assert [row["id"] for row in json_lines("y.jsonl")] == [7, 8]
    else:
        frame = pl.read_parquet("y.parquet") if form == "parquet" else pl.read_ipc("y.arrow")
        assert frame["id"].dtype == pl.Int64
        assert frame["id"].to_list() == [7, 8]
