"""Cells that pass through keep their bytes, quotes included."""

from __future__ import annotations

import pytest

from tests.formats.delimited.test_reader import copied
from tests.formats.rows import read, saved


@pytest.mark.parametrize("cell", [b'a"b"c', b' "x"', b'"x" ', b'"a"b"c"', b"\xe9"])
def test_id_cells_pass_through_byte_for_byte(cell: bytes) -> None:
    data = b"id,a,b\n%s,1.0,2.0\n" % cell
    assert copied(saved("x.csv", data), "csv", id_columns=["id"]) == data


def test_an_id_of_the_first_line_need_not_be_text() -> None:
    assert read(saved("x.csv", b"\xe9,1,2\n\xe9,3,4\n"), id_columns=["1"]).ids == [(b"\xe9",)] * 2
