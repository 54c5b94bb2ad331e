"""The columns of a table behind its classes: how errors name their cells, and which look wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from softmax_cli.errors import shortened
from softmax_cli.formats.blocks import Block, Portion, Source, itself

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
    *("ytrue", "truth", "groundtruth", "gt", "truelabel", "trueclass", "wt", "split", "cv"),
}


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table that a source takes its rows from.

    names    names of the classes' columns; None without a header
    numbers  their numbers in the file, from 1
    label    the number of the label column, if there is one
    chosen   true if --columns chose the classes
    """

    names: tuple[str, ...] | None
    numbers: tuple[int, ...]
    label: int | None = None
    chosen: bool = False
    by_name: bool = False

    def cell(self, row: str, position: int) -> str:
        """Return how errors name the cell of a class in the row of this place."""
        if self.by_name and self.names is not None:
            return f"{row}, column {shortened(self.names[position])!r}"
        return f"{row}:{self.numbers[position]}"

    def label_cell(self, row: str) -> str:
        """Return how errors name the label's cell in the row of this place."""
        return row if self.by_name or self.label is None else f"{row}:{self.label}"

    def shown(self, position: int) -> str:
        """Return how a message calls the column of a class."""
        if self.names is None:
            return f"column {self.numbers[position]}"
        return repr(shortened(self.names[position]))

    def option_value(self, positions: Sequence[int]) -> str:
        """Return what --id-columns takes for these columns: plain names, or else numbers."""
        times = Counter(self.names or ())
        return ",".join(
            self.names[position]
            if self.names is not None
            and times[self.names[position]] == 1
            and re.fullmatch(r"[A-Za-z_]\w{0,39}", self.names[position], re.ASCII)
            else str(self.numbers[position])
            for position in positions
        )


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
        names = () if table.names is None or table.chosen else table.names
        self.positions = [at for at, name in enumerate(names) if looks_like_no_class(name)]

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
    if table is None:
        return source
    suspects = Suspects(table)

    def portions() -> Iterator[Portion]:
        begun = source.portions()
        first: list[Portion] = []
        blocks: list[Block] = []
        while sum(map(_rows, blocks)) < _ROWS_OF_INDEX and (portion := next(begun, None)):
            block = portion.read()
            blocks.append(block)
            first.append(replace(portion, read=partial(itself, block)))
        if blocks and blocks[0].start == 0:
            import numpy as np

            suspects.add_index(np.concatenate([block.values[:_ROWS_OF_INDEX] for block in blocks]))
        yield from chain(first, begun)

    warning: Callable[[], list[str]] = partial(suspects.warnings, source.place)
    return replace(
        source, portions=portions, suspects=suspects, warnings=(*source.warnings, warning)
    )


def _rows(block: Block) -> int:
    return len(block.values)
