"""Records: objects whose keys are columns, one per line or in an array."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.rows import piped, read, refusal, saved, warnings_of

NAN = np.nan
LISTS: list[dict[str, Any]] = [
    {"id": "d1", "logits": [1, 2.5, "-inf"], "label": 2},
    {"label": 0, "id": 7, "logits": None},
    {"id": None, "logits": [3, "NA", 1], "label": "cat"},
]
NUMBERS: list[dict[str, Any]] = [{"a": 1, "b": 2, "c": 3}, {"c": 6, "a": 4, "b": None}]


def as_lines(records: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


# How records are written, and the names of files that may hold them so.
WRITTEN = [
    pytest.param(lambda records: as_lines(records), "x.jsonl", id="lines"),
    pytest.param(lambda records: as_lines(records), "x.json", id="lines in .json"),
    pytest.param(lambda records: f"\ufeff{as_lines(records)}", "x.ndjson", id="BOM"),
    pytest.param(lambda records: as_lines(records).replace("\n", "\r\n\r\n"), "x", id="CRLF"),
    pytest.param(json.dumps, "x.json", id="array"),
    pytest.param(json.dumps, "x.jsonl", id="array in .jsonl"),
    pytest.param(lambda records: json.dumps(records, indent=1), "x.json", id="indented"),
    pytest.param(lambda records: json.dumps(records, indent=1), "x.jsonl", id="indented .jsonl"),
]


@pytest.mark.parametrize(("text", "name"), WRITTEN)
def test_lists_beside_ids_and_labels(text: Any, name: str) -> None:
    request = ColumnRequest(labels="label")
    data = text(LISTS)
    for back in (read(saved(name, data), request=request, id_columns=["id"]),):
        assert_array_equal(back.values, [[1, 2.5, -np.inf], [NAN] * 3, [3, NAN, 1]])
        assert back.labels == ["2", "0", "cat"]
        assert back.source.id_names == ("id",)
        assert back.source.class_names is None
        assert back.source.classes == 3
    assert_array_equal(read(name, columns=["logits"]).values, back.values)
    assert_array_equal(piped(data.encode(), columns=["logits"]).values, back.values)


@pytest.mark.parametrize(("text", "name"), WRITTEN)
def test_columns_of_numbers(text: Any, name: str) -> None:
    back = read(saved(name, text(NUMBERS)))
    assert back.source.class_names == ("a", "b", "c")
    assert_array_equal(back.values, [[1, 2, 3], [4, NAN, 6]])
    back = read(name, columns=["c,1-2"], id_columns=["a"], request=ColumnRequest(labels="a"))
    assert back.source.class_names == ("c", "b")
    assert_array_equal(back.values, [[3, 2], [6, NAN]])
    assert back.labels == ["1", "4"]


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_a_list_alone_needs_no_name(suffix: str) -> None:
    name = saved(f"x.{suffix}", '{"logits": null}\n\n{"logits": [1, 2]}\n')
    assert_array_equal(read(name).values, [[NAN, NAN], [1, 2]])


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_columns_beside_the_lists_are_left_out_with_a_warning(suffix: str) -> None:
    beside = '"label": 2, "tags": ["a"], "more": {"n": 1}, "weight": 0.5, "ok": true'
    text = f'{{"logits": null, {beside}}}\n{{"logits": [1, 2], {beside}}}\n'
    back = read(saved(f"x.{suffix}", text))
    assert_array_equal(back.values, [[NAN, NAN], [1, 2]])
    for source in (back.source, read(f"x.{suffix}", f"x.{suffix}").source):
        (line,) = warnings_of(source)
    assert line.endswith("; --id-columns label,tags,more,weight,ok passes them through")


def test_truth_values_are_0_and_1_as_get_dummies_writes_them() -> None:
    name = saved("x.json", '[{"a": true, "b": false}, {"a": false, "b": true}]')
    assert_array_equal(read(name).values, [[1, 0], [0, 1]])
    for text in ('{"y": [true, false]}\n{"y": [false, true]}\n', "[true, false]\n[false, true]"):
        assert_array_equal(read(saved("x.jsonl", text)).values, [[1, 0], [0, 1]])
    assert_array_equal(read(saved("x.json", "[[true, false]]")).values, [[1, 0]])


def test_python_writes_nan_and_infinity_bare() -> None:
    for name in ("x.jsonl", "x.json"):
        text = '{"a": NaN, "b": -Infinity}\n{"a": Infinity, "b": 1}\n'
        assert_array_equal(read(saved(name, text)).values, [[NAN, -np.inf], [np.inf, 1]])


def test_one_record_in_a_document() -> None:
    name = saved("x.json", '{"logits": [1, 2], "label": 1}')
    back = read(name, request=ColumnRequest(labels="label"))
    assert (back.values.tolist(), back.labels) == ([[1, 2]], ["1"])


def test_columns_that_look_like_none_are_named() -> None:
    for name, text in (("x.jsonl", '{"row_id": 1, "a": 2}'), ("x.json", '[{"row_id": 1, "a": 2}]')):
        line = warnings_of(read(saved(name, text)).source)[0]
        assert line.startswith(f"{name}: the column 'row_id' is taken for a class and looks like")


BESIDE = '{"logits": [1, 2], "score": 1.5, "bia": 0.5, "label": 3}'


@pytest.mark.parametrize(
    ("text", "options", "line"),
    [
        (
            BESIDE,
            {},
            ":1: the column 'logits' holds lists, but the columns 'score' and 'bia' are left over; "
            "--id-columns score,bia passes them through, --columns logits leaves them out",
        ),
        (BESIDE, {"columns": ["logit"]}, "--columns: no column named 'logit'; did you mean"),
        (
            BESIDE,
            {"columns": ["logits,label"]},
            ":1: the column 'logits' holds lists, but the column 'label' is left over",
        ),
        (BESIDE, {"key": "logits"}, "--key: jsonl has no named arrays; --columns logits choo"),
        (BESIDE, {"header": True}, "--header: there is no header line in jsonl; leave it out"),
        (BESIDE, {"delimiter": ";"}, "--delimiter: there is no delimiter in jsonl; leave it out"),
        ('{"a": [1], "b": [2]}', {}, ":1: the columns 'a' and 'b' hold lists; name one of them w"),
        ('{"a": []}', {}, ":1, column 'a': an empty list; a row needs a number"),
        (
            '{"a": [1]}\n{"a": [1, 2]}',
            {},
            ":2, column 'a': a list of 2 numbers, and the first has 1; all rows need the same",
        ),
        ('{"": 1, "b": 2}', {}, ":1: a column without a name looks like the index of a data frame"),
        ('{"a": 1, "b": 2},\n', {}, ":1:17: is not JSON: Extra data; delete the comma at the en"),
        (
            '{"a": 1, "b": 2}\n{"a": 1, "b": "c"}',
            {},
            ":2, column 'b': 'c' is not a number; fix the cell, or --na-values c reads it as ",
        ),
        ('{"a": [1]}\n{"a": 5}', {}, ":2, column 'a': 5 is not a list of numbers like the first;"),
        ('{"a": [1, "x"]}', {}, ":1, class 1: 'x' is not a number; give a number"),
        ('{"a": [1, [2]]}', {}, ":1, class 1: [2] is not a number; rows are lists of numbers"),
        ('{"a": ["x"]}', {}, ":1: the column 'a' holds a list of texts; give numbers"),
        ('{"a": ["1"], "b": 1}', {}, ":1: the column 'a' holds a list of texts; write numbers wit"),
        (
            '{"a": [{"b": 1}], "c": 1}',
            {"columns": ["a"]},
            ":1: the column 'a' holds a list of objects; write its numbers as keys of the record",
        ),
        ('{"a": [[1], [2]]}', {}, ":1: the column 'a' holds a list of lists; a record is one row"),
        ('{"a": {"b": 1}}', {}, ":1: the column 'a' holds an object; write its numbers as keys of"),
        (
            '{"a": [{"b": 1}], "c": 1}',
            {},
            ":1: the column 'a' holds a list of objects; write its numbers as keys of the record, "
            "or --id-columns a passes it through",
        ),
        (
            '{"a": 1.5, "b": true}\n{"a": true, "b": true}',
            {},
            ":2, column 'a': True is not a number; store truth values as numbers, 0 and 1",
        ),
        (
            '{"a": 1.5, "b": true}\n{"a": 1, "b": 1}',
            {},
            ":2, column 'b': 1 is not a truth value like the first; store truth values as",
        ),
        ('{"a": "[1, 2]"}', {}, ":1, column 'a': '[1, 2]' is not a number; write it without quot"),
        ("[1, 2]", {"columns": ["a"]}, "--columns: no column named 'a': rows that are lists have"),
        ("[1, 2]\n[1, true]", {}, ":2:2: True is not a number; store truth values as numbers"),
    ],
)
def test_refused(text: str, options: dict[str, Any], line: str) -> None:
    found = refusal(saved("x.jsonl", text), **options)
    assert found.startswith(line if line.startswith("--") else f"x.jsonl{line}"), found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"a": 1}, {"a": "x"}]', "x.json: [1], column 'a': 'x' is not a number; give a number"),
        ('[{"a": 1}, {}]', "x.json: [1]: is empty; a row is [1, 2, 3] or {"),
        ('[{"a": 1}, 5]', "x.json: [1]: is no row of numbers; a row is [1, 2, 3] or {"),
        ('[{"a": 1}, {"b": 1}]', "x.json: [1]: has no key 'a', which the first row has; every ro"),
        ('[[1], {"a": 1}]', "x.json: [1]: an object among lists; rows are lists of numbers"),
        ("[{}]", "x.json: [0]: is empty"),
    ],
)
def test_refused_in_an_array(text: str, line: str) -> None:
    assert refusal(saved("x.json", text)).startswith(line)
