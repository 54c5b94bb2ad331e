"""Several files, their rows one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from softmax_cli.errors import InputError
from softmax_cli.formats.blocks import Block, Portion, Source


def concatenated(
    first: Source, rest: Sequence[Callable[[], Source]], paths: Sequence[Path]
) -> Source:
    """Return the rows of all sources; each of the rest is opened when its turn comes."""

    def portions() -> Iterator[Portion]:
        start = 0
        for reopen in (lambda: first, *rest):
            with reopen() as source:
                check_alike(first, source, any_dtype=True)
                begin = start
                for portion in source.portions():
                    yield portion.then(partial(_moved, by=begin))
                    start += portion.rows

    return replace(first, portions=portions, rows=None, leading=None, size=None, paths=tuple(paths))


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
