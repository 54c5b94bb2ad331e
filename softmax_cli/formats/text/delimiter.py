"""Finds what separates the cells of a text table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from softmax_cli.errors import UsageError

# Excel's first line, which only names the delimiter.
_SEP_LINE = re.compile(rb'\s*"?sep=([^\w\s"]|[ \t])"?[\r\n]*', re.IGNORECASE)
# A decimal comma, or a list.
_COMMA_INSIDE = re.compile(
    r"\s*\w*[\[(].*[\])]\s*|\s*[+\-\u2212]?[\d.'\u2019\u00a0 ]*,\d+([eE][+-]?\d+)?\s*%?\s*"
)
_ONE_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_BLANKS_BESIDE = re.compile(r"\s*[,;|]\s*")
_MARKS = ",;\t|"


def separator_line(line: bytes) -> str | None:
    r"""Return the delimiter that a line such as `sep=;` names; None for another line.

    >>> separator_line(b"sep=;\r\n"), separator_line(b"sep,a\n")
    (';', None)
    """
    found = _SEP_LINE.fullmatch(line)
    return None if found is None else found[1].decode("latin-1")


def detected_delimiter(*lines: str, usual: str | None = ",", decimal: str = ".") -> str | None:
    """Return the one of `, ; tab |` that cuts the first lines of a table; None if none does.

    The usual delimiter of the format (None: blanks) wins where it cuts. In numbers separated by
    another one, a comma is a decimal comma.

    >>> [detected_delimiter(line) for line in ('"a;b",c', "1 2 3", "1,5;2,5")]
    [',', None, ';']
    >>> detected_delimiter("a;b;c", "1,5;2,25;3")
    ';'
    """
    unquoted = ['""'.join(line.split('"')[::2]) for line in lines]
    # Blanks next to another delimiter do not separate cells: `1, 2, 3`.
    tight = unquoted if usual else [_BLANKS_BESIDE.sub(",", line) for line in unquoted]
    is_cut = any(len(line.split(usual)) > 1 for line in tight)
    for mark in _MARKS.replace(usual or "\t", ""):
        if not all(mark in line for line in unquoted) or mark == decimal:
            continue
        # One number with a decimal comma a line, or two whole ones?
        if mark == "," and all(map(_ONE_COMMA.fullmatch, unquoted)):
            continue
        if not is_cut or (usual == "," and _has_inner_commas(unquoted, mark)):
            return mark
    return usual if is_cut and usual else None


def _has_inner_commas(lines: Sequence[str], mark: str) -> bool:
    """Return true if every comma is in a number or a list, given what separates cells."""
    cells = [cell for line in lines for cell in line.split(mark) if "," in cell]
    return all(map(_COMMA_INSIDE.fullmatch, cells))


def choose_delimiter(
    asked: str | None, form: str, decimal: str, place: str, lines: Sequence[bytes]
) -> tuple[str | None, str]:
    """Return the delimiter (None for blanks), and a note if it is not that of the suffix.

    asked  by --delimiter, or a line `sep=;`
    lines  the first two records
    """
    if asked is not None:
        return _one_character(asked), ""
    usual = {"tsv": "\t", "txt": None}.get(form, _usual(decimal))
    texts = [line.decode("utf-8", errors="replace") for line in lines]
    found = detected_delimiter(*texts, usual=usual, decimal=decimal) or usual
    has_suffix = form != "csv" or ".csv" in PurePath(place.lower()).suffixes[-2:]
    if found == usual or not has_suffix:
        return found, ""
    shown = "a tab" if found == "\t" else repr(found)
    return found, f"{place}: cells are separated by {shown}"


def format_of_text(head: bytes, decimal: str) -> str:
    r"""Return the format, csv, tsv or txt, of a text that begins so.

    >>> [format_of_text(head, ".") for head in (b"# x\n1 2\n", b"sep=;\n1;2\n", b"1\t2")]
    ['txt', 'csv', 'tsv']
    """
    lines = [line for line in head.split(b"\n") if line.strip() and not line.startswith(b"#")][:2]
    if lines and separator_line(lines[0]):
        return "csv"
    texts = [line.decode("utf-8", errors="replace") for line in lines]
    found = detected_delimiter(*texts, usual=_usual(decimal), decimal=decimal)
    return "tsv" if found == "\t" else "csv" if found else "txt"


def _usual(decimal: str) -> str:
    """Return the delimiter of CSV with this decimal mark."""
    return ";" if decimal == "," else ","


def _one_character(delimiter: str) -> str | None:
    delimiter = "\t" if delimiter in ("tab", r"\t") else delimiter
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        problem = f"{delimiter!r} cannot separate cells"
        raise UsageError(problem, "give one character, or 'tab'", "--delimiter")
    return None if delimiter == " " else delimiter
