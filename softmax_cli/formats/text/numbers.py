"""Numbers as text: which tokens are numbers, and how a column of them is aligned."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress

from softmax_cli.errors import shorten

# Beyond it float64 holds some whole numbers and rounds others.
LARGEST_EXACT = 1 << 53
# What may be such a number, in a text of many.
LONG_WHOLE_NUMBER = re.compile(rb"(?<![\d.])\d{16,}(?![\d.eE])")
# What to do with truth values where numbers are meant.
STORE_TRUTH = "store truth values as numbers, 0 and 1"
# Ends the part of a number before its decimal point.
_WHOLE = re.compile(r"[.e]")


class NotANumberError(Exception):
    """Says what is wrong with a text that should be a number; the reader adds the place."""


def is_number(token: str) -> bool:
    """Tell whether the token is a number, as float() sees it.

    >>> [is_number(token) for token in ("-1e5", "-inf", ".5", "--typo", "1,2")]
    [True, True, True, False, False]
    """
    try:
        float(token)
    except ValueError:
        return False
    return True


def is_truth(value: object) -> bool:
    """Tell whether a value, or a text, is a truth value.

    >>> is_truth(True), is_truth("False"), is_truth("1")
    (True, True, False)
    """
    return str(value).lower() in ("true", "false")


def parse_number(text: str) -> float:
    """Return the number that a cell or token holds; NotANumberError says what is wrong with it.

    No number is changed silently: one beyond the largest double is refused, and so are a whole
    number that float64 would round and the underscores that Python alone allows.

    >>> parse_number(" -2.5e3 ")
    -2500.0
    """
    if "_" not in text:
        with suppress(ValueError):
            return _exact(float(text), text)
    if not text.strip():
        raise NotANumberError("an empty cell is not a number")
    raise NotANumberError(f"{shorten(text)!r} is not a number")


def _exact(number: float, text: str) -> float:
    if math.isinf(number) and any(character.isdigit() for character in text):
        raise NotANumberError(f"{shorten(text)!r} is beyond the range of float64")
    if abs(number) >= LARGEST_EXACT and not math.isinf(number):
        with suppress(ValueError):
            check_whole(int(text), number)
    return number


def check_whole(whole: int, number: float) -> None:
    """Raise NotANumberError if the nearest double is another number than this whole number."""
    if int(number) != whole:
        shown = shorten(str(whole))
        raise NotANumberError(f"{shown} is a whole number that float64 cannot hold exactly")


def aligned(column: Sequence[str]) -> list[str]:
    """Return numbers of one column as texts of one width, with their decimal points in a line.

    >>> aligned(["0.5", "-12", "1.5e-08", "1e-05", "inf"])
    ['  0.5    ', '-12      ', '  1.5e-08', '  1e-05  ', 'inf      ']
    """
    wholes = [_WHOLE.split(text, maxsplit=1)[0] for text in column]
    left = max(map(len, wholes))
    rests = [text[len(whole) :] for text, whole in zip(column, wholes, strict=True)]
    right = max(map(len, rests))
    return [f"{whole:>{left}}{rest:<{right}}" for whole, rest in zip(wholes, rests, strict=True)]


def json_number(text: str) -> str:
    """Return a number's text as strict JSON: what is not finite becomes a string.

    >>> [json_number(text) for text in ("0.5", "nan", "-inf")]
    ['0.5', '"nan"', '"-inf"']
    """
    return f'"{text}"' if text[-1] in "nf" else text
