"""Numbers typed in the shell: one vector, or one row per token."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from softmax_cli.errors import InputError, did_you_mean, shorten_token
from softmax_cli.formats.arrays.array import array_source
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.opening.file_key import (
    file_of,
    is_pattern,
    looks_like_a_path,
    matches,
    names_input,
    split_name,
)
from softmax_cli.formats.text.numbers import NotANumberError, is_number, parse_number
from softmax_cli.storage.filesystem import is_remote, path_of


def read_inline(tokens: Sequence[str], place: str) -> Source | None:
    """Return the rows that the tokens give; None if they are paths.

    `1 2 3` is one row; a token `1,2,3` or `[1,2,3]` is a row, `[[1,2],[3,4]]` is two. So are the
    numbers that programs print: `[1. 2.]`, `tensor([1.0, 2.0])`.
    """
    if all(map(is_number, tokens)):
        return array_source(np.array([_number(each, place) for each in tokens]), place)
    others = [token for token in tokens if not _is_typed(token)]
    if len(others) == len(tokens):
        return None
    if others:
        if not names_input(others[0]):
            raise unknown_token(others[0], place)
        raise InputError("is a path among numbers", "give only paths or only numbers", others[0])
    from softmax_cli.formats.arrays.nested_lists import numeric_array
    from softmax_cli.formats.opening.pasted import PastedError, pasted

    try:
        rows = pasted(tokens)
    except PastedError as error:
        # `[ab].npy` begins like a row.
        if any(map(matches, tokens)):
            return None
        token = next((token for token in tokens if error.word in token), tokens[0])
        raise InputError(error.problem, error.remedy, _where(token, place)) from None
    return array_source(numeric_array(_values(rows, place), place), place)


def _is_typed(token: str) -> bool:
    """Return true if a token that is no file begins like numbers."""
    if is_number(token):
        return True
    if token == "-" or path_of(file_of(token)).exists():
        return False
    from softmax_cli.formats.opening.pasted import begins_like_numbers

    return begins_like_numbers(token)


def _values(words: Any, place: str) -> Any:
    """Return the numbers of words in nested lists; any other word as it is."""
    if isinstance(words, list):
        return [_values(word, place) for word in words]
    return _number(words, place) if is_number(words) else words.strip("\"'")


def _number(text: str, place: str) -> float:
    try:
        return parse_number(text)
    except NotANumberError as error:
        from softmax_cli.formats.text.cell_kinds import number_remedy

        remedy = number_remedy(text) or "give a number that float64 can hold"
        raise InputError(str(error), remedy, place) from None


def unknown_token(token: str, place: str) -> InputError:
    """Return the error for a token that is neither a number nor a file; it names an option."""
    from softmax_cli.formats.opening.foreign import is_foreign

    path, key = split_name(token)
    problem, remedy = "no such file", "check the spelling"
    where = _where(token, place)
    if is_remote(path):
        return InputError(problem, remedy, where)
    if path_of(token.partition("[")[0]).is_file() and "]" not in token:
        return InputError(problem, f"close the bracket: {shorten_token(token)}]", where)
    if key is None and is_pattern(token):
        return InputError("no file matches", "check the folder and the pattern", where)
    if not (looks_like_a_path(path) or is_foreign(path)):
        problem = "neither a number nor a file that exists"
    folder = path_of(path_of(path).parent())
    if path.startswith("~"):
        remedy = "the shell does not expand a quoted ~: write $HOME"
    elif "\\" in path and os.sep == "/":
        remedy = "folders are separated by /"
    elif not folder.is_directory():
        remedy = f"there is no folder {shorten_token(folder.path)}"
    else:
        remedy = did_you_mean(path_of(path).name(), folder.names(), remedy)
    return InputError(problem, remedy, where)


def _where(token: str, place: str) -> str:
    shown = shorten_token(token)
    return f"{place}: {shown}" if place.startswith("--") else shown or "''"
