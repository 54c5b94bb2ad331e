"""CSV, TSV and whitespace-separated text: cells, quotes, newlines, and where an error is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.opening.source import open_source
from tests.formats.rows import raw_ids, read, refusal, saved, write

ROWS = [[1.0, 2.0], [3.0, 4.0]]
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.csv", b"1,2\n3,4\n", {}),
        ("x.csv", b"1,2\n3,4", {}),
        ("x.csv", b"1,2\r\n3,4\r\n", {}),
        ("x.csv", b"1,2\r\n3,4", {}),
        ("x.csv", BOM + b"1,2\n3,4\n", {}),
        ("x.csv", b"1,2\n3,4\n\n \r\n\n", {}),
        ("x.csv", b" 1 ,\t2\n3 , 4 \n", {}),
        ("x.csv", b'"1","2"\n3,"4"\n', {}),
        ("x.csv", b'"1", "2" \n"3\n",4\n', {}),
        ("x.csv", b"1;2\n3;4\n", {"delimiter": ";"}),
        ("x.csv", b"1|2\n3|4\n", {"delimiter": "|"}),
        ("x.csv", b"1\t2\n3\t4\n", {"delimiter": "tab"}),
        ("x.csv", b"1\t2\n3\t4\n", {"delimiter": "\\t"}),
        ("x.csv", b"1:2\n3:4\n", {"delimiter": ":"}),
        ("x.csv", b"1  2\n 3 4\n", {"delimiter": " "}),
        ("x.tsv", b"1\t2\n3\t4\n", {}),
        ("x.tsv", b"1,2\n3,4\n", {"delimiter": ","}),
        ("x.TSV", b"1\t2\n3\t4\n", {}),
        ("x.txt", b"1 2\n3 4\n", {}),
        ("x.txt", b"  1\t 2 \r\n3   4", {}),
        ("x.txt", b"# written by numpy.savetxt, 2 columns\n1 2\n  # more\n3 4\n", {}),
        ("x.txt", b"1,2\n3,4\n", {"delimiter": ","}),
        ("x.dat", b"1;2\n3;4\n", {"input_format": "csv"}),
        ("x.dat", b"1,2\n3,4\n", {"input_format": "csv"}),
        ("x.dat", b"1 2\n3 4\n", {"input_format": "txt"}),
        ("x.csv", b"1 2\n3 4\n", {"input_format": "txt"}),
    ],
)
def test_read(name: str, data: bytes, options: dict[str, Any]) -> None:
    back = read(saved(name, data), **options)
    assert back.values.tolist() == ROWS
    assert back.source.class_names is None
    assert back.source.rows is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", BOM])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_header_between_mark_and_newline(newline: str, mark: bytes, end: str) -> None:
    text = ("é,b\n1,2\n3,4" + end).replace("\n", newline)
    back = read(saved("x.csv", mark + text.encode()))
    assert back.source.class_names == ("é", "b")
    assert back.values.tolist() == ROWS


def test_quoted_mark_after_byte_order_mark() -> None:
    assert read(saved("x.csv", BOM + b'"a",b\n1,2\n')).source.class_names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "data", "place", "words"),
    [
        ("x.csv", b"1,2\n3,abc\n", ":2:2", ["'abc' is not a number", "--na-values abc"]),
        ("x.csv", b"a,b\n1,2\n3,4\n5,x\n", ":4:2", ["'x' is not a number", "--na-values x"]),
        ("x.csv", b"a,b\r\n1,2\r\nx,4\r\n", ":3:1", ["'x' is not a number"]),
        ("x.csv", b"1,2\n3\n", ":2", ["1 column,", "has 2"]),
        ("x.csv", b"1,2\n3,4,5\n", ":2", ["3 columns", "has 2"]),
        ("x.csv", b"1,2\n3,4,\n", ":2", ["3 columns", "has 2"]),
        ("x.csv", b"a,b\n1;2\n", ":2", ["1 column,", "--delimiter"]),
        ("x.csv", b"a\n1;2\n", ":2:1", ["'1;2' is not a number", "--delimiter ';'"]),
        ("x.csv", b"1,2\n\n3,4\n", ":2", ["empty line"]),
        ("x.csv", b"1,2\n \t\r\n\n3,4\n", ":2", ["empty line"]),
        ("x.csv", b"\n1\n2\n", ":1", ["empty line"]),
        ("x.csv", b"1,2\n3,\x004\n", ":2", ["NUL"]),
        ("x.csv", b"a,b\n1,\xff\n", ":2", ["UTF-8"]),
        ("x.csv", b"a,\xff\n1,2\n", ":1", ["UTF-8"]),
        ("x.csv", "1,2\n3,4\n".encode("utf-16"), "", ["UTF-16", "UTF-8"]),
        ("x.csv", b"\xfe\xff" + "1,2\n".encode("utf-16-be"), "", ["UTF-16"]),
        ("x.csv", "1,2\n".encode("utf-16-le"), ":1", ["NUL"]),
        ("x.csv", b'1,2\n3,"4\n5,6\n', ":2", ["quote", "never closed"]),
        ("x.csv", b'"a,b\n1,2\n', ":1", ["quote", "never closed"]),
        ("x.csv", b"1,2\n3,1e999\n", ":2:2", ["'1e999'", "beyond the range"]),
        ("x.csv", b"1,2\n-1e309,3\n", ":2:1", ["'-1e309'", "beyond the range"]),
        ("x.csv", b"1,2\n1_000,3\n", ":2:1", ["'1_000' is not a number"]),
        ("x.csv", b"1_000,2\n", ":1:1", ["'1_000' is not a number"]),
        (
            "x.csv",
            b'a,b\n"1,5",2\n',
            ":2:1",
            ["'1,5' is not a number", "--decimal , --delimiter ,"],
        ),
        (
            "x.tsv",
            b"a\tb\n1\t-2,5\n",
            ":2:2",
            ["'-2,5' is not a number", "decimal point", "--decimal ,"],
        ),
        ("x.csv", b'a,b\n"1\n",2\n3,x\n', ":4:2", ["'x' is not a number"]),
        ("x.csv", b'"a\nb",c\n1,x\n', ":3:2", ["'x' is not a number"]),
        ("x.txt", b"# one\n1 2\n# two\n3 x\n", ":4:2", ["'x' is not a number"]),
        ("x.txt", b"1 2\n3 4 5\n", ":2", ["3 columns", "has 2"]),
        ("x.csv", b"", "", ["empty"]),
        ("x.csv", BOM, "", ["empty"]),
        ("x.csv", b"\n\r\n \n", "", ["empty"]),
        ("x.txt", b"# nothing\n", "", ["empty"]),
    ],
)
def test_refused(name: str, data: bytes, place: str, words: list[str]) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(f"{name}{place}: "), line
    assert all(word in line for word in words), line


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", "é"])
def test_delimiter_refused(delimiter: str) -> None:
    assert refusal(saved("x.csv", b"1,2\n"), delimiter=delimiter).startswith("--delimiter: ")


def test_a_place_counts_every_line_of_the_file() -> None:
    name = saved("x.csv", b'id,a\n"two\nlines",1\nx,2\n')
    assert read(name, id_columns=["id"]).places == ["x.csv:2", "x.csv:4"]


def test_a_column_of_the_file_is_named_when_few_are_chosen() -> None:
    name = saved("x.csv", b"id,a,b\nx,1,y\n")
    assert refusal(name, columns=["b"]).startswith("x.csv:2:3: 'y'")


# Cells that pass through

CELLS = [
    b"x",
    b"",
    b" x ",
    b"007",
    b"1e5",
    b"'x'",
    b'"x"',
    b'""',
    b'"a,b"',
    b'"a ""b"" c"',
    b'"two\nlines"',
    b'"two\r\nlines"',
    b'",\n"""',
    "漢é".encode(),
    b"\xff\xfe",
    b"#x",
]


def copied(name: str, form: str, request: ColumnRequest = ColumnRequest(), **options: Any) -> bytes:
    """Send a file through unchanged, and return the bytes of the copy."""
    with open_source([name], ReadOptions(**options), request) as source:
        result = Result(
            command="softmax",
            name="probabilities",
            columns=source.classes,
            dtype=source.dtype,
            class_names=source.class_names,
            column_names=source.class_names,
            id_names=source.id_names,
        )
        path = Path(source.paths[0]).with_name("copy")
        with open_sink(result, WriteOptions(format=form, output=str(path))) as sink:
            for block in source.blocks():
                sink.write(block)
    return path.read_bytes()


@pytest.mark.fast(8)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("where", ["id,a,b\n%s,0.5,-1.0\n", "id,a,b\nx,0.5,1.0\n%s,2.0,-inf\n"])
def test_ids_byte_for_byte(cell: bytes, where: str) -> None:
    data = where.encode() % cell
    assert copied(saved("x.csv", data), "csv", id_columns=["id"]) == data


@pytest.mark.parametrize("cell", [b"x", b"", b'"a;b"', b"\xff"])
def test_last_column_byte_for_byte(cell: bytes) -> None:
    data = b"a;b;id\r\n0.5;1.0;%s\r\n" % cell
    copy = copied(saved("x.csv", data), "csv", id_columns=["3"], delimiter=";")
    assert copy == b"id,a,b\n%s,0.5,1.0\n" % cell


def test_ids_alone_may_be_without_name_or_number() -> None:
    name = saved("x.csv", b",a\n0,1.5\n1,2.5\n")
    assert copied(name, "csv", id_columns=["1"]) == b",a\n0,1.5\n1,2.5\n"


def test_every_column_is_kept_in_its_place() -> None:
    name = saved("x.csv", b"a,id,b\n1,x,2e0\n")
    copy = copied(name, "csv", ColumnRequest(every_column=True), id_columns=["id"])
    assert copy == b"a,id,b,a,b\n1,x,2e0,1.0,2.0\n"


@pytest.mark.parametrize(
    ("cell", "form", "written"),
    [
        (b"a,b", "csv", b'"a,b"'),
        (b"a,b", "tsv", b"a,b"),
        (b"a b", "csv", b"a b"),
        (b'"a\tb"', "tsv", b'"a\tb"'),
    ],
)
def test_ids_are_quoted_where_another_delimiter_would_cut_them(
    cell: bytes, form: str, written: bytes
) -> None:
    name = saved("x.csv", b"id|a\n%s|1.5\n" % cell)
    copy = copied(name, form, delimiter="|", id_columns=["id"])
    assert copy.splitlines()[1] == written + {"csv": b",", "tsv": b"\t"}[form] + b"1.5"


# Results that are more than a row a row


def written(form: str, block: Block, **changes: Any) -> str:
    """Write one block, and return the text."""
    result = Result(
        "softmax", "probabilities", block.values.shape[-1], np.dtype(np.float64), **changes
    )
    with open_sink(result, WriteOptions(format=form, output="x")) as sink:
        sink.write(block)
    return Path("x").read_text()


MATRIX = np.array([[0.25, -0.25], [-0.5, 0.5]])
LIKELIEST = np.array([[2, 0], [1, 2]])


@pytest.mark.parametrize(
    ("form", "block", "changes", "text"),
    [
        ("csv", Block(0, MATRIX, str), {"matrix": True, "single": True}, "0.25,-0.25\n-0.5,0.5\n"),
        (
            "csv",
            Block(0, MATRIX, str),
            {"matrix": True, "single": True, "column_names": ("a", "b")},
            "a,b\n0.25,-0.25\n-0.5,0.5\n",
        ),
        (
            "tsv",
            Block(4, MATRIX, str),
            {"matrix": True},
            "2\t0\t0\t0.25\n2\t0\t1\t-0.25\n2\t1\t0\t-0.5\n2\t1\t1\t0.5\n",
        ),
        (
            "csv",
            Block(1, MATRIX[:1], str, raw_ids([(b'"x,y"',)])),
            {"matrix": True, "column_names": ("a", "b"), "id_names": ("id",)},
            'id,row,i,j,value\n"x,y",0,1,0,0.25\n"x,y",0,1,1,-0.25\n',
        ),
        ("csv", Block(0, MATRIX, str, classes=LIKELIEST), {}, "2,0.25,0,-0.25\n1,-0.5,2,0.5\n"),
        (
            "csv",
            Block(0, MATRIX, str, raw_ids([(b"x",), (b"y",)]), classes=LIKELIEST),
            {"class_names": ("a", "b,b", 'c"')},
            'x,"c""",0.25,a,-0.25\ny,"b,b",-0.5,"c""",0.5\n',
        ),
    ],
)
def test_written(form: str, block: Block, changes: dict[str, Any], text: str) -> None:
    assert written(form, block, **changes) == text


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt", "x.jsonl", "x.parquet"])
def test_all_columns_in_another_order(name: str) -> None:
    write(name, np.array(ROWS), names=("a", "b"))
    back = read(name, columns=["b", "a"])
    assert back.source.class_names == ("b", "a")
    assert back.values.tolist() == [[2.0, 1.0], [4.0, 3.0]]


@pytest.mark.parametrize(
    "below", [b"1\n7,8\n'a,9\n", b'1\n"\n', b"1\n\0\n", b"1\n\n2,3\n"], ids=repr
)
def test_the_first_thing_that_is_wrong_is_named(below: bytes) -> None:
    assert refusal(saved("x.csv", b"1,2\n" + below)).startswith("x.csv:2: 1 column")


@pytest.mark.parametrize(
    ("name", "text", "delimiter"),
    [
        ("x.csv", '# a" b\n1 2\n# c\n3 4\n', " "),
        ("x.txt", '# a" b\n1 2\n# c\n3 4\n', None),
        ("x.txt", '# a" b\n1,2\n# c\n3,4\n', ","),
    ],
)
def test_comments_are_comments_from_the_first_line_on(
    name: str, text: str, delimiter: str | None
) -> None:
    back = read(saved(name, text), delimiter=delimiter)
    assert_array_equal(back.values, [[1, 2], [3, 4]])
    assert back.places == [f"{name}:2", f"{name}:4"]


def test_a_number_sign_among_rows_begins_no_comment_in_csv() -> None:
    back = read(saved("x.csv", "a,1,2\n#b,3,4\n#N/A,5,6\n"), id_columns=["1"])
    assert back.ids == [(b"a",), (b"#b",), (b"#N/A",)]
    back = read(saved("x.csv", '"#a",b\n1,2\n'))
    assert back.source.class_names == ("#a", "b")
