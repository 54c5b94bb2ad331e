"""Entries: numbers that are a row each, in a column or in lists of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice, starmap
from typing import Any

import numpy as np

from softmax_cli.errors import InputError, did_you_mean, join_names, shorten
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.model.blocks import Block, Chunk, Source, from_blocks
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.text.numbers import NotANumberError, parse_number
from softmax_cli.storage.input import Input

# A number, NaN if it is missing, and its place.
Entry = tuple[float, str]
_ENTRIES_PER_BLOCK = 1 << 16
# Returns the rows of a file, each with its place, given how to choose a column by its name.
Choose = Callable[[list[str], str], str]
ReadValues = Callable[[Input, str, ReadOptions, Choose], Iterator[tuple[Any, str]]]


def read_entries(read_values: ReadValues, source: Input, form: str, options: ReadOptions) -> Source:
    """Open a file of lists: each number in it is a row, NaN if it is missing.

    read_values  yields the rows of the file, and chooses the column of a table
    """
    reader = _Reader(options)

    def blocks() -> Iterator[Block]:
        rows = read_values(source, form, options, reader.chosen)
        start, entries = 0, chain.from_iterable(starmap(reader.entries, rows))
        while batch := list(islice(entries, _ENTRIES_PER_BLOCK)):
            numbers, places = zip(*batch, strict=True)
            yield Block(start, np.array(numbers, np.float64)[:, None], places.__getitem__)
            start += len(batch)

    return Source(source.place, 1, np.dtype(np.float64), from_blocks(blocks))


class _Reader:
    """Finds the entries of rows."""

    def __init__(self, options: ReadOptions) -> None:
        self._options, self._missing = options, missing_texts(options)

    def entries(self, row: Any, place: str) -> Iterator[Entry]:
        """Return the numbers of a row: a number, a list or a record."""
        if isinstance(row, dict):
            row = row[self.chosen(list(row), place)]
        return self._flat(row, place)

    def chosen(self, names: list[str], place: str) -> str:
        """Return the one column, or the one that --columns names."""
        ids = [name for text in self._options.id_columns for name in text.split(",")]
        left = [name for name in names if name not in ids]
        wanted = ",".join(self._options.columns) or (left[0] if len(left) == 1 else "")
        if wanted in names:
            return wanted
        remedy = f"--columns chooses one of {join_names(names)}"
        if wanted:
            remedy = did_you_mean(wanted, names, remedy)
            raise InputError(f"has no column {shorten(wanted)!r}", remedy, place)
        raise InputError(f"has {len(names)} columns, but one is needed", remedy, place)

    def _flat(self, value: Any, place: str) -> Iterator[Entry]:
        if isinstance(value, list):
            for number, entry in enumerate(value):
                yield from self._flat(entry, f"{place}, entry {number}")
            return
        if value is None or (isinstance(value, str) and value in self._missing):
            yield np.nan, place
            return
        try:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            yield (float(value) if is_number else parse_number(str(value))), place
        except (NotANumberError, OverflowError):
            problem = f"{shorten(str(value))!r} is not a number"
            raise InputError(problem, "each entry is a log-probability, or null", place) from None


def each_entry(source: Source) -> Source:
    """Return the source with each number of its rows as a row of its own."""
    N = source.classes
    if N == 1:
        return source
    if source.table is not None and source.table.entries is None and source.table.names:
        remedy = "--columns NAME chooses the column of log-probabilities"
        raise InputError(f"has {N} columns, but one is needed", remedy, source.place)

    def of_entries(chunk: Chunk) -> Block:
        block = chunk.read()

        def place(row: int) -> str:
            return f"{block.place(row // N)}, entry {row % N}"

        values = np.ascontiguousarray(block.values).reshape(-1, 1)
        return Block(block.start * N, values, place)

    def chunks() -> Iterator[Chunk]:
        for chunk in source.chunks():
            read = partial(of_entries, chunk)
            yield Chunk(chunk.rows * N, read, chunk.at_once, chunk.size)

    rows = None if source.rows is None else source.rows * N
    return Source(
        source.place,
        1,
        source.dtype,
        chunks,
        rows=rows,
        paths=source.paths,
        files=[(start * N, name) for start, name in source.files],
        warnings=source.warnings,
        stored=source.stored,
        close=source.close,
    )
