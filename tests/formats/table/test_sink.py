"""What a person sees: the ends of what is long, and how much is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.table.sink import TableSink
from tests.display.rich.test_tables import cells
from tests.formats.rows import Array, Ids, raw_ids

pytestmark = pytest.mark.usefixtures("terminal_of_80_columns")

ESCAPE = "\x1b["
HALVES = np.array([[0.25, 0.75], [0.5, 0.5]])


def shown(
    values: Array,
    options: WriteOptions = WriteOptions(),
    *,
    ids: Ids | None = None,
    classes: Array | None = None,
    step: int = 7,
    **changes: Any,
) -> list[str]:
    """Return the lines of the table of the values, which come in blocks of `step` rows."""
    fixed: dict[str, Any] = {"name": "probabilities", "columns": values.shape[-1]}
    result = Result(command="softmax", dtype=values.dtype, **{**fixed, **changes})
    write = WriteOptions(
        format="table", output="x", precision=options.precision, color=options.color
    )
    with open_sink(result, write) as sink:
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            kept = raw_ids((ids or [])[rows])
            chosen = None if classes is None else classes[rows]
            sink.write(Block(start, values[rows], str, kept, classes=chosen))
    return Path("x").read_text(encoding="utf-8").splitlines()


def test_rows() -> None:
    assert cells(shown(HALVES, class_names=("a", "b"))) == [
        ["row", "a", "b"],
        ["0", "0.25", "0.75"],
        ["1", "0.5", "0.5"],
    ]


def test_one_row_has_a_class_a_line_and_bars() -> None:
    lines = shown(HALVES[:1], class_names=("cat", "dog"))
    assert cells(lines) == [["class", "probability"], ["cat", "0.25"], ["dog", "0.75"]]
    cat, dog = (next(line for line in lines if name in line) for name in ("cat", "dog"))
    assert dog.count("█") == 3 * cat.count("█") > 0


@pytest.mark.parametrize(
    ("precision", "text"), [(None, "0.333333"), (2, "0.33"), (9, "0.333333333")]
)
def test_precision(precision: int | None, text: str) -> None:
    lines = shown(np.array([[1 / 3], [1.0]]), WriteOptions(precision=precision))
    assert ["0", text] in cells(lines)


@pytest.mark.parametrize("step", [1, 7, 10, 50])
@pytest.mark.parametrize(("rows", "first", "last"), [(20, 20, 0), (21, 10, 10), (50, 10, 10)])
def test_long_ones_show_their_ends(rows: int, first: int, last: int, step: int) -> None:
    values = np.arange(2.0 * rows).reshape(rows, 2)
    lines = shown(values, step=step, name="log_probabilities")
    numbers = [row for row in range(rows) if row < first or row >= rows - last]
    body = [line for line in cells(lines)[1:] if line[0].isdigit() and len(line) == 3]
    assert body == [[str(row), f"{2 * row:g}", f"{2 * row + 1:g}"] for row in numbers]
    assert (f"20 of {rows} rows shown" in lines) == (rows > 20)


def test_wide_ones_show_their_ends() -> None:
    lines = shown(np.ones((2, 60)) / 60)
    heading = lines[0].split()
    assert heading[:3] == ["row", "▸", "0"]
    assert heading[-1] == "59"
    assert "…" in heading
    assert lines[-1] == f"{len(heading) - 3} of 60 classes shown"
    assert max(map(len, lines)) <= 80


def test_the_likeliest_class_is_marked_even_in_a_hidden_column() -> None:
    values = np.full((2, 60), 0.001)
    values[0, 30], values[1, 0] = 0.9, 0.5
    lines = [line.split() for line in shown(values)]
    assert [line[1] for line in lines if line[0] in ("row", "0", "1")] == ["▸", "30", "0"]
    assert any("▸0.5" in cell for cell in lines[3])
    assert not any("▸" in cell for line in shown(values, name="losses") for cell in line)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("matrix", [False, True])
def test_wide_characters_line_up(
    columns: int, matrix: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ("猫", "犬犬犬犬犬犬犬犬犬犬犬犬犬犬犬犬犬犬", "Überlänge", "é" * 40)
    values = np.array([[0.1, 0.2, 0.3, 0.4]] * 4)
    name = "jacobian" if matrix else "probabilities"
    lines = shown(values, class_names=names, name=name, matrix=matrix)
    body = [line for line in lines if not line.endswith("shown") and "shade" not in line]
    widest = max(map(cell_len, body))
    assert widest <= columns
    rule = next(line for line in body if line.startswith("─"))
    assert len(rule) >= widest - 1
    # Each number of a column ends at the same place as its heading does.
    if columns > 40:
        assert len({cell_len(line.rstrip("░▒▓█▁▂▃▄▅▆▇ ")) for line in body[2:]}) == 1


def test_tables_of_very_wide_rows_take_no_time_for_what_they_hide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.zeros((2, 100_000))
    values[0, 50_000], values[1, -1] = 1, 1
    written: list[float] = []

    def number(self: TableSink, value: float) -> str:
        written.append(value)
        return f"{value:.{self._precision}g}"

    monkeypatch.setattr(TableSink, "_number", number)
    for columns in (80, 1000):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = shown(values)
        assert "of 100000 classes" in lines[-1]
        assert max(map(cell_len, lines)) <= columns
        assert [line.split()[1] for line in lines[2:4]] == ["50000", "99999"]
    assert len(written) < 5000


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_names_are_cut_where_numbers_would_be(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = tuple(f"a_very_long_name_of_a_class_{number}" for number in range(3))
    classes = np.array([[2, 0], [1, 2]])
    lines = shown(HALVES[:, ::-1], classes=classes, class_names=names)
    assert max(map(cell_len, lines)) <= columns
    first = lines[2].split()
    assert first[1].startswith("a_")
    assert first[1].endswith("_2")
    assert first[2] == "0.75"
    assert "_0 0.25" in lines[2]


def test_nothing_is_shaded_where_all_is_zero() -> None:
    assert "shade" not in " ".join(shown(np.zeros((2, 2)), name="jacobian", matrix=True))


def test_one_wide_row_shows_its_ends() -> None:
    lines = shown(np.ones((1, 60)) / 60)
    assert lines[-1] == "40 of 60 classes shown"
    assert [line[0] for line in cells(lines)[1:-1]] == [
        *map(str, range(20)),
        "⋮",
        *map(str, range(40, 60)),
    ]


def test_likeliest_classes() -> None:
    classes = np.array([[2, 0], [1, 2]])
    lines = cells(shown(HALVES[:, ::-1], classes=classes, class_names=("a", "b", "c")))
    assert lines[1:] == [["0", "c", "0.75", "a", "0.25"], ["1", "b", "0.5", "c", "0.5"]]


def test_ids_stand_for_row_numbers_without_control_characters() -> None:
    lines = shown(HALVES, ids=[(b'"a\x1b[31m"',), (b"\xff",)])
    assert ["\\x1b[31m" in line for line in lines[2:]] == [True, False]
    assert not any("\x1b" in line for line in lines)


def test_matrices() -> None:
    values = np.array([[0.1, -0.1], [-0.2, 0.2]])
    lines = cells(shown(values, name="jacobian", matrix=True))
    assert lines[:3] == [["i", "\\", "j", "0", "1"], ["0", "0.1", "-0.1"], ["1", "-0.2", "0.2"]]


def test_many_matrices() -> None:
    lines = shown(np.zeros((10, 2)), name="jacobian", matrix=True)
    assert [line for line in lines if line.startswith("row ")] == ["row 0", "row 1", "row 2"]
    assert lines[-1] == "3 of 5 rows shown"


def test_no_rows() -> None:
    assert shown(np.empty((0, 2))) == ["no rows"]


def test_rows_without_a_result() -> None:
    lines = cells(shown(np.array([[np.nan, np.nan], [0.0, 1.0]])))
    assert lines[1:] == [["0", "nan", "nan"], ["1", "0", "1"]]


@pytest.mark.parametrize("values", [HALVES, HALVES[:1]])
def test_colour(values: Array) -> None:
    assert any(ESCAPE in line for line in shown(values, WriteOptions(color="always")))
    for color in ("auto", "never"):
        options = WriteOptions(color=color)
        assert not any(ESCAPE in line for line in shown(values, options))
