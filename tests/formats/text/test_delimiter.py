"""Which delimiter cuts a text table, and how decimal commas are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softmax_cli.formats.text.delimiter import detected_delimiter
from tests.formats.rows import read, refusal, saved, warnings_of

EURO = "a;b;c\n1,5;2,25;3\n-1e-3;,5;NA\n"
EURO_VALUES = [[1.5, 2.25, 3], [-1e-3, 0.5, np.nan]]


@pytest.mark.parametrize(
    ("lines", "usual", "found"),
    [
        (("a;b", "1;2"), ",", ";"),
        (("a;b", "1,5;2,5"), ",", ";"),
        (("a|b", "1|2"), ",", "|"),
        (("a\tb", "1\t2"), ",", "\t"),
        (("a;b,c", "1;2,3"), ",", ","),
        (("a,b", "x;y,1"), ",", ","),
        (('"a;b"', '"1;2"'), ",", None),
        (("a", "1;2"), ",", None),
        (("1.234,5;2",), ",", ";"),
        (("1,2,3",), None, ","),
        (("1, 2, 3",), None, ","),
        (("1 2;3", "4 5;6"), None, None),
        (("z;id", "[1.5, 2.5];7"), ",", ";"),
        (("z,id", "[1;5],7"), ",", ","),
        (("1,2,3",), "\t", ","),
        (("1,5", "2,5"), "\t", None),
        (("1,5", "2,5"), None, None),
        (("1.5,2", "2,5"), None, ","),
        (("1,2\t3",), "\t", "\t"),
    ],
)
def test_first_lines(lines: tuple[str, ...], usual: str | None, found: str | None) -> None:
    assert detected_delimiter(*lines, usual=usual) == found


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("x.csv", "a;b\n1;2\n", "';'"),
        ("x.CSV", '"a","b"\r\n1,2\r\n'.replace(",", "|"), "'|'"),
        ("x.csv", "a\tb\n1\t2\n", "a tab"),
        ("x.csv", "a;b\n", "';'"),
        ("x.csv", '"a;b";c\n1;2\n', "';'"),
        ("x.tsv", "a,b\n1,2\n", "','"),
        ("x.txt", "a;b\n1;2\n", "';'"),
        ("x.txt", "a, b\n1, 2\n", "','"),
    ],
)
def test_another_delimiter_than_the_suffix_says_is_noted(name: str, text: str, shown: str) -> None:
    back = read(saved(name, text))
    assert back.source.classes == 2
    assert warnings_of(back.source) == [f"{name}: cells are separated by {shown}"]


def test_a_delimiter_of_content_needs_no_note() -> None:
    assert warnings_of(read(saved("x", "a;b\n1;2\n")).source) == []


@pytest.mark.parametrize(
    "line", ["sep=;", '"sep=;"', "SEP=;", "sep=;\r", "\ufeffsep=;", "sep=\t", "sep=,", "sep=|"]
)
@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.tsv", "x"])
def test_the_line_of_excel_names_the_delimiter(line: str, name: str) -> None:
    mark = line.strip('"\r')[-1]
    text = f"{line}\n# made by hand\n\na,b\n1,2\n3,x\n".replace(",", mark)
    text = text.replace(f"sep{mark}", "sep=") if mark != "," else text
    refused = refusal(saved(name, text))
    assert refused.startswith(f"{name}:6:2: 'x' is not a number")
    back = read(saved(name, text.replace("x\n", "4\n")))
    assert back.source.class_names == ("a", "b")
    assert back.values.tolist() == [[1, 2], [3, 4]]
    assert warnings_of(back.source) == [
        f"{name}: ignored 1 line that begins with # and 1 blank line"
    ]


def test_an_option_wins_over_the_line_of_excel() -> None:
    assert read(saved("x.csv", "sep=;\n1,2\n"), delimiter=",").values.tolist() == [[1, 2]]


@pytest.mark.parametrize("name", ["x.csv", "x", "x.csv.gz"])
@pytest.mark.parametrize("times", [1, 1 << 17])
def test_decimal_commas(name: str, times: int) -> None:
    header, _, rows = EURO.partition("\n")
    back = read(saved(name, f"{header}\n{rows * times}"), decimal=",")
    assert back.source.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(back.values, EURO_VALUES * times)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("x.tsv", "1,5\t2\n", {}),
        ("x.txt", "1,5 2\n", {}),
        ("x", "1,5 2\n", {}),
        ("x.csv", "1,5\t2\n", {}),
        ("x.csv", '"1,5";"2"\n', {}),
        ("x.csv", '"1,5",2\n', {"delimiter": ","}),
        ("x.csv", "1,5|2\n", {"delimiter": "|"}),
    ],
)
def test_delimiters_of_decimal_commas(name: str, text: str, options: dict[str, Any]) -> None:
    assert read(saved(name, text), decimal=",", **options).values.tolist() == [[1.5, 2]]


def test_one_column_of_decimal_commas() -> None:
    assert read(saved("x.csv", "1,5\n2\n"), decimal=",").values.tolist() == [[1.5], [2]]


@pytest.mark.parametrize("times", [1, 1 << 17])
@pytest.mark.parametrize("columns", [2, 60])
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1.5", ["'1.5' has a decimal point", "leave --decimal , out"]),
        ("1.234,5", ["'1.234,5' is not a number", "thousands"]),
        ("1,234,5", ["'1,234,5' is not a number", "thousands"]),
        ("9007199254740993", ["cannot hold 9007199254740993"]),
        ("1e999", ["beyond the range"]),
    ],
)
def test_what_is_no_number_with_a_decimal_comma(
    cell: str, words: list[str], columns: int, times: int
) -> None:
    rows = (";".join(["1,5"] * columns) + "\n") * times
    last = ";".join([*["2,5"] * (columns - 1), cell])
    refused = refusal(saved("x.csv", f"{rows}{last}\n"), decimal=",")
    assert refused.startswith(f"x.csv:{times + 1}:{columns}: ")
    assert all(word in refused for word in words), refused


def test_points_in_ids_stay_beside_decimal_commas() -> None:
    rows = "a.png;1,5;2\n" * (1 << 17)
    back = read(saved("x.csv", f"id;a;b\n{rows}"), decimal=",", id_columns=["id"])
    assert back.ids == [(b"a.png",)] * (1 << 17)
    assert back.values.tolist() == [[1.5, 2]] * (1 << 17)


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("x.csv", "a;b\n1;2,5\n", "--decimal ,"),
        ("x.txt", "a b\n1 2,5\n", "--decimal ,"),
        ("x.csv", 'a,b\n1,"2,5"\n', "--decimal , --delimiter ,"),
        ("x.csv", 'a,b\n1,"1,234"\n', "write it without thousands separators, or --decimal ,"),
    ],
)
def test_a_decimal_comma_is_answered_with_the_option(name: str, text: str, remedy: str) -> None:
    refused = refusal(saved(name, text))
    assert refused.startswith(f"{name}:2:2: ")
    assert remedy in refused
    assert "--id-columns" not in refused


def test_typed_numbers_have_points() -> None:
    assert refusal("1,5", decimal=",").startswith("--decimal: ")
