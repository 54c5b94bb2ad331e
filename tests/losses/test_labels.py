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
from tests.commands.loss.reports import refused
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
        ("y.csv", b"1,2\n", "y.csv:1", ["2 columns", "--label-column"]),
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
    refused("1,2 3,1 --labels 0,1 --sample-weights w.csv", "2 columns where one of weights is")


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
    Path("labels.csv").write_text("y\nTrue\nFalse\n")
    np.save("labels.npy", Y[0])
    Path("beside.csv").write_text("a,b,y\n1,2,True\n3,4,False\n")
    pl.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0], "flag": [True, False]}).write_parquet(
        "z.parquet"
    )


@pytest.mark.usefixtures("_booleans")
@pytest.mark.parametrize("name", [f"y.{end}" for end in ("npy", "npz", "safetensors")])
def test_truth_values_for_targets_are_to_be_numbers(name: str) -> None:
    outcome = run(f"softmax-cli xent 1,2 3,4 --targets {name}")
    assert (outcome.code, outcome.out) == (2, "")
    assert TRUTH in outcome.err
    assert "--id-columns" not in outcome.err
    assert "through" not in outcome.err


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
        "beside.csv --label-column y",
        "1,2 3,4 --labels 0,1 --sample-weights labels.csv",
        "1,2 3,4 --labels 0,1 --sample-weights labels.npy",
    ],
)
def test_truth_values_for_labels_and_weights_are_to_be_numbers(line: str) -> None:
    outcome = run(f"softmax-cli xent {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert TRUTH in outcome.err


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
