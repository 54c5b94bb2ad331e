"""Errors about cells of delimited text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats.rows import refusal, saved


@pytest.mark.parametrize(("name", "data", "message"), [("X.CSV", b"a\n1;2\n", "--delimiter")])
def test_the_delimiter_is_named(name: str, data: bytes, message: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert message in line


LONG = "long" * 5000


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.csv", f"a,1,{LONG}\n", {}),
        ("x.csv", f"1\n2{LONG}\n", {}),
        ("x.csv", f"1\n1{'0' * 5000}\n", {}),
        ("x.csv", f"{LONG},b\n3,x\n", {}),
        ("x.csv", f"{'1' * 5000},5\n", {"delimiter": ";"}),
        ("x.csv", f"{LONG},b\n1,2\n", {"columns": ["c"]}),
        ("x.csv", f"{','.join(map(str, range(5000)))}\n1\n", {"header": True, "columns": ["c"]}),
    ],
)
def test_an_error_about_a_cell_is_short(
    name: str, data: bytes | str, options: dict[str, Any]
) -> None:
    line = refusal(saved(name, data), **options)
    assert name in line or "--columns" in line
    assert len(line) < 1000
