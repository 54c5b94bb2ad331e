"""Reads one cell per row, of a file of any format or typed inline: labels or weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.arrays.array import array_source, chosen_array, row_place
from softmax_cli.formats.arrays.nested_lists import numeric_array
from softmax_cli.formats.columns.layout import several_columns
from softmax_cli.formats.columns.missing_values import mask_na_values, missing_texts
from softmax_cli.formats.model.blocks import BLOCK_BYTES, Block, Source, from_blocks
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import matches, one_key, split_key
from softmax_cli.formats.opening.inline import unknown_token
from softmax_cli.formats.registry import Format, detected_format, suffix_format
from softmax_cli.formats.text.cell_kinds import are_numbered
from softmax_cli.formats.text.cells import cell_splitter, cell_text, unquote
from softmax_cli.formats.text.json_values import label_text, parse_json, read_document
from softmax_cli.formats.text.lines import Comments, batches, read_records
from softmax_cli.formats.text.numbers import is_number
from softmax_cli.storage.filesystem import path_of
from softmax_cli.storage.input import Input

# What pandas writes of a Series: its index and values.
_SERIES = re.compile(rb'\{"0":\s*[^\s{\[]')
_CELLS_PER_BLOCK = BLOCK_BYTES // 64

# A label or weight as text, and how errors name its place.
Cell = tuple[str, str]
# Returns the numbers of cells, given a function that names the place of each.
Numbers = Callable[[Sequence[str], Callable[[int], str]], list[float]]


@dataclass(frozen=True)
class CellReader:
    """Opens labels or weights, one cell per row.

    name     labels or weights
    example  of what can be typed in the option
    numbers  returns the numbers of cells, given the place of each
    array    changes the blocks of an array
    options  header, decimal mark and missing values of a table, key of an array
    words    words that are labels, not a header
    column   the column of a table, if one is named
    one_hot  dimensions and classes of labels that are one-hot
    """

    name: str
    example: str
    option: str
    numbers: Numbers
    array: Callable[[Block], Block]
    options: ReadOptions
    words: Collection[str] = ()
    column: str | None = None
    one_hot: tuple[int, int] | None = None

    def opened(self, token: str) -> Source:
        path, key = split_key(self._one_file(token))
        if path != "-" and (self._is_typed(path) or not path_of(path).exists()):
            return self._from_cells(self._typed(path), self.option)
        from softmax_cli.formats.opening.foreign import open_data

        key, source = one_key(path, key, self.options.key), open_data(path)
        paths = () if source.path is None else (source.path,)
        try:
            form = detected_format(path, source, self.options.decimal)
            source = form.seekable(source)
            opened = self._opened_input(source, form, key if form.holds == "arrays" else None)
        except BaseException:
            source.close()
            raise
        return replace(opened, paths=paths, close=source.close)

    def _one_file(self, token: str) -> str:
        """Return the token, or the only file that it matches."""
        if not token or token == "-" or self._is_typed(token):
            return token
        problem, found = "", []
        if path_of(token).is_directory():
            problem = "is a directory"
        elif not path_of(token).exists() and not token.startswith("["):
            found = matches(token, only_files=True)
            problem = f"matches {len(found)} files" if len(found) > 1 else ""
        if problem:
            remedy = f"--output-dir DIR gives each file of values its own {self.name}"
            problem += ", and all values together need one file"
            raise UsageError(problem, remedy, f"{self.option}: {token}")
        return found[0] if found else token

    def _is_typed(self, token: str) -> bool:
        """Whether a token is one label or weight, even if a file or directory has its name."""
        return is_number(token) or (token in self.words and not path_of(token).is_file())

    def _opened_input(self, source: Input, form: Format, key: str | None) -> Source:
        request = ColumnRequest(
            self.column, one_column=True, one_hot=self.one_hot, words=self.words, role=self.name
        )
        if form.name in ("npy", "npz", "safetensors"):
            if self.column is not None:
                problem, remedy = f"there are no columns in {form.name}", "leave it out"
                raise UsageError(problem, remedy, "--label-column")
            array: Source = form.load_reader().read(
                source, form.name, ReadOptions(key=key), request
            )
            if array.classes > 1:
                return array
            if array.dtype.kind == "f":
                array = mask_na_values(array, self.options)
            return array.map(self.array, dtype=np.dtype(np.float64))
        # JSON values other than records, and words on lines of any length, are not tables.
        first = source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
        is_frame = first[:1] == b"{" and self.column is not None
        is_document = form.name == "json" and first[1:].lstrip()[:1] != b"{" and not is_frame
        if is_document or (_SERIES.match(first) and b"}\n{" not in first):
            return self._from_document(source, key)
        if form.name == "jsonl" and not first.startswith((b"{", b"[")):
            return self._from_cells(self._from_lines(source), source.place)
        if form.name == "txt" and self._is_list(first):
            comments = Comments(missing_texts(self.options))
            cells = self._from_words(source, comments)
            return replace(
                self._from_cells(cells, source.place),
                warnings=(lambda: comments.warnings(source.place),),
            )
        return self._from_table(source, form, request)

    def _from_table(self, source: Input, form: Format, request: ColumnRequest) -> Source:
        first, given = source.head().split(maxsplit=1)[:1], self.options
        options = ReadOptions(header=given.header, na_values=given.na_values, decimal=given.decimal)
        opened: Source = form.load_reader().read(source, form.name, options, request)
        layout = opened.table
        assert layout is not None
        if layout.label is None:
            if self.one_hot is None or opened.classes != self.one_hot[1]:
                raise several_columns(opened.classes, layout.names, self.name, source.place)
            return opened

        def numbers(block: Block) -> Block:
            def place(row: int) -> str:
                return layout.label_cell(block.place(row))

            values = np.array(self.numbers(block.labels or (), place))
            return replace(block, values=values[:, None], labels=None, ids=None)

        place, if_one_more = source.place, ""
        if layout.named_by == "number" and layout.names is not None:
            place += f", below its header {shorten(layout.names[layout.label])!r}"
        elif layout.named_by == "number" and first in ([b"0"], [b'"0"']):
            option = f"--header-of {self.name}=yes"
            if_one_more = f"{option} if the first line is a header, as pandas writes 0"
        return opened.map(
            numbers,
            place=place,
            classes=1,
            class_names=None,
            id_names=(),
            table=None,
            if_one_more=if_one_more,
        )

    def _from_cells(self, cells: Iterator[Cell], place: str) -> Source:
        def blocks() -> Iterator[Block]:
            start = 0
            for batch in batches(cells, _CELLS_PER_BLOCK):
                texts, places = zip(*batch, strict=True)
                values = np.array(self.numbers(texts, places.__getitem__))[:, None]
                yield Block(start, values, row_place(place, start))
                start += len(batch)

        return Source(place, 1, np.dtype(np.float64), from_blocks(blocks))

    def _typed(self, token: str) -> Iterator[Cell]:
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
        if all(map(is_number, texts := token.split(","))):
            return [text.strip() for text in texts]
        from softmax_cli.formats.opening.pasted import words_of

        if token not in self.words and (words := words_of(token)):
            return words
        cells = cell_splitter(",")(token.strip("[]").encode())
        texts = [unquote(cell).decode() for cell in cells]
        return [text if text in self.words else text.strip("'") for text in texts]

    def _from_document(self, source: Input, key: str | None) -> Source:
        document = read_document(source)
        if isinstance(document, dict) and not _is_series(document):
            known = self.name if self.name in document else None
            document = chosen_array(document, key or known, source.place)
        if isinstance(document, dict) and _is_series(document):
            document = list(document.values())
        if not isinstance(document, list):
            raise InputError("is not a list", f"{self.name} are [{self.example}]", source.place)
        if document and isinstance(document[0], list):
            array = array_source(numeric_array(document, source.place), source.place)
            if array.classes == 1:
                return array.map(self.array)
            if self.one_hot != (len(array.leading or ()) + 1, array.classes):
                remedy = f"{self.name} are [{self.example}]"
                raise InputError("holds lists", remedy, source.place)
            return array
        labels = map(label_text, document)
        cells = ((label, f"{source.place}: [{row}]") for row, label in enumerate(labels))
        return self._from_cells(cells, source.place)

    def _from_lines(self, source: Input) -> Iterator[Cell]:
        for line, record in read_records(source.stream, source.place, comments=Comments()):
            place = f"{source.place}:{line}"
            try:
                value = parse_json(record.decode("utf-8", "replace"))
            except ValueError as error:
                raise InputError(f"is not JSON: {error}", "check the line", place) from None
            if isinstance(value, (list, dict)):
                remedy = f"write one on each line, such as {self.example.partition(',')[0]}"
                raise InputError(f"is not a {self.name[:-1]}", remedy, place)
            yield label_text(value), place

    def _is_list(self, text: bytes) -> bool:
        """Whether the first line of a text has several words that are no header."""
        lines = (line for line in text.splitlines() if line.strip() and not line.startswith(b"#"))
        cells = list(map(cell_text, next(lines, b"").split()))
        return len(cells) > 1 and any(cell in self.words or is_number(cell) for cell in cells)

    def _from_words(self, source: Input, comments: Comments) -> Iterator[Cell]:
        for line, record in read_records(source.stream, source.place, comments):
            yield from ((cell_text(cell), f"{source.place}:{line}") for cell in record.split())


def _is_series(document: dict[str, object]) -> bool:
    """Return true for the index and values that pandas writes of a Series."""
    return are_numbered(document)
