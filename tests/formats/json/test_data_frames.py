"""Data frames by columns, by rows, split, and with a schema."""

from __future__ import annotations

from typing import Any

import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.rows import read, refusal, saved

SPLIT = '{"columns": ["a", "b"], "index": %s, "data": [[1, 2], [3, 4]]}'
TABLE = (
    '{"schema": {"fields": [], "primaryKey": ["index"]}, '
    '"data": [{"index": 0, "a": 1, "b": 2}, {"index": 1, "a": 3, "b": 4}]}'
)
INDEX = "the column 'index' is the index of a data frame; --id-columns index passes it through"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('{"a": {"0": 1, "1": 3}, "b": {"0": 2, "1": 4}}', None),
        ('{"0": {"a": 1, "b": 2}, "1": {"b": 4, "a": 3}}', None),
        (SPLIT % "[0, 1]", None),
        ('{"a": {"5": 1, "7": 3}, "b": {"5": 2, "7": 4}}', ["5", "7"]),
        ('{"5": {"a": 1, "b": 2}, "7": {"a": 3, "b": 4}}', ["5", "7"]),
        (SPLIT % '["x", "y"]', ["x", "y"]),
        (TABLE, ["0", "1"]),
    ],
)
def test_rows(text: str, ids: list[str] | None) -> None:
    options: dict[str, Any] = {}
    if ids is not None:
        assert refusal(saved("x.json", text)) == f"x.json: {INDEX}"
        options = {"id_columns": ["index"]}
    back = read(saved("x.json", text), **options)
    assert_array_equal(back.values, [[1, 2], [3, 4]])
    assert back.source.class_names == ("a", "b")
    assert [cell.decode() for row in back.ids for cell in row] == (ids or [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"0": {"0": 1}}', "is a data frame, but its keys do not say whether by columns"),
        ('{"a": {"x": 1}}', "is a data frame, but its keys do not say whether by columns"),
        (SPLIT % "[0]", "has 2 rows and an index of 1; every row needs an index entry"),
        (SPLIT.replace("4]", "4, 5]") % "[0, 1]", "data[1]: is not a list of 2 entries; every row"),
        (SPLIT.replace('"b"', '"a"') % "[0, 1]", "two columns have the same name; rename one"),
        ('{"columns": ["a"], "index": [], "data": []}', "holds no rows; give at least one"),
        (
            '{"a": [1, 2], "b": [3, 4]}',
            "has no array with a known name; --key or FILE[KEY] chooses",
        ),
        (
            '{"a": [1, 2], "b": [3]}',
            "has no array with a known name; --key or FILE[KEY] chooses one of a, b",
        ),
    ],
)
def test_refused(text: str, line: str) -> None:
    assert refusal(saved("x.json", text)).startswith(f"x.json: {line}")


def test_an_object_of_columns_is_a_table_if_an_option_says_so() -> None:
    labels = ColumnRequest(labels="y")
    back = read(saved("x.json", '{"a": [1, 3], "y": ["c", 0], "b": [2, 4]}'), request=labels)
    assert (back.values.tolist(), back.labels) == ([[1, 2], [3, 4]], ["c", "0"])
    back = read(saved("x.json", '{"logits": [[1, 2], [3, 4]], "y": [1, 0]}'), request=labels)
    assert (back.values.tolist(), back.labels) == ([[1, 2], [3, 4]], ["1", "0"])
    line = refusal(saved("x.json", '{"logits": [[1, 2], [3, 4]], "y": [1]}'), request=labels)
    assert line.startswith("--label-column: x.json is an object whose arrays do not have one len")
    assert line.endswith("; --labels 'x.json[y]' reads that array")
    line = refusal("x.json", columns=["logits"])
    assert line.startswith("--columns: there are no columns in arrays of JSON; leave it out, or wr")
