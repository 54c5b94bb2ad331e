"""Parquet and Arrow IPC: which columns are classes, exact numbers, hostile files, equal bytes."""

from __future__ import annotations

import io
import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError, OutputError, UsageError
from softmax_cli.formats.columnar import reader as columnar
from softmax_cli.formats.columnar import writer as columnar_sink
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import ColumnRequest, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.losses.class_labels import Names
from softmax_cli.losses.labels import open_labels
from softmax_cli.storage.output import Target, writing
from tests.formats.rows import (
    Array,
    Ids,
    joined,
    piped,
    raw_ids,
    read,
    refusal,
    same_bits,
    saved,
    write,
)

pytestmark = pytest.mark.fast(3)

FORMS = ["parquet", "arrow"]
both = pytest.mark.parametrize("form", FORMS)
TABLE = pl.DataFrame(
    {
        "id": ["p", 'q"', "r,s", None],
        "a": [1.5, -np.inf, 0.1, 4.0],
        "label": ["b", "a", "c", "a"],
        "b": [1, 2, 3, 4],
        "c": [0.5, 0.25, 0.125, 1e30],
    },
    schema_overrides={"c": pl.Float32},
)


def stored(form: str, frame: pl.DataFrame, name: str = "x", **options: int) -> str:
    """Write a table as Polars does, and return the name of its file."""
    write_as: Any = frame.write_parquet if form == "parquet" else frame.write_ipc
    write_as(f"{name}.{form}", **options)
    return f"{name}.{form}"


def loaded(name: str | Path) -> pl.DataFrame:
    """Read a whole file as Polars does."""
    return pl.read_parquet(name) if str(name).endswith("parquet") else pl.read_ipc(name)


# Reading


@both
@pytest.mark.parametrize("name", ["x", "http:x", "a b*", "é[1]"])
def test_columns_are_classes(form: str, name: str) -> None:
    path = stored(form, TABLE.select("a", "b", "c"), name)
    back = read(path)
    assert back.source.class_names == ("a", "b", "c")
    assert back.source.rows == 4
    assert same_bits(back.values, np.ascontiguousarray(TABLE.select("a", "b", "c").to_numpy()))
    assert back.places[2] == f"{path}: row 2"


@both
def test_ids_and_labels_stand_beside_the_numbers(form: str) -> None:
    path = stored(form, TABLE)
    back = read(path, request=ColumnRequest(labels="label"), id_columns=["id", "b"])
    assert back.source.class_names == ("a", "c")
    assert back.source.id_names == ("id", "b")
    assert back.ids == [(b"p", b"1"), (b'"q"""', b"2"), (b'"r,s"', b"3"), (b"", b"4")]
    assert back.labels == ["b", "a", "c", "a"]
    assert_array_equal(back.values, TABLE.select("a", "c").to_numpy())


@both
def test_chosen_columns_and_all_of_them_kept(form: str) -> None:
    back = read(stored(form, TABLE), request=ColumnRequest(every_column=True), columns=["c", "2"])
    assert back.source.class_names == ("c", "a")
    assert back.source.id_names == ("id", "a", "label", "b", "c")
    assert back.ids[1] == (b'"q"""', b"-inf", b"a", b"2", b"0.25")


@both
@pytest.mark.parametrize(
    ("types", "dtype"),
    [
        ([pl.Float16, pl.Float16], np.float16),
        ([pl.Float16, pl.Float32], np.float32),
        ([pl.Float32, pl.Float32], np.float32),
        ([pl.Float32, pl.Float64], np.float64),
        ([pl.Int8, pl.Float32], np.float64),
        ([pl.Int16, pl.UInt8], np.float64),
        ([pl.UInt64, pl.Int64], np.float64),
        ([pl.UInt32, pl.Int32], np.float64),
        ([pl.UInt16, pl.UInt16], np.float64),
    ],
)
def test_types(form: str, types: list[Any], dtype: Any) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [3, 4]}, schema=dict(zip("ab", types, strict=True)))
    assert same_bits(read(stored(form, frame)).values, np.array([[1, 3], [2, 4]], dtype))


@both
@pytest.mark.parametrize("shape", [pl.List, lambda inner: pl.Array(inner, 3)])
def test_a_column_of_lists_holds_rows_of_classes(form: str, shape: Any) -> None:
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    frame = pl.DataFrame({"w": ["x", "y"], "z": rows}, schema_overrides={"z": shape(pl.Float32)})
    back = read(stored(form, frame), id_columns=["w"])
    assert back.source.class_names is None
    assert back.ids == [(b"x",), (b"y",)]
    assert same_bits(back.values, np.array(rows, np.float32))


@both
@pytest.mark.parametrize("window", [1, 16, 100, 1 << 20])
@pytest.mark.parametrize("parts", [1, 3, 100])
def test_any_window_over_any_parts(
    form: str, window: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "_WINDOW_BYTES", window * 8 * 5)
    monkeypatch.setattr(columnar, "_COLUMNS_AT_ONCE", 2)
    numbers = np.arange(500.0).reshape(100, 5)
    frame = pl.DataFrame(numbers).with_columns(word=pl.int_range(100).cast(pl.String))
    size = {"row_group_size" if form == "parquet" else "record_batch_size": parts}
    back = read(stored(form, frame, "x", **size), id_columns=["word"])
    assert same_bits(back.values, numbers)
    assert back.ids == [(b"%d" % row,) for row in range(100)]
    assert back.places == [f"x.{form}: row {row}" for row in range(100)]


@both
def test_blocks_do_not_share_their_numbers(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "_WINDOW_ROWS", 2)
    source = read(stored(form, pl.DataFrame(np.arange(12.0).reshape(6, 2)))).source
    for block in source.blocks():
        block.values[:] = np.nan
    assert not np.isnan(joined(source).values).any()


@both
def test_several_files(form: str) -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    back = read(stored(form, frame), stored(form, frame, "y"))
    assert_array_equal(back.values, [[1, 3], [2, 4], [1, 3], [2, 4]])
    assert back.places[3] == f"y.{form}: row 1"


@both
@pytest.mark.parametrize("values", [[2, 0, 1], ["cat", "ant", "bee"], [2.0, 0.0, 1.0]])
def test_labels_of_a_file_of_their_own(form: str, values: list[Any]) -> None:
    path = stored(form, pl.DataFrame({"y": values}))
    with open_labels(path, Names(("ant", "bee", "cat"))) as source:
        assert_array_equal(joined(source).values, [[2], [0], [1]])


NAN = float("nan")


@both
@pytest.mark.parametrize(
    ("frame", "values"),
    [
        (pl.DataFrame({"a": [1.0, 2.0], "b": [0.5, None]}), [[1, 0.5], [2, NAN]]),
        (pl.DataFrame({"a": [1, None], "b": [3, 4]}), [[1, 3], [NAN, 4]]),
        (pl.DataFrame({"a": [None, None], "b": [3, 4]}), [[NAN, 3], [NAN, 4]]),
        (pl.DataFrame({"z": [[1.0, 2.0], [4.0, None]]}), [[1, 2], [4, NAN]]),
        (pl.DataFrame({"z": [None, [1.0, 2.0], None]}), [[NAN, NAN], [1, 2], [NAN, NAN]]),
        (
            pl.DataFrame({"z": [[1.0, 2.0], None]}, schema={"z": pl.Array(pl.Float32, 2)}),
            [[1, 2], [NAN, NAN]],
        ),
    ],
)
def test_nulls_are_missing_values(form: str, frame: pl.DataFrame, values: Any) -> None:
    assert_array_equal(read(stored(form, frame)).values, values)


@both
def test_labels_that_are_none(form: str) -> None:
    path = stored(form, pl.DataFrame({"y": ["cat", "dog"]}))
    words = open_labels(path, Names(("ant", "cat")))
    problem = rf"^x\.{form}: row 1: the label 'dog' is not a class"
    with words, pytest.raises(InputError, match=problem):
        joined(words)
    name = stored(form, pl.DataFrame({"y": [1], "z": [1]}))
    with pytest.raises(InputError, match=rf"^x\.{form}: 2 columns, but labels need one"):
        open_labels(name, Names())


# What is refused


@both
@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (
            TABLE,
            "column 'id' holds words, which are not numbers; "
            "--id-columns id passes a column of words through",
        ),
        (TABLE.select(pl.col("id").alias("no. 1"), "a"), "--id-columns 1 passes a column of words"),
        (pl.DataFrame({"a": [{"x": 1}]}), "column 'a' holds Struct"),
        (pl.DataFrame({"a": [1]}).cast(pl.Date), "column 'a' holds Date values"),
        (pl.DataFrame({"a": [1.0], "__index_level_0__": [0]}), "is the index of a data frame"),
        (pl.DataFrame(), "has no columns; a row needs a number"),
        (
            pl.DataFrame({"a": [0, 1 << 60, (1 << 53) + 1]}),
            "row 2: column 'a' holds 9007199254740993, which float64 cannot hold",
        ),
        (
            pl.DataFrame({"a": [(1 << 64) - 1]}, schema={"a": pl.UInt64}),
            "row 0: column 'a' holds 18446744073709551615",
        ),
    ],
)
def test_refused(form: str, frame: pl.DataFrame, line: str) -> None:
    said = refusal(stored(form, frame))
    assert said.startswith(f"x.{form}: ")
    assert line in said


@both
@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"delimiter": ";"}, "--delimiter"),
        ({"header": True}, "--header"),
        ({"header": False}, "--no-header"),
        ({"key": "a"}, "--key"),
        ({"columns": ["nil"]}, "--columns"),
        ({"id_columns": ["a"]}, "--id-columns"),
    ],
)
def test_options_that_do_not_fit(form: str, options: dict[str, Any], place: str) -> None:
    assert refusal(stored(form, TABLE.select("a")), **options).startswith(f"{place}: ")


@both
def test_ids_that_are_no_text(form: str) -> None:
    path = stored(form, pl.DataFrame({"a": [1.0], "raw": [b"\xff"]}))
    assert refusal(path, id_columns=["raw"]).startswith(f"x.{form}: column 'raw' holds Binary")


@both
def test_a_pipe_is_copied_to_a_file_that_is_removed(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(stored(form, TABLE.select("a"))).read_bytes()
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    for options in ({}, {"input_format": form}):
        assert_array_equal(piped(data, **options).values, TABLE.select("a").to_numpy())
        with pytest.raises(InputError, match=r"^standard input: "):
            piped(data[:-1], **options)
        assert not list(copies.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"cannot be copied to a temporary file: No such .*TMPDIR"):
        piped(data)


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather"])
@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"ARROW1", b"1,2\n", b"PAR1" * 5, b"ARROW1\0\0" * 5]
)
def test_no_such_file(name: str, data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(f"{name}: is no ")
    assert capfd.readouterr().err == ""


@both
def test_damaged_anywhere(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    good = Path(stored(form, TABLE.select("a", "b"))).read_bytes()
    chance = random.Random(0)
    for size in range(0, len(good), 11):
        assert refusal(saved(f"x.{form}", good[:size])).startswith(f"x.{form}: "), size
    for _ in range(100):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        with suppress(InputError):
            read(saved(f"x.{form}", bytes(data)))
    assert capfd.readouterr().err == ""


# Writing

RESULT = Result("softmax", "probabilities", 3, np.dtype(np.float32))


def sunk(name: str, result: Result, *blocks: Block) -> pl.DataFrame:
    """Write the blocks, and read what Polars makes of the file."""
    with open_sink(result, WriteOptions(output=name)) as sink:
        for block in blocks:
            sink.write(block)
    return loaded(name)


@both
@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 300])
def test_bytes_do_not_depend_on_blocks(
    form: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar_sink, "_PART_BYTES", 100 * 12)
    numbers = np.random.default_rng(0).standard_normal((rows, 3)).astype(np.float32)
    files = []
    for size in (1, 7, 100, 1000):
        blocks = [
            Block(
                start,
                numbers[start : start + size],
                str,
                ids=raw_ids([(b"x",)] * len(numbers[start : start + size])),
            )
            for start in range(0, rows, size)
        ]
        result = Result("softmax", "p", 3, numbers.dtype, ("a", "b", "c"), id_names=("id",))
        frame = sunk(f"x.{form}", result, *blocks)
        assert frame.schema == {"id": pl.String, **dict.fromkeys("abc", pl.Float32)}
        assert same_bits(frame.select("a", "b", "c").to_numpy(order="c"), numbers)
        assert frame["id"].to_list() == ["x"] * rows
        files.append(Path(f"x.{form}").read_bytes())
    assert len(set(files)) == 1


@both
@pytest.mark.parametrize("columns", [1, 14, 15, 16, 200])
def test_any_number_of_columns_and_parts(
    form: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar_sink, "_PART_ROWS", 3)
    numbers = np.random.default_rng(0).standard_normal((70, columns))
    frame = loaded(write(f"x.{form}", numbers))
    assert frame.columns == [str(column) for column in range(columns)]
    assert same_bits(frame.to_numpy(order="c"), numbers)
    assert same_bits(read(f"x.{form}").values, numbers)
    assert_array_equal(loaded(f"x.{form}")[40:45].to_numpy(), numbers[40:45])
    scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
    assert_array_equal(scan(f"x.{form}").select("0").slice(65, 4).collect(), numbers[65:69, :1])


@both
def test_ids_are_written_as_their_content(form: str) -> None:
    ids: Ids = [(b'"a ""b"", c"', "é".encode()), (b"007", b"")]
    write(f"x.{form}", np.eye(2), ids=ids, id_names=("key", ""))
    frame = loaded(f"x.{form}")
    assert frame.columns == ["key", "id_2", "0", "1"]
    assert frame.rows() == [('a "b", c', "é", 1.0, 0.0), ("007", "", 0.0, 1.0)]


@both
@pytest.mark.parametrize("named", [True, False])
def test_likeliest_classes_stand_beside_their_probabilities(form: str, named: bool) -> None:
    names = ("class_1", "probability_1", "class_2", "probability_2") if named else None
    classes = ("ant", "bee", "cat") if named else None
    result = Result("softmax", "p", 2, np.dtype(np.float64), classes, names)
    block = Block(0, np.array([[0.75, 0.25]]), str, classes=np.array([[2, 0]]))
    frame = sunk(f"x.{form}", result, block)
    assert frame.columns == list(names or ("class_1", "value_1", "class_2", "value_2"))
    assert frame.rows() == [("cat" if named else "2", 0.75, "ant" if named else "0", 0.25)]


@both
def test_matrices_are_written_entry_by_entry(form: str) -> None:
    result = Result("jacobian", "jacobian", 2, np.dtype(np.float32), matrix=True, id_names=("k",))
    lines = np.arange(8, dtype=np.float32).reshape(4, 2)
    ids: Ids = [(b"x",), (b"x",), (b"y",), (b"y",)]
    frame = sunk(
        f"x.{form}",
        result,
        Block(0, lines[:3], str, raw_ids(ids[:3])),
        Block(3, lines[3:], str, raw_ids(ids[3:])),
    )
    assert frame.schema == {
        "k": pl.String,
        "row": pl.Int64,
        "i": pl.Int64,
        "j": pl.Int64,
        "value": pl.Float32,
    }
    assert frame.rows() == [
        ("xy"[entry // 4], entry // 4, entry // 2 % 2, entry % 2, entry) for entry in range(8)
    ]


@both
def test_a_single_matrix_is_written_as_itself(form: str) -> None:
    result = Result("jacobian", "j", 2, np.dtype(np.float64), ("a", "b"), matrix=True, single=True)
    assert sunk(f"x.{form}", result, Block(0, np.eye(2), str)).rows() == [(1.0, 0.0), (0.0, 1.0)]


@both
def test_losses_have_one_column(form: str) -> None:
    result = Result("xent", "losses", 1, np.dtype(np.float64), flat="rows")
    frame = sunk(f"x.{form}", result, Block(0, np.array([[1.5], [2.5]]), str))
    assert frame.to_dict(as_series=False) == {"losses": [1.5, 2.5]}


@both
def test_names_that_are_not_unique(form: str) -> None:
    with pytest.raises(UsageError, match=rf"^x\.{form}: two columns have the same name"):
        write(f"x.{form}", np.eye(2), names=("a", "a"))
    assert not list(Path().iterdir())


@both
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failure_leaves_nothing_behind(
    form: str, error: type[BaseException] | OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(target: Target, data: bytes | memoryview) -> None:
        # A view of a stream, kept by the error, crashes Python 3.12 as both are freed.
        assert isinstance(data, bytes) or isinstance(data.obj, bytes)
        with writing(target.place):
            if len(data) > 20:
                raise error

    monkeypatch.setattr(Target, "write", fail)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write(f"x.{form}", np.eye(100))
    assert not list(Path().iterdir())


@both
def test_older_readers_know_the_types(form: str) -> None:
    write(f"x.{form}", np.eye(2), ids=[(b"a",), (b"b",)], id_names=("id",))
    if form == "arrow":
        # The strings of Polars' own, which came to Arrow in 2023, have their text in other places.
        assert b"\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0" in Path("x.arrow").read_bytes()
    stream = io.BytesIO(Path(f"x.{form}").read_bytes())
    back = pl.read_parquet(stream) if form == "parquet" else pl.read_ipc(stream)
    assert back.rows() == [("a", 1.0, 0.0), ("b", 0.0, 1.0)]


def test_arrays_are_tables_of_two_dimensions() -> None:
    values: Array = np.arange(24.0).reshape(6, 4)
    assert read(write("x.parquet", values, leading=(2, 3))).source.leading is None


@both
def test_a_column_without_a_name_passes_through(form: str) -> None:
    table = pl.DataFrame({"": ["x", "y"], "a": [1.0, 2.0], "b": [3.0, 4.0]})
    back = read(stored(form, table), id_columns=["1"])
    assert back.ids == [(b"x",), (b"y",)]
