"""Numbers typed in the shell: one vector, or one row per token."""

from __future__ import annotations

from collections.abc import Sequence

from softmax_cli.errors import InputError, shorten, shorten_token
from softmax_cli.formats.arrays.array import array_source, numeric_array
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.opening.file_key import file_of
from softmax_cli.formats.text.numbers import NotANumberError, is_number, parse_number
from softmax_cli.storage.filesystem import is_remote, path_of


def read_inline(tokens: Sequence[str], place: str) -> Source | None:
    """Return the rows that the tokens give; None if they are paths.

    `1 2 3` is one row; a token `1,2,3` or `[1,2,3]` is a row, `[[1,2],[3,4]]` is two.
    """
    others = [token for token in tokens if not _is_typed(token)]
    if len(others) == len(tokens):
        return None
    if others:
        if others[0] != "-" and not path_of(file_of(others[0])).exists():
            raise unknown_token(others[0], place)
        raise InputError("is a path among numbers", "give only paths or only numbers", others[0])
    rows: list[object]
    if all(map(is_number, tokens)):
        rows = [_number(token, place) for token in tokens]
    else:
        rows = [row for token in tokens for row in _rows(token, place)]
    return array_source(numeric_array(rows, place), place)


def _is_typed(token: str) -> bool:
    """Return true if a token gives numbers; refuse one that is neither numbers nor a file."""
    if is_number(token):
        return True
    if path_of(token).exists():
        return False
    if token.startswith("["):
        return token.endswith("]")
    first, *others = token.split(",")
    if not others or not is_number(first):
        return False
    for part in others:
        if not is_number(part):
            problem = f"{shorten(part)!r} is not a number, and no file has this name"
            raise InputError(problem, "separate numbers with commas alone", shorten_token(token))
    return True


def _number(text: str, place: str) -> float:
    try:
        return parse_number(text)
    except NotANumberError as error:
        raise InputError(str(error), "give a number that float64 can hold", place) from None


def _rows(token: str, place: str) -> list[object]:
    if not token.startswith("["):
        return [[_number(part, place) for part in token.split(",")]]
    from softmax_cli.formats.text.json_values import parse_json

    try:
        row: list[object] = parse_json(token)
    except ValueError as error:
        raise InputError(f"not JSON: {error}", "a row is [1, 2, 3]", shorten_token(token)) from None
    return row if row and isinstance(row[0], list) else [row]


def unknown_token(token: str, place: str) -> InputError:
    """Return the error for a token that is neither a number nor a file; it names an option."""
    shown = shorten_token(token)
    if is_remote(token):
        return InputError("no such file", "check the spelling", shown)
    where = f"{place}: {shown}" if place.startswith("--") else shown or "''"
    return InputError("neither a number nor a file that exists", "check the spelling", where)
