"""Which texts are numbers, and which texts numbers become."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.formats.text.digits import format_rows
from softmax_cli.formats.text.numbers import NotANumberError, json_number, parse_number
from tests.formats.rows import examples


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("+1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1e5", -1e5),
        (" 2\t", 2.0),
        ("1E-400", 0.0),
        ("4.9e-324", 5e-324),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("-INF", -math.inf),
    ],
)
def test_number(text: str, number: float) -> None:
    assert parse_number(text) == number


def test_nan() -> None:
    assert math.isnan(parse_number("NaN"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty cell"),
        (" \t", "an empty cell"),
        ("abc", "'abc' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("1,5", "'1,5' is not a number"),
        ("0x10", "'0x10' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("--1", "'--1' is not a number"),
        ("1e999", "beyond the range"),
        ("-1e309", "beyond the range"),
        ("9" * 400, "beyond the range"),
    ],
)
def test_not_a_number(text: str, words: str) -> None:
    with pytest.raises(NotANumberError, match=words):
        parse_number(text)


def test_long_text_is_shortened() -> None:
    with pytest.raises(NotANumberError) as error:
        parse_number("x" * 10_000)
    assert len(str(error.value)) < 80


@examples
@given(st.floats(allow_nan=False))
def test_text_reads_back(number: float) -> None:
    text = format_rows(np.array([[number]]), b",", None).decode().strip()
    back = parse_number(text)
    assert back == number
    assert math.copysign(1, back) == math.copysign(1, number)


@pytest.mark.parametrize(
    ("number", "precision", "text"),
    [
        (2 / 3, 3, "0.667"),
        (2 / 3, 1, "0.7"),
        (1234567.0, 3, "1.23e+06"),
        (-0.0, 2, "-0"),
        (math.nan, 4, "nan"),
        (-math.inf, 4, "-inf"),
    ],
)
def test_precision(number: float, precision: int, text: str) -> None:
    assert format_rows(np.array([[number]]), b",", precision) == f"{text}\n".encode()


@pytest.mark.parametrize(
    ("text", "strict"), [("inf", '"inf"'), ("-1e+16", "-1e+16"), ("1e+300", "1e+300")]
)
def test_strict_json(text: str, strict: str) -> None:
    assert json_number(text) == strict
