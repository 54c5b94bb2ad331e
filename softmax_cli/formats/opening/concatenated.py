"""Several files, their rows one after the other."""

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
    """Return the rows of all sources; each of the rest is opened when its turn comes."""
    # Sources of which a portion has yet to be read; what happens to it may be an error.
    begun: set[_Held] = set()
    later: list[Callable[[], list[str]]] = []

    def chunks() -> Iterator[Chunk]:
        start = 0
        for reopen in (lambda: first, *rest):
            source = reopen()
            if source is not first:
                later.extend(source.warnings)
            held = _Held(source, begun)
            try:
                check_alike(first, source, any_dtype=True)
                begin = start
                for chunk in source.chunks():
                    yield held.until_read(chunk.map(partial(_moved, by=begin)))
                    start += chunk.rows
            finally:
                held.end()

    def close() -> None:
        first.close()
        for held in list(begun):
            held.close()

    place = f"{first.place} and {len(rest)} more"
    return replace(
        first,
        place=place,
        chunks=chunks,
        rows=None,
        leading=None,
        size=None,
        paths=tuple(paths),
        warnings=(*first.warnings, lambda: list(chain.from_iterable(each() for each in later))),
        close=close,
    )


class _Held:
    """Keeps a source open until the last of its portions is read, which other threads do."""

    def __init__(self, source: Source, begun: set[_Held]) -> None:
        self._source, self._begun = source, begun
        self._left = 1
        self._lock = Lock()
        begun.add(self)

    def close(self) -> None:
        """Close the source, whatever is left."""
        self._begun.discard(self)
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
        """Close the source if nothing more is to be read."""
        with self._lock:
            self._left -= 1
            is_over = not self._left
        if is_over:
            self.close()


def _moved(block: Block, *, by: int) -> Block:
    return replace(block, start=block.start + by)


def check_alike(first: Source, other: Source, *, any_dtype: bool) -> None:
    """Refuse a source whose rows cannot follow those of the first, and name it."""
    if other.classes != first.classes:
        raise InputError(
            f"{other.classes} columns, and {first.place} has {first.classes}",
            "files that follow each other need the same columns",
            other.place,
        )
    if other.class_names != first.class_names or other.id_names != first.id_names:
        raise InputError(
            f"its header is not that of {first.place}",
            "the same columns are needed in the same order",
            other.place,
        )
    if other.dtype != first.dtype and not any_dtype:
        raise InputError(
            f"holds {other.dtype}, and {first.place} {first.dtype}",
            "--dtype settles which is written",
            other.place,
        )
