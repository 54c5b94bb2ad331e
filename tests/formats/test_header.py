"""The first line of a table: a header or a row, and never dropped in silence."""

from __future__ import annotations

from typing import Any

import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.options import Keep
from tests.formats.rows import read, refusal, saved

Options = dict[str, Any]


@pytest.mark.parametrize(
    ("text", "options", "names", "values"),
    [
        ("a,b\n1,2\n", {}, ("a", "b"), [[1, 2]]),
        ("1,2\n3,4\n", {}, None, [[1, 2], [3, 4]]),
        ("nan,-inf\n3,4\n", {"header": True}, ("nan", "-inf"), [[3, 4]]),
        ("-inf,2\n3,4\n", {}, None, [[float("-inf"), 2], [3, 4]]),
        ("1,2\n3,4\n", {"header": True}, ("1", "2"), [[3, 4]]),
        ("1,2\n3,4\n", {"header": False}, None, [[1, 2], [3, 4]]),
        ("a,1\n3,4\n", {"header": True}, ("a", "1"), [[3, 4]]),
        ('"a, b", c \n1,2\n', {}, ("a, b", "c"), [[1, 2]]),
        ('"a ""b""","c\nd"\n1,2\n', {}, ('a "b"', "c\nd"), [[1, 2]]),
        ('"1","2"\n3,4\n', {}, None, [[1, 2], [3, 4]]),
        ("a,a\n1,2\n", {}, ("a", "a"), [[1, 2]]),
        ("a,b\n", {}, ("a", "b"), []),
        # Only the columns of classes are judged.
        ("id,1,2\nx,3,4\n", {"id_columns": ["1"]}, None, [[1, 2], [3, 4]]),
        ("x,1,2\ny,3,4\n", {"id_columns": ["1"]}, None, [[1, 2], [3, 4]]),
        ("7,a,b\n8,3,4\n", {"id_columns": ["1"]}, ("a", "b"), [[3, 4]]),
        ("x,1,2\ny,3,4\n", {"columns": ["2-3"]}, None, [[1, 2], [3, 4]]),
        # A column asked for by name makes the first line a header.
        ("id,1,2\nx,3,4\n", {"id_columns": ["id"]}, ("1", "2"), [[3, 4]]),
    ],
)
def test_found(text: str, options: Options, names: tuple[str, ...] | None, values: Any) -> None:
    back = read(saved("logits.csv", text), **options)
    assert back.source.class_names == names
    assert back.values.tolist() == [list(map(float, row)) for row in values]


@pytest.mark.parametrize(
    ("text", "options", "place", "words"),
    [
        ("a,1\n3,4\n", {}, "1:1", ["partly numeric", "'a'", "--header", "--id-columns 1"]),
        ("1,b\n3,4\n", {}, "1:2", ["partly numeric", "'b'", "--no-header", "--id-columns 2"]),
        ("1,,3\n3,4,5\n", {}, "1:2", ["partly numeric", "an empty cell", "--header"]),
        ("x,1,b\ny,3,4\n", {"id_columns": ["1"]}, "1:3", ["'b'", "--id-columns 3"]),
        (",a,b\n0,1,2\n", {}, "1:1", ["without a name", "--id-columns 1"]),
        ("a,,b\n0,1,2\n", {}, "1:2", ["without a name", "--id-columns 2"]),
        ('a,"",b\n0,1,2\n', {}, "1:2", ["without a name", "--id-columns 2"]),
        (",0,1\n0,1,2\n", {"header": True}, "1:1", ["without a name", "--id-columns 1"]),
        ("a,b\n1,2\n", {"header": False}, "1:1", ["'a' is not a number"]),
        ("a,b\nc,d\n", {}, "2:1", ["'c' is not a number", "--id-columns a"]),
        ("a b,c\nd,1\n", {}, "2:1", ["'d' is not a number", "--id-columns 1"]),
    ],
)
def test_refused(text: str, options: Options, place: str, words: list[str]) -> None:
    line = refusal(saved("logits.csv", text), **options)
    assert line.startswith(f"logits.csv:{place}: ")
    assert all(word in line for word in words), line


# What a data frame leaves behind: 0,1,...,N-1 above the rows


@pytest.mark.parametrize(
    "rows", ["0.5,2\n", "1,2.0\n", "1,2\n3,4\n5,6e1\n", "1,-inf\n", "nan,1\n", '1,"2.5"\n']
)
def test_numbering_above_rows_that_are_not_whole(rows: str) -> None:
    name = saved("logits.csv", "0,1\n" + rows)
    line = refusal(name)
    assert line.startswith("logits.csv:1: ")
    assert all(word in line for word in ("0 to 1", "--header", "--no-header"))
    assert f"line {1 + rows.count(chr(10))}" in line
    assert read(name, header=True).source.class_names == ("0", "1")
    assert read(name, header=False).values[0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0,1\n1,2\n", 2),
        ("0,1\n-3,+4\n", 2),
        ("0,2\n0.5,1\n", 2),
        ("1,2\n0.5,1\n", 2),
        ("0,1\n", 1),
    ],
)
def test_not_a_numbering(text: str, rows: int) -> None:
    back = read(saved("logits.csv", text))
    assert back.source.class_names is None
    assert len(back.values) == rows


def test_numbering_beside_an_index() -> None:
    name = saved("logits.csv", ",0,1\n0,0.5,2\n1,3.5,4\n")
    assert "--id-columns 1" in refusal(name)
    line = refusal(name, id_columns=["1"])
    assert line.startswith("logits.csv:1: ")
    assert "--header" in line


# What a command keeps beside the numbers


def test_label_column_is_no_class() -> None:
    name = saved("logits.csv", "a,label,b\n1,cat,2\n3,é,4\n")
    back = read(name, keep=Keep(labels="label"))
    assert back.source.class_names == ("a", "b")
    assert back.labels == ["cat", "é"]
    assert_array_equal(back.values, [[1, 2], [3, 4]])


def test_label_column_by_number() -> None:
    back = read(saved("logits.csv", "0,1,2\n1,3,4\n"), keep=Keep(labels="1"))
    assert back.labels == ["0", "1"]
    assert_array_equal(back.values, [[1, 2], [3, 4]])


def test_every_column_passes_through() -> None:
    name = saved("logits.csv", 'id,a,b\n"x,y",1,02\n')
    back = read(name, keep=Keep(every_column=True), id_columns=["id"])
    assert back.source.id_names == ("id", "a", "b")
    assert back.ids == [(b'"x,y"', b"1", b"02")]
    assert_array_equal(back.values, [[1, 2]])


@pytest.mark.parametrize(
    ("keep", "options", "words"),
    [
        (Keep(labels="l*"), {}, ["--label-column", "'l*' is 2 columns"]),
        (Keep(labels="nope"), {}, ["--label-column", "'nope'"]),
        (Keep(), {"id_columns": ["1-3"]}, ["--id-columns", "no column is left"]),
        (Keep(), {"columns": ["z*"]}, ["--columns", "'z*'", "l1, l2, c"]),
    ],
)
def test_columns_refused(keep: Keep, options: Options, words: list[str]) -> None:
    line = refusal(saved("logits.csv", "l1,l2,c\n1,2,3\n"), keep=keep, **options)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("options", "names", "values"),
    [
        ({"columns": ["logit_*"]}, ("logit_a", "logit_b"), [[1, 2]]),
        ({"columns": ["2-3"]}, ("logit_a", "logit_b"), [[1, 2]]),
        ({"columns": ["logit_b", "logit_a"]}, ("logit_b", "logit_a"), [[2, 1]]),
        ({"columns": ["3", "2"]}, ("logit_b", "logit_a"), [[2, 1]]),
        ({"id_columns": ["id", "4"]}, ("logit_a", "logit_b"), [[1, 2]]),
    ],
)
def test_columns_chosen(options: Options, names: tuple[str, ...], values: Any) -> None:
    back = read(saved("logits.csv", "id,logit_a,logit_b,note\nx,1,2,y\n"), **options)
    assert back.source.class_names == names
    assert_array_equal(back.values, values)
