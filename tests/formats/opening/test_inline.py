"""Numbers typed in the shell."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.formats.rows import read, refusal, saved
from tests.running import run

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("tokens", "values"),
    [
        (["1", "2", "3"], [[1, 2, 3]]),
        (["-1", "-2.5", "-1e5", "-inf", ".5"], [[-1, -2.5, -1e5, -INF, 0.5]]),
        (["nan", "+inf", "-0"], [[NAN, INF, -0.0]]),
        (["7"], [[7]]),
        (["1,2,3"], [[1, 2, 3]]),
        (["1,2,3", "4,5,6"], [[1, 2, 3], [4, 5, 6]]),
        (["-1,-.5"], [[-1, -0.5]]),
        (["[1,2,3]", "[4,5,6]"], [[1, 2, 3], [4, 5, 6]]),
        (["[1, 2]", "3,4"], [[1, 2], [3, 4]]),
        (["[[1, 2], [3, 4]]", "[5, 6]"], [[1, 2], [3, 4], [5, 6]]),
        (['[1, "-inf"]'], [[1, -INF]]),
        (["1,-inf,nan"], [[1, -INF, NAN]]),
        (["1,", "2,", "3"], [[1, 2, 3]]),
        (["1", ",", "2"], [[1, 2]]),
        (["1, 2, 3,"], [[1, 2, 3]]),
        (["1 2 3"], [[1, 2, 3]]),
        (["1 2", "3 4"], [[1, 2], [3, 4]]),
        (["1,5 2,5"], [[1, 5], [2, 5]]),
        (["1 2\n3 4\n"], [[1, 2], [3, 4]]),
        (["[1. 2.e+00 -3.5]"], [[1, 2, -3.5]]),
        (["[[1. 2.]\n [3. 4.]]"], [[1, 2], [3, 4]]),
        (["[1,", "2,", "3]"], [[1, 2, 3]]),
        (["[[1,", "2],", "[3,", "4]]"], [[1, 2], [3, 4]]),
        (["[1,", "2],", "[3,", "4]"], [[1, 2], [3, 4]]),
        (["[1, 2,]"], [[1, 2]]),
        (["(1, 2)", "(3,4)"], [[1, 2], [3, 4]]),
        (["((1, 2), (3, 4))"], [[1, 2], [3, 4]]),
        (["(1,)"], [[1]]),
        (["[1; 2; 3]"], [[1, 2, 3]]),
        (["[1 2; 3 4];"], [[1, 2], [3, 4]]),
        (["c(1, NA, 3)"], [[1, NAN, 3]]),
        (["[1] 0.5 2\n[3] 3"], [[0.5, 2, 3]]),
        (["[1]", "0.5", "2"], [[0.5, 2]]),
        (["tensor([1.0, 2.0])"], [[1, 2]]),
        (
            ["tensor([[1., 2.],\n        [3., 4.]], device='cuda:0', grad_fn=<A0>)"],
            [[1, 2], [3, 4]],
        ),
        (["tensor(1.5)"], [[1.5]]),
        (["Parameter containing:\ntensor([1., 2.], requires_grad=True)"], [[1, 2]]),
        (["array([[1., 2.]], dtype=float32)"], [[1, 2]]),
        (["Array([1., 2.], dtype=float32)"], [[1, 2]]),
        (
            ["<tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>"],
            [[1, 2]],
        ),
        (["tf.Tensor([1. 2.], shape=(2,), dtype=float32)"], [[1, 2]]),
        (["np.float64(1.5)", "2"], [[1.5, 2]]),
        (["[np.float64(1.5), np.float64(2)]"], [[1.5, 2]]),
        (["\u22121", "\u22122.5e\u22121"], [[-1, -0.25]]),
        (["\u22121,2", "3,\u22124"], [[-1, 2], [3, -4]]),
    ],
)
def test_rows(tokens: list[str], values: Any) -> None:
    back = read(*tokens)
    assert_array_equal(back.values, np.array(values, float))
    assert np.signbit(back.values).tolist() == np.signbit(np.array(values, float)).tolist()
    assert back.source.rows == len(values)
    assert back.source.paths == ()
    assert back.places == [f"arguments: row {row}" for row in range(len(values))]


def test_a_file_whose_name_is_a_row_is_a_file() -> None:
    saved("1,2", "3 4\n")
    saved("[1,2]", "5 6\n")
    assert_array_equal(read("1,2").values, [[3, 4]])
    assert_array_equal(read("[1,2]").values, [[5, 6]])


def test_a_file_whose_name_is_a_number_is_a_number() -> None:
    saved("12", "3 4\n")
    assert_array_equal(read("12").values, [[12]])


@pytest.mark.parametrize(
    ("tokens", "place", "words"),
    [
        (["nope"], "nope", ["number", "file"]),
        (["1", "nope"], "nope", ["number", "file"]),
        (["nope.npy"], "nope.npy", [": no such file; check the spelling"]),
        (["y.csv"], "y.csv", [": no such file; did you mean 'x.csv'?"]),
        (["xcsv"], "xcsv", ["neither a number nor a file", "did you mean 'x.csv'?"]),
        (["./y.csv"], "./y.csv", ["did you mean 'x.csv'?"]),
        (["no/x.csv"], "no/x.csv", [": no such file; there is no folder no"]),
        (["y.npz[z]"], "y.npz[z]", [": no such file"]),
        (["~/x.csv"], "~/x.csv", [": no such file; ", "write $HOME"]),
        (["*.nope"], "*.nope", ["no file matches", "pattern"]),
        (["x.csv[a"], "x.csv[a", ["close the bracket: x.csv[a]"]),
        ([""], "''", ["neither a number nor a file"]),
        (["[1,2"], "[1,2", ["not closed", "file"]),
        (["1,x"], "1,x", ["'x' is not a number", "file"]),
        (["1,2,"], "1,2,", ["'' is not a number", "file"]),
        (["1", "x.csv"], "x.csv", ["path among numbers", "only paths or only numbers"]),
        (["x.csv", "1,2"], "x.csv", ["path among numbers", "only paths or only numbers"]),
        (["1", "-"], "-", ["path among numbers", "only paths or only numbers"]),
        (["1,2", "3"], "arguments: [1]", ["a row of 1 entries", "has 2"]),
        (["1", "2,3"], "arguments: [1]", ["a row of 2 entries", "has 1"]),
        (["[1,2]", "[3]"], "arguments: [1]", ["a row of 1 entries"]),
        (["[1,true]"], "[1,true]", ["'true' is not a number", "0 and 1"]),
        (["[1,[2]]"], "arguments: [0][1]", ["a list "]),
        (["[[[1]]]", "[2]"], "arguments: [1][0]", ["a number "]),
        (["[1,x]"], "[1,x]", ["'x' is not a number", "file"]),
        (["[1,,2]"], "[1,,2]", ["missing before ','", "nan"]),
        (["1", "2,x"], "2,x", ["'x' is not a number"]),
        (["1,2]"], "1,2]", ["closes no bracket", "file"]),
        (["[1,2)"], "[1,2)", ["closes no bracket"]),
        (['[1,"2"]'], '[1,"2"]', ["'2' is text", "without quotes"]),
        (["1;2;3"], "1;2;3", ["'1;2;3' is not a number", "commas or blanks"]),
        (["c(a=1, b=2)"], "c(a=1, b=2)", ["'a=1' is not a number"]),
        (["[1. 2. ... 9.]"], "[1. 2. ... 9.]", ["cut short at '...'", "save the array"]),
        (["1", "2", "...", "9"], "...", ["cut short at '...'"]),
        (["tensor([1., ..., 3.])"], "tensor([1., ..., 3.])", ["cut short at '...'"]),
        (["[]"], "arguments", ["a row needs a number"]),
        (["1_000"], "arguments", ["'1_000' is not a number"]),
        (["1,1_000"], "arguments", ["'1_000' is not a number"]),
        (["1e999", "1"], "arguments", ["beyond the range"]),
    ],
)
def test_refused(tokens: list[str], place: str, words: list[str]) -> None:
    saved("x.csv", "1,2\n")
    line = refusal(*tokens)
    assert line.startswith(f"{place}: "), line
    assert all(word in line for word in words), line


def test_a_glob_may_begin_like_a_row() -> None:
    saved("a.txt", "1 2\n")
    assert_array_equal(read("[ab].txt").values, [[1, 2]])


@pytest.mark.parametrize("whole", ["9007199254740993", "-9007199254740993"])
def test_a_whole_number_that_float64_cannot_hold(whole: str) -> None:
    for tokens in ([whole, "1"], [f"{whole},1"], [f"[{whole}, 1]"], [f"tensor([{whole}, 1])"]):
        assert "cannot hold" in refusal(*tokens)
        assert read(*[token.replace(whole, str(2**60)) for token in tokens]).values.max() == 2**60


@pytest.mark.parametrize(
    "labels",
    ["2, 0, 1", "2 0 1", "[2 0 1]", "tensor([2, 0, 1])", "c(2, 0, 1)", "array([2., 0., 1.])"],
)
def test_pasted_labels_and_targets(labels: str) -> None:
    rows = "1,2,3 3,2,1 0,0,1"
    expected = run(f"softmax-cli xent {rows} --labels 2,0,1").out
    assert run(f'softmax-cli xent {rows} --labels "{labels}"').out == expected
    weighted = run(f"softmax-cli xent {rows} --labels 2,0,1 --class-weights 2,0,1").out
    assert run(f'softmax-cli xent {rows} --labels 2,0,1 --class-weights "{labels}"').out == weighted
    product = run("softmax-cli jacobian 1 2 3 --vjp 2,0,1").out
    assert run(f'softmax-cli jacobian 1 2 3 --vjp "{labels}"').out == product


@pytest.mark.parametrize("vector", ["2, 0, 1", "[2, 0, 1]", "2,0, 1", "[2 0 1]", "(2, 0, 1)"])
def test_an_option_takes_what_is_pasted_without_quotes(vector: str) -> None:
    expected = run("softmax-cli jacobian 1 2 3 --vjp 2,0,1").out
    words = " ".join(map(shlex.quote, vector.split()))
    assert run(f"softmax-cli jacobian 1 2 3 --vjp {words}").out == expected
    assert run(f"softmax-cli jacobian --vjp {words} 1 2 3").out == expected


def test_a_typed_number_beyond_the_range() -> None:
    assert "beyond the range" in refusal("[1,-1e999]")
