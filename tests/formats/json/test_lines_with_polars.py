"""Many JSON lines at once: the same rows and errors as line by line, whatever the chunks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.columns import line_table
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.json import polars_lines
from softmax_cli.formats.json.polars_lines import read_with_polars
from softmax_cli.formats.json.table import JsonTable
from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.conftest import folder
from tests.formats.rows import examples, read, same_bits, saved

__all__ = ["folder"]

LISTS = Layout(2, [0, 1], [], None, None)
OBJECTS = Layout(2, [0, 1], [], None, ["a", "b"])

cells = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(10**20), 10**20).map(str)
    | st.sampled_from(['"inf"', '"-inf"', '"nan"', '"x"', "null", "true", "[1]", "1e999", "NaN"])
    | st.sampled_from(
        ["+1", ".5", "1.", "01", "1e-999", "-0", "5e-324", '"a": 1', "", "1, 2", " 3 "]
    )
)


def outcome(path: str, request: ColumnRequest, **options: Any) -> Any:
    try:
        rows = read(path, request=request, **options)
    except SoftmaxCliError as error:
        return str(error)
    return rows.values.tobytes(), rows.places, rows.ids, rows.labels


def agrees_with_line_by_line(
    text: str, size: int, request: ColumnRequest = ColumnRequest(), **options: Any
) -> None:
    saved("x.jsonl", text)
    expected = outcome("x.jsonl", request, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_table, "_CHUNK_BYTES", size)
        patch.setattr(line_table, "_LITTLE_TEXT", 0)
        assert outcome("x.jsonl", request, **options) == expected


sizes = st.sampled_from([1, 5, 40])
ends = st.sampled_from(["\n", "\r\n", "\n\n", ""])


@examples
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6), sizes, ends)
def test_lists(rows: list[tuple[str, str]], size: int, end: str) -> None:
    agrees_with_line_by_line("\n".join(f"[{a}, {b}]" for a, b in rows) + end, size)


@examples
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6), sizes, ends, st.data())
def test_objects(rows: list[tuple[str, str]], size: int, end: str, data: st.DataObject) -> None:
    names = st.sampled_from([("a", "b")] * 3 + [("b", "a"), ("a", "a"), ("a", "c")])
    lines: list[str] = []
    for first, second in rows:
        one, two = data.draw(names) if lines else ("a", "b")
        lines.append(f'{{"{one}": {first}, "{two}": {second}}}')
    agrees_with_line_by_line("\n".join(lines) + end, size)


texts = ['"d1"', '"é"', '"id"', '"5"', '"[1,2]"', r'"\n"', r'"\u00e9"', '"a\tb"', '"", "id": ""']
wholes = ["7", "-0", "07", "1.5", "1e3", "2.0", "9" * 20, "true", "null", "[1]", "{}", "1e999"]
others = st.sampled_from([*texts, *wholes, '"x", "id": "y"', ""])
lists = st.lists(cells, min_size=1, max_size=2).map(", ".join)


@examples
@given(st.data(), sizes, ends, st.booleans())
def test_records_with_ids_and_labels(
    data: st.DataObject, size: int, end: str, is_list: bool
) -> None:
    plain = st.sampled_from(['"d1"', "7"])
    lines: list[str] = []
    kinds = [plain, plain, others] if data.draw(st.booleans()) else [plain]
    for _ in range(data.draw(st.integers(1, 5))):
        one, two = data.draw(st.tuples(st.one_of(kinds), st.one_of(kinds)))
        values = data.draw(st.sampled_from(["1.5, 2", "3, -4e2"]) | lists)
        if not is_list:
            values = data.draw(cells)
        members = [f'"id": {one}', f'"y" : {two}', f'"a": {f"[{values}]" if is_list else values}']
        lines.append(f"{{{', '.join(data.draw(st.permutations(members)))}}}")
    request = ColumnRequest(labels="y")
    agrees_with_line_by_line("\n".join(lines) + end, size, request, id_columns=["id"])
    agrees_with_line_by_line("\n".join(lines) + end, size, request, columns=["a"])


def test_records_are_read_at_once() -> None:
    layout = Layout(3, [1], [0], 2, ["id", "logits", "y"], entries=2)
    text = '{"id": "d1", "logits": [1, 2], "y": 0}\n{"y": 7, "logits": [3, 4], "id": "é"}\n'
    found = read_with_polars(text.encode(), 2, layout)
    assert found is not None
    assert (found[0].tolist(), found[1]) == ([[1, 2], [3, 4]], {0: ["d1", "é"], 2: [0, 7]})


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_numbers_are_read_bit_for_bit(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polars_lines, "_NUMBERS_AT_ONCE", at_once)
    values = np.array([[0.1, -2.5e-308], [5e-324, 1.7976931348623157e308], [-0.0, 1e23]])
    lists = "".join(f"{json.dumps(row)}\n" for row in values.tolist()).encode()
    found = read_with_polars(lists, 3, LISTS)
    assert found is not None
    assert same_bits(found[0], values)
    objects = "".join(f"{json.dumps({'a': a, 'b': b})}\n" for a, b in values.tolist()).encode()
    found = read_with_polars(objects, 3, OBJECTS)
    assert found is not None
    assert same_bits(found[0], values)


@pytest.mark.parametrize(
    "line",
    [
        *("[1]", "[1,2,3]", "[1,null]", '[1,"inf"]', "[1,[2]]", "[]", "[1,2] [3,4]", "[1,1e999]"),
        *("[1,true]", "[false,1]", "[1,2]]", "null", "1", "[1,+2]", "[1,.5]", "[01,2]", "[1,2]\1"),
    ],
)
def test_lists_that_are_not_just_numbers(line: str) -> None:
    assert read_with_polars(f"[1,2]\n{line}\n".encode(), 2, LISTS) is None


@pytest.mark.parametrize(
    "line",
    [
        '{"a":1}',
        '{"a":1,"b":2,"c":3}',
        '{"a":1,"a":2}',
        '{"a":1,"c":2}',
        '{"a":1,"b":null}',
        '{"a":1,"b":"2"}',
        "[1,2]",
    ],
)
def test_objects_that_are_not_just_numbers(line: str) -> None:
    assert read_with_polars(f'{{"a":1,"b":2}}\n{line}\n'.encode(), 2, OBJECTS) is None


def test_a_large_file_is_read_by_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(60_000, 4))
    saved("x.jsonl", "".join(f"{json.dumps(row)}\n" for row in values.tolist()))
    monkeypatch.setattr(JsonTable, "parse_records", None)
    back = read("x.jsonl")
    assert same_bits(back.values, values)
    assert back.places[-1] == "x.jsonl:60000"


@pytest.mark.parametrize("line", ["[1.5, 2]", '{"a": 1.5, "b": 2}'])
def test_cells_that_also_pass_through_are_not_lost(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_table, "_LITTLE_TEXT", 0)
    back = read(saved("x.jsonl", f"{line}\n" * 2), request=ColumnRequest(every_column=True))
    assert back.ids == [(b"1.5", b"2")] * 2
    assert back.values.tolist() == [[1.5, 2]] * 2
