"""Warns of columns that were taken for classes and do not look like classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.layout import Layout
from softmax_cli.formats.columns.selection import name_columns, pass_through
from softmax_cli.formats.model.blocks import Block, Chunk, Source, identity

# A column that rises by one for so many rows looks like an index.
_INDEX_ROWS = 5
_WORDS_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Last words of names of ids, indexes, labels, weights and folds.
_LAST_WORD = re.compile(r"ids?|idx|index|u?uid|guid|(label|target|weight|fold)s?")
# Whole names, without separators.
_NAME = re.compile(
    r"(user|row|image|img|sample|item|doc|record|object|q)id|identifier|docno|pk|(index)?level0"
    r"|rows?|row(num|number|no|names?)|(ground)?truth|ytrue|gt|true(label|class)|class"
    r"|wt|split|k?fold|cv"
)


def looks_like_no_class(name: str) -> bool:
    """Return true for the name of an id, an index, a label, a weight or a fold.

    >>> [looks_like_no_class(name) for name in ("SampleId", "row_id", "fold", "setosa", "VALID")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORDS_OF_NAME.findall(name)]
    return bool(words and (_LAST_WORD.fullmatch(words[-1]) or _NAME.fullmatch("".join(words))))


class SuspectColumns:
    """The columns of a table that were taken for classes and do not look like classes."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        names = () if layout.chosen else layout.class_names or ()
        named = zip(layout.classes, names, strict=False)
        found = (column for column, name in named if looks_like_no_class(name))
        # Truth values among numbers may not be classes; in a table of nothing else they are.
        is_mixed = len(layout.truths) < len(layout.classes) and not layout.chosen
        self.columns = sorted({*found, *(layout.truths if is_mixed else ())})

    def add_index(self, blocks: Sequence[Block]) -> None:
        """Add the column whose whole numbers rise by one in the first rows, if it is only one."""
        import numpy as np

        rows = np.concatenate([block.values[:_INDEX_ROWS] for block in blocks])[:_INDEX_ROWS]
        if self._layout.chosen or len(self._layout.classes) == 1 or len(rows) < _INDEX_ROWS:
            return
        rows = rows.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            rises = (np.diff(rows, axis=0) == 1).all(axis=0) & (rows[0] == np.floor(rows[0]))
        found = np.flatnonzero(rises)
        if len(found) == 1:
            self.columns = sorted({*self.columns, self._layout.classes[found[0]]})

    def error(self, place: str, why: str = "") -> InputError:
        """Return the error about them; as text, it is the warning."""
        several = len(self.columns) > 1
        taken = "are taken for classes and look" if several else "is taken for a class and looks"
        problem = f"{name_columns(self.columns, self._layout.names)} {taken} like none{why}"
        remedy = pass_through(self.columns, self._layout.names)
        return InputError(problem, f"{remedy}, --columns names the classes", place)


def warn_of_suspects(source: Source) -> Source:
    """Return the source with its suspect columns and a warning that names them.

    The first rows are read before the first chunk is yielded, because they are judged too.
    """
    if source.table is None or source.table.named_by == "class":
        return source
    layout, suspects = source.table, SuspectColumns(source.table)

    def chunks() -> Iterator[Chunk]:
        rest = source.chunks()
        first: list[Chunk] = []
        blocks: list[Block] = []
        for chunk in rest:
            blocks.append(chunk.read())
            first.append(chunk._replace(read=partial(identity, blocks[-1])))
            if sum(len(block.values) for block in blocks) >= _INDEX_ROWS:
                break
        if blocks and blocks[0].start == 0:
            suspects.add_index(blocks)
        yield from chain(first, rest)

    def warnings() -> list[str]:
        found = left_out_warnings(layout, source.place)
        return [*found, str(suspects.error(source.place))] if suspects.columns else found

    return replace(source, chunks=chunks, suspects=suspects, warnings=(*source.warnings, warnings))


def left_out_warnings(layout: Layout, place: str) -> list[str]:
    """Return a warning that names the columns that are left out, if there are any."""
    names, columns = layout.names, layout.left_out
    if not columns:
        return []
    verb = "are" if len(columns) > 1 else "is"
    left_out = f"{name_columns(columns, names)} {verb} left out"
    problem = f"{name_columns(layout.classes, names)} holds lists, and {left_out}"
    return [str(InputError(problem, pass_through(columns, names), place))]
