"""Logits as a column of lists: of any length of lists and type of number, with ids and labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.columnar import reader
from softmax_cli.formats.columnar.file import ColumnarFile
from softmax_cli.storage.limits import LONGEST_LIST
from tests.formats.rows import read, refusal, warnings_of
from tests.running import run

both = pytest.mark.parametrize("form", ["parquet", "arrow"])
Z = [[1.0, 2.0], [2.0, 3.5], [3.0, 1.0]]
TYPES = [pl.Float32, pl.Float64, pl.Float16, pl.Int8, pl.Int64, pl.UInt16, pl.Decimal(10, 2)]


def stored(form: str, frame: pl.DataFrame) -> str:
    name = f"x.{form}"
    frame.write_parquet(name) if form == "parquet" else frame.write_ipc(name)
    return name


def loaded(name: str) -> pl.DataFrame:
    return pl.read_parquet(name) if name.endswith("parquet") else pl.read_ipc(name)


@both
@pytest.mark.parametrize("inner", TYPES)
@pytest.mark.parametrize("fixed", [True, False])
def test_any_type_of_number(form: str, inner: Any, fixed: bool) -> None:
    values = [[1, 2, 3], [4, 5, 6]]
    dtype = pl.Array(inner, 3) if fixed else pl.List(inner)
    back = read(stored(form, pl.DataFrame({"z": pl.Series(values).cast(dtype)})))
    assert_array_equal(back.values, values)
    assert (back.source.classes, back.source.class_names) == (3, None)
    assert back.source.list_name == "z"


@both
@pytest.mark.parametrize("fixed", [True, False])
def test_missing_lists_and_entries(form: str, fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_WINDOW_ROWS", 2)
    lists = [None, [1.0, 2.0], None, [3.0, None], [None, None]]
    dtype = pl.Array(pl.Float64, 2) if fixed else pl.List(pl.Float64)
    back = read(stored(form, pl.DataFrame({"z": pl.Series(lists, dtype=dtype)})))
    none = [np.nan] * 2
    assert_array_equal(back.values, [none, [1, 2], none, [3, np.nan], none])
    outcome = run(f"softmax-cli softmax x.{form}")
    assert f"x.{form}: row 0, class 0: is missing or NaN" in outcome.err


@pytest.mark.parametrize("rows", [1, 3, 4, 50])
@pytest.mark.parametrize("together", [1, 8])
@pytest.mark.parametrize("whole", [1, 2, 100])
def test_row_groups_of_any_size(
    rows: int, together: int, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_WINDOW_BYTES", 2 * together * 8)
    monkeypatch.setattr(reader, "_GROUP_BYTES", whole * 8)
    frame = pl.DataFrame({"id": range(11), "z": [[float(row)] for row in range(11)]})
    frame.write_parquet("x.parquet", row_group_size=rows)
    back = read("x.parquet", id_columns=["id"])
    assert_array_equal(back.values[:, 0], range(11))


def test_a_row_group_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"z": [[float(row), 0.0] for row in range(12)]})
    frame.write_parquet("x.parquet", row_group_size=4)
    parts = []

    def part(_: ColumnarFile, names: list[str], start: int, count: int) -> pl.DataFrame:
        parts.append((start, count))
        return frame[start : start + count].select(names)

    monkeypatch.setattr(ColumnarFile, "part", part)
    monkeypatch.setattr(reader, "_WINDOW_BYTES", 3 * 16)
    assert len(read("x.parquet").values) == 12
    assert parts == [(0, 4), (4, 4), (8, 4)]


@pytest.mark.parametrize(
    ("lists", "line"),
    [
        ([[1.0], [1.0, 2.0, 3.0]], "row 1: a list of 3 numbers, and the first has 1"),
        ([[1.0], [1.0], [1.0, 2.0], [3.0]], "row 2: a list of 2 numbers, and the first has 1"),
        ([[1.0], [1.0, 2.0], [1.0, 2.0, 3.0]], "row 1: a list of 2 numbers, and the first has 1"),
    ],
)
@pytest.mark.parametrize("rows", [1, 2, 50])
def test_a_noted_length_is_only_a_mean(lists: list[Any], line: str, rows: int) -> None:
    pl.DataFrame({"z": lists}).write_parquet("x.parquet", row_group_size=rows)
    assert line in refusal("x.parquet")


def test_a_footer_that_miscounts_the_entries_of_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"z": [[1.0, 2.0], [3.0, 4.0]]}).write_parquet("x.parquet")
    monkeypatch.setattr(ColumnarFile, "noted_length", lambda *_: 3)
    assert "its footer miscounts the entries of its lists" in refusal("x.parquet")


@both
@pytest.mark.parametrize(
    ("lists", "line"),
    [
        ([[1.0, 2.0], [3.0]], "row 1: a list of 1 number, and the first has 2; all rows"),
        ([[1.0, 2.0], []], "row 1: a list of 0 numbers, and the first has 2"),
        ([[], [1.0]], "row 0: an empty list; a row needs a number"),
        ([[], []], "row 0: an empty list"),
        ([None, None], "the first rows of column 'z' hold no list of numbers"),
        ([["a"]], "column 'z' holds lists of words, which are not numbers; store them as numbers"),
        ([[[1.0]]], "column 'z' holds lists of lists; store one list of numbers per row"),
        ([[2**53 + 1]], "row 0: column 'z' holds 9007199254740993, which float64 cannot hold"),
    ],
)
def test_refused(form: str, lists: list[Any], line: str) -> None:
    dtype = pl.List(pl.Float64) if lists == [None, None] or lists == [[], []] else None
    said = refusal(stored(form, pl.DataFrame({"z": pl.Series(lists, dtype=dtype)})))
    assert said.startswith(f"x.{form}: ")
    assert line in said


@both
def test_columns_beside_the_lists(form: str) -> None:
    frame = pl.DataFrame({"id": [7, 8, 9], "text": ["a", "b", "c"], "z": Z, "y": [0, 1, 1]})
    name = stored(form, frame)
    beside = read(name)
    assert_array_equal(beside.values, Z)
    (warning,) = warnings_of(beside.source)
    assert "the columns 'id', 'text' and 'y' are left out" in warning
    assert warning.endswith("; --id-columns id,text,y passes them through")
    said = refusal(stored(form, frame.with_columns(pl.col("y") + 0.5)))
    assert "the column 'z' holds lists, but the column 'y' is left over" in said
    assert "--id-columns y passes it through, --columns z leaves it out" in said
    assert_array_equal(read(name, columns=["z"]).values, Z)
    assert_array_equal(read(name, id_columns=["id,text,y"]).values, Z)
    two = stored(form, frame.select("z", pl.col("z").alias("w")))
    assert "name one of them with --columns" in refusal(two)


@both
@pytest.mark.parametrize(
    "labels", [[0, 1, 1], [False, True, True], pl.Series(["0", "1", "1"]).cast(pl.Categorical)]
)
def test_label_beside_lists(form: str, labels: Any) -> None:
    name = stored(form, pl.DataFrame({"z": Z, "y": labels, "id": ["a", "b", "c"]}))
    expected = run("softmax-cli xent 1,2 2,3.5 3,1 --labels 0,1,1").out
    line = f"softmax-cli xent {name} --label-column y --id-columns id"
    assert run(line).out == expected != ""
    outcome = run(f"{line} --grad g.{form} --losses losses.csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert loaded(f"g.{form}").columns == ["id", "z"]
    assert Path("losses.csv").read_text().startswith("id,loss\na,1.3")
    checked = run(
        f"softmax-cli gradcheck --logits {name} --columns z --label-column y --grad g.{form}"
        " --id-columns id"
    )
    assert checked.code == 0, checked.err


@both
def test_lists_leave_as_lists(form: str) -> None:
    name = stored(
        form, pl.DataFrame({"id": [7, 8, 9], "z": pl.Series(Z, dtype=pl.List(pl.Float32))})
    )
    line = f"softmax-cli softmax {name} --id-columns id"
    expected = np.exp(np.array(Z)) / np.exp(np.array(Z)).sum(axis=1, keepdims=True)
    for more, column in (("", "z"), (" --append", "probability_z")):
        for file in (f"y.{form}", "y.jsonl", "y.csv"):
            assert run(f"{line}{more} -o {file}").code == 0
        frame = loaded(f"y.{form}")
        assert frame.schema[column] == pl.List(pl.Float32)
        assert frame["id"].dtype == pl.Int64
        np.testing.assert_allclose(frame[column].to_list(), expected, rtol=1e-6)
        rows = [json.loads(text) for text in Path("y.jsonl").read_text().splitlines()]
        assert list(rows[0]) == (["id", "z", "probability_z"] if more else ["id", "z"])
        np.testing.assert_allclose([row[column] for row in rows], expected, rtol=1e-6)
        header = Path("y.csv").read_text().splitlines()[0]
        assert header == ("id,z,probability_z_0,probability_z_1" if more else "id,z_0,z_1")
    # What was written is read again.
    assert run(f"softmax-cli softmax y.{form} --columns z --id-columns id -o z.npy").code == 0


@both
def test_lists_of_every_other_input(form: str) -> None:
    stored(form, pl.DataFrame({"p": [[0.25, 0.75], [0.5, 0.5]]}))
    Path("p.csv").write_text("0.25,0.75\n0.5,0.5\n")
    expected = run("softmax-cli xent 1,2 3,4 --targets p.csv").out
    assert run(f"softmax-cli xent 1,2 3,4 --targets x.{form}").out == expected != ""
    expected = run("softmax-cli xent --p p.csv --q p.csv").out
    assert run(f"softmax-cli xent --p x.{form} --q x.{form}").out == expected != ""
    stored(form, pl.DataFrame({"w": [[0.25, 0.75]]}))
    expected = run("softmax-cli xent 1,2 3,4 --labels 0,1 --class-weights 0.25,0.75").out
    line = f"softmax-cli xent 1,2 3,4 --labels 0,1 --class-weights x.{form}"
    assert run(line).out == expected != ""
    expected = run("softmax-cli jacobian 1,2 3,4 --vjp 0.25,0.75").out
    assert run(f"softmax-cli jacobian 1,2 3,4 --vjp x.{form}").out == expected != ""


@both
def test_matrices_of_lists_keep_their_form(form: str) -> None:
    name = stored(form, pl.DataFrame({"z": Z}))
    assert run(f"softmax-cli jacobian {name} -o y.{form}").code == 0
    assert loaded(f"y.{form}").columns == ["row", "i", "j", "value"]
    assert run(f"softmax-cli jacobian {name} --vjp 1,0 -o y.{form}").code == 0
    assert loaded(f"y.{form}").schema == {"z": pl.List(pl.Float64)}
    assert run(f"softmax-cli softmax {name} --top-k 1").out.startswith("class_1,probability_1\n1,")


@pytest.mark.parametrize("fixed", [True, False])
def test_a_list_that_takes_no_bytes_takes_no_memory(fixed: bool) -> None:
    nulls = pl.repeat(None, LONGEST_LIST + 1, dtype=pl.Null).implode()
    frame = pl.select(z=nulls, a=1.0, b=2.0)
    if fixed:
        frame = frame.clear().with_columns(pl.col("z").cast(pl.Array(pl.Null, 1 << 30)))
    name = stored("arrow", frame)
    line = f"x.arrow: row 0: a list of more than {LONGEST_LIST} numbers; an array file such as .npy"
    assert refusal(name, columns=["z"]).startswith(line)
    if not fixed:
        outcome = run(f"softmax-cli softmax {name} --id-columns z")
        problem = f"column 'z' holds more than {LONGEST_LIST} nulls; leave it out"
        assert problem in outcome.err
