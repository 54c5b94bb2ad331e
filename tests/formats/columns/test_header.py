"""The first line of a table: a header or a row, and never dropped in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.rows import read, refusal, saved, warnings_of

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
        ("a,50%\n3,4\n", {}, "1:1", ["partly numeric", "'a'", "--header", "--no-header"]),
        ("#VALUE!,b\n3,4\n", {}, "1:2", ["partly numeric", "'b'"]),
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


# A first line that is a row, and is never lost


@pytest.mark.parametrize(
    "line",
    ["NA,NA", "NULL,NULL", r"\N,\N", "None,null", "NaN,nan", "#N/A,N/A", '"",NA', "NA,1", ",2.5"],
)
def test_missing_values_alone_are_a_row(line: str) -> None:
    back = read(saved("logits.csv", f"{line}\n1,2\n"))
    assert back.source.class_names is None
    assert len(back.values) == 2
    assert np.isnan(back.values[0]).any()
    assert back.values[1].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-nan(ind),-nan(ind)", ["'-nan(ind)' is not a number", "write nan"]),
        ("-1.#IND,1.#QNAN", ["'-1.#IND' is not a number"]),
        ("0.100D+03,0.99D+02", ["'0.100D+03' is not a number", "exponent"]),
        ('"1,234.5","2,000.5"', ["'1,234.5' is not a number", "thousands"]),
        ("50%,50%", ["'50%' is not a number", "percent"]),
        ("#VALUE!,#DIV/0!", ["'#VALUE!' is not a number", "--na-values '#VALUE!'"]),
        ("0x1p3,0x1F", ["'0x1p3' is not a number", "decimal"]),
        ("\u22121,\u22122", ["'\u22121' is not a number", "minus"]),
        ('"[1, 2]","[3, 4]"', ["'[1, 2]' is not a number", "list"]),
        ("$5,$6", ["'$5' is not a number", "currency"]),
        ('"1,5","2,5"', ["'1,5' is not a number", "decimal point"]),
    ],
)
@pytest.mark.parametrize("rows", ["1,2\n", ""])
def test_what_was_meant_as_a_number_is_no_header(line: str, words: list[str], rows: str) -> None:
    refused = refusal(saved("logits.csv", f"{line}\n{rows}"))
    assert refused.startswith("logits.csv:1:1: ")
    assert all(word in refused for word in words), refused
    assert "--id-columns" not in refused


@pytest.mark.parametrize("line", ["None,a", "NA,b", "a,[CLS]", "2020-01-01,2020-01-02", "1.2.3,x"])
def test_among_names_a_missing_value_is_one(line: str) -> None:
    back = read(saved("logits.csv", f"{line}\n1,2\n"))
    assert back.source.class_names == tuple(line.split(","))


def test_na_values_are_missing() -> None:
    name = saved("logits.csv", "?,1\n-999.0,2\n 3,--\n")
    back = read(name, na_values=["?,-999", "--"])
    assert_array_equal(back.values, [[np.nan, 1], [np.nan, 2], [3, np.nan]])
    assert "--na-values '?'" in refusal(name, header=False)


@pytest.mark.parametrize("cell", [".", "-", "--", "?", "<NA>", "n/a", "none", "NaT"])
def test_what_others_write_for_missing_is_no_header(cell: str) -> None:
    name = saved("logits.csv", f"{cell},{cell}\n1,2\n")
    assert f"logits.csv:1:1: '{cell}' is not a number; fix the cell, or --na-values" in refusal(
        name
    )
    assert np.isnan(read(name, na_values=[cell]).values[0]).all()
    assert read(saved("logits.csv", f"{cell},b\n1,2\n")).source.class_names == (cell, "b")


@pytest.mark.parametrize("line", [",2,3", ",0.5,1", "NA,2,3"])
def test_a_missing_cell_and_whole_numbers_are_a_row(line: str) -> None:
    back = read(saved("logits.csv", f"{line}\n1,2,3\n"))
    assert (back.source.class_names, len(back.values)) == (None, 2)


@pytest.mark.parametrize(
    "text", [",5,7\n0,1,2\n", ",0,1\n3,1,2\n", ",0\n0,1.5\n", ",7,8\n3,0.5,1.5\n"]
)
def test_a_cell_without_a_name_above_an_index(text: str) -> None:
    assert "--header --id-columns 1" in refusal(saved("logits.csv", text))


def test_digits_beside_a_word_are_a_row_with_a_warning() -> None:
    back = read(saved("logits.csv", "id,1,2\nx,3,4\n"), id_columns=["1"])
    assert len(back.values) == 2
    (line,) = warnings_of(back.source)
    assert "the first line reads 1,2 and was taken for a row; --header" in line


# Digits alone: the names of classes, or logits


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("0,1", "0.5,2.0\n"),
        ("0,1", "1.0,2.0\n"),
        ("0,1", "nan,-inf\n"),
        ("0,1", 'NA,"2.5"\n'),
        ("0,1", "1,2.5\n"),
        ("0,1", "1,-inf\n"),
        ("1,2", "0.1,0.2\n1,2\n"),
        ("-1,1", "0.1,0.2\n"),
        ("10,2", "0.1,0.2\n"),
        ("0", "0.5\n1\n"),
    ],
)
def test_digits_above_numbers_that_are_not_whole(line: str, rows: str) -> None:
    name = saved("logits.csv", f"{line}\n{rows}")
    refused = refusal(name)
    assert refused.startswith("logits.csv:1: ")
    assert all(word in refused for word in ("--header", "--no-header")), refused
    assert read(name, header=True).source.class_names == tuple(line.split(","))
    assert read(name, header=False).values[0].tolist() == list(map(float, line.split(",")))


@pytest.mark.parametrize(
    ("text", "rows", "is_warned"),
    [
        ("0,1\n1,2\n", 2, True),
        ("0,1\n-3,7\n5,-2\n", 3, True),
        ("0,1\n1,2\n0.5,3\n", 3, True),
        ("0,1\nNA,2\n", 2, True),
        ("0,2\n0.5,1\n", 2, False),
        ("1,2\n3,1\n", 2, False),
        ("1.0,2.0\n0.5,0.25\n", 2, False),
        ("1,1\n0.5,0.25\n", 2, False),
        ("1\n0.5\n", 2, False),
        ("0\n1\n", 2, False),
        ("0,1\n", 1, False),
    ],
)
def test_a_row_of_digits(text: str, rows: int, is_warned: bool) -> None:
    back = read(saved("logits.csv", text))
    assert back.source.class_names is None
    assert len(back.values) == rows
    warned = "logits.csv:1: the first line reads 0 to 1 and was taken for a row; --header"
    assert [line.startswith(warned) for line in warnings_of(back.source)] == [True] * is_warned


def test_a_one_hot_row_is_no_header_of_distributions() -> None:
    distributions = ColumnRequest(distributions=True)
    assert read(saved("p.csv", "1,0\n0.5,0.5\n"), request=distributions).values[0, 0] == 1
    assert "--no-header" in refusal(saved("p.csv", "0,1\n0.5,0.5\n"), request=distributions)


def test_numbering_beside_an_index() -> None:
    name = saved("logits.csv", ",0,1\n0,0.5,2\n1,3.5,4\n")
    assert "--header --id-columns 1" in refusal(name)
    line = refusal(name, id_columns=["1"])
    assert line.startswith("logits.csv:1: ")
    assert "--header" in line
    assert read(name, id_columns=["1"], header=True).source.class_names == ("0", "1")


# What a command keeps beside the numbers


def test_label_column_is_no_class() -> None:
    name = saved("logits.csv", "a,label,b\n1,cat,2\n3,é,4\n")
    back = read(name, request=ColumnRequest(labels="label"))
    assert back.source.class_names == ("a", "b")
    assert back.labels == ["cat", "é"]
    assert_array_equal(back.values, [[1, 2], [3, 4]])


def test_label_column_by_number() -> None:
    back = read(saved("logits.csv", "0,1,2\n1,3,4\n"), request=ColumnRequest(labels="1"))
    assert back.labels == ["0", "1"]
    assert_array_equal(back.values, [[1, 2], [3, 4]])


def test_every_column_passes_through() -> None:
    name = saved("logits.csv", 'id,a,b\n"x,y",1,02\n')
    back = read(name, request=ColumnRequest(every_column=True), id_columns=["id"])
    assert back.source.id_names == ("id", "a", "b")
    assert back.ids == [(b'"x,y"', b"1", b"02")]
    assert_array_equal(back.values, [[1, 2]])


@pytest.mark.parametrize(
    ("column_request", "options", "words"),
    [
        (ColumnRequest(labels="l*"), {}, ["--label-column", "'l*' is several columns"]),
        (ColumnRequest(labels="nope"), {}, ["--label-column", "'nope'"]),
        (ColumnRequest(), {"id_columns": ["1-3"]}, ["--id-columns", "no column is left"]),
        (ColumnRequest(), {"columns": ["z*"]}, ["--columns", "'z*'", "l1, l2, c"]),
    ],
)
def test_columns_refused(column_request: ColumnRequest, options: Options, words: list[str]) -> None:
    line = refusal(saved("logits.csv", "l1,l2,c\n1,2,3\n"), request=column_request, **options)
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


def test_a_header_of_decimal_commas_is_no_header() -> None:
    assert "decimal" in refusal(saved("x.csv", "1,5;2,5\n"), delimiter=";")
