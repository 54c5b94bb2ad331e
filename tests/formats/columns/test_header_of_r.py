"""The header of R's write.table, which is one cell shorter than the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softmax_cli.formats.model.options import ColumnRequest
from tests.formats.rows import read, refusal, saved, warnings_of


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.txt", '"a" "b"\n"Mazda RX4" 1 2\n"2" 3 NA\n'),
        ("x.txt", "a b\nMazdaRX4 1 2\n2 3 NA\n"),
        ("x.csv", '"a","b"\n"Mazda RX4",1,2\n"2",3,NA\n'),
        ("x.csv", '"a";"b"\n"Mazda RX4";1;2\n"2";3;NA\n'),
        ("x.tsv", "a\tb\nMazda RX4\t1\t2\n2\t3\tNA\n"),
        ("x", '"a" "b"\n"Mazda RX4" 1 2\n"2" 3 NA\n'),
        ("x", '"a","b"\n"Mazda RX4",1,2\n"2",3,NA\n'),
        ("x.csv", '"1","2"\n"Mazda RX4",1,2\n"2",3,NA\n'),
    ],
)
def test_a_header_without_a_name_for_the_row_names(name: str, text: str) -> None:
    back = read(saved(name, text), header=True if '"1"' in text else None)
    assert back.source.class_names in (("a", "b"), ("1", "2"))
    assert back.source.id_names == ("",)
    np.testing.assert_array_equal(back.values, [[1, 2], [3, np.nan]])
    assert [cells[0].replace(b" ", b"").strip(b'"') for cells in back.ids] == [b"MazdaRX4", b"2"]
    assert back.places == [f"{name}:2", f"{name}:3"]


def test_row_names_go_with_other_id_columns() -> None:
    path = saved("x.txt", '"a" "b" "id"\n"1" 1 2 7\n"2" 3 4 8\n')
    back = read(path, id_columns=["id"])
    assert (back.source.class_names, back.source.id_names) == (("a", "b"), ("", "id"))
    assert back.ids == [(b'"1"', b"7"), (b'"2"', b"8")]
    assert read(path, columns=["b"]).values.tolist() == [[2], [4]]
    labelled = read(path, request=ColumnRequest(labels="id"))
    assert (labelled.values.tolist(), labelled.labels) == ([[1, 2], [3, 4]], ["7", "8"])
    assert read(path, id_columns=["id"], columns=["2-3"]).source.class_names == ("a", "b")


def test_a_number_among_row_names_is_noted() -> None:
    read_back = read(saved("x.csv", "a,b\n0.5,1,2\n"))
    assert warnings_of(read_back.source) == [
        "x.csv:1: the header is one cell shorter than the rows; "
        "their first cells are taken for row names"
    ]
    assert warnings_of(read(saved("x.csv", "a,b\n1,1,2\n")).source) == []
    # The first line may be a title.
    assert warnings_of(read(saved("x.csv", "% made today\n1,2\n")).source)


@pytest.mark.parametrize(
    ("text", "options", "place"),
    [
        ("1,2\n1,2,3\n", {}, "x.csv:2: 3 columns"),
        ("a,b\n1,2,3,4\n", {}, "x.csv:2: 4 columns"),
        ("a,b\nx,1,2\n3,4\n", {}, "x.csv:3: 2 columns, and the rows above have 3"),
        ("1,2\nx,1,2\n", {"header": False}, "x.csv:2: 3 columns, and the first line has 2"),
        ("a,b\nx,1,y\n", {}, "x.csv:2:3: 'y' is not a number"),
        ("a,b\n1,2,\n3,4,\n", {}, "x.csv:2: 3 columns, and the first line has 2"),
    ],
)
def test_what_is_no_short_header(text: str, options: dict[str, Any], place: str) -> None:
    assert refusal(saved("x.csv", text), **options).startswith(place)
