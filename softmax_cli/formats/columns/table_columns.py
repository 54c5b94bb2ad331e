"""The columns that classes come from: how errors name them, and which do not look like classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Literal

from softmax_cli.errors import shorten
from softmax_cli.formats.columns.selection import column_spec
from softmax_cli.formats.model.blocks import Block, Chunk, Source, identity

# A column that rises by one for so many rows looks like an index.
_INDEX_ROWS = 5
_WORDS_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Last words of names of ids, indexes, labels, weights and folds.
_LAST_WORDS = {
    *("id", "ids", "idx", "index", "uid", "uuid", "guid", "label", "labels", "target", "targets"),
    *("weight", "weights", "fold", "folds"),
}
# Whole names, without separators.
_NAMES = {
    *("userid", "rowid", "imageid", "sampleid", "itemid", "docid", "recordid", "objectid", "qid"),
    *("row", "rows", "rownum", "rownumber", "rowno", "rowname", "rownames", "level0", "class"),
    *("kfold", "imgid", "identifier", "docno", "pk", "indexlevel0"),
    *("ytrue", "truth", "groundtruth", "gt", "truelabel", "trueclass", "wt", "split", "cv"),
}


@dataclass(frozen=True)
class TableColumns:
    """The columns that a source takes its classes from, as errors and warnings name them.

    names    names of all columns of the file; None without a header
    numbers  numbers of the classes' columns in the file, from 1
    label    number of the label column, if there is one
    chosen   true if --columns chose the classes
    cells    what names a cell of a row: the number or name of its column, or its class
    """

    names: Sequence[str] | None
    numbers: Sequence[int]
    label: int | None = None
    chosen: bool = False
    cells: Literal["number", "name", "class"] = "number"

    def name(self, position: int) -> str | None:
        """Return the name of a class's column, if it has one."""
        return None if self.names is None else self.names[self.numbers[position] - 1]

    def cell(self, row: str, position: int) -> str:
        """Return how errors name the cell of a class, given the place of its row."""
        if self.cells == "class":
            return f"{row}, class {position}"
        if self.cells == "name":
            return f"{row}, column {shorten(self.name(position) or '')!r}"
        return f"{row}:{self.numbers[position]}"

    def label_cell(self, row: str) -> str:
        """Return how errors name the cell of the label, given the place of its row."""
        return row if self.cells != "number" or self.label is None else f"{row}:{self.label}"

    def shown(self, position: int) -> str:
        """Return how a message names a class's column."""
        name = self.name(position)
        return f"column {self.numbers[position]}" if name is None else repr(shorten(name))

    def option_value(self, positions: Sequence[int]) -> str:
        """Return the value of --id-columns that selects these columns."""
        specs = (column_spec(self.numbers[position] - 1, self.names) for position in positions)
        return ",".join(specs)


def looks_like_no_class(name: str) -> bool:
    """Return true for the name of an id, an index, a label, a weight or a fold.

    >>> [looks_like_no_class(name) for name in ("SampleId", "row_id", "fold", "setosa", "VALID")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORDS_OF_NAME.findall(name)]
    return bool(words) and (words[-1] in _LAST_WORDS or "".join(words) in _NAMES)


class SuspectColumns:
    """The columns of a table that were taken for classes and do not look like classes."""

    def __init__(self, table: TableColumns) -> None:
        """Judge the names of the columns."""
        self._table = table
        classes = () if table.chosen or table.names is None else range(len(table.numbers))
        self.positions = [at for at in classes if looks_like_no_class(table.name(at) or "")]

    def add_index(self, blocks: Sequence[Block]) -> None:
        """Add the column whose whole numbers rise by one in the first rows, if it is only one."""
        import numpy as np

        if self._table.chosen or len(self._table.numbers) == 1:
            return
        first = np.concatenate([block.values[:_INDEX_ROWS] for block in blocks])[:_INDEX_ROWS]
        if len(first) < _INDEX_ROWS:
            return
        first = first.astype(np.float64)
        with np.errstate(invalid="ignore"):
            rises = (np.diff(first, axis=0) == 1).all(axis=0) & (first[0] == np.floor(first[0]))
        found = np.flatnonzero(rises)
        if len(found) == 1 and found[0] not in self.positions:
            self.positions = sorted([*self.positions, int(found[0])])

    @property
    def what(self) -> str:
        """Which columns they are, and what they were taken for."""
        shown = [self._table.shown(position) for position in self.positions]
        has_names = self._table.names is not None
        if len(shown) == 1:
            column = f"the column {shown[0]}" if has_names else shown[0]
            return f"{column} is taken for a class and looks like none"
        start = "the columns " if has_names else ""
        listed = f"{', '.join(shown[:-1])} and {shown[-1]}"
        return f"{start}{listed} are taken for classes and look like none"

    @property
    def remedy(self) -> str:
        """What to do about them."""
        them = "it" if len(self.positions) == 1 else "them"
        value = self._table.option_value(self.positions)
        return f"--id-columns {value} passes {them} through, --columns names the classes"

    def warnings(self, place: str) -> list[str]:
        """Return the warning that names them all, if there are any."""
        return [f"{place}: {self.what}; {self.remedy}"] if self.positions else []


def warn_of_suspects(source: Source) -> Source:
    """Return the source with its suspect columns and a warning that names them.

    The first rows are read before the first chunk is yielded, because they are judged too.
    """
    table = source.table
    if table is None or table.cells == "class":
        return source
    suspects = SuspectColumns(table)

    def chunks() -> Iterator[Chunk]:
        rest = source.chunks()
        first: list[Chunk] = []
        blocks: list[Block] = []
        while sum(len(block.values) for block in blocks) < _INDEX_ROWS:
            if (chunk := next(rest, None)) is None:
                break
            blocks.append(chunk.read())
            first.append(replace(chunk, read=partial(identity, blocks[-1])))
        if blocks and blocks[0].start == 0:
            suspects.add_index(blocks)
        yield from chain(first, rest)

    warning = partial(suspects.warnings, source.place)
    return replace(source, chunks=chunks, suspects=suspects, warnings=(*source.warnings, warning))
