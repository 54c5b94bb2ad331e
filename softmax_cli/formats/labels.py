"""Labels and weights: one cell a row, from a file, a column, or typed inline."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError
from softmax_cli.formats import open_file, refuse_pickle, suffix_format
from softmax_cli.formats.array import row_place
from softmax_cli.formats.blocks import BLOCK_BYTES, Block, Keep, ReadOptions, Source, itself, ready
from softmax_cli.formats.detection import detected_format
from softmax_cli.formats.json_text import loads, parsed
from softmax_cli.formats.numbers import NotANumberError, is_number, parse_number
from softmax_cli.formats.records import records, splitter, unquoted
from softmax_cli.formats.streams import Input, exists, open_input

_CELLS_PER_BLOCK = BLOCK_BYTES // 64
Label = tuple[str, str]


def open_labels(
    token: str,
    class_names: tuple[str, ...] | None,
    *,
    key: str | None = None,
    ignored: Sequence[str] = (),
) -> Source:
    """Open labels as rows of one class number each; NaN for a label that is ignored.

    The token is a file, or the labels themselves: `2,0,1`, `setosa,virginica` or `[2,0,1]`.
    CSV holds one label a line, text any number between blanks; the first line is a header if it is
    neither a number nor the name of a class, nor ignored.
    """
    names = Names(class_names, tuple(ignored))
    words = {*(class_names or ()), *ignored}
    column = _Column("labels", "2,0,1", "--labels", names.numbers, names.of_array, words)
    return column.opened(token, key)


def open_weights(token: str, *, key: str | None = None) -> Source:
    """Open sample weights as rows of one number each, from a file or typed: `1,0.5,2`."""
    column = _Column("weights", "1,0.5,2", "--sample-weights", _weights, itself)
    return column.opened(token, key)


def class_number(token: str, class_names: tuple[str, ...] | None, classes: int, place: str) -> int:
    """Return the number of a class, which may be given by its name.

    >>> class_number("owl", ("dog", "owl"), 2, "--mask-class")
    1
    """
    number = Names(class_names).number(token, place)
    if number is None or number not in range(classes):
        named = f", or names: {', '.join(class_names[:8])}" if class_names else ""
        raise InputError(
            f"there is no class {token!r}", f"classes are 0 to {classes - 1}{named}", place
        )
    return int(number)


@dataclass(frozen=True)
class Names:
    """What labels stand for: names of classes in the header win over numbers of classes.

    Where all names are whole numbers a label is a name, however it is spelt and wherever it
    comes from.

    ignored  labels that are ignored, numbers or words, of classes or not
    """

    class_names: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()

    def number(self, text: str, place: str) -> float | None:
        """Return what a label stands for, if it can: a class, or a whole number that is none."""
        names = self.class_names or ()
        number = self._known.get(text)
        if number is None and _is_whole(text):
            value = float(text)
            number = self._numeric.get(value) if self._numeric else value
        elif number is not None and self._are_repeated and names.count(text) > 1:
            raise InputError(f"several columns are named {text!r}", "give numbers", place)
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
        if any(math.isnan(float(text)) for text in self.ignored if is_number(text)):
            ignored |= np.isnan(labels)
        classes = self._by_value(labels) if self._numeric else labels
        unknown = np.isnan(classes) & ~ignored
        if unknown.any():
            row = int(unknown.any(axis=-1).argmax())
            raise self._no_class(f"{labels[row, 0]:g}", block.place(row))
        ignored |= np.isin(classes, list(self._ignored_classes))
        return block.with_values(np.where(ignored, math.nan, classes))

    def _class_or_ignored(self, text: str, place: str) -> float:
        value = float(text) if is_number(text) else math.nan
        if text in self.ignored or value in self._ignored_values:
            return math.nan
        number = self.number(text, place)
        if number is None:
            raise self._no_class(repr(text), place)
        return math.nan if number in self._ignored_classes else number

    def _by_value(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers of the classes whose names are these whole numbers, NaN for none."""
        values = np.array(sorted(self._numeric))
        numbers = np.array([self._numeric[value] for value in values.tolist()])
        place = np.searchsorted(values, labels).clip(max=len(values) - 1)
        return np.where(values[place] == labels, numbers[place], math.nan)

    def _no_class(self, label: str, place: str) -> InputError:
        names = self.class_names or ()
        remedy = "labels are " + ("" if self._numeric else "class numbers from 0")
        if names:
            remedy += ("" if self._numeric else " or ") + f"names: {', '.join(names[:8])}"
        return InputError(f"the label {label} is no class", remedy, place)

    @cached_property
    def _known(self) -> dict[str, float]:
        return {name: float(number) for number, name in enumerate(self.class_names or ())}

    @cached_property
    def _are_repeated(self) -> bool:
        return len(self._known) < len(self.class_names or ())

    @cached_property
    def _numeric(self) -> dict[float, float]:
        """The numbers of the classes by their names, if all of these are whole numbers."""
        names = self.class_names or ()
        by_value = {
            float(name): float(number) for number, name in enumerate(names) if _is_whole(name)
        }
        return by_value if len(by_value) == len(names) else {}

    @cached_property
    def _ignored_classes(self) -> set[float]:
        """The numbers of the classes that ignored labels are, by name or by number."""
        named = {self._known[text] for text in self.ignored if text in self._known}
        return named if self._numeric else named | self._ignored_values

    @cached_property
    def _ignored_values(self) -> set[float]:
        """The values of ignored labels that are numbers, and no names of classes among words."""
        return {
            float(text)
            for text in self.ignored
            if is_number(text) and (text not in self._known or self._numeric)
        }


def _is_whole(text: str) -> bool:
    return is_number(text) and float(text).is_integer()


def _weights(cells: Sequence[Label]) -> list[float]:
    numbers = []
    for text, place in cells:
        try:
            numbers.append(parse_number(text))
        except NotANumberError as error:
            raise InputError(str(error), "a weight is a number", place) from None
    return numbers


@dataclass(frozen=True)
class _Column:
    """How what has one cell a row is opened: labels, weights.

    name     what it is called, and an example of it typed in the option
    numbers  of cells, each with its place
    array    what is done with blocks of an array
    words    that are no header though they are no numbers
    """

    name: str
    example: str
    option: str
    numbers: Callable[[Sequence[Label]], list[float]]
    array: Callable[[Block], Block]
    words: Collection[str] = ()

    def opened(self, token: str, key: str | None) -> Source:
        if token != "-" and not exists(token):
            return self._source(self._typed(token), self.option)
        refuse_pickle(token)
        form = suffix_format(token)
        source = open_input(token)
        try:
            name = form.name if form and token != "-" else detected_format(source)
            if name in ("npy", "npz", "safetensors"):
                source.close()
                options = ReadOptions(key=None if name == "npy" else key)
                return open_file(token, options, Keep(one_column=True)).changed(self.array)
            place = source.place
            if name in ("parquet", "arrow"):
                from softmax_cli.formats.columnar import read_words

                cells, header = read_words(source, name), ""
            elif name == "json":
                cells, header = self._from_json(source), ""
            else:
                cells, header = self._from_text(source, blanks=name == "txt")
                place += f", below its header {header!r}" if header else ""
        except BaseException:
            source.close()
            raise
        return self._source(cells, place, source)

    def _source(self, cells: Iterator[Label], place: str, opened: Input | None = None) -> Source:
        def blocks() -> Iterator[Block]:
            start = 0
            while batch := list(islice(cells, _CELLS_PER_BLOCK)):
                values = np.array(self.numbers(batch))[:, None]
                yield Block(start, values, row_place(place, start))
                start += len(batch)

        source = Source(place, 1, np.dtype(np.float64), ready(blocks))
        if opened is None:
            return source
        paths = () if opened.path is None else (opened.path,)
        return Source(place, 1, source.dtype, source.portions, paths=paths, close=opened.close)

    def _typed(self, token: str) -> Iterator[Label]:
        name = self.name
        if not token:
            raise InputError(f"no {name}", f"name a file, or type {self.example}", self.option)
        texts = self._typed_texts(token)
        looks_like_a_path = len(texts) == 1 and ("/" in token or suffix_format(token) is not None)
        if looks_like_a_path:
            raise InputError("no such file", "check the spelling", f"{self.option}: {token}")
        one = name.removesuffix("s")
        return ((text, f"{self.option}, {one} {number}") for number, text in enumerate(texts))

    def _typed_texts(self, token: str) -> list[str]:
        """Return what was typed: a JSON list, or cells with commas between."""
        if token.startswith("["):
            with suppress(ValueError, RecursionError):
                return [str(cell) for cell in loads(token)]
        cells = splitter(",")(token.strip("[]").encode())
        return [unquoted(cell).decode().strip("'") for cell in cells]

    def _from_json(self, source: Input) -> Iterator[Label]:
        document = parsed(source)
        if not isinstance(document, list):
            raise InputError("is not a list", f"{self.name} are [{self.example}]", source.place)
        return ((str(label), f"{source.place}: [{row}]") for row, label in enumerate(document))

    def _from_text(self, source: Input, *, blanks: bool) -> tuple[Iterator[Label], str]:
        """Return the cells of a text, and its header if it has one; they may end at `blanks`."""
        split = splitter(None if blanks else ",")

        def cells(line: int, record: bytes) -> Iterator[Label]:
            found = split(record)
            place = f"{source.place}:{line}"
            if len(found) != 1 and not blanks:
                remedy = "cut the others off"
                if self.option == "--labels":
                    remedy += ", or use --label-column for labels beside the logits"
                problem = f"{len(found)} columns where one of {self.name} is needed"
                raise InputError(problem, remedy, place)
            return ((unquoted(cell).decode("utf-8", "replace"), place) for cell in found)

        lines = records(source.stream, source.place, comments=blanks)
        first = list(chain.from_iterable(cells(*line) for line in islice(lines, 1)))
        if not first:
            raise InputError("is empty", f"give one {self.name[:-1]} a line", source.place)
        rest = chain.from_iterable(cells(*line) for line in lines)
        header = first[0][0]
        if len(first) == 1 and not is_number(header) and header not in self.words:
            return rest, header
        return chain(first, rest), ""
