"""The explained rows: the first ones, kept while all rows go by."""

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
        """Keep the explained rows of a block, in any thread, and return the block."""
        with self._lock:
            self._count += len(block.values)
            for row in range(len(block.values)):
                if block.number(row) >= EXPLAINED:
                    break
                kept = block.part(row, row + 1)
                # Copied, because the block may be computed in place.
                partner = None if kept.partner is None else kept.partner.copy()
                kept = replace(kept, values=kept.values.copy(), partner=partner)
                self._kept[block.number(row)] = kept
        return block

    def steps(self) -> list[Step]:
        """Return the steps of each row, in order, and how many rows are not explained."""
        steps = [step for _, block in sorted(self._kept.items()) for step in self._steps_of(block)]
        return [*steps, *rows_left(len(self._kept), self._count)]


def rows_left(explained: int, rows: int) -> list[Step]:
    """Return a step that says how many rows are explained, if not all are."""
    if explained == rows > 0:
        return []
    notes = f"{explained} of {rows} row{'s' * (rows != 1)} explained"
    return [Step("rows", "", (), {"rows": rows}, [Line(notes, "dim")])]
