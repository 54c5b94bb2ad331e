"""Many lines at once: the same rows and the same errors as cell by cell, or none at all."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.line_table import count_rows
from softmax_cli.formats.delimited import polars_chunk
from softmax_cli.formats.delimited.reader import DelimitedTable
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.text.cells import cell_splitter
from softmax_cli.storage.input import Input
from tests.formats.conftest import folder
from tests.formats.rows import examples, ids_of, same_bits

pytestmark = pytest.mark.fast(3)

__all__ = ["folder"]

numbers = st.floats(width=64).map(repr) | st.integers(-(10**20), 10**20).map(str)
odd_cells = st.sampled_from(
    [
        *("", " ", "1_0", "1e999", "-1e400", "1e-999", "inf", "-Infinity", "nan", "NaN", "0x1"),
        *("1.5 ", " 1.5", "+.5", "5.", "1e", "--1", "١", "1,5", '"1"', '"1,2"', "a", "true", "∞"),
        *("1d5", "1f", "1e5_0", "-0.0", "1E5", "NULL", "4.9e-324", "2.4e-324", "infinit", "\t1"),
        *(
            "123456789012345678901234567890",
            "0.1000000000000000055511151231257827",
            "9007199254740993",
        ),
    ]
)
cells = numbers | odd_cells


def delimited(text: bytes, layout: Layout, delimiter: str | None) -> DelimitedTable:
    source = Input("x.csv", io.BufferedReader(io.BytesIO(text)))
    return DelimitedTable(source, layout, b"", 7, cell_splitter(delimiter), delimiter)


def by_polars(text: bytes, layout: Layout, delimiter: str | None = ",") -> Block | None:
    rows = count_rows(text)
    assert rows is not None
    table = delimited(text, layout, delimiter)
    if table.parse_with_polars(text, rows) is None:
        return None
    return table.parse_lines(text, range(7, 7 + rows), 3)


def by_cells(text: bytes, layout: Layout, delimiter: str | None = ",") -> Block:
    table = delimited(text, layout, delimiter)
    records = list(table.read_records(table.source.stream, 7))
    return table.parse_records(records, len(records), 3)


def table(columns: int, ids: tuple[int, ...] = (), label: int | None = None) -> Layout:
    classes = [column for column in range(columns) if column not in ids and column != label]
    return Layout(columns, classes, list(ids), label, None)


@examples
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6), st.booleans(), st.data())
def test_polars_reads_what_the_cells_hold_or_nothing(
    rows: list[tuple[str, str, str]], windows: bool, data: st.DataObject
) -> None:
    end = "\r\n" if windows else "\n"
    text = "".join(",".join(row) + end for row in rows).encode()
    layout = table(3, *data.draw(st.sampled_from([((), None), ((0,), None), ((2,), 1), ((), 0)])))
    if count_rows(text) is None:
        return
    found = by_polars(text, layout)
    if found is None:
        return
    expected = by_cells(text, layout)
    assert same_bits(found.values, expected.values)
    assert (ids_of(found), found.labels, found.start) == (ids_of(expected), expected.labels, 3)
    assert [found.place(row) for row in range(len(rows))] == [
        expected.place(row) for row in range(len(rows))
    ]


@examples
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from(["\n", ""]),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_many_columns_are_read_as_one(rows: list[list[str]], end: str, delimiter: str) -> None:
    text = ("\n".join(delimiter.join(row) for row in rows) + end).encode()
    if count_rows(text) is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polars_chunk, "_MANY_COLUMNS", 1)
        found = by_polars(text, table(3), delimiter)
    if found is None:
        return
    expected = by_cells(text, table(3), delimiter)
    assert same_bits(found.values, expected.values)


@examples
@given(
    st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=5),
    st.sampled_from([" ", " ", "  ", "\t"]),
    st.sampled_from([table(2), table(3), table(3, (0,), 2)]),
    st.sampled_from([50, 1]),
)
def test_blanks_between_cells(
    rows: list[list[str]], blank: str, layout: Layout, many_columns: int
) -> None:
    text = "".join(blank.join(row) + "\n" for row in rows).encode()
    if count_rows(text) is None or b'"' in text:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polars_chunk, "_MANY_COLUMNS", many_columns)
        found = by_polars(text, layout, None)
    if found is None:
        return
    expected = by_cells(text, layout, None)
    assert same_bits(found.values, expected.values)
    assert (ids_of(found), found.labels) == (ids_of(expected), expected.labels)


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        (b"a 1 x\nb 2 y\n", True),
        (b"a 1 x\nb  2\n", False),
        (b" 1 x\nb 2 y\n", False),
        (b"a 1 x\nb\t2 y\n", False),
    ],
)
def test_cells_between_single_blanks_are_read(text: bytes, is_read: bool) -> None:
    found = by_polars(text, table(3, (0,), 2), None)
    assert (found is not None) == is_read
    if found is not None:
        assert (found.labels, found.values.tolist()) == (["x", "y"], [[1], [2]])


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        (b"1,2,3\n4,5,6\n", True),
        (b"1,2,3\n4,5,6", True),
        (b"1,2\n3,4,5,6\n", False),
        (b"1,2,3,4\n5,6\n", False),
        (b"1,2,3\n4,5,9007199254740993\n", False),
        (b"1,2,3\n4,5\n", False),
        (b"1,2,3\n4,5,1e999\n", False),
        (b"1,2\n1e300,3,4,5\n", False),
    ],
)
def test_ragged_rows_are_not_one_column(
    text: bytes, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polars_chunk, "_MANY_COLUMNS", 1)
    found = by_polars(text, table(3))
    assert (found is not None) == is_read
    if found is not None:
        assert_array_equal(found.values, [[1, 2, 3], [4, 5, 6]])


def test_a_number_that_marks_the_end_of_rows_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polars_chunk, "_MANY_COLUMNS", 1)
    found = by_polars(b"1,1e300,1e300\n4,5,6\n", table(3))
    assert found is not None
    assert_array_equal(found.values, [[1, 1e300, 1e300], [4, 5, 6]])


def test_columns_in_another_order() -> None:
    layout = Layout(3, [2, 0, 1], [], None, None)
    found = by_polars(b"1,2,3\n4,5,6\n", layout)
    assert found is not None
    assert_array_equal(found.values, [[3, 1, 2], [6, 4, 5]])


def test_polars_reads_plain_numbers() -> None:
    found = by_polars(b"0.1,-inf,1e5\n nan,.5,-0\n", table(3))
    assert found is not None
    assert same_bits(found.values, np.array([[0.1, -np.inf, 1e5], [np.nan, 0.5, -0.0]]))


@pytest.mark.parametrize("many_columns", [1, 50])
def test_polars_reads_missing_values(many_columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polars_chunk, "_MANY_COLUMNS", many_columns)
    found = by_polars(b"1,NA,\n,\\N,#N/A\nNULL,None,3\n", table(3))
    assert found is not None
    nan = np.nan
    assert_array_equal(found.values, [[1, nan, nan], [nan, nan, nan], [nan, nan, 3]])
    large = by_polars(b"9007199254740994,1152921504606846976,-1e30\n", table(3))
    assert large is None
    masked = by_polars(b"-3.4028234663852886e+38,-1e30,3\n", table(3))
    assert masked is not None


def test_polars_passes_words_through() -> None:
    found = by_polars(b'"a ""b""",1,x\nc,2,y\n', table(3, (0,), 2))
    assert found is not None
    assert ids_of(found) == [(b'"a ""b"""',), (b"c",)]
    assert found.labels == ["x", "y"]


def test_labels_are_the_contents_of_cells() -> None:
    found = by_polars(b'1, x\t\n2,"a ""b"" "\n3, "c" \n4,NA\n', table(2, (), 1))
    assert found is not None
    assert found.labels == ["x", 'a "b" ', "c", "NA"]


@pytest.mark.parametrize(
    "text",
    [
        *(b"1,2\n3\n", b"1,2\n3,4,5\n", b"1,1e999\n", b"1,-inf\n1e999,2\n", b"1,1_0\n"),
        *(b"1,9007199254740993\n", b"-9007199254740993,1\n", b"1,2\nNA\n"),
    ],
)
def test_polars_is_not_believed(text: bytes) -> None:
    assert by_polars(text, table(2)) is None


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (b"1,2,x\n1,2\n1,2,x\n", table(3, (2,))),
        (b"1,2,x\n1,2\n", Layout(3, [1], [], None, None)),
        (b'a,1,2\n"a,b",2\n', table(3, (0,))),
        (b'a,b,1\n"a,b",2,3\n', Layout(3, [2], [0, 1], None, None)),
        (b"info,-1e999,2\na,1,2\n", table(3, (0,))),
        (b"1,2,3\n1,2,3,", table(3)),
        (b"1,2,3\n1,2,3,", table(3, (0,))),
        (b"\xef\xbb\xbf1,2,3\n", table(3)),
        (b"1,2,3\n", Layout(3, [0, 1], [0, 1, 2], None, None)),
    ],
)
@pytest.mark.parametrize("many", [1, 50])
def test_what_polars_would_take_for_something_else(
    text: bytes, layout: Layout, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polars_chunk, "_MANY_COLUMNS", many)
    assert by_polars(text, layout) is None


def test_infinities_beside_words() -> None:
    found = by_polars(b"info,-inf,2\nInfinite,1,Infinity\n", table(3, (0,)))
    assert found is not None
    assert same_bits(found.values, np.array([[-np.inf, 2], [1, np.inf]]))
