"""Lists of numbers in one cell, as pandas writes lists, tuples, arrays and tensors to CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.text.numbers import LARGEST_EXACT, NotANumberError, parse_number

# A number's own type: np.float64(1.5), tensor(1.5).
_TYPED = re.compile(r"(?:(?:np|numpy|torch)\.)?\w+\(([^()\[\],=]*)\)")
_KEYWORDS = re.compile(r",\s*\w+=[^\[\]]*\)")
_INSIDE = r"([^\[\]()]*)"
# In (1) and (1,234), accountants write negative numbers.
_FORMS = (
    rf"(?:(?:np|numpy|torch)\.)?(?:tensor|array|list)\([\[(]{{1,2}}{_INSIDE}[\])]{{1,2}}\)",
    rf"c\({_INSIDE}\)",
    rf"\[{{1,2}}{_INSIDE}\]{{1,2}}",
    rf"\((?=.*,[\s)]){_INSIDE}\)",
)
_LIST = re.compile("|".join(_FORMS), re.DOTALL)
_ENTRY = re.compile(r"[+\-\u2212]?(?:[\d.][\d.eE+\-]*|nan|inf|None|null|NA)", re.IGNORECASE)
_PLAIN = re.compile(r"\[[0-9.eE+\-, ]+\]")
_CUT = "..."


def list_entries(text: str) -> list[str] | None:
    r"""Return the texts between the brackets of a list; None if the cell is no list of numbers.

    >>> list_entries("[1.0, nan]"), list_entries("(1, )"), list_entries("tensor([1., 2.])")
    (['1.0', 'nan'], ['1'], ['1.', '2.'])
    >>> list_entries("[1.  2.5\n 3.]"), list_entries("[CLS]"), list_entries("1")
    (['1.', '2.5', '3.'], None, None)
    """
    text = text.strip()
    if not text.endswith(("]", ")")):
        return None
    if "(" in text:
        text = _KEYWORDS.sub(")", text)
        text = _TYPED.sub(r"\1", text) if "[" in text else text
    found = _LIST.fullmatch(text)
    if found is None:
        return None
    content = found[found.lastindex or 0].strip().removesuffix(",")
    entries = [entry.strip() for entry in content.split(",")]
    if len(entries) == 1:
        entries = content.split()
    return entries if all(map(_ENTRY.fullmatch, entries)) else None


def parse_list(text: str, missing: Collection[str], place: str) -> list[float]:
    """Return the numbers of a list; errors name the place of its cell."""
    if numbers := _plain_numbers(text, missing):
        return numbers
    entries = list_entries(text)
    if entries is None:
        problem = f"{shorten(text)!r} is not a list of numbers, but the first row has one there"
        raise InputError(problem, "every row needs a list of numbers", place)
    return [_number(entry, number, missing, place) for number, entry in enumerate(entries)]


def _plain_numbers(text: str, missing: Collection[str]) -> list[float] | None:
    """Return the numbers of a list as JSON writes it; None if an entry needs a closer look."""
    if not _PLAIN.fullmatch(text):
        return None
    entries = list(map(str.strip, text[1:-1].split(",")))
    try:
        numbers = list(map(float, entries))
    except ValueError:
        return None
    is_exact = all(-LARGEST_EXACT < number < LARGEST_EXACT for number in numbers)
    return numbers if is_exact and not any(entry in missing for entry in entries) else None


def _number(text: str, number: int, missing: Collection[str], place: str) -> float:
    if text in missing:
        return math.nan
    if text == _CUT:
        problem = "the list is cut short with '...', as NumPy prints long arrays"
        remedy = "save it as a list, array.tolist(), or in a file of arrays such as .npy"
        raise InputError(problem, remedy, place)
    try:
        return parse_number(text)
    except NotANumberError as error:
        problem = f"entry {number} of the list: {error}"
        raise InputError(problem, "every entry must be a number", place) from None
