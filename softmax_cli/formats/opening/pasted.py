"""Numbers as programs print them: lists with blanks or commas, tensors, arrays, vectors of R."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from softmax_cli.errors import shorten
from softmax_cli.formats.arrays.nested_lists import NON_FINITE
from softmax_cli.formats.text.cell_kinds import MISSING, number_remedy
from softmax_cli.formats.text.numbers import is_number

_OPENING, _CLOSING = "[(", "])"
_LEXEME = re.compile(r"\s+|[,;\[\]()]|\"[^\"]*\"|'[^']*'|[^\s,;\[\]()\"']+|[\"']")
# Signs that editors and web pages put in the place of a minus.
_MINUS = dict.fromkeys(map(ord, "\u2212\u2013\u2010\u2011\ufe63\uff0d"), "-")
# tensor(, np.array(, jnp.Array(, c(, np.float64(
_WRAPPER = re.compile(
    r"(?<![\w.])(?:\w+\.)*(?:(?:eager)?tensor|(?:device)?array|matrix|list|tuple|c"
    r"|bfloat16|float\d+|double|u?int\d+)\s*(?=\()",
    re.IGNORECASE,
)
# What follows the numbers in a print of NumPy, PyTorch, JAX or TensorFlow.
_SETTING = re.compile(
    r",\s*(?:dtype|device|grad_fn|requires_grad|shape|size|weak_type|layout)\s*=\s*"
    r"(?:<[^<>]*>|'[^']*'|\"[^\"]*\"|\([\d,\s]*\)|[\w.]+)"
)
_TENSORFLOW = re.compile(r"<tf\.Tensor:.*?numpy=(.*)>", re.DOTALL)
# R numbers the first entry of each line that it prints.
_R_LINE = re.compile(r"^\s*\[\d+\](?=\s)", re.MULTILINE)
_R_PRINT = re.compile(r"\s*\[1\]\s[^\[\]()]*(?:^\s*\[\d+\]\s[^\[\]()]*)*", re.MULTILINE)
# JSON has no other way to write some numbers.
_AS_TEXT = {*MISSING, *NON_FINITE}
_AND_NO_FILE = "and no file has this name"
_CUT_SHORT = ("...", "\u2026")
# How printed arrays begin, if not with a number.
_PRINT = re.compile(r"[\[(]|[A-Za-z][\w.]*\(|<tf\.|Parameter containing:")
_MARKS = re.compile(r"[\s,;)\]]+")


class PastedError(Exception):
    """Says why texts are not numbers, what to write, and which word is at fault, if any."""

    def __init__(self, problem: str, remedy: str, word: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy, self.word = problem, remedy, word


def begins_like_numbers(token: str) -> bool:
    """Return true if a token begins with a number, a bracket, or as programs print arrays.

    >>> [begins_like_numbers(token) for token in ("1,2", "tensor([1.])", "...", "logits.npy")]
    [True, True, True, False]
    """
    first, *others = _MARKS.split(with_minus(token).lstrip(" ,"))
    is_mark = token in _CUT_SHORT or (bool(token.strip()) and not (first or any(others)))
    return is_mark or is_number(first) or _PRINT.match(token) is not None


def pasted(tokens: Sequence[str]) -> list[Any]:
    """Return the words of one vector, or of rows as lists of words, each as it is written.

    Brackets say what is a row. Without brackets, each token is one, unless all tokens are one word
    or a comma joins them.

    >>> pasted(["1,", "2,", "3"]), pasted(["1,2", "3,4"]), pasted(["tensor([[1., 2.]])"])
    ([['1', '2', '3']], [['1', '2'], ['3', '4']], [['1.', '2.']])
    """
    text = " ".join(tokens)
    if _R_PRINT.fullmatch(text):
        text = _R_LINE.sub("", text)
        tokens = [text.replace("\n", " ")]
    items = [item for group in _groups(tokens) for item in _items(group)]
    for word in _words(items):
        _check(word)
    if all(isinstance(item, str) for item in items):
        return items
    rows: list[Any] = []
    for item in items:
        if isinstance(item, list) and item and isinstance(item[0], list):
            rows += item
        else:
            rows.append(item if isinstance(item, list) else [item])
    return rows


def with_minus(text: str) -> str:
    """Return the text with ASCII signs."""
    return text.translate(_MINUS)


def words_of(token: str) -> list[str]:
    """Return the words of one vector; none if the token is rows, or not what programs print."""
    try:
        found = pasted([token])
    except PastedError:
        return []
    if len(found) == 1 and isinstance(found[0], list):
        (found,) = found
    is_flat = all(isinstance(word, str) for word in found)
    return [word.strip("\"'") for word in found] if is_flat else []


def _groups(tokens: Iterable[str]) -> Iterator[str]:
    """Yield the tokens; those in one bracket, or with a comma between them, are joined."""
    group, depth = "", 0
    for token in tokens:
        if group and not (depth > 0 or group.endswith(",") or token.startswith(",")):
            yield group
            group = ""
        group = f"{group} {token}" if group else token
        depth = sum(group.count(each) for each in _OPENING)
        depth -= sum(group.count(each) for each in _CLOSING)
    yield group


def _items(text: str) -> list[Any]:
    """Return the words and lists that a text holds; its lines are rows if it has no brackets."""
    text = with_minus(text)
    if found := _TENSORFLOW.fullmatch(text.strip()):
        text = found[1]
    text = _WRAPPER.sub("", _SETTING.sub("", text.removeprefix("Parameter containing:")))
    if any(bracket in text for bracket in (*_OPENING, *_CLOSING)):
        return _nested(text)
    lines = [line.split() for line in text.splitlines() if line.strip()] or [[text]]
    rows = [row for line in lines for row in _rows(line)]
    return rows[0] if len(rows) == 1 and len(rows[0]) == 1 else rows


def _rows(words: Sequence[str]) -> list[list[str]]:
    """Return plain words as one row; words with commas, or joined by them, as a row each."""
    rows = []
    for group in _groups(words):
        whole = group.rstrip(", ") if " " in group else group
        rows.append([word.strip() for word in whole.split(",")])
    is_vector = all(len(row) == 1 for row in rows)
    return [[row[0] for row in rows]] if is_vector else rows


def _nested(text: str) -> list[Any]:
    """Return the words and lists of a text with brackets."""
    levels: list[_Level] = [_Level("")]
    for lexeme in _LEXEME.findall(text):
        if lexeme in _OPENING:
            levels.append(_Level(lexeme))
        elif lexeme in _CLOSING:
            closed = levels.pop()
            if closed.opening != _OPENING[_CLOSING.index(lexeme)]:
                raise PastedError(
                    f"{lexeme!r} closes no bracket, {_AND_NO_FILE}", "a row is [1, 2, 3]"
                )
            levels[-1].add(closed.value())
        elif lexeme in (",", ";"):
            levels[-1].separate(lexeme)
        elif not lexeme.isspace():
            levels[-1].add(lexeme)
    if len(levels) > 1:
        raise PastedError(f"a bracket is not closed, {_AND_NO_FILE}", "a row is [1, 2, 3]")
    return levels[0].items


class _Level:
    """What one bracket holds so far."""

    def __init__(self, opening: str) -> None:
        self.opening = opening
        self.items: list[Any] = []
        self._rows: list[list[Any]] = []
        self._has_comma, self._may_separate = False, False

    def add(self, item: Any) -> None:
        self.items.append(item)
        self._may_separate = True

    def separate(self, mark: str) -> None:
        if not self._may_separate:
            remedy = "write nan for a missing number"
            raise PastedError(f"a number is missing before {mark!r}", remedy)
        self._may_separate = False
        self._has_comma = self._has_comma or mark == ","
        if mark == ";" and self.opening:
            self._rows.append(self.items)
            self.items = []

    def value(self) -> Any:
        """Return the list, or the only entry of parentheses."""
        if self._rows:
            rows = [*self._rows, *([self.items] if self.items else [])]
            # A column of MATLAB is a vector.
            return [row[0] for row in rows] if all(len(row) == 1 for row in rows) else rows
        if self.opening == "(" and len(self.items) == 1 and not self._has_comma:
            return self.items[0]
        return self.items


def _check(word: str) -> None:
    """Refuse a word that is neither a number nor missing."""
    plain = word.strip("\"'")
    if is_number(word) or word in MISSING - {""} or (word != plain and plain in _AS_TEXT):
        return
    if word in _CUT_SHORT:
        remedy = "print all of them, or save the array and name its file"
        raise PastedError("the numbers are cut short at '...'", remedy, word)
    if word != plain and is_number(plain):
        raise PastedError(f"{plain!r} is text", "write it without quotes", word)
    remedy = number_remedy(word) or "check the spelling"
    if ";" in word:
        remedy = "separate numbers with commas or blanks"
    elif "--na-values" in remedy:
        remedy = "write nan for a missing number"
    problem = f"{shorten(word)!r} is not a number, {_AND_NO_FILE}"
    raise PastedError(problem, remedy, word)


def _words(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, list):
            yield from _words(item)
        else:
            yield item
