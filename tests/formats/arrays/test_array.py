"""Arrays held whole, and rows along another axis."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.opening.source import open_source
from softmax_cli.pipeline.run import run
from tests.formats.rows import joined, read, refusal, same_bits, saved, write

CUBE = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", range(-3, 3))
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.json"])
def test_rows_along_an_axis(name: str, axis: int) -> None:
    if name == "x.json":
        saved(name, str(CUBE.tolist()))
    else:
        write(name, CUBE.reshape(-1, 4), leading=(2, 3))
    back = read(name, axis=axis)
    moved = np.moveaxis(CUBE, axis, -1)
    assert_array_equal(back.values, moved.reshape(-1, moved.shape[-1]))
    assert back.source.leading == moved.shape[:-1]
    assert [str(path) for path in back.source.paths] == [name]


@pytest.mark.parametrize("axis", range(-3, 3))
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_axis_goes_back_to_its_place(axis: int, dtype: str) -> None:
    array = CUBE.astype(dtype)
    np.save("x.npy", array)
    with open_source(["x.npy"], ReadOptions(axis=axis)) as source:
        result = Result(
            command="softmax",
            name="probabilities",
            columns=source.classes,
            dtype=source.dtype,
            leading=source.leading,
            axis=source.axis,
        )
        options = WriteOptions(output="y.npy")
        with open_sink(result, options, source.paths) as sink:
            run(source, lambda block: block, sink.prepare, "error", options)
    assert same_bits(np.load("y.npy"), array)


def test_axis_of_lines() -> None:
    back = read(saved("x.csv", "1,2\n3,4\n5,6\n"), axis=0)
    assert_array_equal(back.values, [[1, 3, 5], [2, 4, 6]])


def test_a_table_has_columns_and_no_axis() -> None:
    name = saved("x.csv", "a,b\n1,2\n")
    assert refusal(name, axis=0).startswith("--axis: ")


@pytest.mark.parametrize("axis", [-4, 3, 10])
def test_axis_that_there_is_not(axis: int) -> None:
    np.save("x.npy", CUBE)
    line = refusal("x.npy", axis=axis)
    assert line.startswith(f"x.npy: has no axis {axis}; ")
    assert "-3 to 2" in line


def test_one_dimensional_array_has_one_axis() -> None:
    np.save("x.npy", np.arange(3.0))
    assert_array_equal(read("x.npy", axis=0).values, [[0, 1, 2]])
    assert "no axis 1" in refusal("x.npy", axis=1)


def test_rows_can_be_counted_before_they_are_read() -> None:
    with open_source(["1,2", "3,4"], ReadOptions()) as source:
        assert source.rows == 2
        assert len(joined(source).values) == 2
