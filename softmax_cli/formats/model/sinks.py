"""Where blocks of rows go, and what must be known of a result before they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from softmax_cli.formats.model.blocks import Block

if TYPE_CHECKING:
    import numpy as np

    from softmax_cli.display.parts import Part
    from softmax_cli.display.steps import Step


@dataclass(frozen=True, eq=False)
class Result:
    """What a sink must know of the rows that it will be given.

    command       the subcommand, for JSON
    name          what the values are, plural: the JSON key and the title of a table
    columns       values in a line
    dtype         of the values
    class_names   names of the classes, if the input named them
    column_names  names of the columns of text files, if there is a header to write
    id_names      names of the pass-through columns
    facts         further keys of the JSON object
    matrix        each row is a matrix of `columns` lines, and lines are written, not rows
    single        there is one row
    leading       dimensions that an array is given back, before the columns
    axis          where the classes go in the output, counted from the end
    text_columns  what stands beside the numbers that an array cannot hold
    first         number of the first line, if those before it are written by others
    flat          an array of it has no dimension of columns: a number a row, or one number
    steps         what explains it, in a table's place and as a part of JSON, once all is read
    after         what a table shows under it
    """

    command: str
    name: str
    columns: int
    dtype: np.dtype[Any]
    class_names: tuple[str, ...] | None = None
    column_names: tuple[str, ...] | None = None
    id_names: tuple[str, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    matrix: bool = False
    single: bool = False
    leading: tuple[int, ...] | None = None
    axis: int = -1
    text_columns: str = ""
    first: int = 0
    flat: Literal["", "rows", "one"] = ""
    steps: Callable[[], Sequence[Step]] | None = None
    after: Callable[[], Sequence[Part]] | None = None


class Sink:
    """Writes the blocks of a result. A sink overrides `write`, or `prepare` if threads can help."""

    def write(self, block: Block) -> None:
        """Write the rows of one block, the next in order."""
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        """Do, in any thread, what of writing a block needs no order; return what is left of it."""
        return partial(self.write, block)

    def finish(self) -> None:
        """Write what comes after the last row, if anything does."""


class Sinks(Sink):
    """Gives each block to several sinks, which are finished where they were opened."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        """Keep the sinks."""
        self._sinks = sinks

    def prepare(self, block: Block) -> Callable[[], None]:
        """Prepare it for each."""
        commits = [sink.prepare(block) for sink in self._sinks]

        def commit() -> None:
            for each in commits:
                each()

        return commit
