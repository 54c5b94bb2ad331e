"""NPZ: several arrays in a zip, one of them asked for."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from tests.formats.arrays.test_npy import npy
from tests.formats.rows import Array, piped, read, refusal, same_bits, saved

A, B = np.array([[1.0, 2.0]]), np.array([[3, 4], [5, 6]], ">i4")


def npz(*, compressed: bool = False, **arrays: Array) -> bytes:
    """Return the arrays as NumPy saves them."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    """Return a zip of any content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_one_array(shape: tuple[int, ...], order: Any, compressed: bool) -> None:
    array = np.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), order=order)
    back = read(saved("x.npz", npz(z=array, compressed=compressed)))
    assert_array_equal(back.values, array.reshape(-1, 3))
    assert back.values.dtype == np.float32
    assert back.source.leading == shape[:-1]
    assert back.places[0] == "x.npz[z]: row 0"


@pytest.mark.parametrize(("key", "array"), [("a", A), ("b", B)])
def test_key(key: str, array: Array) -> None:
    assert_array_equal(read(saved("x.npz", npz(a=A, b=B)), key=key).values, array)


@pytest.mark.parametrize(
    ("key", "words"), [(None, "holds 2 arrays"), ("c", "no array 'c'"), ("", "no array ''")]
)
def test_key_that_does_not_say_which(key: str | None, words: str) -> None:
    line = refusal(saved("x.npz", npz(a=A, b=B)), key=key)
    assert line.startswith("x.npz: ")
    assert words in line
    assert line.endswith(("it has a, b", "--key or FILE[KEY] chooses one of a, b"))


def test_standard_input() -> None:
    assert_array_equal(piped(npz(a=A, b=B), key="b").values, B)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped(a=npy(np.array([1j]))), "complex"),
        (zipped(a=npy(np.float64(1))), "shape ()"),
        (zipped(a=npy(A) + b"more"), "and its header declares"),
        (zipped(a=npy(A)[:-1]), "and its header declares"),
        (zipped(a=b"abc"), "ends after"),
        (zipped(a=b"1,2,3\n4,5,6\n"), "is not an NPY file"),
        (zipped(), "holds 0 arrays"),
        (b"", "NPZ file"),
        (b"PK\x03\x04" + bytes(50), "NPZ file"),
        (npy(A), "NPZ file"),
    ],
)
def test_refused(data: bytes, words: str) -> None:
    line = refusal(saved("x.npz", data))
    assert line.startswith("x.npz")
    assert words in line


def test_cut_short_anywhere() -> None:
    data = npz(a=A)
    for size in range(0, len(data), 7):
        assert refusal(saved("x.npz", data[:size])).startswith("x.npz"), size


def test_likeliest_classes_stand_beside_their_probabilities() -> None:
    result = Result("softmax", "probabilities", 2, np.dtype(np.float32))
    values, classes = np.array([[0.75, 0.25]], np.float32), np.array([[4, 1]])
    with open_sink(result, WriteOptions(output="x.npz")) as sink:
        sink.write(Block(0, values, str, classes=classes))
    assert same_bits(read("x.npz", key="probabilities").values, values)
    assert_array_equal(read("x.npz", key="classes").values, classes)


def test_numpy_reads_what_is_written() -> None:
    result = Result("softmax", "jacobian", 2, np.dtype(np.float64), matrix=True)
    with open_sink(result, WriteOptions(output="x.npz")) as sink:
        sink.write(Block(0, np.arange(6.0).reshape(3, 2), str))
        sink.write(Block(3, np.arange(6.0, 8.0).reshape(1, 2), str))
    with np.load("x.npz") as archive:
        assert archive.files == ["jacobian"]
        assert same_bits(archive["jacobian"], np.arange(8.0).reshape(2, 2, 2))


def test_a_directory_that_lies_before_the_first_byte() -> None:
    data = bytearray(npz(a=A))
    # The end of the directory says how many bytes from here back it began.
    data[-6:-2] = len(data).to_bytes(4, "little")
    with pytest.raises(InputError, match="is no NPZ file"):
        piped(bytes(data))


@pytest.mark.parametrize("kept", [30, -9])
def test_compressed_and_cut_short(kept: int) -> None:
    assert "cut short" in refusal(saved("x.npz.gz", gzip.compress(npz(a=A))[:kept]))


def _archive_of_objects() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([1, "a"], object))
    return stream.getvalue()


def _with_wrong_checksum() -> bytes:
    numbers = np.arange(6.0)
    data = bytearray(npz(a=numbers))
    data[data.find(numbers.tobytes()) + 2] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [("x.npz", _archive_of_objects(), "objects"), ("x.npz", _with_wrong_checksum(), "damaged")],
)
def test_an_unreadable_archive_is_refused(name: str, data: bytes, message: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert message in line


LONG = "long" * 5000


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.npz", zipped(**{LONG: b"", "b": b""}), {}),
        ("x.npz", zipped(**{LONG: npy(np.ones((2, 2)) * 1j)}), {}),
    ],
)
def test_an_error_about_an_archive_is_short(
    name: str, data: bytes | str, options: dict[str, Any]
) -> None:
    line = refusal(saved(name, data), **options)
    assert name in line or "--columns" in line
    assert len(line) < 1000
