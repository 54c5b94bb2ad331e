"""Inputs that were once taken for something else: each is read for what it is, or refused."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError
from tests.formats.arrays.test_npy import described, headed, npy
from tests.formats.arrays.test_npz import npz, zipped
from tests.formats.delimited.test_reader import copied
from tests.formats.rows import Trickle, piped, read, refusal, saved, warnings_of, write
from tests.running import run

TWO_BY_TWO = np.array([[1.0, 2.0], [3.0, 4.0]])


def _archive_of_objects() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([1, "a"], object))
    return stream.getvalue()


def _with_a_wrong_checksum() -> bytes:
    numbers = np.arange(6.0)
    data = bytearray(npz(a=numbers))
    data[data.find(numbers.tobytes()) + 2] ^= 1
    return bytes(data)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(
    "data",
    [
        b"1,2\n3,4\n",
        b"[1, 2]\n[3, 4]\n",
        b"[[1, 2], [3, 4]]",
        gzip.compress(b"1,2\n3,4\n"),
        npy(TWO_BY_TWO),
    ],
    ids=["csv", "jsonl", "json", "gzip", "npy"],
)
def test_a_pipe_that_brings_few_bytes_at_a_time(data: bytes, size: int) -> None:
    assert_array_equal(piped(Trickle(data, size)).values, TWO_BY_TWO)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.npz", _archive_of_objects(), "objects"),
        ("x.npz", _with_a_wrong_checksum(), "damaged"),
        ("x.json", b"[" * 33 + b"1" + b"]" * 33, "too deep"),
        ("x.json", b"[" * 900 + b"1" + b"]" * 900, "too deep"),
        ("x.json", b"[[1, -1e999]]", "beyond the range"),
        ("x.jsonl", b"[1, 1e999]", "beyond the range"),
        ("x.npy", headed(described("(" + "1," * 100 + ")")), "shape"),
        ("x.npy", headed(described("(1,)", "()")), "header"),
        ("x.npy", headed(described("(1,)", "None")), "header"),
        ("x.npy", headed(described("(1,)", "'2f4'")), "arrays within the array"),
        ("x.npy", headed(described("(1,)", "'a8'")), "header"),
        ("x.npy", headed(described("(1,)", fortran_order="5")), "header"),
        ("X.CSV", b"a;b\n1;2\n", "--delimiter"),
        ("x.csv", b"1\r2\r", "carriage return"),
        ("x.csv", b'a,"b"\r1,2\n', "carriage return"),
        ("x.txt", b'a "\r" b\n1 2 3\n', "carriage return"),
    ],
)
def test_refused_for_what_it_is(name: str, data: bytes, said: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert said in line


def test_a_typed_number_beyond_the_range() -> None:
    assert "beyond the range" in refusal("[1,-1e999]")


@pytest.mark.parametrize(
    ("shape", "fortran_order"),
    [(f"({2**62},)", "False"), (f"({2**40}, 4)", "True"), (f"(0, {2**60})", "True")],
)
def test_a_header_that_lies_in_a_pipe_allocates_nothing(shape: str, fortran_order: str) -> None:
    with pytest.raises(InputError):
        piped(headed(described(shape, "'|u1'", fortran_order)))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_zstandard_cut_short(kept: float) -> None:
    zstandard = pytest.importorskip("zstandard")
    numbers = np.random.default_rng(1).normal(size=(20_000, 2)).tolist()
    data = zstandard.ZstdCompressor().compress(b"".join(b"%f,%f\n" % tuple(row) for row in numbers))
    line = refusal(saved("x.csv.zst", data[: int(kept * len(data))]))
    assert "cut short" in line


def test_several_zstandard_frames_are_one_stream() -> None:
    zstandard = pytest.importorskip("zstandard")
    frames = [zstandard.ZstdCompressor().compress(part) for part in (b"1,2\n3", b",4\n")]
    assert_array_equal(read(saved("x.csv.zst", b"".join(frames))).values, TWO_BY_TWO)


def test_big_endian_fortran_order_is_written_as_others_are() -> None:
    array = np.asfortranarray(TWO_BY_TWO.astype(">f8"))
    assert read(saved("x.npy", npy(array))).source.dtype.isnative


@pytest.mark.parametrize("shape", [(*[1] * 50, 3), (2, 0, 3)], ids=["many", "empty"])
@pytest.mark.parametrize("axis", [0, -1])
def test_any_shape_there_and_back(shape: tuple[int, ...], axis: int) -> None:
    np.save("x.npy", np.zeros(shape))
    assert run(f"softmax-cli softmax x.npy --axis {axis} -o y.npy").code == 0
    assert np.load("y.npy").shape == shape


@pytest.mark.parametrize(
    ("text", "place", "option"),
    [(",,a\n1,2,3\n", "x.csv:1:2: ", "--id-columns 2"), ("a,1,a\n1,2,3\n", "x.csv:1:3: ", "3")],
)
def test_the_column_that_is_meant_is_named(text: str, place: str, option: str) -> None:
    line = refusal(saved("x.csv", text), id_columns=["1"])
    assert line.startswith(place)
    assert option in line


def test_a_data_frame_with_numbered_columns_has_a_way_in() -> None:
    name = saved("x.csv", ",0,1\n0,0.5,2\n1,3.5,4\n")
    assert "--id-columns 1" in refusal(name, header=True)
    assert read(name, header=True, id_columns=["1"]).source.class_names == ("0", "1")


@pytest.mark.parametrize("cell", [b'a"b"c', b' "x"', b'"x" ', b'"a"b"c"', b"\xe9"])
def test_id_cells_pass_through_byte_for_byte(cell: bytes) -> None:
    data = b"id,a,b\n%s,1.0,2.0\n" % cell
    assert copied(saved("x.csv", data), "csv", id_columns=["id"]) == data


def test_an_id_of_the_first_line_need_not_be_text() -> None:
    assert read(saved("x.csv", b"\xe9,1,2\n\xe9,3,4\n"), id_columns=["1"]).ids == [(b"\xe9",)] * 2


def test_a_header_of_decimal_commas_is_no_header() -> None:
    assert "decimal" in refusal(saved("x.csv", "1,5;2,5\n"), delimiter=";")


def test_standard_input_after_a_file() -> None:
    saved("x.csv", "1,2\n")
    with mock.patch("sys.stdin", mock.Mock(buffer=io.BytesIO(b"3,4\n"))):
        assert_array_equal(read("x.csv", "-").values, TWO_BY_TWO)


def test_json_lines_longer_than_a_buffer_without_a_suffix() -> None:
    line = "[" + ",".join(["1.5"] * 6000) + "]\n"
    assert read(saved("x", line * 2)).values.shape == (2, 6000)


def test_an_object_on_a_single_line_is_a_row() -> None:
    assert read(saved("x", '{"a": 1, "b": 2}\n')).source.class_names == ("a", "b")


def test_a_comment_above_commas_is_counted() -> None:
    back = read(saved("x", "# numpy\n1,2\n"))
    assert back.values.tolist() == [[1, 2]]
    assert warnings_of(back.source) == ["x: 1 line that begins with # was ignored"]


def test_json_without_rows_there_and_back() -> None:
    back = read(write("x.json", np.empty((0, 3)), names=("a", "b", "c")))
    assert back.values.shape == (0, 3)
    assert Path("x.json").exists()


LONG = "long" * 5000


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.csv", f"a,1,{LONG}\n", {}),
        ("x.csv", f"1\n2{LONG}\n", {}),
        ("x.csv", f"1\n1{'0' * 5000}\n", {}),
        ("x.csv", f"{LONG},b\n3,x\n", {}),
        ("x.csv", f"{'1' * 5000},5\n", {"delimiter": ";"}),
        ("x.csv", f"{LONG},b\n1,2\n", {"columns": ["c"]}),
        ("x.csv", f"{','.join(map(str, range(5000)))}\n1\n", {"header": True, "columns": ["c"]}),
        ("x.jsonl", f'{{"{LONG}": 1, "b": 2}}\n{{}}\n', {}),
        ("x.jsonl", f'{{"{LONG}": 1, "b": 2}}\n[1]\n', {}),
        ("x.jsonl", f'[1]\n["{LONG}"]\n', {}),
        ("x.npy", headed(described("(" + "1," * 5000 + ")")), {}),
        ("x.npy", headed(described("(1,)", str([(f"f{n}", "<f8") for n in range(500)]))), {}),
        ("x.npz", zipped(**{LONG: b"", "b": b""}), {}),
        ("x.npz", zipped(**{LONG: npy(TWO_BY_TWO * 1j)}), {}),
    ],
)
def test_an_error_is_no_page(name: str, data: bytes | str, options: dict[str, Any]) -> None:
    line = refusal(saved(name, data), **options)
    assert name in line or "--columns" in line
    assert len(line) < 1000


@pytest.mark.parametrize("text", ['{"id": "\\ud800", "a": 1}', '{"\\uDC00": "x", "id": 1}'])
def test_half_a_character_is_no_text(text: str) -> None:
    line = refusal(saved("x.jsonl", text), id_columns=["1"])
    assert line.startswith("x.jsonl:1: ")
    assert "half a character" in line


def test_two_halves_are_a_character() -> None:
    back = read(saved("x.jsonl", '{"id": "\\ud83d\\ude00", "a": 1}'), id_columns=["id"])
    assert back.ids == [("\U0001f600".encode(),)]


def test_a_number_of_a_page_is_quoted_by_its_beginning() -> None:
    assert len(refusal(saved("x.json", "[[1, 1." + "5" * 50_000 + "e999]]"))) < 200
