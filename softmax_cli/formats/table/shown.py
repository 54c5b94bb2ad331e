"""Which rows and columns of a long result a table shows: the first and the last."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.text.json_values import name_classes
from softmax_cli.formats.text.quoting import cell_text

SHOWN_ROWS = 10
SHOWN_CLASSES = 40
# More than any terminal has room for.
SHOWN_COLUMNS = 400
SHOWN_MATRICES = 3


@dataclass(frozen=True)
class ShownLine:
    """A line of a table: its number and name, its values, and the classes that go with them."""

    number: int
    name: str
    values: list[float]
    classes: list[object] | None = None


class ShownRows:
    """Keeps the first and the last rows while all rows go by; of matrices, those of the first."""

    def __init__(self, result: Result) -> None:
        """Keep nothing yet."""
        self._result = result
        self.count = 0
        self.first: list[ShownLine] = []
        self.last: deque[ShownLine] = deque(maxlen=SHOWN_ROWS)

    def add(self, block: Block) -> None:
        """Keep the rows of a block that will be shown."""
        count = len(block.values)
        if self._result.matrix:
            self.first.extend(
                self._line(block, row) for row in range(count) if self._is_shown(block.start + row)
            )
        else:
            ahead = min(max(0, SHOWN_ROWS - self.count), count)
            self.first.extend(self._line(block, row) for row in range(ahead))
            behind = range(max(ahead, count - SHOWN_ROWS), count)
            self.last.extend(self._line(block, row) for row in behind)
        self.count += count

    def of_matrix(self, matrix: int) -> list[ShownLine]:
        """Return the kept lines of one matrix, numbered from 0."""
        lines_each = self._result.columns
        return [
            ShownLine(line.number % lines_each, line.name, line.values)
            for line in self.first
            if line.number // lines_each == matrix
        ]

    def _is_shown(self, number: int) -> bool:
        lines_each = self._result.columns
        matrix, i = divmod(number, lines_each)
        return matrix < SHOWN_MATRICES and (i < SHOWN_ROWS or i >= lines_each - SHOWN_ROWS)

    def _line(self, block: Block, row: int) -> ShownLine:
        name = str(block.start + row)
        if block.ids is not None:
            name = " ".join(cell_text(cell) for cell in block.ids[row])
        classes = None
        if block.classes is not None:
            classes = name_classes(block.classes[row : row + 1], self._result.class_names)[0]
        return ShownLine(block.start + row, name, block.values[row].tolist(), classes)


def first_and_last(count: int, room: int) -> tuple[list[int], bool]:
    """Return the first and the last positions that fit, and whether any is left out.

    >>> first_and_last(3, room=3), first_and_last(10, room=3)
    (([0, 1, 2], False), ([0, 1, 9], True))
    """
    if count <= room:
        return list(range(count)), False
    ahead = (room + 1) // 2
    return [*range(ahead), *range(count - (room - ahead), count)], True
