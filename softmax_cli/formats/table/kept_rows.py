"""The rows of a result that a table shows: the first and the last."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.text.cells import cell_text
from softmax_cli.formats.text.json_values import name_classes

SHOWN_ROWS = 10
SHOWN_MATRICES = 3


@dataclass(frozen=True)
class KeptRow:
    """A row of a table: its number, its name, its values, and their classes in a top-K result."""

    number: int
    name: str
    values: list[float]
    classes: list[object] | None = None


class KeptRows:
    """The first and the last rows of all that were added; of matrices, those of the first few."""

    def __init__(self, result: Result) -> None:
        """Keep nothing yet."""
        self._result = result
        self.count = 0
        self.first: list[KeptRow] = []
        self.last: deque[KeptRow] = deque(maxlen=SHOWN_ROWS)

    def add(self, block: Block) -> None:
        """Keep the rows of a block that may be shown."""
        count = len(block.values)
        if self._result.matrix:
            self.first.extend(
                self._row(block, row) for row in range(count) if self._is_kept(block.start + row)
            )
        else:
            ahead = min(max(0, SHOWN_ROWS - self.count), count)
            self.first.extend(self._row(block, row) for row in range(ahead))
            behind = range(max(ahead, count - SHOWN_ROWS), count)
            self.last.extend(self._row(block, row) for row in behind)
        self.count += count

    def of_matrix(self, matrix: int) -> list[KeptRow]:
        """Return the kept rows of one matrix."""
        return [row for row in self.first if row.number // self._result.columns == matrix]

    def _is_kept(self, number: int) -> bool:
        rows_each = self._result.columns
        matrix, i = divmod(number, rows_each)
        return matrix < SHOWN_MATRICES and (i < SHOWN_ROWS or i >= rows_each - SHOWN_ROWS)

    def _row(self, block: Block, row: int) -> KeptRow:
        number, classes = block.start + row, None
        name = str(number)
        if block.ids is not None:
            name = " ".join(map(cell_text, block.ids[row]))
        if block.classes is not None:
            classes = name_classes(block.classes[row : row + 1], self._result.class_names)[0]
        return KeptRow(number, name, block.values[row].tolist(), classes)
