"""Matrices as grids: very wide ones keep only their first and last columns."""

from __future__ import annotations

import pytest

from softmax_cli.display.parts import SHOWN_COLUMNS, matrix_grid
from softmax_cli.display.rich.console import render_text


def test_a_very_wide_matrix_keeps_the_ends_of_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    names = [str(number) for number in range(100_000)]
    values = [float(number == 50_000) for number in range(100_000)]
    grid = matrix_grid(names, ["0"], [values], str)
    assert (len(grid.headings), grid.total) == (SHOWN_COLUMNS, 100_000)
    assert len(render_text([grid], "auto", terminal=False).splitlines()) == 4
