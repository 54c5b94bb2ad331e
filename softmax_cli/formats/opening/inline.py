"""Numbers typed in the shell: one vector, or one row per token."""

from __future__ import annotations

from collections.abc import Sequence

from softmax_cli.errors import InputError, shorten, shorten_token
from softmax_cli.formats.arrays.array import array_source, numeric_array
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.text.numbers import NotANumberError, is_number, parse_number
from softmax_cli.storage.filesystem import is_remote, path_of


def read_inline(tokens: Sequence[str], place: str) -> Source | None:
    """Return the rows that the tokens give; None if they are paths.

    `1 2 3` is one row; a token `1,2,3` or `[1,2,3]` is a row, `[[1,2],[3,4]]` two.
    """
    typed = [token for token in tokens if _is_typed(token)]
    if not typed:
        return None
    if len(typed) < len(tokens):
        other = next(token for token in tokens if token not in typed)
        if other != "-" and not path_of(other).exists():
            raise unknown_token(other, place)
        raise InputError(
            "is a path among numbers, and the two do not mix", "give one or the other", other
        )
    if all(is_number(token) for token in tokens):
        return array_source(
            numeric_array([_number(token, place) for token in tokens], place), place
        )
    rows: list[object] = []
    for token in tokens:
        if token.startswith("["):
            row = _json(token)
            rows.extend(row if row and isinstance(row[0], list) else [row])
        else:
            rows.append([_number(part, place) for part in token.split(",")])
    return array_source(numeric_array(rows, place), place)


def _is_typed(token: str) -> bool:
    if is_number(token):
        return True
    if path_of(token).exists():
        return False
    if token.startswith("["):
        return token.endswith("]")
    parts = token.split(",")
    if len(parts) > 1 and is_number(parts[0]):
        for part in parts:
            if not is_number(part):
                raise InputError(
                    f"{shorten(part)!r} is not a number, and no file has this name",
                    "a row is numbers with commas between, without spaces",
                    shorten_token(token),
                )
        return True
    return False


def _number(text: str, place: str) -> float:
    try:
        return parse_number(text)
    except NotANumberError as error:
        raise InputError(str(error), "type a number that float64 can hold", place) from None


def _json(token: str) -> list[object]:
    from softmax_cli.formats.text.json_values import parse_json

    try:
        row = parse_json(token)
    except ValueError as error:
        raise InputError(f"not JSON: {error}", "a row is [1, 2, 3]", shorten_token(token)) from None
    if not isinstance(row, list):
        raise InputError("not a list of numbers", "a row is [1, 2, 3]", shorten_token(token))
    return row


def unknown_token(token: str, place: str) -> InputError:
    """Return the error for a token that is neither a number nor a file, with its option."""
    shown = shorten_token(token)
    if is_remote(token):
        return InputError("no such file", "check the spelling", shown)
    return InputError(
        "neither a number nor a file that exists",
        "check the spelling of the number or path",
        f"{place}: {shown}" if place.startswith("--") else shown or "''",
    )
