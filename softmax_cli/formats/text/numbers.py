"""Numbers as text: which tokens are numbers."""

from __future__ import annotations

import math
from contextlib import suppress

from softmax_cli.errors import shorten

# float64 holds every whole number up to it.
LARGEST_EXACT = 1 << 53
# A regular expression for whole numbers that float64 may not hold.
LONG_WHOLE_NUMBER = rb"(?<![\d.])\d{16,}(?![\d.eE])"
_SWAPPED = {ord("."): ",", ord(","): "."}
STORE_TRUTH = "store truth values as numbers, 0 and 1"


class NotANumberError(Exception):
    """Says what is wrong with a text that should be a number; the reader adds the place."""


def is_number(token: str) -> bool:
    """Return true if float() reads the token.

    >>> [is_number(token) for token in ("-1e5", "-inf", ".5", "--typo", "1,2")]
    [True, True, True, False, False]
    """
    try:
        float(token)
    except ValueError:
        return False
    return True


def is_truth(value: object) -> bool:
    """Return true for a truth value or the text of one.

    >>> is_truth(True), is_truth("False"), is_truth("1")
    (True, True, False)
    """
    return str(value).lower() in ("true", "false")


def with_point(text: str, decimal: str) -> str:
    """Return a number with a point for its decimal mark; other points become commas.

    >>> with_point("1,5", ","), with_point("1.5", ","), with_point("1.5", ".")
    ('1.5', '1,5', '1.5')
    """
    return text if decimal == "." else text.translate(_SWAPPED)


def parse_number(text: str, decimal: str = ".") -> float:
    """Return the number in a cell or token; NotANumberError says why it has none.

    It refuses what would silently change a number: one beyond the range of float64, a whole number
    that float64 would round, and underscores, which only Python allows.

    >>> parse_number(" -2.5e3 ")
    -2500.0
    >>> parse_number("-2,5", decimal=",")
    -2.5
    """
    given, text = text, with_point(text, decimal)
    if not is_number(text) or "_" in text:
        what = repr(shorten(given)) if given.strip() else "an empty cell"
        is_pointed = decimal == "," and "." in given and is_number(given)
        problem = "has a decimal point, not a comma" if is_pointed else "is not a number"
        raise NotANumberError(f"{what} {problem}")
    number = float(text)
    if math.isinf(number):
        if any(map(str.isdigit, text)):
            raise NotANumberError(f"{shorten(given)!r} is beyond the range of float64")
    elif abs(number) >= LARGEST_EXACT:
        with suppress(ValueError):
            if (whole := int(text)) != int(number):
                raise NotANumberError(f"float64 cannot hold {shorten(str(whole))} exactly")
    return number


def json_number(text: str) -> str:
    """Return the text of a number as strict JSON, a string if it is not finite.

    >>> [json_number(text) for text in ("0.5", "nan", "-inf")]
    ['0.5', '"nan"', '"-inf"']
    """
    return f'"{text}"' if text[-1] in "nf" else text
