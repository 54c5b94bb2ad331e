"""How numbers are laid out: aligned columns, and the ends of what is too long."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Significant digits of the numbers that people are shown.
DEFAULT_PRECISION = 6
# Ends the part of a number before its decimal point.
_WHOLE_END = re.compile(r"[.e]")


def align_numbers(column: Sequence[str]) -> list[str]:
    """Return the numbers of a column padded to one width, with their decimal points in line.

    >>> align_numbers(["0.5", "-12", "1.5e-08", "1e-05", "inf"])
    ['  0.5    ', '-12      ', '  1.5e-08', '  1e-05  ', 'inf      ']
    """
    wholes = [_WHOLE_END.split(text, maxsplit=1)[0] for text in column]
    left = max(map(len, wholes))
    rests = [text[len(whole) :] for text, whole in zip(column, wholes, strict=True)]
    right = max(map(len, rests))
    return [f"{whole:>{left}}{rest:<{right}}" for whole, rest in zip(wholes, rests, strict=True)]


def align_columns(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return rows of numbers with each column aligned."""
    return list(zip(*map(align_numbers, zip(*rows, strict=True)), strict=True))


def first_and_last(count: int, room: int) -> list[int]:
    """Return the positions of the first and the last items, as many as there is room for.

    >>> first_and_last(3, room=3), first_and_last(10, room=3)
    ([0, 1, 2], [0, 1, 9])
    """
    if count <= room:
        return list(range(count))
    ahead = (room + 1) // 2
    return [*range(ahead), *range(count - (room - ahead), count)]
