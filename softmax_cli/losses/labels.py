"""Labels and sample weights: one cell per row, from a file or typed inline."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import chosen_array, row_place
from softmax_cli.formats.columns.header import is_header
from softmax_cli.formats.columns.layout import (
    mask_na_values,
    missing_numbers,
    missing_texts,
    refuse_all_but_one,
)
from softmax_cli.formats.model.blocks import BLOCK_BYTES, Block, Source, from_blocks, identity
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import one_key, split_key
from softmax_cli.formats.opening.foreign import open_data
from softmax_cli.formats.opening.inline import unknown_token
from softmax_cli.formats.opening.pasted import words_of
from softmax_cli.formats.opening.source import open_file
from softmax_cli.formats.registry import detected_format, suffix_format
from softmax_cli.formats.text.cell_kinds import number_remedy
from softmax_cli.formats.text.cells import cell_splitter, cell_text, unquote
from softmax_cli.formats.text.json_values import label_text, parse_json, read_document
from softmax_cli.formats.text.lines import Comments, batches, first_records, read_records
from softmax_cli.formats.text.numbers import NotANumberError, parse_number
from softmax_cli.losses.class_labels import Label, Names
from softmax_cli.storage.filesystem import path_of
from softmax_cli.storage.input import Input, prepend

_CELLS_PER_BLOCK = BLOCK_BYTES // 64


def open_labels(token: str, names: Names, options: ReadOptions = ReadOptions()) -> Source:
    """Open labels as rows of one class number each; NaN for a label that is ignored.

    The token is a file, or the labels themselves: `2,0,1`, `setosa,virginica` or `[2,0,1]`.
    CSV has one label per line, text any number separated by blanks. The first line is a header if
    it is a name, but not of a class or an ignored label.
    """
    numbers = names.numbers, names.of_array
    column = _Column("labels", "2,0,1", "--labels", *numbers, options, names.words)
    return column.opened(token)


def open_weights(
    token: str, options: ReadOptions = ReadOptions(), *, may_be_missing: bool = False
) -> Source:
    """Open sample weights, in a file or typed: `1,0.5,2`; NaN if one is, and `may_be_missing`."""
    missing, numbers = missing_texts(options), missing_numbers(options)

    def weight(text: str, place: str) -> float:
        try:
            number = math.nan if text in missing else parse_number(text, options.decimal)
        except NotANumberError as error:
            remedy = number_remedy(text, options.decimal) or "a weight is a number"
            raise InputError(str(error), remedy, place) from None
        if not math.isnan(number) and number not in numbers:
            return number
        if may_be_missing:
            return math.nan
        remedy = "every row needs one; 0 leaves a row out"
        raise InputError(f"the weight is missing: {shorten(text)!r}", remedy, place)

    def weights(cells: Sequence[Label]) -> list[float]:
        return [weight(*cell) for cell in cells]

    column = _Column("weights", "1,0.5,2", "--sample-weights", weights, identity, options)
    return column.opened(token)


@dataclass(frozen=True)
class _Column:
    """Opens labels or weights, one cell per row.

    name     labels or weights
    example  of what can be typed in the option
    numbers  returns the numbers of cells, each given with its place
    array    changes the blocks of an array
    options  header, missing values, and key of the array
    words    words that are labels, not a header
    """

    name: str
    example: str
    option: str
    numbers: Callable[[Sequence[Label]], list[float]]
    array: Callable[[Block], Block]
    options: ReadOptions
    words: Collection[str] = ()

    def opened(self, token: str) -> Source:
        path, key = split_key(token)
        if path != "-" and not path_of(path).exists():
            return self._source(self._typed(token), self.option)
        key = one_key(path, key, self.options.key)
        source = open_data(path)
        header, comments, if_one_more = "", Comments(), ""
        try:
            form = detected_format(path, source, self.options.decimal)
            if form.name in ("npy", "npz", "safetensors"):
                source.close()
                options = ReadOptions(key=key if form.holds == "arrays" else None)
                array = open_file(path, options, ColumnRequest(one_column=True))
                return mask_na_values(array, self.options).map(self.array)
            if form.name in ("parquet", "arrow"):
                cells = form.load_reader().read_words(source, form.name, self.name)
            elif form.name == "json":
                cells = self._from_json(source, key)
            elif form.name == "jsonl":
                cells = self._from_lines(source)
            else:
                begins = source.head().split(maxsplit=1)[:1]
                cells, header, comments = self._from_text(source, blanks=form.name == "txt")
                if begins in ([b"0"], [b'"0"']) and not header:
                    option = f"--header-of {self.name}=yes"
                    if_one_more = f"{option} if the first line is a header, as pandas writes 0"
        except BaseException:
            source.close()
            raise
        return replace(
            self._source(cells, source.place),
            place=source.place + (f", below its header {shorten(header)!r}" if header else ""),
            paths=() if source.path is None else (source.path,),
            if_one_more=if_one_more,
            warnings=(partial(comments.warnings, source.place),),
            close=source.close,
        )

    def _source(self, cells: Iterator[Label], place: str) -> Source:
        def blocks() -> Iterator[Block]:
            start = 0
            for batch in batches(cells, _CELLS_PER_BLOCK):
                values = np.array(self.numbers(batch))[:, None]
                yield Block(start, values, row_place(place, start))
                start += len(batch)

        return Source(place, 1, np.dtype(np.float64), from_blocks(blocks))

    def _typed(self, token: str) -> Iterator[Label]:
        if not token:
            problem, remedy = f"no {self.name}", f"name a file, or type {self.example}"
            raise InputError(problem, remedy, self.option)
        texts = self._typed_texts(token)
        if len(texts) == 1 and ("/" in token or suffix_format(token) is not None):
            raise unknown_token(token, self.option)
        one = f"{self.option}, {self.name[:-1]}"
        return ((text, f"{one} {number}") for number, text in enumerate(texts))

    def _typed_texts(self, token: str) -> list[str]:
        if token.startswith("["):
            with suppress(ValueError):
                return [label_text(cell) for cell in parse_json(token)]
        if token not in self.words and (words := words_of(token)):
            return words
        cells = cell_splitter(",")(token.strip("[]").encode())
        texts = [unquote(cell).decode() for cell in cells]
        return [text if text in self.words else text.strip("'") for text in texts]

    def _from_json(self, source: Input, key: str | None) -> Iterator[Label]:
        document = read_document(source)
        if isinstance(document, dict):
            document = chosen_array(document, key, source.place)
        if not isinstance(document, list):
            raise InputError("is not a list", f"{self.name} are [{self.example}]", source.place)
        labels = map(label_text, document)
        return ((label, f"{source.place}: [{row}]") for row, label in enumerate(labels))

    def _from_lines(self, source: Input) -> Iterator[Label]:
        for line, record in read_records(source.stream, source.place, comments=Comments()):
            place = f"{source.place}:{line}"
            try:
                value = parse_json(record.decode("utf-8", "replace"))
            except ValueError as error:
                raise InputError(f"is not JSON: {error}", "check the line", place) from None
            if isinstance(value, (list, dict)):
                remedy = f"a line is one, {self.example.partition(',')[0]}"
                raise InputError(f"is no {self.name[:-1]}", remedy, place)
            yield label_text(value), place

    def _from_text(self, source: Input, *, blanks: bool) -> tuple[Iterator[Label], str, Comments]:
        """Return the cells, the header if any, and the comments; `blanks` separate cells."""
        comments = Comments(missing_texts(self.options))
        first = first_records(source, comments, f"one {self.name[:-1]} a line", anywhere=blanks)
        usual = ";" if self.options.decimal == "," else ","
        split = cell_splitter(None if blanks else first.delimiter or usual)

        def cells(line: int, record: bytes) -> Iterator[Label]:
            found = split(record) or [b""]
            place = f"{source.place}:{line}"
            if not blanks:
                refuse_all_but_one(len(found), self.name, place)
            return ((cell_text(cell), place) for cell in found)

        texts = [text for text, _ in cells(first.line, first.record)]
        is_named = self.options.header
        if is_named is None:
            below = None if first.below is None else list(map(cell_text, split(first.below)))
            request, place = ColumnRequest(role=self.name), f"{source.place}:{first.line}"
            is_named = (
                len(texts) == 1
                and texts[0] not in self.words
                and is_header(texts, below, request, comments.missing, place)
            )
        head, line = first.rows(is_header=is_named, one_column=not blanks)
        lines = read_records(
            prepend(head, source.stream),
            source.place,
            comments=comments if blanks else None,
            first_line=line,
            one_column=not blanks,
        )
        rows = chain.from_iterable(cells(*record) for record in lines)
        return rows, texts[0] if is_named else "", comments
