"""Tables as lines of text: what is cut, folded and hidden to fit."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from softmax_cli.display.parts import Gauge, Line, Part, Table
from softmax_cli.display.rich.console import render_text

pytestmark = pytest.mark.usefixtures("terminal_of_80_columns")


def cells(lines: list[str]) -> list[list[str]]:
    """Return the words of each line, without bars, shades and rules."""
    marks = str.maketrans("", "", "▏▎▍▌▋▊▉█▁▂▃▄▅▆▇░▒▓─▸")
    return [line.translate(marks).split() for line in lines if line.strip(" ─")]


@pytest.mark.parametrize("columns", [24, 30, 36, 40, 60, 80])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_names_are_cut_before_numbers_are_hidden(
    columns: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [f"a_very_long_name_of_a_class_{number}" for number in range(3)]
    rows: list[list[str | Gauge]] = [[name, "0.123456", "0.5", Gauge(0.5)] for name in names]
    headings = ["class", "loss", "accuracy", ""]
    parts: list[Part] = [Table(headings[:count], [row[:count] for row in rows], names=[0])]
    lines = render_text(parts, "auto", terminal=False).decode().splitlines()
    assert max(map(cell_len, lines)) <= columns
    numbers = ["0.123456", "0.5"][: count - 1] if columns > 24 else ["0.123456"]
    for number, line in enumerate(lines[2:5]):
        first, *others = line.split()
        assert first.endswith(f"_{number}")
        assert others[: len(numbers)] == numbers


def test_report() -> None:
    rows = [["a", "1", "pass"], ["b", "20", "fail"]]
    parts: list[Part] = [Table(["name", "n", "verdict"], rows), Line("one\nline")]
    lines = render_text(parts, "auto", terminal=False).decode().splitlines()
    assert cells(lines)[0] == ["name", "n", "verdict"]
    assert [line[-2:] for line in cells(lines)[1:3]] == [["1", "pass"], ["20", "fail"]]
    assert lines[-1] == "one\\nline"


def test_words_are_folded_and_numbers_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [["perplexity", "2.49801e+163", "exp of the mean in nats, and more than fits"]]
    parts: list[Part] = [Table(["", "", ""], rows, left=(0, 2))]
    lines = render_text(parts, "auto", terminal=False).decode().splitlines()
    assert lines[0].split()[:2] == ["perplexity", "2.49801e+163"]
    assert len(lines) > 1
    assert max(map(len, lines)) <= 40
