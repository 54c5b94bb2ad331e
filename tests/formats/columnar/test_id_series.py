"""Id columns of Parquet and Arrow keep their type; their texts and JSON lose nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from softmax_cli.errors import InputError
from softmax_cli.formats.columnar import writer
from softmax_cli.formats.columnar.id_series import joined_ids
from tests.running import run

NUMBERS = pl.DataFrame({"x": [1.0, 2.0], "y": [0.0, 1.0]})
MOMENT = pl.Series([dt.datetime(2024, 1, 2, 3, 4, 5), None]).cast(pl.Datetime("ns"))
# By column: entries, and what JSON lines and CSV have of them.
COLUMNS: dict[str, tuple[pl.Series, list[object], list[str]]] = {
    "whole": (pl.Series([7, 2**60 + 1]), [7, 2**60 + 1], ["7", str(2**60 + 1)]),
    "unsigned": (pl.Series([2**63, None], dtype=pl.UInt64), [2**63, None], [str(2**63), ""]),
    "float": (pl.Series([1.5, float("nan")]), [1.5, "nan"], ["1.5", "NaN"]),
    "single": (pl.Series([0.1, None], dtype=pl.Float32), [0.1, None], ["0.1", ""]),
    "day": (pl.Series([dt.date(2024, 1, 2), None]), ["2024-01-02", None], ["2024-01-02", ""]),
    "moment": (
        MOMENT,
        ["2024-01-02T03:04:05.000000000", None],
        ["2024-01-02 03:04:05.000000000", ""],
    ),
    "span": (pl.Series([dt.timedelta(1), None]), ["P1D", None], ["P1D", ""]),
    "price": (pl.Series([Decimal("1.10"), None]), [1.1, None], ["1.10", ""]),
    "category": (pl.Series(["u", None]).cast(pl.Categorical), ["u", None], ["u", ""]),
    "choice": (pl.Series(["u", "v"]).cast(pl.Enum(["v", "u"])), ["u", "v"], ["u", "v"]),
    "flag": (pl.Series([True, None]), [True, None], ["true", ""]),
    "list": (pl.Series([[1, 2], []]), [[1, 2], []], ["[1, 2]", "[]"]),
    "pair": (
        pl.Series([[0.5, 2], None], dtype=pl.Array(pl.Float32, 2)),
        [[0.5, 2], None],
        ["[0.5, 2.0]", ""],
    ),
    "record": (
        pl.Series([{"a": 1, "d": dt.date(2024, 1, 2)}, None]),
        [{"a": 1, "d": "2024-01-02"}, None],
        ['{"a": 1, "d": "2024-01-02"}', ""],
    ),
    "none": (pl.Series([None, None]), [None, None], ["", ""]),
    "word": (pl.Series([" a ", "b,c"]), [" a ", "b,c"], [" a ", "b,c"]),
}


def loaded(path: str) -> pl.DataFrame:
    return pl.read_parquet(path) if path.endswith("parquet") else pl.read_ipc(path)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_column_keeps_its_type(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PART_ROWS", 1)
    column, values, texts = COLUMNS[name]
    NUMBERS.with_columns(column.alias(name)).write_parquet("x.parquet")
    line = f"softmax-cli softmax x.parquet --columns x,y --id-columns {name} -o"
    for file in (f"y.{form}", "y.jsonl", "y.csv"):
        assert run(f"{line} {file}").code == 0
    back = loaded(f"y.{form}")[name]
    expected = column.cast(pl.String) if (name, form) == ("category", "arrow") else column
    assert back.dtype == expected.dtype
    assert back.equals(expected)
    lines = Path("y.jsonl").read_text().splitlines()
    assert [json.loads(line)[name] for line in lines] == values
    with Path("y.csv").open(newline="") as rows:
        assert [row[name] for row in csv.DictReader(rows)] == texts


@pytest.mark.parametrize("form", ["jsonl", "csv", "json"])
def test_bytes_are_no_text(form: str) -> None:
    NUMBERS.with_columns(raw=pl.Series([b"\xff", b"a"])).write_parquet("x.parquet")
    outcome = run(f"softmax-cli softmax x.parquet --id-columns raw -o y.{form}")
    assert outcome.code == 2
    said = "x.parquet: column 'raw' holds Binary values, which have no text form; write parquet"
    assert said in outcome.err
    assert run("softmax-cli softmax x.parquet --id-columns raw -o y.parquet").code == 0
    assert loaded("y.parquet")["raw"].to_list() == [b"\xff", b"a"]


def test_parts_of_several_types_are_joined_if_that_loses_nothing() -> None:
    whole, halves = pl.Series([1, None]), pl.Series([0.5])
    assert joined_ids([whole, halves], None, "id", "x").to_list() == [1, None, 0.5]
    large = pl.Series([2**63], dtype=pl.UInt64)
    assert joined_ids([whole, large], None, "id", "x").dtype == pl.UInt64
    none = pl.Series([None])
    assert joined_ids([none, pl.Series(["a"])], None, "id", "x").to_list() == [None, "a"]
    words = [pl.Series(["a"]), pl.Series(["b"]).cast(pl.Categorical)]
    assert joined_ids(words, None, "id", "x").dtype == pl.String
    for first, second in (
        (pl.Series([-1]), large),
        (whole, words[0]),
        (pl.Series([2**53 + 1]), halves),
    ):
        with pytest.raises(InputError, match="no type of Parquet and Arrow holds"):
            joined_ids([first, second], None, "id", "x")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_later_part_of_another_type(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PART_ROWS", 2)
    row = '{{"id": {}, "a": 1, "b": 2}}\n'
    Path("x.jsonl").write_text("".join(map(row.format, (1, 2, 3.5))))
    outcome = run(f"softmax-cli softmax x.jsonl --id-columns id -o y.{form}")
    assert (outcome.code, Path(f"y.{form}").exists()) == (2, False)
    assert (
        f"y.{form}: no type of Parquet and Arrow holds all values of id column 'id'" in outcome.err
    )
    Path("x.jsonl").write_text("".join(map(row.format, (1.5, 2, 3))))
    assert run(f"softmax-cli softmax x.jsonl --id-columns id -o y.{form}").code == 0
    assert loaded(f"y.{form}")["id"].to_list() == [1.5, 2, 3]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_table_without_rows_keeps_its_types(form: str) -> None:
    frame = NUMBERS.with_columns(id=pl.Series([7, 8]), z=pl.Series([[1], [2]])).clear()
    frame.write_parquet("x.parquet")
    line = "softmax-cli softmax x.parquet --columns x,y --id-columns id,z -o"
    for file in (f"y.{form}", "y.csv", "y.jsonl", "y.json"):
        assert run(f"{line} {file}").code == 0
    assert loaded(f"y.{form}").schema == frame.select("id", "z", "x", "y").schema
    assert Path("y.csv").read_text() == "id,z,x,y\n"
    assert Path("y.jsonl").read_text() == ""
