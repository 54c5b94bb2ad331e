"""Strict JSON: no name twice in an object, and strings for numbers that are not finite."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.text.digits import format_rows
from softmax_cli.formats.text.numbers import json_number
from softmax_cli.storage.input import PIECE_BYTES, Input, read_whole
from softmax_cli.storage.limits import LARGEST_DOCUMENT

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_document(source: Input) -> Any:
    """Return the JSON document in a stream."""
    place = source.place

    def check(piece: bytes, held: int) -> None:
        # A piece without commas holds no rows of numbers, and may never end.
        if len(piece) == PIECE_BYTES and b"," not in piece:
            problem = f"holds {PIECE_BYTES >> 20} MiB without a comma"
            raise InputError(problem, "give rows of numbers", place)
        if held > LARGEST_DOCUMENT:
            problem = f"is larger than {LARGEST_DOCUMENT >> 30} GiB"
            raise InputError(problem, "use JSON lines or .npy, which are read in parts", place)

    data = read_whole(source, check)
    if not data.strip():
        raise InputError("is empty", "give rows of numbers", place)
    try:
        return parse_json(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", place) from None
    except NotJsonError as error:
        where = f"{place}:{error.line}:{error.column}" if error.line else place
        raise InputError(f"is not JSON: {error}", error.remedy, where) from None


class NotJsonError(ValueError):
    """Says why a text is not strict JSON, what to do, and at which line and column, from 1."""

    def __init__(self, problem: str, remedy: str, line: int = 0, column: int = 0) -> None:
        super().__init__(problem)
        self.remedy, self.line, self.column = remedy, line, column


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    `NaN` and `Infinity`, as Python writes them, are numbers. A number beyond the range of float64
    is refused, and so is an object with a name twice.

    Raises:
        NotJsonError: the text is not JSON.
    """
    try:
        value = json.loads(text, parse_float=_finite, object_pairs_hook=_unique_names)
        if "\\ud" in text or "\\uD" in text:
            # Half of a surrogate pair cannot be encoded.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise NotJsonError("nested too deep", "rows are lists of numbers") from None
    except UnicodeEncodeError:
        raise NotJsonError("it holds half of a surrogate pair", "write it as UTF-8") from None
    except json.JSONDecodeError as error:
        remedy = _syntax_remedy(text, error)
        raise NotJsonError(error.msg, remedy, error.lineno, error.colno) from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):
            raise NotJsonError("a number is beyond the range of float64", _INFINITE) from None
        raise
    return value


_INFINITE = 'write "inf" if it is infinite'
_NUMBERS_ARE = "numbers are written like 1, -0.5 or 1e-3"
# How JSON is often written wrongly, from the place of the error on.
_SYNTAX = (
    (r"//|/\*|#", "JSON has no comments: delete it"),
    (r"nan\b", "write NaN or null"),
    (r"[+-]?inf|-Inf(?!inity)", 'write "inf" or "-inf"'),
    (r"(None|NA|N/A)\b", "write null"),
    (r"True\b|False\b", "write true and false in lower case"),
    (r"['\u2018\u201c]|[^\W\d]\w*\s*:", "names and texts are in double quotes"),
    (r"[+.\u2212]|-\.", _NUMBERS_ARE),
    (r",", "delete the comma, or write null for a missing value"),
    (r"[}\]]", "delete the comma before it, or write null for a missing value"),
)


def _syntax_remedy(text: str, error: json.JSONDecodeError) -> str:
    """Return how to fix a text that is not JSON."""
    before, rest = text[: error.pos].strip(), text[error.pos : error.pos + 40]
    if error.msg == "Extra data":
        if rest.strip() == ",":
            return "delete the comma at the end"
        if error.lineno > 1 and "\n" not in before and not re.match(r"\[\s*[\[{]", before):
            return "--input-format jsonl reads one row per line"
        return "write one array of all rows, or each row on a line of its own"
    if error.msg.startswith("Unterminated"):
        return "close it with a double quote"
    if error.msg.startswith("Invalid"):
        return r"in texts, write a backslash as \\, a tab as \t, a line break as \n"
    if error.msg.startswith("Illegal trailing comma"):
        return "delete the comma"
    if not rest.strip():
        return "it is cut short" if before else "give rows of numbers"
    if error.msg.startswith("Expecting ',' delimiter"):
        if rest[0] in "]}":
            return "[ is closed by ], and { by }"
        is_number = text[error.pos - 1].isdigit() and re.match(r"[\d.xXdD_]", rest)
        return _NUMBERS_ARE if is_number else "separate entries with commas"
    found = (remedy for form, remedy in _SYNTAX if re.match(form, rest))
    return next(found, 'lists are written [1, 2] and objects {"a": 1}')


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        problem = f"an object has the name {shorten(twice)!r} twice"
        raise NotJsonError(problem, "rename or delete one")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise NotJsonError(f"{shorten(text)} is beyond the range of float64", _INFINITE)
    return number


def label_text(value: object) -> str:
    """Return a label as text; null is an empty cell."""
    return "" if value is None else str(value)


def json_rows(values: NDArray[Any], precision: int | None) -> list[str]:
    """Return each row as a JSON list.

    >>> json_rows(np.array([[0.5, -np.inf]]), None)
    ['[0.5, "-inf"]']
    """
    text = format_rows(values, b",", precision).decode()
    if are_finite(values):
        return [f"[{row}]" for row in text.replace(",", ", ").splitlines()]
    return [f"[{', '.join(map(json_number, row.split(',')))}]" for row in text.splitlines()]


def are_finite(values: NDArray[Any]) -> bool:
    """Return true if every number is finite."""
    return bool(np.isfinite(values).all())


_NOT_FINITE = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}


def json_text(value: object) -> str:
    """Return the JSON text of a value; a number that is not finite is a string.

    >>> json_text("a"), json_text(7), json_text(float("nan")), json_text([float("inf"), "NaN"])
    ('"a"', '7', '"nan"', '["inf", "NaN"]')
    """
    is_finite = not isinstance(value, float) or value - value == 0
    text = json.dumps(value if is_finite else repr(value), ensure_ascii=False)
    if isinstance(value, (list, dict)) and any(number in text for number in _NOT_FINITE):
        text = json.dumps(json.loads(text, parse_constant=_NOT_FINITE.get), ensure_ascii=False)
    return text


def json_report(report: object, precision: int | None = None) -> str:
    """Return a report as strict JSON.

    >>> json_report({"loss": float("inf")})
    '{"loss": "inf"}'
    """
    return json.dumps(_strict(report, precision), ensure_ascii=False, allow_nan=False)


def _strict(value: object, precision: int | None) -> object:
    if isinstance(value, dict):
        return {key: _strict(entry, precision) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(entry, precision) for entry in value]
    if isinstance(value, float) and value - value != 0:
        return repr(value)
    if isinstance(value, float) and precision is not None:
        return float(f"{value:.{precision}g}")
    return value
