"""The losses and gradients of rows that xent writes to files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink, call_each
from softmax_cli.formats.opening.sink import open_sink


@dataclass(frozen=True)
class RowFiles:
    """Where and how losses and gradients of rows are written.

    losses    a file of the losses of the rows
    gradient  a file of the gradient of the reduced loss with respect to the logits
    """

    losses: WriteOptions | None = None
    gradient: WriteOptions | None = None

    @classmethod
    def named(cls, losses: str | None, gradient: str | None, write: WriteOptions) -> RowFiles:
        """Return files of these names, in the formats of their suffixes."""
        of_losses, of_gradients = (
            None if path is None else replace(write, output=path, format=None, save=None)
            for path in (losses, gradient)
        )
        return cls(of_losses, of_gradients)


def row_result(source: Source) -> Result:
    """Return the result for one loss per row: bare numbers, unless there are id columns."""
    named = bool(source.id_names and source.class_names)
    return Result(
        "xent",
        "losses",
        1,
        np.dtype(np.float64),
        class_names=("loss",),
        column_names=("loss",) if named else None,
        id_names=source.id_names,
        first=source.first,
        flat="rows",
    )


class RowSinks(Sink):
    """Writes the losses of blocks, and the gradients, which are the partner, to their files."""

    def __init__(self, stack: ExitStack, source: Source, files: RowFiles) -> None:
        """Open the files, for as long as the stack is open."""
        self.of_losses: list[Sink] = []
        self._of_gradients: list[Sink] = []
        if files.losses is not None:
            sink = open_sink(row_result(source), files.losses, source.paths)
            self.of_losses.append(stack.enter_context(sink))
        if files.gradient is not None:
            result = Result.of(source, "xent", "gradient", column_names=source.class_names)
            sink = open_sink(result, files.gradient, source.paths)
            self._of_gradients.append(stack.enter_context(sink))

    def prepare(self, block: Block) -> Callable[[], None]:
        """Prepare them for each file."""
        commits = [sink.prepare(block) for sink in self.of_losses]
        if block.partner is not None:
            gradients = block.with_values(block.partner)
            commits += [sink.prepare(gradients) for sink in self._of_gradients]
        return partial(call_each, commits)
