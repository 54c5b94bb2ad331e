"""JSON lines: a list or an object a line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import ColumnRequest, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.text import digits
from tests.formats.rows import Ids, raw_ids, read, refusal, saved
from tests.running import run

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("[1, 2]\n[3, 4]\n", None, [[1, 2], [3, 4]]),
        ("[1, 2]\r\n[3, 4]", None, [[1, 2], [3, 4]]),
        ("\ufeff[1, 2]\n", None, [[1, 2]]),
        ("[1, 2]\n\n[3, 4]\n\n", None, [[1, 2], [3, 4]]),
        ('["nan", "inf", "-inf"]\n', None, [[NAN, INF, -INF]]),
        ('{"a": 1, "é": 2}\n', ("a", "é"), [[1, 2]]),
        ('{"a": 1, "b": 2}\n{"b": 3, "a": 4}\n', ("a", "b"), [[1, 2], [4, 3]]),
    ],
)
def test_read(text: str, names: tuple[str, ...] | None, values: Any) -> None:
    back = read(saved("x.jsonl", text))
    assert back.source.class_names == names
    assert_array_equal(back.values, values)


@pytest.mark.parametrize(
    ("options", "names", "ids"),
    [
        ({"id_columns": ["id"]}, ("l_a", "l_b"), [(b'"x,y"',), (b"7",)]),
        ({"id_columns": ["1"]}, ("l_a", "l_b"), [(b'"x,y"',), (b"7",)]),
        ({"columns": ["l_*"]}, ("l_a", "l_b"), []),
        ({"columns": ["l_b", "l_a"]}, ("l_b", "l_a"), []),
    ],
)
def test_columns(options: dict[str, Any], names: tuple[str, ...], ids: Ids) -> None:
    text = '{"id": "x,y", "l_a": 1, "l_b": 2}\n{"id": 7, "l_a": 3, "l_b": 4}\n'
    back = read(saved("x.jsonl", text), **options)
    assert back.source.class_names == names
    assert back.ids == ids
    order = [("l_a", "l_b").index(name) for name in names]
    assert_array_equal(back.values, np.array([[1, 2], [3, 4]])[:, order])


def test_label_column() -> None:
    text = '{"a": 1, "y": "cat"}\n{"a": 2, "y": 3}\n'
    back = read(saved("x.jsonl", text), request=ColumnRequest(labels="y"))
    assert back.labels == ["cat", "3"]
    assert_array_equal(back.values, [[1], [2]])


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[1, 2]\n[3]\n", ":2", ["list of 2 numbers"]),
        ("[1, 2]\n\n[3]\n", ":3", ["list of 2 numbers"]),
        ('[1, 2]\n{"a": 1, "b": 2}\n', ":2", ["list of 2 numbers"]),
        ('{"a": 1}\n[1]\n', ":2", ["keys of the first row, a"]),
        ('{"a": 1, "b": 2}\n{"a": 1}\n', ":2", ["no key 'b'", "with null"]),
        ('{"a": 1}\n{"a": 1, "b": 2}\n', ":2", ["a key 'b', which the first row lacks"]),
        ('{"a": 1}\n{"b": 1}\n', ":2", ["no key 'a'"]),
        ('{"a": 1, "a": 2}\n', ":1", ["the name 'a' twice", "rename or delete one"]),
        ("[1, 2]\n[3, true]\n", ":2:2", ["True is not a number", "store truth values as numbers"]),
        ('{"a": 1, "b": "x"}\n', ":1, column 'b'", ["'x' is not a number", "--id-columns b"]),
        ('{"a": "x"}\n', ":1, column 'a'", ["'x' is not a number", "give a number"]),
        ('{"a": 1, "b": "1.5"}\n', ":1, column 'b'", ["'1.5' is", "write it without quotes"]),
        ('{"a": 1, "b": 9007199254740993}\n', ":1, column 'b'", ["cannot hold 9007199254740993"]),
        ("[1, 9007199254740993]\n", ":1:2", ["float64 cannot hold 9007199254740993 exactly"]),
        ("[1, [2]]\n", ":1:2", ["is not a number"]),
        (f"[1, {'9' * 400}]\n", ":1:2", ["beyond the range"]),
        (f"[1, {'9' * 5000}]\n", ":1", ["not JSON"]),
        ("[1, 2]\n[3,\n", ":2:4", ["not JSON", "cut short"]),
        ("[1, 2]\n[3, 4] [5, 6]\n", ":2:8", ["not JSON", "each row on a line of its own"]),
        ('{\n"a": 1}\n', ":1:2", ["not JSON", "write a row on one line; --input-format json"]),
        ("[1," + "[" * 100_000 + "\n", ":1", ["not JSON", "too deep"]),
        ("5\n", ":1", ["is no row of numbers"]),
        ("[]\n", ":1", ["is empty; a row is [1, 2, 3]"]),
        ("[1]\n{}\n", ":2", ["is empty; a row is [1, 2, 3]"]),
        (b"[1]\n\xff\n", ":2", ["not UTF-8", "save it as UTF-8"]),
        ("", "", ["empty"]),
        ("\n \n", "", ["empty"]),
    ],
)
def test_refused(text: str | bytes, place: str, words: list[str]) -> None:
    line = refusal(saved("x.jsonl", text))
    assert line.startswith(f"x.jsonl{place}: "), line
    assert all(word in line for word in words), line
    assert len(line) < 300


def written(block: Block, **changes: Any) -> list[Any]:
    """Write one block, and parse every line."""
    shape = Result(
        "softmax", "probabilities", block.values.shape[-1], np.dtype(np.float64), **changes
    )
    with open_sink(shape, WriteOptions(format="jsonl", output="x")) as sink:
        sink.write(block)
    with open("x", encoding="utf-8") as stream:  # noqa: PTH123 - a stream yields its lines
        return [json.loads(line) for line in stream]


VALUES = np.array([[0.5, -INF], [NAN, 0.25]])
IDS: Ids = [(b'"x,y"',), (b"2",)]


@pytest.mark.parametrize(
    ("block", "changes", "lines"),
    [
        (Block(0, VALUES, str), {}, [[0.5, "-inf"], ["nan", 0.25]]),
        (
            Block(0, VALUES, str),
            {"class_names": ("a", 'é"')},
            [{"a": 0.5, 'é"': "-inf"}, {"a": "nan", 'é"': 0.25}],
        ),
        (
            Block(0, VALUES, str, raw_ids(IDS)),
            {"class_names": ("a", "b"), "id_names": ("id",)},
            [{"id": "x,y", "a": 0.5, "b": "-inf"}, {"id": "2", "a": "nan", "b": 0.25}],
        ),
        (
            Block(0, VALUES, str, raw_ids(IDS)),
            {"id_names": ("",)},
            [
                {"id_1": "x,y", "probabilities": [0.5, "-inf"]},
                {"id_1": "2", "probabilities": ["nan", 0.25]},
            ],
        ),
        (
            Block(0, np.array([[0.75, 0.25]]), str, classes=np.array([[2, 0]])),
            {"class_names": ("a", "b", "c")},
            [{"classes": ["c", "a"], "probabilities": [0.75, 0.25]}],
        ),
        (
            Block(3, VALUES, str),
            {"matrix": True},
            [
                {"row": 1, "i": 1, "probabilities": [0.5, "-inf"]},
                {"row": 2, "i": 0, "probabilities": ["nan", 0.25]},
            ],
        ),
    ],
)
def test_written(block: Block, changes: dict[str, Any], lines: list[Any]) -> None:
    assert written(block, **changes) == lines


def test_json_lines_longer_than_a_buffer_without_a_suffix() -> None:
    line = "[" + ",".join(["1.5"] * 6000) + "]\n"
    assert read(saved("x", line * 2)).values.shape == (2, 6000)


LONG = "long" * 5000


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.jsonl", f'{{"{LONG}": 1, "b": 2}}\n{{}}\n', {}),
        ("x.jsonl", f'{{"{LONG}": 1, "b": 2}}\n[1]\n', {}),
        ("x.jsonl", f'[1]\n["{LONG}"]\n', {}),
    ],
)
def test_an_error_about_a_line_is_short(
    name: str, data: bytes | str, options: dict[str, Any]
) -> None:
    line = refusal(saved(name, data), **options)
    assert name in line or "--columns" in line
    assert len(line) < 1000


@pytest.mark.parametrize(
    "rows",
    [
        "[0.5, -1.25e-7]\n[-0.0, 3]\n",
        '{"a": 1, "b % c": 2}\n{"a": 0, "b % c": -1e9}\n',
        '{"é\\n": 1, "\\"": 2}\n{"é\\n": 0, "\\"": 20}\n',
        '{"id": "x", "a": 1, "b": 2}\n{"id": null, "a": 2, "b": 4}\n',
        '{"id": 7, "logits": [1, 2]}\n{"id": {"k": [1]}, "logits": [3, 4]}\n',
        '{"logits": [1, 2]}\n{"logits": [3, 900]}\n',
    ],
)
@pytest.mark.parametrize("options", ["", "--log", "--id-columns 1", "--top-k 1"])
def test_many_rows_are_written_like_few(
    rows: str, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved("x.jsonl", rows)
    command = f"softmax-cli softmax x.jsonl --format jsonl {options}"
    few = run(command)
    monkeypatch.setattr(digits, "_MANY", 0)
    monkeypatch.setattr(digits, "_PART", 2)
    assert run(command) == few
