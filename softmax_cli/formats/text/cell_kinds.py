"""What a cell of a table is, by its text alone: a number, a missing value, or a name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Literal

from softmax_cli.errors import shorten
from softmax_cli.formats.text.numbers import STORE_TRUTH, is_number, is_truth

Kind = Literal["missing", "number", "number-like", "name"]

# Missing values as pandas, R, SQL, Excel and JSON write them.
MISSING = frozenset(("", "NA", "N/A", "NaN", "null", "NULL", "None", r"\N", "#N/A"))

_BODY = (
    r"(?:\d{1,3}(?:[,.'\u2019 \u00a0\u202f_]\d{3})+(?:[.,]\d+)?"
    r"|\d+(?:_\d+)+(?:\.\d*)?|\d+(?:[.,]\d*)?|[.,]\d+)"
)
_SIGN = r"[+\-\u2212\u2013\ufe63\uff0d]"
# Numbers as people, spreadsheets, Fortran and C write them, which float() does not read.
_NUMBER_LIKE = rf"""
    '?\(?{_SIGN}{{0,2}}\s*[$\u20ac\u00a3\u00a5]?\s*
    (?:
        {_BODY}\s*(?:[eEdDqQ]{_SIGN}?\d+)?\s*[%\u2030$\u20ac\u00a3\u00a5ij]?
      | \d*\.\d*[fFlLeEdD]
      | \d*\.\d+[+\-]\d{{3}}
      | \d+\*{_BODY}
      | \d+\.\.\d+
      | 0[bB][01]+|0[oO][0-7]+
      | {_BODY}{_SIGN}{_BODY}[ij]
      | {_BODY}{_SIGN}
      | \d+\s*/\s*\d+
      | 0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]+\.?(?:[pP][+\-]?\d+)?
      | \d\.\#[A-Za-z]+\d*
      | [qs]?nan(?:\([^)]*\))?
      | inf(?:inity)?
      | \u221e
    )\)?
    """
_SPREADSHEET_ERROR = re.compile(
    "#(?:[\u00a1\u00bf]?[^\\W\\d_][\\w/]*[!?]|DIV/0!|N/A N/A|NA|N/D|NV|GETTING_DATA)|Err:\\d+"
)
_LIST = re.compile(
    r"(?:tensor|array|c|list)?(?:\[([\s\d.,;e+\-\[\]]*)\]|\(([\s\d.,;e+\-\[\]()]*)\))",
    re.IGNORECASE,
)
# A formula, an overflowing Fortran field, the repr of a NumPy number.
_OTHERS = re.compile(r"=.*|\*+|(?:np|numpy)\.\w+\(.*\)|tensor\([^\s,\[]*\)")
# Missing values to some, something else to others.
_MAYBE_MISSING = frozenset(
    ("-", "--", "?", ".", "n/a", "na", "<na>", "nil", "none", "null", "nat", "n.a.", "n.a", "#n/a")
)
# The expressions take too long on a longer text.
_LONGEST_NUMBER = 100
_DIGITS = re.compile(r"-?\d+")
# Slips of the keyboard such as `1e` and `1;2`, but not `2024-01-01`, `12:30` or `1.2.3`.
_MISTYPED = re.compile(r"[+-]?\.?\d[\d.,;|eE+\-]*")
_DATE = re.compile(r"\d+([-.])\d+(?:\1\d+)+")
# 1,234 could be 1.234 or 1234; 0,234 and 1,5 are decimal.
_ONE_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_WHOLE = re.compile(r"[+-]?\d+")


def cell_kind(text: str, missing: Collection[str] = MISSING) -> Kind:
    r"""Return the kind of a cell.

    A number-like cell is meant as a number or is an error value; float() does not read it.

    >>> [cell_kind(text) for text in ("-1e5", "NA", "50%", "setosa", "#N/A", "#VALUE!", r"\N")]
    ['number', 'missing', 'number-like', 'name', 'missing', 'number-like', 'missing']
    """
    text = text.strip()
    if text in missing or text.lstrip("+-").lower() == "nan":
        return "missing"
    # Only Python allows underscores.
    if is_number(text) and "_" not in text:
        return "number"
    return "number-like" if is_number(text) or is_number_like(text) else "name"


def is_number_like(text: str) -> bool:
    """Return true if a text that float() does not read is meant as a number.

    >>> [is_number_like(text) for text in ("50%", "1,234.5", "0.1D+03", "0x1p3", "a1", "[CLS]")]
    [True, True, True, True, False, False]
    """
    text = text.strip()
    if is_list(text) or (text.isnumeric() and not text.isdecimal()):
        return True
    if len(text) > _LONGEST_NUMBER:
        return text[0].isdigit() and not text.strip("0123456789.,+-eE_ ")
    parts = text.split()
    if len(parts) > 1 and all(map(is_number, parts)):
        return True
    return any(form.fullmatch(text) for form in (_number_like(), _SPREADSHEET_ERROR, _OTHERS))


@cache
def _number_like() -> re.Pattern[str]:
    """Return the compiled expression, which takes a millisecond: most runs do not need it."""
    return re.compile(_NUMBER_LIKE, re.VERBOSE | re.IGNORECASE)


def is_spreadsheet_error(text: str) -> bool:
    """Return true for an error value of Excel, such as `#DIV/0!`."""
    return _SPREADSHEET_ERROR.fullmatch(text.strip()) is not None


def is_list(text: str) -> bool:
    """Return true for a list of numbers in one cell, such as `[1.0, 2.0]`."""
    from softmax_cli.formats.text.list_cells import list_entries

    if list_entries(text) is not None:
        return True
    found = _LIST.fullmatch(text.strip())
    if found is None or _number_like().fullmatch(text.strip()) or _OTHERS.fullmatch(text.strip()):
        return False
    return any(map(str.isdigit, found[1] or found[2]))


def may_be_missing(text: str) -> bool:
    """Return true for a text such as `-` or `?`, which --na-values can make a missing value."""
    return text.strip().casefold() in _MAYBE_MISSING


def is_whole(text: str) -> bool:
    """Return true for a whole number without a decimal point: `7`, not `7.0`."""
    return _WHOLE.fullmatch(text.strip()) is not None


def are_numbered(names: Collection[object]) -> bool:
    """Return true if the names are 0, 1, 2, ..., as texts or as numbers."""
    return list(map(str, names)) == list(map(str, range(len(names))))


def counts_up(cells: Sequence[str]) -> bool:
    """Return true if the cells read 0, 1, 2, ..., as in the header of an unnamed data frame."""
    return are_numbered([cell.strip() for cell in cells])


def could_be_names(cells: Sequence[str]) -> bool:
    """Return true if the cells are distinct digits, which may be class names."""
    texts = [cell.strip() for cell in cells]
    return len(set(texts)) == len(texts) and all(map(_DIGITS.fullmatch, texts))


def number_remedy(text: str, decimal: str = "") -> str:
    """Return how to fix a cell that is meant as a number; an empty string for a word.

    decimal  the decimal mark of a text table, which --decimal changes

    >>> number_remedy("1 2"), number_remedy("setosa"), number_remedy("1,5", ".")
    ('write it as plain digits, such as -1234.5e-3', '', 'write a decimal point, or --decimal ,')
    """
    text = text.strip()
    if decimal == "," and "." in text and is_number(text):
        return "write a decimal comma, or leave --decimal , out"
    comma = "," in text and "." not in text
    if decimal == "." and comma and is_number(text.replace(",", ".")):
        if _ONE_COMMA.fullmatch(text):
            return "write it without thousands separators, or --decimal , for a decimal comma"
        return "write a decimal point, or --decimal ,"
    if is_truth(text):
        return STORE_TRUTH
    if is_list(text):
        return "give each number of the list a cell of its own"
    if may_be_missing(text) or is_spreadsheet_error(text) or not text.strip("*"):
        return missing_remedy(text)
    if not is_number_like(text) and not is_number(text.replace("_", "")):
        is_mistyped = _MISTYPED.fullmatch(text) and not _DATE.fullmatch(text)
        return _PLAIN_DIGITS if is_mistyped else ""
    return next(remedy for form, remedy in _REMEDIES if re.search(form, text, re.IGNORECASE))


def missing_remedy(text: str) -> str:
    """Return how to fix a cell that is no number, among numbers; commas separate --na-values.

    >>> missing_remedy("#REF!"), missing_remedy("a, b")
    ("fix the cell, or --na-values '#REF!' reads it as a missing value", 'fix the cell')
    """
    if "," in text or text != text.strip() or text != shorten(text):
        return "fix the cell"
    from shlex import quote

    return f"fix the cell, or --na-values {quote(text)} reads it as a missing value"


_PLAIN_DIGITS = "write it as plain digits, such as -1234.5e-3"
_REMEDIES = (
    ("[%\u2030]", "write it without the percent sign, as a fraction of 1"),
    (r"nan|\d\.#|inf|\u221e", "write nan, inf or -inf"),
    (r"^\(|\d[+\-\u2212\u2013]$", "write a negative number with - before it"),
    ("[\u2212\u2013\ufe63\uff0d]", "write the minus sign as -"),
    ("0x", "write it in decimal"),
    ("^=", "write the result of the formula"),
    (r"\d[dq][+-]?\d|\.\d+[+-]\d", "write the exponent with e, as 1e-3"),
    ("[$\u20ac\u00a3\u00a5]", "write it without the currency sign"),
    ("[ij]$", "complex numbers are not read; give real ones"),
    ("/", "write the fraction as a decimal number"),
    (r"\d[,.' _\u2019\u00a0\u202f]\d{3}.*[.,]", "write it without thousands separators"),
    (r"^[^,.]*,[^,.]*$", "numbers need a decimal point, not a comma"),
    ("_", "write it as float64 can hold it, without underscores"),
    (r"^[+-]?[\d.]+(e[+-]?\d+)?$", "write it as float64 can hold it"),
    ("", _PLAIN_DIGITS),
)
