"""Input without a suffix, told apart by its content."""

from __future__ import annotations

import gzip
import io
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError
from softmax_cli.formats.registry import detected_format
from softmax_cli.formats.text.delimiter import detected_delimiter
from softmax_cli.storage.input import open_input
from tests.formats.arrays.test_npy import npy
from tests.formats.arrays.test_npz import npz
from tests.formats.arrays.test_safetensors import safetensors
from tests.formats.rows import Trickle, piped, read, refusal, saved

ROWS = np.array([[1.5, 2.0], [3.0, 4.0]])
HEAD = b"a%sb\n1.5%s2\n3%s4\n"

CONTENTS: dict[str, list[bytes]] = {
    "csv": [
        b"1.5,2\n3,4\n",
        b"\xef\xbb\xbf1.5,2\r\n3,4",
        HEAD.replace(b"%s", b","),
        HEAD.replace(b"%s", b";"),
        HEAD.replace(b"%s", b"|"),
        b'"a;x","b y"\n1.5,2\n3,4\n',
        b'"a,x";b\n1.5;2\n3;4\n',
        b'"a,x"|"b;"\n1.5|2\n3|4\n',
    ],
    "tsv": [b"1.5\t2\n3\t4\n", HEAD.replace(b"%s", b"\t"), b'"a,x"\tb\n1.5\t2\n3\t4\n'],
    "txt": [b"1.5 2\n3 4\n", b"  1.5   2\n  3   4\n", b"a b\n1.5 2\n3 4\n", b"# c\n1.5 2\n3 4\n"],
    "json": [
        b"[[1.5, 2], [3, 4]]",
        b"\xef\xbb\xbf \n [[1.5, 2],\n [3, 4]]\n",
        b'{"logits": [[1.5, 2], [3, 4]]}\n',
        b'{\n"rows": 2,\n"logits": [\n[1.5, 2],\n[3, 4]\n]\n}\n',
    ],
    "jsonl": [b"[1.5, 2]\n[3, 4]\n", b'{"a": 1.5, "b": 2}\n{"a": 3, "b": 4}\n'],
    "npy": [npy(ROWS), npy(ROWS, (2, 0)), npy(np.asfortranarray(ROWS, ">f4"))],
    "npz": [npz(z=ROWS), npz(z=ROWS, compressed=True)],
    "safetensors": [safetensors(z=ROWS), safetensors(z=ROWS.astype("f4"))],
}
every_content = pytest.mark.parametrize(
    ("form", "data"), [(form, data) for form, contents in CONTENTS.items() for data in contents]
)


@every_content
def test_file_without_suffix(form: str, data: bytes) -> None:
    source = open_input(saved("x", data))
    with source.stream:
        assert detected_format("-", source).name == form
    assert_array_equal(read("x").values, ROWS)


@every_content
def test_suffix_that_says_nothing(form: str, data: bytes) -> None:
    assert_array_equal(read(saved(f"{form}.out", data)).values, ROWS)


@every_content
def test_standard_input(form: str, data: bytes) -> None:
    assert_array_equal(piped(data).values, ROWS)
    assert_array_equal(piped(data, input_format=form).values, ROWS)


@pytest.mark.fast(8)
@pytest.mark.parametrize("size", [1, 5])
@every_content
def test_standard_input_in_drops(form: str, data: bytes, size: int) -> None:
    assert_array_equal(piped(Trickle(data, size), input_format=form).values, ROWS)
    assert_array_equal(piped(Trickle(data, size)).values, ROWS)
    assert_array_equal(piped(Trickle(gzip.compress(data), size)).values, ROWS)


@every_content
def test_compressed_standard_input(form: str, data: bytes) -> None:
    assert_array_equal(piped(gzip.compress(data), input_format=form).values, ROWS)
    assert_array_equal(piped(gzip.compress(data)).values, ROWS)


def test_column_of_numbers() -> None:
    assert_array_equal(piped(b"1\n2\n3\n").values, [[1], [2], [3]])


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0)])
def test_nothing(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^standard input: is empty"):
        piped(data)


def test_standard_input_that_fails() -> None:
    with pytest.raises(InputError, match=r"^standard input: cannot be read: Input/output error"):
        piped(Trickle(b"1,2\n", 4, OSError(5, "Input/output error")), input_format="csv")


@pytest.mark.parametrize(
    ("name", "data", "options", "values"),
    [
        ("x.json", b"1 2\n", {"input_format": "txt"}, [[1, 2]]),
        ("x.npy", b"[1, 2]", {"input_format": "json"}, [[1, 2]]),
        ("x.csv", npy(ROWS), {"input_format": "npy"}, ROWS),
    ],
)
def test_input_format_wins(name: str, data: bytes, options: dict[str, Any], values: Any) -> None:
    assert_array_equal(read(saved(name, data), **options).values, values)


@pytest.mark.parametrize("name", ["bogus", "table", "CSV", ""])
def test_unknown_input_format(name: str) -> None:
    line = refusal(saved("x", b"1"), input_format=name)
    assert line.startswith("--input-format: ")
    assert "csv, tsv, txt, json, jsonl, npy, npz" in line
    assert "table;" not in line.partition("one of")[2]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("1,2 a;3", ","),
        ("1,5;-2,5", ";"),
        ("1,5\t2", "\t"),
        ("1,2", ","),
        ("1;2|3", ";"),
        ("1\t2 3", "\t"),
        ("1|2 3", "|"),
        ("1 2", None),
        ('"a,b"', None),
        ('"a ""q,q"" b";c', ";"),
        ("", None),
    ],
)
def test_delimiter(line: str, delimiter: str | None) -> None:
    assert detected_delimiter(line) == delimiter


def test_head_consumes_nothing() -> None:
    source = open_input(saved("x", b"1,2\n"))
    with source.stream:
        assert source.head() == b"1,2\n"
        assert source.stream.read() == b"1,2\n"
    assert isinstance(source.stream, io.BufferedReader)


def test_an_object_on_a_single_line_is_a_row() -> None:
    assert read(saved("x", '{"a": 1, "b": 2}\n')).source.class_names == ("a", "b")
