"""The columns of a table behind its classes: how errors name their cells, and which look wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from softmax_cli.errors import shorten
from softmax_cli.formats.columns.selection import spec_of
from softmax_cli.formats.model.blocks import Block, Chunk, Source, identity

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many rows must rise by one before a column looks like an index.
_ROWS_OF_INDEX = 5
_WORDS_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# The last word of the name of an id, an index, a label, a weight or a fold.
_LAST_WORDS = {
    *("id", "ids", "idx", "index", "uid", "uuid", "guid", "label", "labels", "target", "targets"),
    *("weight", "weights", "fold", "folds"),
}
# Whole names, without what separates their words.
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
    numbers  the numbers of the classes' columns in the file, from 1
    label    the number of the label column, if there is one
    chosen   true if --columns chose the classes
    cells    what names a cell of a row: its column's number or name, or its class
    """

    names: Sequence[str] | None
    numbers: Sequence[int]
    label: int | None = None
    chosen: bool = False
    cells: Literal["number", "name", "class"] = "number"

    def name(self, position: int) -> str | None:
        """Return the name of the column of a class, if it has one."""
        return None if self.names is None else self.names[self.numbers[position] - 1]

    def cell(self, row: str, position: int) -> str:
        """Return how errors name the cell of a class in the row of this place."""
        if self.cells == "class":
            return f"{row}, class {position}"
        if self.cells == "name":
            return f"{row}, column {shorten(self.name(position) or '')!r}"
        return f"{row}:{self.numbers[position]}"

    def label_cell(self, row: str) -> str:
        """Return how errors name the label's cell in the row of this place."""
        return row if self.cells != "number" or self.label is None else f"{row}:{self.label}"

    def shown(self, position: int) -> str:
        """Return how a message calls the column of a class."""
        name = self.name(position)
        return f"column {self.numbers[position]}" if name is None else repr(shorten(name))

    def option_value(self, positions: Sequence[int]) -> str:
        """Return what --id-columns takes for these columns."""
        return ",".join(spec_of(self.numbers[position] - 1, self.names) for position in positions)


def looks_like_no_class(name: str) -> bool:
    """Return true for the name of an id, an index, a label, a weight or a fold.

    >>> [looks_like_no_class(name) for name in ("SampleId", "row_id", "fold", "setosa", "VALID")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORDS_OF_NAME.findall(name)]
    return bool(words) and (words[-1] in _LAST_WORDS or "".join(words) in _NAMES)


class Suspects:
    """The columns of a source's table that are taken for classes and look like something else."""

    def __init__(self, table: TableColumns) -> None:
        """Judge the names; the first rows come later."""
        self._table = table
        classes = () if table.chosen or table.names is None else range(len(table.numbers))
        self.positions = [at for at in classes if looks_like_no_class(table.name(at) or "")]

    def add_index(self, rows: NDArray[Any]) -> None:
        """Add the one column of the first rows, if any, whose whole numbers rise by one."""
        import numpy as np

        if self._table.chosen or len(rows) < _ROWS_OF_INDEX or rows.shape[1] == 1:
            return
        first = rows[:_ROWS_OF_INDEX].astype(np.float64)
        with np.errstate(invalid="ignore"):
            rises = (np.diff(first, axis=0) == 1).all(axis=0) & (first[0] == np.floor(first[0]))
        found = np.flatnonzero(rises)
        if len(found) == 1 and found[0] not in self.positions:
            self.positions = sorted([*self.positions, int(found[0])])

    @property
    def what(self) -> str:
        """Which columns they are, and what they are taken for."""
        shown = [self._table.shown(position) for position in self.positions]
        if len(shown) == 1:
            return f"{_article(shown[0])}{shown[0]} is taken for a class and looks like none"
        listed = f"{', '.join(shown[:-1])} and {shown[-1]}"
        start = "the columns " if self._table.names is not None else ""
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


def _article(shown: str) -> str:
    return "the column " if not shown.startswith("column ") else ""


def with_suspects(source: Source) -> Source:
    """Return the source of a table with its suspects, and a warning that names them.

    The first rows are read before the first portion goes on, so that they are known by then.
    """
    table = source.table
    if table is None or table.cells == "class":
        return source
    suspects = Suspects(table)

    def chunks() -> Iterator[Chunk]:
        begun = source.chunks()
        first: list[Chunk] = []
        blocks: list[Block] = []
        while sum(map(_rows, blocks)) < _ROWS_OF_INDEX and (chunk := next(begun, None)):
            block = chunk.read()
            blocks.append(block)
            first.append(replace(chunk, read=partial(identity, block)))
        if blocks and blocks[0].start == 0:
            import numpy as np

            suspects.add_index(np.concatenate([block.values[:_ROWS_OF_INDEX] for block in blocks]))
        yield from chain(first, begun)

    warning: Callable[[], list[str]] = partial(suspects.warnings, source.place)
    return replace(source, chunks=chunks, suspects=suspects, warnings=(*source.warnings, warning))


def _rows(block: Block) -> int:
    return len(block.values)
