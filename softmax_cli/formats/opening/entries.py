"""Rows of several numbers as one row for each number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, Chunk, Source


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
        ids = None if block.ids is None else block.ids.repeated(N)
        return Block(block.start * N, values, place, ids)

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
        id_names=source.id_names,
        paths=source.paths,
        files=[(start * N, name) for start, name in source.files],
        warnings=source.warnings,
        stored=source.stored,
        close=source.close,
    )
