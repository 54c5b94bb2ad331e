"""Lists of numbers in one cell of CSV."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softmax_cli.formats.model.options import ColumnRequest
from softmax_cli.formats.text.list_cells import list_entries
from tests.formats.rows import read, refusal, saved, warnings_of

FORMS = [
    "[1.0, 2.5, -3]",
    "[1.0,2.5,-3]",
    "[1.0, 2.5, -3,]",
    "[ 1.   2.5 -3. ]",
    "[1.\n 2.5\n -3. ]",
    "(1.0, 2.5, -3)",
    "[[1, 2.5, -3]]",
    "c(1, 2.5, -3)",
    "array([1. , 2.5, -3.], dtype=float32)",
    "np.array([1, 2.5, -3])",
    "tensor([1.0, 2.5, -3.0], device='cuda:0', dtype=torch.float16)",
    "[np.float64(1.0), np.float64(2.5), np.float64(-3.0)]",
    "[tensor(1.), tensor(2.5), tensor(-3.)]",
]


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("header", ["id,z,y\n", ""])
def test_a_list_is_a_row(text: str, header: str) -> None:
    rows = f'7,"{text}",0\n8,"[-inf, 0, 1e-5]",1\n'
    back = read(saved("x.csv", header + rows), id_columns=["1"], request=ColumnRequest(labels="3"))
    assert back.values.tolist() == [[1, 2.5, -3], [-np.inf, 0, 1e-5]]
    assert back.source.classes == 3
    assert back.source.class_names is None
    assert back.source.list_name == ("z" if header else None)
    assert (back.ids, back.labels) == ([(b"7",), (b"8",)], ["0", "1"])


@pytest.mark.parametrize(
    "text",
    ["[CLS]", "(1)", "(1,234)", "f(1, 2)", "tensor(1.0)", "('a', 0)", "(0, 'a')", "a [1]", "1"],
)
def test_what_is_no_list(text: str) -> None:
    assert list_entries(text) is None


@pytest.mark.parametrize(("name", "mark"), [("x.csv", ","), ("x.csv", ";"), ("x.tsv", "\t")])
def test_lists_between_any_delimiter(name: str, mark: str) -> None:
    quote = '"' if mark == "," else ""
    text = f"z{mark}id\n{quote}[1, 2]{quote}{mark}7\n"
    back = read(saved(name, text), columns=["z"])
    assert (back.values.tolist(), back.source.list_name) == ([[1, 2]], "z")


def test_missing_lists_and_entries_are_missing_values() -> None:
    text = 'id,z\n1,"[nan, 1]"\n2,\n3,"[None, NA]"\n4,"[-9, 2]"\n'
    back = read(saved("x.csv", text), id_columns=["id"], na_values=["-9"])
    nan = np.nan
    np.testing.assert_array_equal(back.values, [[nan, 1], [nan, nan], [nan, nan], [nan, 2]])


@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_the_first_list_may_be_missing(name: str) -> None:
    mark = "," if name == "x.csv" else "\t"
    text = 'id,z\n1,NA\n2,\n3,"[1 2]"\n4,"[2 0]"\n'.replace(",", mark)
    back = read(saved(name, text), columns=["z"], id_columns=["id"])
    nan = np.nan
    np.testing.assert_array_equal(back.values, [[nan, nan], [nan, nan], [1, 2], [2, 0]])
    assert refusal(saved(name, 'z\nNA\n"[1 2]"\n"[1 x]"\n')).startswith(f"{name}:4:1: '[1 x]' is")


def test_columns_beside_the_lists_are_left_out_with_a_warning() -> None:
    text = 'n,z,y,day,ok\n1,"[1, 2]",cat,2024-01-02,true\n2,"[2, 0]",dog,2024-01-03,false\n'
    back = read(saved("x.csv", text), id_columns=["y"])
    assert (back.values.tolist(), back.ids) == ([[1, 2], [2, 0]], [(b"cat",), (b"dog",)])
    assert warnings_of(back.source) == [
        "x.csv: the column 'z' holds lists, and the columns 'n', 'day' and 'ok' are left out; "
        "--id-columns n,day,ok passes them through"
    ]


def test_a_long_table_of_lists() -> None:
    rows = "".join(f'{row},"[{row}.5, 1.0]"\n' for row in range(70_000))
    back = read(saved("x.csv", f"id,z\n{rows}"), id_columns=["id"])
    assert back.values[:, 0].tolist() == [row + 0.5 for row in range(70_000)]
    assert back.places[-1] == "x.csv:70001"


@pytest.mark.parametrize(
    ("text", "options", "place", "words"),
    [
        ('"[1, 2]","[3, 4]"\n', {}, ":2", ["'z' and 'y' hold lists", "--columns"]),
        ('"[1, 2]",0.5\n', {}, ":2", ["'z' holds lists, but the column 'y'", "--id-columns y"]),
        ('"[1, 2]",0\n"[1]",0\n', {"columns": ["z"]}, ":3:1", ["a list of 1 number"]),
        ('"[]",0\n', {"columns": ["z"]}, ":2:1", ["an empty list"]),
        ('"[1, 2]",0\n"[1, x]",0\n', {"columns": ["z"]}, ":3:1", ["'[1, x]' is not a list"]),
        ('"[1, 2]",0\n3,0\n', {"columns": ["z"]}, ":3:1", ["'3' is not a list"]),
        ('"[1, 9007199254740993]",0\n', {"columns": ["z"]}, ":2:1", ["entry 1", "exactly"]),
        ('"[1e999,1]",0\n', {"columns": ["z"]}, ":2:1", ["entry 0", "beyond the range"]),
        ('"[1, 2]",0\n"[1,,2]",0\n', {"columns": ["z"]}, ":3:1", ["'[1,,2]' is not a list"]),
        ('"[1, 1.2.3]",0\n', {"columns": ["z"]}, ":2:1", ["entry 1", "'1.2.3' is not a number"]),
        ('"[1. 2. ... 9. 10.]",0\n', {"columns": ["z"]}, ":2:1", ["cut short", "tolist()"]),
        ('1,"[1, 2]"\n', {"columns": ["z,y"]}, ":2", ["'y' holds lists, but the column 'z'"]),
    ],
)
def test_what_is_refused(text: str, options: dict[str, Any], place: str, words: list[str]) -> None:
    line = refusal(saved("x.csv", f"z,y\n{text}"), **options)
    assert line.startswith(f"x.csv{place}: "), line
    assert all(word in line for word in words), line
