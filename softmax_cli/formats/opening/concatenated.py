"""Joins several files into one source of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Lock

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Block, Chunk, Source


def concatenated(
    first: Source, rest: Sequence[Callable[[], Source]], paths: Sequence[Path | str]
) -> Source:
    """Return the rows of all sources in order; each of the rest is opened when its turn comes."""
    # Sources with a chunk yet to be read, to close after an error.
    unfinished: set[_OpenSource] = set()
    later: list[Callable[[], list[str]]] = []

    def chunks() -> Iterator[Chunk]:
        start = 0
        for reopen in (lambda: first, *rest):
            source = reopen()
            if source is not first:
                later.extend(source.warnings)
            opened = _OpenSource(source, unfinished)
            try:
                check_alike(first, source, any_dtype=True)
                begin = start
                for chunk in source.chunks():
                    yield opened.until_read(chunk.map(partial(_moved, by=begin)))
                    start += chunk.rows
            finally:
                opened.end()

    def close() -> None:
        first.close()
        for opened in list(unfinished):
            opened.close()

    return replace(
        first,
        place=f"{first.place} and {len(rest)} more",
        chunks=chunks,
        rows=None,
        leading=None,
        size=None,
        paths=tuple(paths),
        warnings=(*first.warnings, lambda: list(chain.from_iterable(each() for each in later))),
        close=close,
    )


class _OpenSource:
    """Keeps a source open until its last chunk is read, in any thread."""

    def __init__(self, source: Source, unfinished: set[_OpenSource]) -> None:
        self._source, self._unfinished = source, unfinished
        self._left = 1
        self._lock = Lock()
        unfinished.add(self)

    def close(self) -> None:
        """Close the source, even if chunks are left."""
        self._unfinished.discard(self)
        self._source.close()

    def until_read(self, chunk: Chunk) -> Chunk:
        with self._lock:
            self._left += 1

        def read() -> Block:
            try:
                return chunk.read()
            finally:
                self.end()

        return replace(chunk, read=read)

    def end(self) -> None:
        """Close the source if no chunk is left to read."""
        with self._lock:
            self._left -= 1
            is_over = not self._left
        if is_over:
            self.close()


def _moved(block: Block, *, by: int) -> Block:
    return replace(block, start=block.start + by)


def check_alike(first: Source, other: Source, *, any_dtype: bool) -> None:
    """Refuse a source whose rows cannot follow those of the first."""
    if other.classes != first.classes:
        problem = f"{other.classes} columns, and {first.place} has {first.classes}"
        remedy = "files that follow each other need the same columns"
        raise InputError(problem, remedy, other.place)
    if other.class_names != first.class_names or other.id_names != first.id_names:
        problem = f"its header is not that of {first.place}"
        remedy = "the same columns are needed in the same order"
        raise InputError(problem, remedy, other.place)
    if other.dtype != first.dtype and not any_dtype:
        problem = f"holds {other.dtype}, and {first.place} {first.dtype}"
        raise InputError(problem, "--dtype settles which is written", other.place)
