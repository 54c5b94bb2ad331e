"""NPY: every layout that NumPy writes, and files that lie."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.opening.source import open_source
from tests.formats.rows import Array, Trickle, piped, read, refusal, same_bits, saved, write

pytestmark = pytest.mark.fast(6)


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    """Return the array as NumPy writes it."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version)
    return stream.getvalue()


def headed(header: str, data: bytes = bytes(8), version: int = 1) -> bytes:
    """Return an NPY file with a header of any content."""
    text = header.encode("latin-1") + b"\n"
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def described(shape: str, descr: str = "'<f8'", fortran_order: str = "False") -> str:
    """Return the text of a header."""
    return f"{{'descr': {descr}, 'fortran_order': {fortran_order}, 'shape': {shape}}}"


SHAPES = [(3,), (1, 3), (4, 3), (2, 4, 3), (2, 1, 2, 3), (5, 1)]
FLOATS = ["<f8", ">f8", "<f4", ">f4", "<f2", ">f2"]
INTEGERS = ["<i8", ">i4", "<i2", "|i1", "|u1", ">u2", "<u4", "<u8"]


def numbers(shape: tuple[int, ...], dtype: str = "<f8") -> Array:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_read(dtype: str, order: Any) -> None:
    for shape in SHAPES:
        array = np.asarray(numbers(shape, dtype), order=order)
        back = read(saved("x.npy", npy(array)))
        assert_array_equal(back.values, array.reshape(-1, shape[-1]))
        assert back.source.leading == shape[:-1]
        assert back.source.rows == len(back.values) == len(back.places)
        native = np.dtype(dtype).newbyteorder("=")
        assert back.values.dtype == (native if native.kind == "f" else np.float64)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_blocks_are_in_the_order_of_the_machine(dtype: str, order: Any) -> None:
    array = np.asarray(numbers((2, 3), dtype), order=order)
    with open_source([saved("x.npy", npy(array))], ReadOptions()) as source:
        assert source.dtype.isnative
        assert [block.values.dtype for block in source.blocks()] == [source.dtype]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_header_versions(version: tuple[int, int]) -> None:
    array = numbers((2, 3))
    assert same_bits(read(saved("x.npy", npy(array, version))).values, array)


def test_no_rows() -> None:
    back = read(saved("x.npy", npy(np.empty((0, 3)))))
    assert back.values.shape == (0, 3)
    assert back.source.rows == 0


def test_rows_are_numbered_from_0() -> None:
    assert read(saved("x.npy", npy(numbers((2, 1))))).places == ["x.npy: row 0", "x.npy: row 1"]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_from_a_slow_pipe(size: int, order: Any) -> None:
    array = np.asarray(numbers((40, 3)), order=order)
    back = piped(Trickle(npy(array), size), input_format="npy")
    assert_array_equal(back.values, array)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_numpy_reads_what_is_written(dtype: str) -> None:
    array = numbers((5, 3), dtype)
    assert same_bits(np.load(write("x.npy", array)), array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.float64(3), ["shape ()"]),
        (np.array([(1, 2.0)], "i4,f8"), ["records of several fields"]),
        (np.array([1, "a"], object), ["objects"]),
        (np.array([1j]), ["complex"]),
        (np.array([1j], "c8"), ["complex"]),
        (np.array([True, False]), ["truth values"]),
        (np.zeros(2, "V2"), ["raw bytes", "V2"]),
        (np.array(["a"]), ["<U1"]),
        (np.array([b"a"]), ["|S1"]),
        (np.array(["2020-01-01"], "M8[D]"), ["datetime64[D]"]),
        (np.array([1], "m8[s]"), ["timedelta64[s]"]),
        (np.zeros((2, 0)), ["(2, 0)", "a row needs a number"]),
        (np.zeros(0), ["(0,)", "a row needs a number"]),
    ],
)
def test_not_rows_of_numbers(array: Array, words: list[str]) -> None:
    line = refusal(saved("x.npy", npy(array)))
    assert line.startswith("x.npy: ")
    assert all(word in line for word in words), line


@pytest.mark.parametrize("order", ["C", "F"])
def test_cut_short_anywhere(order: Any) -> None:
    data = npy(np.asarray(numbers((2, 3)), order=order))
    for size in range(len(data)):
        line = refusal(saved("x.npy", data[:size]))
        assert line.startswith("x.npy: "), (size, line)


@pytest.mark.parametrize("order", ["C", "F"])
def test_cut_short_in_a_pipe(order: Any) -> None:
    data = npy(np.asarray(numbers((2, 3)), order=order))
    for size in range(8, len(data)):
        with pytest.raises(InputError, match=r"^standard input: .*ends after"):
            piped(data[:size])


@pytest.mark.parametrize("more", [1, 8, 4096])
def test_bytes_after_the_end(more: int) -> None:
    data = npy(numbers((2, 3)))
    line = refusal(saved("x.npy", data + bytes(more)))
    assert str(len(data)) in line
    assert str(len(data) + more) in line


@pytest.mark.parametrize(
    "shape",
    [
        "(-1,)",
        "(1, -1)",
        f"({2**62},)",
        f"({2**61}, 3)",
        f"({2**40}, {2**40})",
        f"({10**30},)",
        f"({'1,' * 100})",
    ],
)
@pytest.mark.parametrize("fortran_order", ["False", "True"])
def test_shape_that_cannot_be(shape: str, fortran_order: str) -> None:
    data = headed(described(shape, fortran_order=fortran_order))
    line = refusal(saved("x.npy", data))
    assert line.startswith("x.npy: has the shape")


@pytest.mark.parametrize(
    "header",
    [
        described("[1]"),
        described("(1.0,)"),
        described("(True,)"),
        described("('1',)"),
        described("1"),
        described("None"),
        described("(1,)", "'f9'"),
        described("(1,)", "'nonsense'"),
        described("(1,)", "[1]"),
        described("(1,)", "5"),
        "{'descr': '<f8', 'shape': (1,)}",
        "{'fortran_order': False, 'shape': (1,)}",
        "[]",
        "1",
        "",
        "{",
        "__import__('os').getcwd()",
        "(" * 5000,
        "\xff\xfe",
    ],
)
def test_header_that_cannot_be_read(header: str) -> None:
    for version in (1, 2, 3):
        line = refusal(saved("x.npy", headed(header, version=version)))
        assert line.startswith(("x.npy: has no valid header; ", "x.npy: has the shape "))


@pytest.mark.parametrize(
    "data",
    [
        b"\x93NUMPY\x04\x00" + bytes(100),
        b"\x93NUMPY\x00\x00" + bytes(100),
        b"NUMPY\x93\x01\x00" + bytes(100),
        b"1,2,3\n4,5,6\n",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
        b"\x93NUMPY\x02\x00\x00\x00\x01\x01" + bytes(100),
    ],
)
def test_not_an_npy_file(data: bytes) -> None:
    assert refusal(saved("x.npy", data)).startswith("x.npy: ")


@pytest.mark.parametrize(
    ("option", "column_request", "options"),
    [
        ("--columns", ColumnRequest(), {"columns": ["1"]}),
        ("--id-columns", ColumnRequest(), {"id_columns": ["1"]}),
        ("--delimiter", ColumnRequest(), {"delimiter": ","}),
        ("--header", ColumnRequest(), {"header": True}),
        ("--label-column", ColumnRequest(labels="x"), {}),
        ("--append", ColumnRequest(every_column=True), {}),
    ],
)
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.json"])
def test_options_of_tables_are_refused(
    name: str, option: str, column_request: ColumnRequest, options: dict[str, Any]
) -> None:
    path = write(name, np.eye(2))
    assert refusal(path, request=column_request, **options).startswith(f"{option}: ")


def test_a_compressed_array_that_is_cut_short() -> None:
    with pytest.raises(InputError, match=r"^standard input: ends after 100 of the 240"):
        piped(gzip.compress(npy(numbers((10, 3)))[:-140]))


@pytest.mark.parametrize("old", [b"old", None])
def test_what_an_array_cannot_hold(old: bytes | None) -> None:
    if old is not None:
        saved("x.npy", old)
    result = Result("softmax", "probabilities", 1, np.dtype(float), text_columns="class names")
    with (
        pytest.raises(UsageError, match=r"^x\.npy: an array cannot hold class names; .*\.npz"),
        open_sink(result, WriteOptions(output="x.npy")),
    ):
        pass
    assert [path.read_bytes() for path in Path().iterdir()] == [old] * (old is not None)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2"])
@pytest.mark.parametrize("size", [1, 64, 1 << 20])
def test_columns_that_lie_together_are_read_in_blocks(
    dtype: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    array = np.arange(-30, 30).reshape(20, 3).astype(dtype)
    np.save("x.npy", np.asfortranarray(array))
    with Path("x.npy").open("rb") as file:
        assert b"'fortran_order': True" in file.read(100)
    back = read("x.npy")
    assert_array_equal(back.values, array)
    assert back.values.dtype == (
        np.float64 if dtype == "<i2" else np.dtype(dtype).newbyteorder("=")
    )
    assert back.source.leading == (20,)


@pytest.mark.parametrize("one_column", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_stream_that_goes_on_after_its_array(order: Any, one_column: bool) -> None:
    data = npy(np.array([[1.0, 2.0], [3.0, 4.0]], order=order)) + b"more"
    with pytest.raises(InputError, match="goes on after its array"):
        read(saved("x.npy", gzip.compress(data)), request=ColumnRequest(one_column=one_column))


def test_a_header_that_says_more_than_there_is_to_say() -> None:
    header = described("(1,)").replace("{", "{'fescr': '<f4', ")
    assert "header" in refusal(saved("x.npy", headed(header)))


def test_blanks_that_numpy_refuses_around_a_header() -> None:
    assert "header" in refusal(saved("x.npy", headed(described("(1,)") + "\xa0")))


def test_a_version_that_there_is_not() -> None:
    data = bytearray(npy(np.zeros(2)))
    data[7] = 2
    assert "is an NPY file of version 1.2, and" in refusal(saved("x.npy", bytes(data)))
