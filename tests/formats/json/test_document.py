"""JSON: nested lists, the program's own objects, and what is neither."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.text.json_values import json_report
from tests.formats.rows import Ids, raw_ids, read, refusal, saved, write

INF, NAN = np.inf, np.nan
# From Python 3.13 on, the place is that of the comma itself, not of what follows it.
COMMA = 8 if sys.version_info >= (3, 13) else 9


@pytest.mark.parametrize(
    ("text", "values", "leading"),
    [
        ("[1, 2]", [[1, 2]], ()),
        ("[[1, 2]]", [[1, 2]], (1,)),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]], (2,)),
        ("[[[1], [2]], [[3], [4]]]", [[1], [2], [3], [4]], (2, 2)),
        ("\ufeff \n[[1,\n2]]\n", [[1, 2]], (1,)),
        ('[1, "nan", "inf", "-inf"]', [[1, NAN, INF, -INF]], ()),
        ("[-0.0, 1e-400, 1e308, 1152921504606846976]", [[-0.0, 0, 1e308, 1152921504606846976]], ()),
        ("[" * 12 + "1, 2" + "]" * 12, [[1, 2]], (1,) * 11),
        ('{"logits": [[1, 2]]}', [[1, 2]], (1,)),
        ('{"probabilities": [1, 2], "rows": 1}', [[1, 2]], ()),
        ('{"note": "x", "log_probabilities": [[1], [2]]}', [[1], [2]], (2,)),
        ('{"scores": [[1, 2]]}', [[1, 2]], (1,)),
        ('{"jacobian": [[[1, 2], [3, 4]]]}', [[1, 2], [3, 4]], (1, 2)),
    ],
)
def test_read(text: str, values: Any, leading: tuple[int, ...]) -> None:
    back = read(saved("x.json", text))
    assert_array_equal(back.values, values)
    assert back.source.leading == leading
    assert back.source.class_names is None


def test_key_and_class_names() -> None:
    name = saved("x.json", '{"class_names": ["é", "b"], "logits": [1, 2], "other": [3, 4]}')
    assert_array_equal(read(name).values, [[1, 2]])
    back = read(name, key="other")
    assert_array_equal(back.values, [[3, 4]])
    assert back.source.class_names == ("é", "b")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[[1, 2], [3]]", ": [1]", ["a row of 1 entries", "has 2"]),
        ("[[1, 2], [3, 4, 5]]", ": [1]", ["a row of 3 entries"]),
        ("[[[1], [2]], [[3]]]", ": [1]", ["a row of 1 entries"]),
        ("[[[1]], [[2, 3]]]", ": [1][0]", ["a row of 2 entries"]),
        ("[[1, 2], 3]", ": [1]", ["a number "]),
        ("[1, [2]]", ": [1]", ["a list "]),
        ("[[1, 2], [3, [4]]]", ": [1][1]", ["a list "]),
        ("[[1, 2], {}]", ": [1]", ["lists"]),
        ("[[1, true]]", ": [0][1]", ["True is not a number", "store truth values as numbers"]),
        ('[[1, "2"]]', ": [0][1]", ["'2' is not a number", "without quotes"]),
        ('[[1, "50%"]]', ": [0][1]", ["'50%' is not a number", "percent sign"]),
        ("[1, 9007199254740993]", ": [1]", ["float64 cannot hold 9007199254740993 exactly"]),
        ('[[1, {"a": 1}]]', ": [0][1]", ["is not a number"]),
        (f"[[1, {'9' * 400}]]", ": [0][1]", ["beyond the range"]),
        (f"[[1, {'9' * 5000}]]", "", ["not JSON"]),
        ("[1, 2", ":1:6", ["not JSON"]),
        ("[[1, 2],\n [3, x]]", ":2:6", ["not JSON", "lists are written [1, 2]"]),
        ("[[1, 2],\n [3, 4],]", f":2:{COMMA}", ["not JSON", "delete the comma"]),
        ("[1, // two\n 2]", ":1:5", ["not JSON", "JSON has no comments"]),
        ("[1, 2] [3, 4]", ":1:8", ["not JSON"]),
        ("", "", ["is empty; give rows of numbers"]),
        ("\n \n", "", ["is empty; give rows of numbers"]),
        ("[" * 100_000, "", ["not JSON", "too deep"]),
        ("[" * 65 + "1" + "]" * 65, "", ["too deep"]),
        ("5", "", ["shape ()"]),
        ('"x"', "", ["'x' is not a number"]),
        ("[]", "", ["holds no rows; give at least one"]),
        ("[[]]", "", ["a row needs a number"]),
        (
            '{"a": [1, 2], "b": 3}',
            "",
            ["no array with a known name", "--key or FILE[KEY] chooses one of a"],
        ),
        ("{}", "", ["no array"]),
        (b"[1, \xff]", "", ["UTF-8"]),
        ("[1, 2]".encode("utf-16"), "", ["UTF-8"]),
    ],
)
def test_refused(text: str | bytes, place: str, words: list[str]) -> None:
    line = refusal(saved("x.json", text))
    assert line.startswith(f"x.json{place}: "), line
    assert all(word in line for word in words), line
    assert len(line) < 300


def test_key_that_is_not_there() -> None:
    line = refusal(saved("x.json", '{"logits": [1]}'), key="z")
    assert "no array 'z'" in line
    assert "it has logits" in line


# The objects of the program


def result(**changes: Any) -> Result:
    fixed: dict[str, Any] = {
        "command": "softmax",
        "name": "probabilities",
        "columns": 2,
        "dtype": np.dtype(np.float64),
        "facts": {"temperature": 2.0, "log": False},
    }
    return Result(**{**fixed, **changes})


def written(shape: Result, *blocks: Block) -> Any:
    """Write the blocks, and parse the document strictly."""
    with open_sink(shape, WriteOptions(output="x.json")) as sink:
        for block in blocks:
            sink.write(block)

    with open("x.json", encoding="utf-8") as stream:  # noqa: PTH123 - json.load takes a stream
        return json.load(stream, parse_constant=pytest.fail)


def test_object() -> None:
    blocks = [Block(0, np.array([[0.5, NAN]]), str), Block(1, np.array([[INF, -INF]]), str)]
    assert written(result(class_names=("a", 'é"')), *blocks) == {
        "command": "softmax",
        "temperature": 2.0,
        "log": False,
        "class_names": ["a", 'é"'],
        "probabilities": [[0.5, "nan"], ["inf", "-inf"]],
        "rows": 2,
    }
    assert_array_equal(read("x.json").values, [[0.5, NAN], [INF, -INF]])


def test_object_of_matrices() -> None:
    shape = result(name="jacobian", matrix=True)
    values = np.arange(12.0).reshape(6, 2)
    document = written(shape, *(Block(n, values[n : n + 3], str) for n in (0, 3)))
    assert document["jacobian"] == values.reshape(3, 2, 2).tolist()
    assert document["rows"] == 3
    assert read("x.json").source.leading == (3, 2)


def test_object_with_ids_and_likeliest_classes() -> None:
    ids: Ids = [(b'"a ""b"""', b"\xff")]
    block = Block(0, np.array([[0.75, 0.25]]), str, raw_ids(ids), classes=np.array([[2, 0]]))
    document = written(result(class_names=("x", "y", "z")), block)
    assert document["ids"] == [['a "b"', "\ufffd"]]
    assert document["top_classes"] == [["z", "x"]]
    assert written(result(), block)["top_classes"] == [[2, 0]]


def test_no_rows() -> None:
    document = written(result())
    assert document["probabilities"] == []
    assert document["rows"] == 0


def test_a_row_is_a_line() -> None:
    path = write("x.json", np.array([[0.1, 0.2], [3.0, 4.0]]))
    assert path.read_text().splitlines()[1:3] == ["[0.1, 0.2],", "[3.0, 4.0]"]


def test_report_is_strict() -> None:
    report = {"loss": INF, "worst": [{"loss": -INF, "row": 1}, (NAN, True, None, "é")]}
    assert json.loads(json_report(report), parse_constant=pytest.fail) == {
        "loss": "inf",
        "worst": [{"loss": "-inf", "row": 1}, ["nan", True, None, "é"]],
    }


def test_json_without_rows_there_and_back() -> None:
    back = read(write("x.json", np.empty((0, 3)), names=("a", "b", "c")))
    assert back.values.shape == (0, 3)
    assert Path("x.json").exists()
