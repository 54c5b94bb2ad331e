"""Reads one cell per row, of a file of any format or typed inline: labels or weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.arrays.array import row_place
from softmax_cli.formats.model.blocks import BLOCK_BYTES, Block, Source, batches, from_blocks
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.file_key import matches, split_key
from softmax_cli.formats.opening.inline import unknown_token
from softmax_cli.formats.registry import suffix_format
from softmax_cli.formats.text.numbers import is_number
from softmax_cli.storage.filesystem import path_of

_CELLS_PER_BLOCK = BLOCK_BYTES // 64

# A label or weight as text, and how errors name its place.
Cell = tuple[str, str]
# Returns the numbers of cells, given a function that names the place of each.
Numbers = Callable[[Sequence[str], Callable[[int], str]], list[float]]


class CellReader(NamedTuple):
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
        """Open what was typed, or the file that the token names."""
        path, key = split_key(self._one_file(token))
        if path != "-" and (self._is_typed(path) or not path_of(path).exists()):
            return self.from_cells(self._typed(path), self.option)
        from softmax_cli.losses.cell_files import read_cells

        return read_cells(self, path, key)

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

    def from_cells(self, cells: Iterator[Cell], place: str) -> Source:
        """Return the numbers of cells as rows; errors name the source by `place`."""

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
            from softmax_cli.formats.text.json_values import label_text, parse_json

            with suppress(ValueError):
                return [label_text(cell) for cell in parse_json(token)]
        if all(map(is_number, texts := token.split(","))):
            return [text.strip() for text in texts]
        from softmax_cli.formats.opening.pasted import words_of

        if token not in self.words and (words := words_of(token)):
            return words
        from softmax_cli.formats.text.cells import cell_splitter, unquote

        cells = cell_splitter(",")(token.strip("[]").encode())
        texts = [unquote(cell).decode() for cell in cells]
        return [text if text in self.words else text.strip("'") for text in texts]
