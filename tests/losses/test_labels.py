"""Labels: numbers and names of classes, typed or from a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.losses.class_labels import Names
from softmax_cli.losses.labels import open_labels
from tests.formats.arrays.test_npy import npy
from tests.formats.arrays.test_npz import npz
from tests.formats.rows import Rows, joined, saved

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
        ("cat", None, "--labels, label 0", ["'cat' is no class", "dog, owl"]),
        ("1,0.5", None, "--labels, label 1", ["'0.5' is no class", "class numbers from 0"]),
        ("1,,0", None, "--labels, label 1", ["the label is missing: ''", "--ignore-label ''"]),
        ("y.csv", None, "--labels: y.csv", ["no such file"]),
        ("dir/y", None, "--labels: dir/y", ["no such file"]),
        ("y.csv", b"1,2\n", "y.csv:1", ["2 columns", "--label-column"]),
        ("y.csv", b"1\n2,3\n", "y.csv:2", ["2 columns"]),
        ("y.csv", b"label\ncat\n", "y.csv:2", ["'cat' is no class"]),
        ("y.csv", b"1\n\n0\n", "y.csv:2", ["the label is missing: ''"]),
        ("y.csv", b"", "y.csv", ["empty"]),
        ("y.json", b'{"a": 1}', "y.json", ["not a list"]),
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
    with pytest.raises(SoftmaxCliError, match=r"x.csv:2: the label 'cow' is no class"):
        labels(saved("x.csv", "owl\ncow\n\0\n"))
