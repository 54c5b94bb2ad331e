"""Class numbers for labels, which are names or numbers; and which labels are ignored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from softmax_cli.errors import InputError, did_you_mean, join_names, shorten
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.text.cell_kinds import MISSING, cell_kind, may_be_missing
from softmax_cli.formats.text.numbers import is_number, is_truth
from softmax_cli.losses.distributions import SEVERAL_LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Whole numbers in a smaller range are looked up, not sorted.
_MOST_IN_TABLE = 1 << 20


def class_number(
    token: str, class_names: tuple[str, ...] | None, classes: int, place: str, base: int = 0
) -> int:
    """Return the number, from 0, of a class that is given by its name, or its number from `base`.

    >>> class_number("owl", ("dog", "owl"), 2, "--mask-class")
    1
    """
    number = Names(class_names, base=base).number(token, place)
    if number is None or number not in range(classes):
        named = f", or names: {join_names(class_names[:8])}" if class_names else ""
        if class_names is None and not is_number(token):
            named = ", unless --class-names names them"
        remedy = f"classes are {base} to {classes - 1 + base}{named}"
        remedy = did_you_mean(token, class_names or (), remedy)
        raise InputError(f"there is no class {shorten(token)!r}", remedy, place)
    return int(number)


@dataclass(frozen=True)
class Names:
    """Finds the class of a label: a name in the header wins over a class number.

    A name that is a whole number is found by its value, however it is written. If all names are
    whole numbers, a label must be one of them.

    ignored  labels to ignore: numbers or words, of classes or not
    missing  texts of a cell without a label
    base     the number that labels give to the first class
    """

    class_names: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    missing: Collection[str] = MISSING
    base: int = 0

    @cached_property
    def count_columns(self) -> Event:
        """Set once a label is a class number, which counts all columns as classes."""
        return Event()

    @property
    def words(self) -> set[str]:
        """Words that are labels."""
        return {*(self.class_names or ()), *self.ignored}

    def number(self, text: str, place: str) -> float | None:
        """Return the number, from 0, of a label's class; NaN if ignored; None if not whole."""
        return self._number(text, float(text) if is_number(text) else None, place)

    def numbers(self, labels: Sequence[str], place: Callable[[int], str]) -> list[float]:
        """Return the number of each label's class, and NaN for one that is ignored.

        >>> names = Names(("dog", "owl", "cat"), ("?",))
        >>> names.numbers(["2", "owl", "?"], "row {}".format)
        [2.0, 1.0, nan]
        """
        seen: dict[str, float] = {}
        for row, text in enumerate(labels):
            if text not in seen:
                number = self.number(text, place(row))
                if number is None:
                    raise self._no_class(text, place(row))
                seen[text] = number
        return [seen[text] for text in labels]

    def of_array(self, block: Block) -> Block:
        """Return a block of labels from an array as class numbers, and NaN where ignored."""
        if block.values.dtype.kind in "US":
            words = block.values[:, 0]
            if words.dtype.kind == "S":
                words = np.char.decode(words, "utf-8", "replace")
            texts = [word.strip() for word in words.tolist()]
            return block.with_values(np.array(self.numbers(texts, block.place))[:, None])
        labels = _whole(block.values)
        if labels.dtype.kind == "i" and self._are_counted:
            self.count_columns.set()
            return block.with_values(labels - self.base if self.base else labels)
        distinct, of_rows = _distinct(labels)
        found = [self._number(None, float(value), "") for value in distinct.tolist()]
        numbers = np.array(found, np.float64)
        if None not in found and np.array_equal(numbers, distinct):
            return block.with_values(labels)
        unknown = np.array([number is None for number in found])[of_rows].any(axis=-1)
        if unknown.any():
            row = int(unknown.argmax())
            raise self._no_class(f"{labels[row, 0]:g}", block.place(row))
        return block.with_values(numbers[of_rows])

    def of_one_hot(self, block: Block) -> Block:
        """Return a block of one-hot labels as class numbers, and NaN where ignored."""
        ones = block.values == 1
        wrong = ~((block.values == 0) | ones).all(axis=-1) | (ones.sum(axis=-1) != 1)
        if wrong.any():
            row = int(wrong.argmax())
            remedy = "--targets takes soft targets, --label-column names a column of labels"
            if ones[row].sum() > 1:
                remedy = SEVERAL_LABELS
            shown = shorten(",".join(f"{value:g}" for value in block.values[row]))
            raise InputError(f"{shown} is not one-hot", remedy, block.place(row))
        numbers = ones.argmax(axis=-1).astype(np.float64)
        numbers[np.isin(numbers, list(self._ignored[0]))] = math.nan
        return block.with_values(numbers[:, None])

    def of_column(self, source: Source) -> Source:
        """Return the source with the class numbers of its label column as partner."""
        table = source.table

        def add_numbers(block: Block) -> Block:
            place = block.place if table is None else lambda row: table.label_cell(block.place(row))
            numbers = self.numbers(block.labels or (), place)
            return replace(block, partner=np.array(numbers)[:, None])

        return source.map(add_numbers)

    def refuse_suspects(self, source: Source) -> Source:
        """Return the source; it refuses columns that may not be classes if labels are numbers."""
        suspects = source.suspects
        if suspects is None:
            return source

        def check(block: Block) -> Block:
            if suspects.columns and self.count_columns.is_set():
                why = ", and labels that are numbers count the classes"
                raise suspects.error(source.place, why)
            return block

        return source.map(check)

    def _number(self, text: str | None, value: float | None, place: str) -> float | None:
        """Return the number of a label that has a text, a value, or both."""
        classes, others, ignores_nan = self._ignored
        is_nan = value is not None and math.isnan(value)
        if text in self.ignored or value in others or (is_nan and ignores_nan):
            return math.nan
        if text is not None and text in self._repeated:
            raise InputError(f"several columns are named {shorten(text)!r}", "give numbers", place)
        number = self._found(text, value)
        if number is not None and text not in self._known and value not in self._numeric:
            self.count_columns.set()
        return math.nan if number in classes else number

    def _found(self, text: str | None, value: float | None) -> float | None:
        number = self._known.get(text)
        if number is None and text is not None and is_truth(text):
            return float(text.lower() == "true")
        if number is None and value is not None and value.is_integer():
            number = self._numeric.get(value, None if self._are_numbers else value - self.base)
        return number

    def _no_class(self, text: str, place: str) -> InputError:
        from shlex import quote

        from softmax_cli.formats.columns.name_prefixes import prefix_remedy

        label = repr(shorten(text))
        if cell_kind(text, self.missing) == "missing":
            remedy = f"fill it in, or --ignore-label {quote(text)} leaves such rows out"
            return InputError(f"the label is missing: {label}", remedy, place)
        if may_be_missing(text):
            remedy = f"--ignore-label {quote(text)} leaves such rows out"
            return InputError(f"the label {label} is not a class", remedy, place)
        remedies = [] if self._are_numbers else [f"class numbers from {self.base}"]
        if self.class_names:
            remedies.append(f"names: {join_names(self.class_names[:8])}")
        remedy = f"labels are {' or '.join(remedies)}"
        if self.class_names is None and cell_kind(text, self.missing) == "name":
            remedy += ", unless --class-names names the classes"
        remedy = did_you_mean(text, self.class_names or (), remedy)
        remedy = prefix_remedy(self.class_names or (), [text], remedy)
        return InputError(f"the label {label} is not a class", remedy, place)

    @cached_property
    def _are_counted(self) -> bool:
        """Whether each whole number is that of a class, counted from `base`."""
        return not (self.ignored or self._numeric or self._are_numbers)

    @cached_property
    def _known(self) -> dict[str | None, float]:
        return {name: float(number) for number, name in enumerate(self.class_names or ())}

    @cached_property
    def _repeated(self) -> set[str]:
        return {name for name, times in Counter(self.class_names or ()).items() if times > 1}

    @cached_property
    def _are_numbers(self) -> bool:
        """Whether all class names are whole numbers."""
        return bool(self.class_names) and all(map(_is_whole, self.class_names or ()))

    @cached_property
    def _numeric(self) -> dict[float | None, float]:
        """The numbers of the classes whose names are whole numbers, by value, if it is unique."""
        names = enumerate(self.class_names or ())
        values = {number: float(name) for number, name in names if _is_whole(name)}
        times = Counter(values.values())
        return {value: float(number) for number, value in values.items() if times[value] == 1}

    @cached_property
    def _ignored(self) -> tuple[set[float], set[float], bool]:
        """The classes that are ignored, other numbers that are, and whether NaN is."""
        values = {text: float(text) for text in self.ignored if is_number(text)}
        found = {text: self._found(text, values.get(text)) for text in self.ignored}
        classes = {number for number in found.values() if number is not None}
        others = {value for text, value in values.items() if found[text] is None}
        return classes, others, any(map(math.isnan, values.values()))


def _is_whole(text: str) -> bool:
    return is_number(text) and float(text).is_integer()


def _whole(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels as whole numbers, or unchanged if they are none."""
    with np.errstate(invalid="ignore"):
        whole = labels.astype(np.int64)
    return whole if (whole == labels).all() else labels


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the distinct labels, and the place among them of each."""
    least, most = labels.min(initial=0), labels.max(initial=0)
    if labels.dtype.kind == "i" and int(most) - int(least) < _MOST_IN_TABLE:
        of_rows = labels - least
        table = np.zeros(int(most - least) + 1, np.bool_)
        table[of_rows] = True
        return np.flatnonzero(table) + least, (table.cumsum() - 1)[of_rows]
    # Without counts, NumPy would import numpy.ma first.
    distinct, _ = np.unique(labels, return_counts=True)
    return distinct, np.searchsorted(distinct, labels)


def class_numbers(
    block: Block, classes: int, used: NDArray[np.bool_], base: int
) -> NDArray[np.intp]:
    """Return the class numbers of rows from their labels, 0 for rows that are not used."""
    labels = np.asarray(block.partner)[:, 0]
    if not used.all():
        labels = np.where(used, labels, 0)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        outside = (labels < 0) | (labels >= classes)
        row = int(outside.argmax())
        label, last = int(labels[row]) + base, classes - 1 + base
        problem = f"label {label} is out of range ({base} to {last})"
        remedy = _range_remedy(label, labels[used] + base, classes, base)
        raise InputError(problem, remedy, block.place(row))
    return labels.astype(np.intp, copy=False)


def _range_remedy(label: int, labels: NDArray[Any], classes: int, base: int) -> str:
    """Return the remedy for a label out of range, judged by all labels of its block."""
    if classes == 1:
        return "--binary takes a column as class 1 of two"
    if base == 0 and label == classes and 0 not in labels:
        return "--label-base 1 if labels count from 1"
    if base == 1 and label == 0 and classes not in labels:
        return "leave --label-base out if labels count from 0"
    if classes == 2 and label == -1:
        return "write 0 for -1; --binary takes -1 and 1, with the one column of class 1"
    if label < 0 or (labels == label).sum() > 1:
        return f"--ignore-label {label} leaves such rows out"
    return f"labels are whole numbers that count classes from {base}"
