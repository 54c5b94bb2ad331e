"""Large text through the reader: the size of its chunks makes no difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.columns import line_table
from softmax_cli.formats.delimited.reader import DelimitedTable
from tests.formats.conftest import folder
from tests.formats.delimited.test_polars_chunk import cells
from tests.formats.rows import examples, read, same_bits, saved
from tests.running import run

pytestmark = pytest.mark.fast(3)

__all__ = ["folder"]


@examples
@given(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_ragged_tables_with_ids_are_the_same_in_chunks(
    rows: list[list[str]], data: st.DataObject
) -> None:
    options: dict[str, Any] = data.draw(
        st.sampled_from(
            [{"id_columns": ["3"]}, {"id_columns": ["1"]}, {"columns": ["2"]}, {"columns": ["2,1"]}]
        )
    )
    end = data.draw(st.sampled_from(["\n", ""]))
    saved("x.csv", "1,2,3\n" + "\n".join(map(",".join, rows)) + end)

    def outcome() -> object:
        try:
            back = read("x.csv", header=False, **options)
        except SoftmaxCliError as error:
            return str(error)
        return back.values.tobytes(), back.ids, back.places

    expected = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_table, "_CHUNK_BYTES", data.draw(st.sampled_from([1, 10, 1000])))
        patch.setattr(line_table, "_LITTLE_TEXT", 0)
        assert outcome() == expected


@pytest.mark.slow
def test_append_keeps_every_cell_of_a_large_file() -> None:
    rows = [f"r{row},1.50,2.0{row % 10}" for row in range(90_000)]
    saved("x.csv", "\n".join(["id,a,b", *rows]) + "\n")
    assert run("softmax-cli softmax x.csv --id-columns id --append -o y.csv").code == 0
    lines = Path("y.csv").read_text().splitlines()
    assert len(lines) == 90_001
    assert lines[77_778].startswith("r77777,1.50,2.07,0.3")


def outcome(path: str) -> object:
    try:
        rows = read(path)
    except SoftmaxCliError as error:
        return str(error)
    return rows.values.tobytes(), rows.ids, rows.places


@examples
@given(
    st.lists(st.lists(cells, min_size=2, max_size=2).map(",".join), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\n\n", " \n"]),
    st.sampled_from(["", "\n", "\n\n \n", "\n,\n"]),
    st.sampled_from([1, 3, 8, 50]),
)
def test_the_size_of_chunks_makes_no_difference(
    lines: list[str], newline: str, end: str, size: int
) -> None:
    saved("x.csv", newline.join(lines) + end)
    expected = outcome("x.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_table, "_CHUNK_BYTES", size)
        patch.setattr(line_table, "_LITTLE_TEXT", 0)
        assert outcome("x.csv") == expected


def test_a_large_file_is_read_by_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(60_000, 4))
    np.savetxt("x.csv", values, delimiter=",", fmt="%.17g", header="a,b,c,d", comments="")
    assert Path("x.csv").stat().st_size > 1 << 22
    monkeypatch.setattr(DelimitedTable, "parse_records", None)
    back = read("x.csv")
    assert same_bits(back.values, values)
    assert back.places[-1] == "x.csv:60001"


@pytest.mark.parametrize(
    ("line", "said"),
    [("1,2,x,4", "x.csv:50002:3: 'x' is not a number"), ("1,2,3", "x.csv:50002: 3 columns")],
)
def test_an_error_deep_in_a_large_file_names_its_line(line: str, said: str) -> None:
    rows = ["0.12345678901234567,2,3,4"] * 60_000
    rows[50_000] = line
    saved("x.csv", "\n".join(["a,b,c,d", *rows]) + "\n")
    with pytest.raises(SoftmaxCliError) as error:
        read("x.csv")
    assert str(error.value).startswith(said)


def test_a_large_text_with_blanks_is_read_by_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(60_000, 4))
    np.savetxt("x.txt", values)
    monkeypatch.setattr(DelimitedTable, "parse_records", None)
    assert same_bits(read("x.txt").values, np.loadtxt("x.txt"))


def test_many_short_lines_are_read_by_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    saved("x.csv", "0.5\n" * 60_000)
    monkeypatch.setattr(DelimitedTable, "parse_records", None)
    assert read("x.csv").values.sum() == 30_000
