"""What errors about cells of text advise."""

from __future__ import annotations

import pytest

from tests.formats.rows import refusal, saved


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("(5)", "write a negative number with - before it"),
        ("(1,234.5)", "write a negative number with - before it"),
        ("5-", "write a negative number with - before it"),
        ("\u22125", "write the minus sign as -"),
        ("50 %", "write it without the percent sign"),
        ("1 234,5", "write it without thousands separators"),
        ("1e", "write it as plain digits"),
        ("1;2", "write it as plain digits"),
        ("1.5e3,", "write it as plain digits"),
        ("\u00b2", "write it as plain digits"),
        ("tensor(1.5)", "write it as plain digits"),
        ("(1,2,3)", "give each number of the list a cell of its own"),
        ("[1, 2]", "give each number of the list a cell of its own"),
    ],
)
def test_a_cell_meant_as_a_number_is_not_to_pass_through(cell: str, remedy: str) -> None:
    line = refusal(saved("x.csv", f'a,b\n1,2\n3,"{cell}"\n'))
    assert line == f"x.csv:3:2: {cell!r} is not a number; {remedy}" + line.partition(remedy)[2]
    assert "--id-columns" not in line


@pytest.mark.parametrize("cell", ["2024-01-01", "12:30", "1.2.3", "a1"])
def test_a_date_or_a_version_may_pass_through(cell: str) -> None:
    line = refusal(saved("x.csv", f"a,b\n{cell},2\n"))
    assert line == f"x.csv:2:1: {cell!r} is not a number; " + (
        "--id-columns a passes a column of words through"
    )


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("id,a,b,y\nx,1,2,z\n", "--id-columns id,y passes columns of words through"),
        ("a,b\nc,d\n", "delete the line if it is one more line of names"),
        (
            "a,b\n1,2\na,b\n",
            ":3:1: 'a' is not a number; delete the line if it is one more line of names",
        ),
        ("a,b\n1,2\n3,c d\n", "fix the cell, or --na-values 'c d' reads it as a missing value"),
        ('a,b\n1,2\n3,"c, d"\n', ":3:2: 'c, d' is not a number; fix the cell"),
        ('x\n"1 234,5"\n', "write it without thousands separators"),
        (
            "a,b\n1,2\n# end\n",
            ":3: 1 column, and the first line has 2; delete the line: comments are skipped "
            "only above the first row",
        ),
        ("x\n1 2\n", "--delimiter ' ' would split it into cells"),
        ("x\n1;2\n", "--delimiter ';' would split it into cells"),
        (",a,b,\n0,1,2,\n", "--id-columns 1,4 passes them through"),
    ],
)
def test_a_remedy_that_is_true_for_the_row(text: str, remedy: str) -> None:
    assert refusal(saved("x.csv", text)).endswith(remedy)


def test_text_in_another_encoding_is_to_be_saved_as_utf8() -> None:
    remedy = "save it as UTF-8 ('CSV UTF-8' in Excel)"
    latin = refusal(saved("x.csv", "id;Ärger\n7;1\n".encode("latin-1")))
    assert latin == f"x.csv:1: is not UTF-8 text; {remedy}"
    wide = refusal(saved("x.txt", "a\tb\r\n1,5\t2\r\n".encode("utf-16")))
    assert wide == f"x.txt: is UTF-16 text; {remedy}"
