"""The format of input without a suffix, told apart by its first bytes."""

from __future__ import annotations

import json
import re

from softmax_cli.errors import InputError
from softmax_cli.formats.streams import Input

DELIMITERS = ",;\t|"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?\s*")


def detected_format(source: Input) -> str:
    """Return the name of the format that the first bytes speak of."""
    head = source.head()
    if not head:
        raise InputError("is empty", "give numbers, CSV, JSON or NPY", source.place)
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"[", b"{")):
        return "jsonl" if _is_a_document(text.split(b"\n", 1)[0]) and _goes_on(text) else "json"
    first_line = text.split(b"\n", 1)[0].decode("utf-8", errors="replace")
    return "tsv" if (found := detected_delimiter(first_line)) == "\t" else "csv" if found else "txt"


def detected_delimiter(line: str) -> str | None:
    """Return the one of `, ; tab |` that a line has outside quotes; None if it has none.

    A comma inside numbers that stand between semicolons is a decimal comma.

    >>> [detected_delimiter(line) for line in ('"a;b",c', "1 2 3", "1,5;2,5")]
    [',', None, ';']
    """
    unquoted = "".join(line.split('"')[::2])
    for mark in ";\t":
        cells = unquoted.split(mark)
        if len(cells) > 1 and "," in unquoted and all(map(_DECIMAL_COMMA.fullmatch, cells)):
            return mark
    return next((mark for mark in DELIMITERS if mark in unquoted), None)


def _is_a_document(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _goes_on(text: bytes) -> bool:
    return bool(text.partition(b"\n")[2].strip())
