"""What a cell is, by its text: a number, a missing value, meant as a number, or a name."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.formats.text.cell_kinds import (
    cell_kind,
    could_be_names,
    counts_up,
    is_number_like,
    number_remedy,
)
from softmax_cli.formats.text.numbers import is_number
from tests.formats.rows import examples

MISSING = ["", " ", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", r"\N", "#N/A"]
NUMBERS = ["0", "-1e5", ".5", "inf", "-Infinity", " 3 ", "1e400"]
NUMBER_LIKE = [
    *("50%", "5 %", "1.5\u2030", "1,234.5", "1.234,5", "1 234", "1'234.5", "12,5", "1,", ",5"),
    *("0.1D+03", "1d5", "1q-3", "-1.#IND", "1.#QNAN", "1.#INF", "-nan(ind)", "nan(0x1)", "-qnan"),
    *("0x1p3", "-0x1.8p-2", "0XFF", "#VALUE!", "#DIV/0!", "#REF!", "#NAME?", "#WERT!", "#NUM!"),
    *("\u22121", "\u20131.5", "\uff0d2", "$5", "-\u20ac5", "5\u20ac", "(5)", "'5", "1_000", "1.5f"),
    *("1+2j", "3i", "1/3", "\u221e", "-\u221e", "[1, 2]", "[[1.5,2]]", "tensor([1.])", "c(1, 2)"),
    *("1e\u22123", "#N/A N/A", "#NV", "#N/D", "#\u00a1VALOR!", "Err:502", "***", "0.123-100"),
    *("2*1.0", "1..5", "0b101", "1.5E", "\u00bd", "=1+1", "np.float64(0.5)", "1.5 2"),
]
NAMES = [
    *("(0, 1]", "[0, 1)"),
    *("setosa", "a1", "1a", "1st", "3D", "v1.2.3", "1.2.3", "2020-01-01", "12:30", "0-9", "[CLS]"),
    *(
        "[unused1]",
        "#hashtag",
        "#1",
        "true",
        "x%",
        "e5",
        "-",
        "--",
        "+",
        "?",
        "<NA>",
        "n/a",
        "D+03",
    ),
]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [(MISSING, "missing"), (NUMBERS, "number"), (NUMBER_LIKE, "number-like"), (NAMES, "name")],
)
def test_kinds(texts: list[str], kind: str) -> None:
    assert {text: cell_kind(text) for text in texts} == dict.fromkeys(texts, kind)


def test_added_texts_are_missing() -> None:
    assert cell_kind("?", {"?"}) == "missing"
    assert cell_kind("NA", {"?"}) == "name"


@examples
@given(st.text(st.sampled_from("0123456789.,-+eE %"), max_size=12))
def test_what_float_reads_is_a_number(text: str) -> None:
    assert (cell_kind(text) == "number") == is_number(text)


@pytest.mark.parametrize("text", NUMBER_LIKE)
def test_every_number_like_cell_has_a_remedy(text: str) -> None:
    assert number_remedy(text)
    assert "--id-columns" not in number_remedy(text)


@pytest.mark.parametrize("text", ["setosa", "1a", "[CLS]", "2020-01-01"])
def test_a_word_has_none(text: str) -> None:
    assert number_remedy(text) == ""
    assert not is_number_like(text)


@pytest.mark.parametrize("text", ["?", "-", "n/a", "<NA>", "."])
def test_what_may_be_missing_is_for_na_values(text: str) -> None:
    assert f"--na-values {shlex.quote(text)} " in number_remedy(text)


def test_a_long_cell_takes_no_time() -> None:
    assert cell_kind("1" + ",111" * 100_000 + "x") == "name"
    assert cell_kind("1" * 100_000 + ",5") == "number-like"
    assert cell_kind("[" + "1 " * 100_000 + "x") == "name"


def test_digits() -> None:
    assert counts_up(["0", " 1 ", "2"])
    assert not counts_up(["1", "2"])
    assert could_be_names(["-1", "10"])
    assert not could_be_names(["1", "1"])
    assert not could_be_names(["1", "2.0"])


@pytest.mark.parametrize("text", ["1e400", "1_000", "9007199254740993"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_without_a_comma_or_a_point_has_no_other_decimal_mark(
    text: str, decimal: str
) -> None:
    assert "decimal" not in number_remedy(text, decimal)
