"""Strict JSON: no name twice in an object, and strings for numbers that are not finite."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.text.digits import format_rows
from softmax_cli.formats.text.numbers import json_number
from softmax_cli.storage.input import PIECE_BYTES, Input, read_whole
from softmax_cli.storage.limits import LARGEST_DOCUMENT


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
    try:
        return parse_json(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", place) from None
    except json.JSONDecodeError as error:
        remedy = "--input-format jsonl reads one row per line" if error.lineno > 1 else "check it"
        where = f"{place}:{error.lineno}:{error.colno}"
        raise InputError(f"is not JSON: {error.msg}", remedy, where) from None
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", "check it", place) from None


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; ValueError says why it is not strict JSON.

    A number beyond the range of float64 is refused, and so is an object with a name twice.
    """
    try:
        value = json.loads(text, parse_float=_finite, object_pairs_hook=_unique_names)
        if "\\ud" in text or "\\uD" in text:
            # Half of a surrogate pair cannot be encoded.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):
            raise ValueError("a number is beyond the range of float64") from None
        raise
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the name {shorten(twice)!r} twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{shorten(text)} is beyond the range of float64")
    return number


def label_text(value: object) -> str:
    """Return a label as text; null is an empty cell."""
    return "" if value is None else str(value)


def json_rows(values: NDArray[Any], precision: int | None) -> list[str]:
    """Return each row as a JSON list.

    >>> json_rows(np.array([[0.5, -np.inf]]), None)
    ['[0.5, "-inf"]']
    """
    rows = format_rows(values, b",", precision).decode().splitlines()
    if not np.isfinite(values).all():
        rows = [",".join(map(json_number, row.split(","))) for row in rows]
    return [f"[{row.replace(',', ', ')}]" for row in rows]


def json_text(value: object) -> str:
    """Return the JSON text of a value; a number that is not finite is a string.

    >>> json_text("a"), json_text(7), json_text(float("nan"))
    ('"a"', '7', '"nan"')
    """
    is_finite = not isinstance(value, float) or value - value == 0
    return json.dumps(value if is_finite else repr(value), ensure_ascii=False)


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
