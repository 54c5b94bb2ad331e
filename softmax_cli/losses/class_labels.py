"""Class numbers for labels, which are names or numbers; and which labels are ignored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event

import numpy as np

from softmax_cli.errors import InputError, join_names, shorten
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.text.cell_kinds import MISSING, cell_kind
from softmax_cli.formats.text.numbers import STORE_TRUTH, is_number, is_truth

# A label as text, and how errors name its place.
Label = tuple[str, str]


def class_number(token: str, class_names: tuple[str, ...] | None, classes: int, place: str) -> int:
    """Return the number of a class, which may be given by its name.

    >>> class_number("owl", ("dog", "owl"), 2, "--mask-class")
    1
    """
    number = Names(class_names).number(token, place)
    if number is None or number not in range(classes):
        named = f", or names: {join_names(class_names[:8])}" if class_names else ""
        raise InputError(
            f"there is no class {shorten(token)!r}", f"classes are 0 to {classes - 1}{named}", place
        )
    return int(number)


@dataclass(frozen=True)
class Names:
    """Finds the class of a label: a name in the header wins over a class number.

    A name that is a whole number is found by its value, however it is written. If all names are
    whole numbers, a label must be one of them.

    ignored  labels to ignore: numbers or words, of classes or not
    missing  texts of a cell without a label
    """

    class_names: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    missing: Collection[str] = MISSING

    @cached_property
    def count_columns(self) -> Event:
        """Set once a label is a class number, which depends on the columns that come before."""
        return Event()

    def number(self, text: str, place: str) -> float | None:
        """Return the class of a label, or another whole number; None if it is neither."""
        if text in self._repeated:
            raise InputError(f"several columns are named {shorten(text)!r}", "give numbers", place)
        return self._found(text)

    def _found(self, text: str) -> float | None:
        number = self._known.get(text)
        return self._by_value(float(text)) if number is None and _is_whole(text) else number

    def numbers(self, labels: Sequence[Label]) -> list[float]:
        """Return the number of each label's class, and NaN for one that is ignored.

        >>> names = Names(("dog", "owl", "cat"), ("?",))
        >>> names.numbers([("2", "labels.csv:2"), ("owl", "labels.csv:3"), ("?", "labels.csv:4")])
        [2.0, 1.0, nan]
        """
        seen: dict[str, float] = {}
        numbers = []
        for text, place in labels:
            number = seen.get(text)
            if number is None:
                number = seen[text] = self._class_or_ignored(text, place)
            numbers.append(number)
        return numbers

    def of_array(self, block: Block) -> Block:
        """Return the same for a block of labels from an array."""
        labels = block.values.astype(np.float64)
        distinct = np.unique(labels)
        found = [self._of_value(value) for value in distinct.tolist()]
        numbers = np.array(found, np.float64)
        if None not in found and np.array_equal(numbers, distinct):
            return block.with_values(labels)
        of_rows = np.searchsorted(distinct, labels)
        unknown = np.array([number is None for number in found])[of_rows]
        if unknown.any():
            row = int(unknown.any(axis=-1).argmax())
            if math.isnan(labels[row, 0]):
                remedy = "fill it in, or --ignore-label nan leaves such rows out"
                raise InputError("the label is missing: nan", remedy, block.place(row))
            raise self._no_class(f"{labels[row, 0]:g}", block.place(row))
        return block.with_values(numbers[of_rows])

    def _of_value(self, value: float) -> float | None:
        """Return the class of a label in an array; NaN if it is ignored, None if there is none."""
        if self._ignores(value):
            return math.nan
        number = None if math.isnan(value) else self._by_value(value)
        if number is not None and value not in self._numeric:
            self.count_columns.set()
        return math.nan if number in self._ignored_classes else number

    def _by_value(self, value: float) -> float | None:
        return self._numeric.get(value, None if self._are_numbers else value)

    def _ignores(self, value: float) -> bool:
        return value in self._ignored_values or (math.isnan(value) and self._ignores_nan)

    def _class_or_ignored(self, text: str, place: str) -> float:
        value = float(text) if is_number(text) else None
        if text in self.ignored or (value is not None and self._ignores(value)):
            return math.nan
        number = self.number(text, place)
        if number is None and cell_kind(text, self.missing) == "missing":
            remedy = f"fill it in, or --ignore-label '{text}' leaves such rows out"
            raise InputError(f"the label is missing: {shorten(text)!r}", remedy, place)
        if number is None:
            raise self._no_class(repr(shorten(text)), place)
        if text not in self._known and value not in self._numeric:
            self.count_columns.set()
        return math.nan if number in self._ignored_classes else number

    def _no_class(self, label: str, place: str) -> InputError:
        if is_truth(label.strip("'")):
            return InputError(f"the label {label} is no class", STORE_TRUTH, place)
        names = self.class_names or ()
        remedy = "labels are " + ("" if self._are_numbers else "class numbers from 0")
        if names:
            remedy += ("" if self._are_numbers else " or ") + f"names: {join_names(names[:8])}"
        return InputError(f"the label {label} is no class", remedy, place)

    @cached_property
    def _known(self) -> dict[str, float]:
        return {name: float(number) for number, name in enumerate(self.class_names or ())}

    @cached_property
    def _repeated(self) -> set[str]:
        return {name for name, times in Counter(self.class_names or ()).items() if times > 1}

    @cached_property
    def _are_numbers(self) -> bool:
        """Whether all class names are whole numbers."""
        return bool(self.class_names) and all(map(_is_whole, self.class_names or ()))

    @cached_property
    def _numeric(self) -> dict[float, float]:
        """The numbers of the classes whose names are whole numbers, by value, if it is unique."""
        values = [float(name) if _is_whole(name) else None for name in self.class_names or ()]
        times = Counter(values)
        return {
            value: float(number)
            for number, value in enumerate(values)
            if value is not None and times[value] == 1
        }

    @cached_property
    def _ignores_nan(self) -> bool:
        return any(math.isnan(float(text)) for text in self.ignored if is_number(text))

    @cached_property
    def _ignored_classes(self) -> set[float]:
        """The classes, and other whole numbers, of the ignored labels."""
        return {number for text in self.ignored if (number := self._found(text)) is not None}

    @cached_property
    def _ignored_values(self) -> set[float]:
        """The ignored labels that are numbers, but of no class."""
        values = [text for text in self.ignored if is_number(text) and self._found(text) is None]
        return set(map(float, values))


def _is_whole(text: str) -> bool:
    return is_number(text) and float(text).is_integer()
