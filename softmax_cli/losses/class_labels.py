"""What labels stand for: names and numbers of classes, and which labels are ignored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event

import numpy as np
from numpy.typing import NDArray

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
            f"there is no class {shorten(token)!r}",
            f"classes are 0 to {classes - 1}{named}",
            place,
        )
    return int(number)


@dataclass(frozen=True)
class Names:
    """What labels stand for: names of classes in the header win over numbers of classes.

    A name that is a whole number is found by its value, however a label spells it and wherever it
    comes from. Where all names are, a label is a name or nothing.

    ignored  labels that are ignored, numbers or words, of classes or not
    missing  the texts of a cell that holds no label
    """

    class_names: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    missing: Collection[str] = MISSING

    @cached_property
    def count_columns(self) -> Event:
        """Set once a label was a class number, which counts the columns."""
        return Event()

    def number(self, text: str, place: str) -> float | None:
        """Return what a label stands for, if it can: a class, or a whole number that is none."""
        if text in self._repeated:
            raise InputError(f"several columns are named {shorten(text)!r}", "give numbers", place)
        return self._found(text)

    def _found(self, text: str) -> float | None:
        number = self._known.get(text)
        if number is None and _is_whole(text):
            value = float(text)
            number = self._numeric.get(value, None if self._are_numbers else value)
        return number

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
        """Return the same of a block of labels that an array holds."""
        labels = block.values.astype(np.float64)
        ignored = np.isin(labels, list(self._ignored_values))
        if self._ignores_nan:
            ignored |= np.isnan(labels)
        classes = self._by_value(labels) if self._numeric else labels
        unknown = np.isnan(classes) & ~ignored
        if unknown.any():
            row = int(unknown.any(axis=-1).argmax())
            if math.isnan(labels[row, 0]):
                remedy = "fill it in, or --ignore-label nan leaves such rows out"
                raise InputError("the label is missing: nan", remedy, block.place(row))
            raise self._no_class(f"{labels[row, 0]:g}", block.place(row))
        if not (ignored | np.isin(labels, list(self._numeric))).all():
            self.count_columns.set()
        ignored |= np.isin(classes, list(self._ignored_classes))
        return block.with_values(np.where(ignored, math.nan, classes))

    def _class_or_ignored(self, text: str, place: str) -> float:
        value = float(text) if is_number(text) else math.nan
        is_nan = is_number(text) and math.isnan(value)
        if text in self.ignored or value in self._ignored_values or (is_nan and self._ignores_nan):
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

    def _by_value(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers of the classes that labels are, by value; NaN for none."""
        values = np.array(sorted(self._numeric))
        numbers = np.array([self._numeric[value] for value in values.tolist()])
        place = np.searchsorted(values, labels).clip(max=len(values) - 1)
        others = math.nan if self._are_numbers else labels
        return np.where(values[place] == labels, numbers[place], others)

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
        """Whether all names are whole numbers."""
        return bool(self.class_names) and all(map(_is_whole, self.class_names or ()))

    @cached_property
    def _numeric(self) -> dict[float, float]:
        """The numbers of the classes by the values of their names, where one class has it."""
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
        """What the ignored labels stand for."""
        return {number for text in self.ignored if (number := self._found(text)) is not None}

    @cached_property
    def _ignored_values(self) -> set[float]:
        """The ignored labels that are numbers and stand for nothing."""
        values = [text for text in self.ignored if is_number(text) and self._found(text) is None]
        return set(map(float, values))


def _is_whole(text: str) -> bool:
    return is_number(text) and float(text).is_integer()
