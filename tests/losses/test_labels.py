"""Labels: numbers and names of classes, typed or from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.losses.class_labels import Names
from softmax_cli.losses.labels import open_labels
from tests.commands.loss.reports import refused, report
from tests.formats.arrays.test_npy import npy
from tests.formats.arrays.test_npz import npz
from tests.formats.rows import Rows, joined, saved
from tests.running import run

NAMES = ("dog", "owl", "2")


def labels(token: str, names: tuple[str, ...] | None = NAMES, **options: Any) -> Rows:
    with open_labels(token, Names(names), ReadOptions(**options)) as source:
        return joined(source)


@pytest.mark.parametrize(
    ("token", "numbers"),
    [
        ("1,0,1", [1, 0, 1]),
        ("1", [1]),
        ("owl", [1]),
        ("owl, dog,1", [1, 0, 1]),
        ("[1, 0]", [1, 0]),
        ("['owl', \"dog\"]", [1, 0]),
        ("2", [2]),
        ("-100,1.0", [-100, 1]),
    ],
)
def test_typed(token: str, numbers: list[float]) -> None:
    back = labels(token)
    assert_array_equal(back.values, np.array(numbers)[:, None])
    assert back.source.classes == 1


def test_a_name_wins_over_a_number() -> None:
    assert_array_equal(labels("0,1", ("1", "0")).values, [[1], [0]])


@pytest.mark.parametrize(
    ("name", "data", "numbers"),
    [
        ("y.csv", b"1\n0\n", [1, 0]),
        ("y.csv", b"label\n1\n0\n", [1, 0]),
        ("y.csv", b"label\nowl\ndog", [1, 0]),
        ("y.csv", b"owl\ndog\n", [1, 0]),
        ("y.csv", b'\xef\xbb\xbf"owl"\r\n" dog"\r\n'.replace(b'" dog"', b' "dog" '), [1, 0]),
        ("y.txt", b"1\n0\n1\n", [1, 0, 1]),
        ("y", b"1\n0\n", [1, 0]),
        ("y.json", b'[1, "owl", 0]', [1, 1, 0]),
        ("y", b"[1, 0]", [1, 0]),
        ("y.npy", npy(np.array([1, 0, 1])), [1, 0, 1]),
        ("y.npy", npy(np.array([[1], [0]])), [1, 0]),
        ("y", npy(np.array([1, 0], ">i2")), [1, 0]),
        ("y.npz", npz(y=np.array([1, 0])), [1, 0]),
    ],
)
def test_file(name: str, data: bytes, numbers: list[int]) -> None:
    back = labels(saved(name, data))
    assert_array_equal(back.values, np.array(numbers)[:, None])
    assert [str(path) for path in back.source.paths] == [name]


def test_key() -> None:
    name = saved("y.npz", npz(a=np.array([1]), b=np.array([0, 1])))
    assert_array_equal(labels(name, key="b").values, [[0], [1]])


@pytest.mark.parametrize(
    ("token", "data", "place", "words"),
    [
        ("cat", None, "--labels, label 0", ["'cat' is not a class", "dog, owl"]),
        ("1,0.5", None, "--labels, label 1", ["'0.5' is not a class", "class numbers from 0"]),
        ("1,,0", None, "--labels, label 1", ["the label is missing: ''", "--ignore-label ''"]),
        ("y.csv", None, "--labels: y.csv", ["no such file"]),
        ("dir/y", None, "--labels: dir/y", ["no such file"]),
        ("y.csv", b"1,2\n", "y.csv", ["2 columns", "--label-column names it: 1, 2"]),
        ("y.csv", b"7,cat\n", "y.csv:1", ["2 columns", "--label-column names it: 1, 2"]),
        ("y.csv", b"id,label\n7,0\n", "y.csv", ["--label-column names it: id, label"]),
        ("y.csv", b",label\n0,0\n", "y.csv:1", ["--label-column names it: 1, label"]),
        ("y.csv", b"1\n2,3\n", "y.csv:2", ["2 columns"]),
        ("y.csv", b"label\ncat\n", "y.csv:2", ["'cat' is not a class"]),
        ("y.csv", b"1\n\n0\n", "y.csv:2", ["the label is missing: ''"]),
        ("y.csv", b"", "y.csv", ["empty"]),
        ("y.json", b'{"a": {"b": 1}}', "y.json", ["not a list"]),
        ("y.json", b"[1, null]", "y.json: [1]", ["the label is missing: ''"]),
        ("y.pt", b"1", "y.pt", ["pickles"]),
    ],
)
def test_refused(token: str, data: bytes | None, place: str, words: list[str]) -> None:
    if data is not None:
        saved(token, data)
    with pytest.raises(SoftmaxCliError) as error:
        labels(token)
    line = str(error.value)
    assert line.startswith(f"{place}: "), line
    assert all(word in line for word in words), line


def test_a_name_of_two_classes() -> None:
    with pytest.raises(SoftmaxCliError, match="several columns are named 'a'"):
        labels("a", ("a", "b", "a"))
    assert_array_equal(labels("b", ("a", "b", "a")).values, [[1]])


def test_the_first_label_that_is_wrong_is_named() -> None:
    with pytest.raises(SoftmaxCliError, match=r"x.csv:2: the label 'cow' is not a class"):
        labels(saved("x.csv", "owl\ncow\n\0\n"))


def test_typed_labels_may_hold_commas_in_quotes() -> None:
    Path("z.csv").write_text('"x,y",b\n1,2\n3,1\n')
    expected = run("softmax-cli xent z.csv --labels 0,1").out
    assert run("""softmax-cli xent z.csv --labels '["x,y","b"]'""").out == expected
    assert run("""softmax-cli xent z.csv --labels '"x,y",b'""").out == expected


def test_a_label_may_have_quotes_of_its_own() -> None:
    Path("z.csv").write_text("o'wl,'q'\n1,2\n")
    assert run("""softmax-cli xent z.csv --labels "'q'" """).code == 0
    assert run("""softmax-cli xent z.csv --labels "o'wl" """).code == 0


def test_a_weight_that_is_missing_is_named_by_its_cell() -> None:
    Path("w.csv").write_text("w\n1\nNA\n")
    line = "0,1 0,0 --labels 1,0 --sample-weights"
    refused(f"{line} w.csv", "w.csv:3: the weight is missing: 'NA'; every row needs one")
    refused(f"{line} 1,nan", "--sample-weights, weight 1: the weight is missing: 'nan'")
    Path("w.csv").write_text("NA\n1\n")
    refused(f"{line} w.csv", "w.csv:1: the weight is missing: 'NA'")
    Path("w.csv").write_text("50%\n1\n")
    refused(f"{line} w.csv", "w.csv:1: '50%' is not a number; write it without the percent sign")
    assert run(f"softmax-cli xent {line} 1,NA --ignore-label 0").code == 0
    refused("0,1 0,0 --labels 1,0 --class-weights 1,nan", "weights are 0, or from 1e-150 to 1e150")


def test_a_file_of_weights_with_several_columns() -> None:
    Path("w.csv").write_text("1,2\n3,4\n")
    refused("1,2 3,1 --labels 0,1 --sample-weights w.csv", "2 columns, but weights need one")


TRUTH = "store truth values as numbers, 0 and 1"


@pytest.fixture
def _booleans() -> None:
    Y = np.array([[True, False], [False, True]])
    np.save("y.npy", Y)
    np.savez("y.npz", y=Y)
    tensor = {"y": {"dtype": "BOOL", "shape": [2, 2], "data_offsets": [0, 4]}}
    header = json.dumps(tensor).encode()
    Path("y.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + Y.tobytes())
    frame = pl.DataFrame({"a": [True, False], "b": [False, True]})
    frame.write_parquet("y.parquet")
    frame.write_ipc("y.arrow")
    pl.DataFrame({"y": Y.tolist()}).write_parquet("lists.parquet")
    Path("y.csv").write_text("a,b\nTrue,False\nFalse,True\n")
    Path("upper.csv").write_text("TRUE,FALSE\nFALSE,TRUE\n")
    Path("labels.csv").write_text("y\nTrue\nFalse\n")
    np.save("labels.npy", Y[0])
    Path("beside.csv").write_text("a,b,y\n1,2,True\n3,4,False\n")
    pl.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0], "flag": [True, False]}).write_parquet(
        "z.parquet"
    )


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize("option", ["--targets", "--labels"])
@pytest.mark.parametrize(
    "name", ["y.csv", "upper.csv", "y.npy", "y.npz", "y.safetensors", "y.parquet", "y.arrow"]
)
def test_one_hot_rows_may_be_truth_values(name: str, option: str) -> None:
    outcome = run(f"softmax-cli xent 1,2 3,4 {option} {name}")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == run("softmax-cli xent 1,2 3,4 --labels 0,1").out


@pytest.mark.usefixtures("_booleans")
def test_truth_values_for_logits_are_to_be_numbers() -> None:
    refused("y.npy --labels 0,1", TRUTH)


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize("name", ["y.parquet", "y.arrow", "lists.parquet"])
def test_truth_values_of_a_column_are_targets(name: str) -> None:
    Path("numbers.csv").write_text("1,0\n0,1\n")
    expected = run("softmax-cli xent 1,2 3,4 --targets numbers.csv").out
    assert run(f"softmax-cli xent 1,2 3,4 --targets {name}").out == expected != ""


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize(
    "line",
    [
        "1,2 3,4 --labels labels.csv",
        "1,2 3,4 --labels labels.npy",
        "1,2 3,4 --labels true,false",
        "1,2 3,4 --labels true,false --label-base 1",
        "beside.csv --label-column y",
    ],
)
def test_labels_that_are_truth_values_are_1_and_0(line: str) -> None:
    assert run(f"softmax-cli xent {line}").out == run("softmax-cli xent 1,2 3,4 --labels 1,0").out


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize("name", ["labels.csv", "labels.npy"])
def test_weights_that_are_truth_values_are_to_be_numbers(name: str) -> None:
    refused(f"1,2 3,4 --labels 0,1 --sample-weights {name}", TRUTH)


@pytest.mark.usefixtures("_booleans")
def test_a_flag_beside_numbers_may_be_no_class() -> None:
    warned = run("softmax-cli softmax z.parquet")
    assert warned.code == 0
    refused = run("softmax-cli xent z.parquet --labels 0,1")
    assert refused.code == 2
    for outcome in (warned, refused):
        assert "the column 'flag' is taken for a class and looks like none" in outcome.err
        assert "--id-columns flag passes it through, --columns names the classes" in outcome.err
    assert run("softmax-cli softmax z.parquet --id-columns flag").code == 0


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_words_of_an_array(dtype: str) -> None:
    words = np.array(["owl", "2", "dog"], dtype)
    np.save("y.npy", words)
    assert_array_equal(labels("y.npy").values[:, 0], [1, 2, 0])
    np.savez("y.npz", y=words)
    assert_array_equal(labels("y.npz[y]").values[:, 0], [1, 2, 0])
    np.save("y.npy", np.array(["owl", "cow"], dtype))
    with pytest.raises(SoftmaxCliError, match=r"y.npy: row 1: the label 'cow' is not a class"):
        labels("y.npy")


def test_words_of_an_array_in_fortran_order() -> None:
    np.save("y.npy", np.asfortranarray([["owl"], ["dog"]]))
    assert_array_equal(labels("y.npy").values[:, 0], [1, 0])


def test_objects_are_to_be_text() -> None:
    np.save("y.npy", np.array(["owl", "dog"], object), allow_pickle=True)
    with pytest.raises(SoftmaxCliError, match=r"holds objects .*; save it with .astype\(str\)"):
        labels("y.npy")
    np.save("z.npy", np.array([[1.0, 2.0]], object), allow_pickle=True)
    refused("z.npy --labels 0", "save it with .astype(float)")


ONE_HOT = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
THREE = "z.csv --labels"


@pytest.mark.parametrize("name", ["y.csv", "named.csv", "y.json", "y.npy", "y.parquet", "y.arrow"])
def test_one_hot_labels(name: str) -> None:
    Path("z.csv").write_text("dog,owl,cat\n1,2,3\n3,2,1\n0,1,5\n")
    np.savetxt("y.csv", ONE_HOT, fmt="%d", delimiter=",")
    Path("named.csv").write_text("cat,dog,owl\n0,0,1\n1,0,0\n0,1,0\n")
    Path("y.json").write_text(str(ONE_HOT.tolist()))
    np.save("y.npy", ONE_HOT)
    frame = pl.DataFrame({"cat": [0, 1, 0], "dog": [0.0, 0.0, 1.0], "owl": [1, 0, 0]})
    frame.write_parquet("y.parquet")
    frame.write_ipc("y.arrow")
    line = "--worst 3 --per-class --top-k-accuracy 2 --calibration"
    assert report(f"{THREE} {name} {line}") == report(f"{THREE} 1,2,0 {line}")
    assert report(f"{THREE} {name} --ignore-label cat")["ignored"] == 1
    # Names match the columns; without names, an array has the same order.
    np.save("z.npy", np.array([[1, 2, 3], [3, 2, 1], [0, 1, 5]], float))
    if name in ("y.csv", "y.npy", "y.json"):
        assert report(f"z.npy --labels {name}")["loss"] == report(f"{THREE} 1,2,0")["loss"]


def test_labels_of_an_array_of_more_dimensions() -> None:
    Z = np.arange(24.0).reshape(2, 4, 3) % 5
    classes = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    np.save("z.npy", Z)
    np.save("l.npy", classes)
    np.save("y.npy", np.eye(3)[classes])
    assert report("z.npy --labels y.npy") == report("z.npy --labels l.npy")
    np.save("square.npy", Z.reshape(4, 2, 3))
    np.save("l.npy", np.zeros((4, 2), int))
    assert report("square.npy --labels l.npy")["rows"] == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,0\n0,1,1\n", "y.csv:2: 0,1,1 is not one-hot; a loss of several"),
        ("0,1,0\n0,0,0\n", "y.csv:2: 0,0,0 is not one-hot; --targets takes soft targets"),
        ("0,1,0\n0.5,0.5,0\n", "y.csv:2: 0.5,0.5,0 is not one-hot; --targets takes soft targets"),
        ("0,1,0\n0,,1\n", "y.csv:2: 0,nan,1 is not one-hot; --targets takes soft targets, --label"),
        ("dog,owl,cow\n0,1,0\n1,0,0\n", "--labels: the columns of y.csv are not named as those"),
        ("dgo,owl,cat\n0,1,0\n1,0,0\n", "'dgo' is not one of them; did you mean 'dog'?"),
        ("0,1\n1,0\n", "y.csv: 2 columns, but labels need one"),
    ],
)
def test_labels_that_are_not_one_hot(text: str, message: str) -> None:
    Path("z.csv").write_text("dog,owl,cat\n1,2,3\n3,2,1\n")
    Path("y.csv").write_text(text)
    refused("z.csv --labels y.csv", message)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("y.csv", b"id,label\n7,owl\n8,dog\n"),
        ("y.csv", b",label\n0,owl\n1,dog\n"),
        ("y.csv", b"id;label\n7;owl\n8;dog\n"),
        ("y.tsv", b"id\tlabel\n7\towl\n8\tdog\n"),
        ("y.txt", b"id label\n7 owl\n8 dog\n"),
        ("y.jsonl", b'{"id": 7, "label": "owl"}\n{"id": 8, "label": "dog"}\n'),
    ],
)
def test_a_column_of_a_table_of_labels(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)
    with open_labels(name, Names(NAMES), column="label") as source:
        assert_array_equal(joined(source).values[:, 0], [1, 0])
    Path("z.csv").write_text("dog,owl\n1,2\n3,1\n")
    line = f"softmax-cli xent z.csv --labels {name} --label-column"
    assert run(f"{line} label").out == run("softmax-cli xent z.csv --labels owl,dog").out
    assert "did you mean 'label'?" in run(f"{line} lable").err


def test_the_unnamed_column_of_a_series_of_pandas() -> None:
    Path("y.csv").write_text(",0\n0,2\n1,0\n")
    refused("1,2,3 3,2,1 --labels y.csv", "2 columns, but labels need one; --label-column")
    line = "softmax-cli xent 1,2,3 3,2,1 --labels"
    assert run(f"{line} y.csv --label-column 2").out == run(f"{line} 2,0").out


def test_a_gradient_of_labels_in_a_column_of_their_own_table() -> None:
    Path("y.csv").write_text("id,label\n7,1\n")
    np.save("g.npy", (np.exp([[1, 2.0]]) / np.exp([1, 2.0]).sum()) - [[0, 1]])
    line = "softmax-cli gradcheck --logits [[1,2]] --grad g.npy --labels y.csv --label-column label"
    assert run(line).code == 0


@pytest.mark.parametrize(
    "data", ['"x"\n"1" "owl"\n"2" "dog"\n', "# by R\nlabel\nowl\ndog\n", "label\nowl\ndog\n"]
)
def test_labels_as_tables_of_text(data: str) -> None:
    assert_array_equal(labels(saved("y.txt", data.encode())).values[:, 0], [1, 0])


def test_decimal_commas() -> None:
    Path("w.csv").write_text("w\n1,5\n0,5\n")
    line = "softmax-cli xent 1,2 3,1 --labels 1,1 --sample-weights"
    expected = run(f"{line} 1.5,0.5").out
    np.savetxt("z.csv", [[1, 2], [3, 1]], delimiter=";", fmt="%d")
    line = "softmax-cli xent z.csv --decimal , --labels 1,1 --sample-weights w.csv"
    assert run(line).out == expected
    Path("l.csv").write_text("1,0\n1,0\n")
    assert run(f"{line} --labels l.csv".replace("--labels 1,1 ", "")).out == expected


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series([2, 0]), ""),
        (pl.Series([2.0, 0.0]), ""),
        (pl.Series(["cat", "dog"]), ""),
        (pl.Series(["cat", "dog"], dtype=pl.Categorical), ""),
        (pl.Series([2, None]), "row 1: the label is missing: ''"),
        (pl.Series([2.5, 0.0]), "row 0: the label '2.5' is not a class"),
    ],
)
def test_labels_of_a_column_of_any_type(column: pl.Series, message: str) -> None:
    Path("z.csv").write_text("dog,owl,cat\n1,2,3\n3,2,1\n")
    column.alias("label").to_frame().write_parquet("y.parquet")
    column.alias("label").to_frame().write_ipc("y.arrow")
    for name in ("y.parquet", "y.arrow"):
        if message:
            refused(f"{THREE} {name}", f"{name}: {message}")
        else:
            assert report(f"{THREE} {name}") == report(f"{THREE} 2,0")


def test_a_directory_or_a_glob_of_labels_needs_files_of_values() -> None:
    Path("d").mkdir()
    for name in ("y1.npy", "y2.npy"):
        np.save(f"d/{name}", np.array([0]))
    np.save("z.npy", [[1.0, 2.0]])
    needed = "and all values together need one file; --output-dir DIR gives each file of values its"
    refused("z.npy --labels d", f"--labels: d: is a directory, {needed} own labels")
    refused("z.npy --labels d/*.npy", f"--labels: d/*.npy: matches 2 files, {needed} own labels")
    line = "z.npy --labels 0 --sample-weights d"
    refused(line, f"--sample-weights: d: is a directory, {needed} own weights")
    assert run("softmax-cli xent z.npy --labels d/*1.npy").code == 0
    Path("z").mkdir()
    np.save("z/y1.npy", [[1.0, 2.0]])
    assert run("softmax-cli xent z/*.npy --labels d --output-dir out").code == 0


def test_a_label_is_typed_though_a_file_or_directory_has_its_name() -> None:
    Path("z.csv").write_text("dog,owl\n1,2\n")
    Path("1").write_text("0\n")
    Path("owl").mkdir()
    expected = run("softmax-cli xent z.csv --labels 1,").err
    assert expected
    expected = run("softmax-cli xent 1,2 --labels [1]").out
    assert run("softmax-cli xent z.csv --labels 1").out == expected
    assert run("softmax-cli xent z.csv --labels owl").out == expected
    assert run("softmax-cli xent z.csv --labels ./1").out != expected


def test_labels_of_json() -> None:
    for data in (
        "[2, 0, 1]",
        '{"y": [2, 0, 1]}',
        '{"logits": [[1]], "labels": [2, 0, 1]}',
        '{"0": 2, "1": 0, "2": 1}',
        '{"label": {"0": 2, "1": 0, "2": 1}}',
        '[2.0, 0, "owl"]',
    ):
        assert_array_equal(labels(saved("y.json", data.encode())).values[:, 0], [2, 0, 1])
    assert_array_equal(labels(saved("y.jsonl", b"2\n0\n1\n")).values[:, 0], [2, 0, 1])
    records = b'{"label": 2}\n{"label": 0}\n{"label": "owl"}\n'
    assert_array_equal(labels(saved("y.jsonl", records)).values[:, 0], [2, 0, 1])
