"""Several files, one after the other."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.source import open_source
from tests.formats.rows import read, refusal, saved, write

ONE, TWO = "a,b\n1,2\n", "a,b\n3,4\n5,6\n"


@pytest.mark.parametrize(
    "tokens", [["1.csv", "2.csv"], ["[12].csv"], ["*.csv"], ["1.*", "2.csv"], ["**/[12].csv"]]
)
def test_rows_follow_each_other(tokens: list[str]) -> None:
    saved("2.csv", TWO)
    saved("1.csv", ONE)
    back = read(*tokens)
    assert_array_equal(back.values, [[1, 2], [3, 4], [5, 6]])
    assert back.places == ["1.csv:2", "2.csv:2", "2.csv:3"]
    assert back.source.class_names == ("a", "b")
    assert back.source.paths == (Path("1.csv"), Path("2.csv"))
    assert back.source.rows is None


def test_formats_may_differ() -> None:
    saved("1.csv", "1,2\n")
    saved("2.txt", "3 4\n")
    write("3.npy", np.array([[5.0, 6.0]]))
    assert_array_equal(read("1.csv", "2.txt", "3.npy").values, [[1, 2], [3, 4], [5, 6]])


def test_a_named_pipe_is_read_once() -> None:
    saved("1.csv", "1,2\n")
    os.mkfifo("2.csv")
    # More than a pipe holds.
    lines = b"3,4\n" * 20_000
    feed = threading.Thread(target=Path("2.csv").write_bytes, args=[lines], daemon=True)
    feed.start()
    assert len(read("1.csv", "2.csv").values) == 20_001
    feed.join(timeout=10)


def test_leading_dimensions_are_gone() -> None:
    write("1.npy", np.ones((6, 3)), leading=(2, 3))
    back = read("1.npy", "1.npy")
    assert back.source.leading is None
    assert back.values.shape == (12, 3)


def test_ids_of_all_files() -> None:
    saved("1.csv", "id,a\nx,1\n")
    saved("2.csv", "id,a\ny,2\n")
    assert read("1.csv", "2.csv", id_columns=["id"]).ids == [(b"x",), (b"y",)]


def test_a_file_name_with_a_pattern_in_it_is_that_file() -> None:
    saved("[12].csv", ONE)
    saved("1.csv", TWO)
    assert read("[12].csv").places == ["[12].csv:2"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,c\n1,2,3\n", ["3 columns", "1.csv has 2"]),
        ("b,a\n1,2\n", ["header differs from that of 1.csv"]),
        ("1,2\n", ["header differs from that of 1.csv"]),
        ("a,b\n1,x\n", ["'x' is not a number"]),
        ("", ["empty"]),
    ],
)
def test_the_file_that_does_not_fit_is_named(content: str, words: list[str]) -> None:
    line = refusal(saved("1.csv", ONE), saved("2.csv", content))
    assert line.startswith("2.csv")
    assert all(word in line for word in words), line


def test_dtypes_must_agree() -> None:
    write("1.npy", np.ones((1, 2), np.float32))
    write("2.npy", np.ones((1, 2)))
    line = refusal("1.npy", "2.npy")
    assert line.startswith("2.npy: holds float64")
    assert "--dtype" in line


def test_a_missing_file_among_others() -> None:
    saved("1.csv", ONE)
    assert refusal("1.csv", "2.csv").startswith("2.csv: no such file")


def test_standard_input_after_a_file() -> None:
    saved("x.csv", "1,2\n")
    with mock.patch("sys.stdin", mock.Mock(buffer=io.BytesIO(b"3,4\n"))):
        assert_array_equal(read("x.csv", "-").values, [[1, 2], [3, 4]])


def test_files_whose_sizes_are_known_have_one_size() -> None:
    saved("a.csv", "1,2\n")
    saved("b.csv", "3,4\n5,6\n")
    with open_source(["a.csv", "b.csv"], ReadOptions()) as source:
        assert source.size == 12
    write("a.parquet", np.ones((3, 2)))
    write("b.parquet", np.ones((5, 2)))
    with open_source(["a.parquet", "b.parquet"], ReadOptions()) as source:
        assert source.size == sum(chunk.size for chunk in source.chunks()) == 8 * 2 * 8
    saved("c.csv.gz", gzip.compress(b"1,2\n"))
    with open_source(["a.csv", "c.csv.gz"], ReadOptions()) as source:
        assert source.size is None


def test_a_pipe_counts_what_it_has_brought() -> None:
    stream = io.BytesIO(b"1,2\n3,4\n")
    with (
        mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
        open_source(["-"], ReadOptions()) as source,
    ):
        assert source.size is None
        assert source.arrived is not None
        assert source.arrived() == 8
