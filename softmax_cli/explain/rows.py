"""The rows that are explained: the first ones, kept while all rows go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from softmax_cli.display.parts import Line
from softmax_cli.display.steps import Step
from softmax_cli.formats.model.blocks import Block

EXPLAINED = 3


class FirstRows:
    """Keeps the first rows of a source, each as a block of its own."""

    def __init__(self, steps_of: Callable[[Block], list[Step]]) -> None:
        """Keep nothing yet; `steps_of` explains one row."""
        self._steps_of = steps_of
        self._kept: dict[int, Block] = {}
        self._count = 0
        self._lock = Lock()

    def add(self, block: Block) -> Block:
        """Keep what is wanted of a block, in any thread, and pass it on."""
        with self._lock:
            self._count += len(block.values)
            for row in range(len(block.values)):
                if block.number(row) >= EXPLAINED:
                    break
                self._kept[block.number(row)] = _copied(block.part(row, row + 1))
        return block

    def steps(self) -> list[Step]:
        """Return the steps of each row, in order, and how many rows are not explained."""
        steps = [step for _, block in sorted(self._kept.items()) for step in self._steps_of(block)]
        return [*steps, *rows_left(len(self._kept), self._count)]


def rows_left(explained: int, rows: int) -> list[Step]:
    """Return what tells how many rows are explained, if not all are."""
    if explained == rows > 0:
        return []
    said = f"{explained} of {rows} row{'s' * (rows != 1)} explained"
    return [Step("rows", "", (), {"rows": rows}, [Line(said, "dim")])]


def _copied(block: Block) -> Block:
    """Return a block that stays as it is when its numbers are computed on in place."""
    partner = None if block.partner is None else block.partner.copy()
    return replace(block, values=block.values.copy(), partner=partner)
