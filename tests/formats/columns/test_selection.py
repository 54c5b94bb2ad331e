"""Columns chosen by name, by number, by range and by pattern."""

from __future__ import annotations

import pytest

from softmax_cli.errors import UsageError
from softmax_cli.formats.columns.selection import select_columns

NAMES = ["id", "logit_a", "logit_b", "2", "x,y", "logit_a2"]


@pytest.mark.parametrize(
    ("specs", "chosen"),
    [
        (["id"], [0]),
        (["1"], [0]),
        (["2"], [3]),  # a name wins over a number
        (["3-5"], [2, 3, 4]),
        (["6-6"], [5]),
        (["logit_*"], [1, 2, 5]),
        (["logit_?"], [1, 2]),
        (["logit_[ab]"], [1, 2]),
        (["id,logit_b"], [0, 2]),
        (["x,y"], [4]),
        (["logit_b", "id", "logit_*"], [2, 0, 1, 5]),
        (["1-3,2-5"], [0, 1, 2, 3, 4]),
        ([], []),
    ],
)
def test_chosen(specs: list[str], chosen: list[int]) -> None:
    assert select_columns(specs, NAMES, len(NAMES), "--columns") == chosen


@pytest.mark.parametrize(
    ("specs", "names", "words"),
    [
        (["nope"], NAMES, ["'nope'", "id, logit_a"]),
        (["LOGIT_*"], NAMES, ["'LOGIT_*'"]),
        (["Logit_B"], NAMES, ["no column named 'Logit_B'", "did you mean 'logit_b'?"]),
        (["0"], NAMES, ["no column 0", "1 to 6"]),
        (["7"], NAMES, ["no column 7", "1 to 6"]),
        (["5-7"], NAMES, ["no column 5-7", "1 to 6"]),
        (["4-3"], NAMES, ["no column 4-3", "1 to 6"]),
        (["id,"], NAMES, ["no column named ''"]),
        (["a"], ["a", "b", "a"], ["2 columns are named 'a'", "number"]),
        (["id"], None, ["'id'", "no header", "--header"]),
    ],
)
def test_refused(specs: list[str], names: list[str] | None, words: list[str]) -> None:
    count = len(names or NAMES)
    with pytest.raises(UsageError) as error:
        select_columns(specs, names, count, "--id-columns")
    line = str(error.value)
    assert line.startswith("--id-columns: ")
    assert all(word in line for word in words), line
