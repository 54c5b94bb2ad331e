"""Numbers of JSON: nested lists as an array, and single values."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.text.cell_kinds import MISSING, is_list, number_remedy
from softmax_cli.formats.text.numbers import (
    LARGEST_EXACT,
    STORE_TRUTH,
    NotANumberError,
    is_number,
    parse_number,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

GIVE_A_NUMBER = "give a number"
NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_MOST_DIMENSIONS = 32


def numeric_array(
    nested: object, place: str, missing: Collection[str] = MISSING
) -> NDArray[np.float64]:
    """Return nested lists of numbers as an array; null and missing values are NaN.

    >>> numeric_array([[1, "-inf"], [3, 4]], "example").tolist()
    [[1.0, -inf], [3.0, 4.0]]
    """
    shape: list[int] = []
    level = nested
    while isinstance(level, list):
        if len(shape) == _MOST_DIMENSIONS:
            raise InputError("is nested too deep", "rows are lists of numbers", place)
        shape.append(len(level))
        level = level[0] if level else None
    of_truths = isinstance(level, bool)
    flat: list[float] = []

    def flatten(value: object, depth: int, index: str) -> None:
        where = f"{place}: {index}" if index else place
        if depth == len(shape):
            if isinstance(value, list):
                remedy = "rows are lists of numbers, all of one length"
                raise InputError("a list among numbers", remedy, where)
            try:
                flat.append(json_float(value, missing, of_truths=of_truths))
            except NotANumberError as error:
                remedy = STORE_TRUTH if of_truths else remedy_of_json(value)
                raise InputError(str(error), remedy, where) from None
            return
        if not isinstance(value, list):
            what = "an object" if isinstance(value, dict) else "a number"
            raise InputError(f"{what} among lists", "rows are lists of numbers", where)
        if len(value) != shape[depth]:
            problem = f"a row of {len(value)} entries, and the first has {shape[depth]}"
            raise InputError(problem, "all rows need the same classes", where)
        for position, entry in enumerate(value):
            flatten(entry, depth + 1, f"{index}[{position}]")

    flatten(nested, 0, "")
    return np.array(flat, dtype=np.float64).reshape(shape)


def json_float(
    value: object, missing: Collection[str] = MISSING, *, of_truths: bool = False
) -> float:
    """Return a JSON value as a number, NaN if it is missing; "inf" is a string, as in output.

    With `of_truths`, the first value was a truth value: so must be the others.
    """
    if of_truths and isinstance(value, (int, float)):
        if isinstance(value, bool):
            return float(value)
        raise NotANumberError(f"{value} is not a truth value like the first")
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) <= LARGEST_EXACT else parse_number(str(value))
    if value is None or (isinstance(value, str) and value in missing):
        return math.nan
    if isinstance(value, str) and value in NON_FINITE:
        return NON_FINITE[value]
    raise NotANumberError(f"{shorten(repr(value))} is not a number")


def remedy_of_json(value: object) -> str:
    """Return the remedy for a JSON value that is not a number.

    >>> remedy_of_json(True), remedy_of_json("1.5")
    ('store truth values as numbers, 0 and 1', 'write it without quotes')
    """
    if isinstance(value, str) and (is_number(value) or is_list(value)):
        return "write it without quotes"
    if isinstance(value, (list, dict)):
        return "rows are lists of numbers"
    return number_remedy(str(value)) or GIVE_A_NUMBER
