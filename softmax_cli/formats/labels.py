"""Labels and weights: one cell a row, from a file, a column, or typed inline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from softmax_cli.errors import InputError, shortened
from softmax_cli.formats import named_format, open_file, suffix_format
from softmax_cli.formats.array import row_place
from softmax_cli.formats.blocks import BLOCK_BYTES, Block, Source, itself, ready
from softmax_cli.formats.cells import batches
from softmax_cli.formats.class_names import Label, Names
from softmax_cli.formats.detection import detected_format
from softmax_cli.formats.json_text import loads, parsed
from softmax_cli.formats.locations import exists
from softmax_cli.formats.numbers import (
    STORE_TRUTH,
    NotANumberError,
    is_number,
    is_truth,
    parse_number,
)
from softmax_cli.formats.options import Keep, ReadOptions
from softmax_cli.formats.records import records, splitter, unquoted
from softmax_cli.formats.refusals import refuse_pickle
from softmax_cli.formats.streams import Input, open_input

_CELLS_PER_BLOCK = BLOCK_BYTES // 64


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


def _weights(cells: Sequence[Label]) -> list[float]:
    numbers = []
    for text, place in cells:
        try:
            numbers.append(parse_number(text))
        except NotANumberError as error:
            remedy = STORE_TRUTH if is_truth(text) else "a weight is a number"
            raise InputError(str(error), remedy, place) from None
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
                reader = named_format(name, self.option).reader()
                cells, header = reader.read_words(source, name, self.name), ""
            elif name == "json":
                cells, header = self._from_json(source), ""
            else:
                cells, header = self._from_text(source, blanks=name == "txt")
                place += f", below its header {shortened(header)!r}" if header else ""
        except BaseException:
            source.close()
            raise
        return self._source(cells, place, source)

    def _source(self, cells: Iterator[Label], place: str, opened: Input | None = None) -> Source:
        def blocks() -> Iterator[Block]:
            start = 0
            for batch in batches(cells, _CELLS_PER_BLOCK):
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
            with suppress(ValueError):
                return [str(cell) for cell in loads(token)]
        cells = splitter(",")(token.strip("[]").encode())
        texts = [unquoted(cell).decode() for cell in cells]
        return [text if text in self.words else text.strip("'") for text in texts]

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
