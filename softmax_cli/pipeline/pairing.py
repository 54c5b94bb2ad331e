"""Pairs two inputs row by row: values with their labels, targets, weights or vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from softmax_cli.errors import InputError, ShapeError
from softmax_cli.formats.model.blocks import Block, Chunk, Source
from softmax_cli.pipeline.row_order import blocks_in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE_TO_ONE = "give one row for each row of the values"
What = Literal[
    "labels", "weights", "targets", "p", "vectors", "upstream gradients", "gradients", "Jacobians"
]


def peeked(source: Source) -> tuple[Source, bool]:
    """Return the source and whether it has a single row; reads the first rows if need be."""
    if source.rows is not None:
        return source, source.rows == 1
    chunks = source.chunks()
    first: list[Chunk] = []
    while sum(chunk.rows for chunk in first) < 2 and (chunk := next(chunks, None)):
        first.append(chunk)
    single = sum(chunk.rows for chunk in first) == 1
    return replace(source, chunks=lambda: chain(first, chunks)), single


def zip_rows(
    source: Source, other: Source, *, what: What = "labels", every_row: bool = False
) -> Source:
    """Return the source with the rows of the other added to its blocks, as `weights` or `partner`.

    With `every_row`, an other that has a single row is paired with every row of the source.
    """
    import numpy as np

    other, single = peeked(other)
    several = not (single and every_row)
    rows = source.rows if source.within is None else source.within.of
    if several and other.rows is not None and rows is not None and other.rows != rows:
        remedy = ONE_TO_ONE
        if other.classes == 1 and other.rows == rows * source.classes:
            remedy = "labels are one number a row; --targets takes one-hot rows"
        problem = f"has {other.rows} rows, but {source.place} has {rows}"
        raise InputError(problem, remedy, other.place)
    if several:
        check_shapes(source, other, what)
        other = other.slice_rows(source.within)

    def chunks() -> Iterator[Chunk]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if single and every_row else None
        for chunk in source.chunks():
            if row is not None:
                partner = np.broadcast_to(row, (chunk.rows, other.classes))
            else:
                partner = reader.take(chunk.rows, source.place)
            yield chunk.map(partial(_add_rows, what, partner))
        reader.finish(source.place)

    return replace(
        source,
        chunks=chunks,
        paths=(*source.paths, *other.paths),
        warnings=(*source.warnings, *other.warnings),
    )


def _add_rows(what: What, rows: NDArray[Any], block: Block) -> Block:
    return replace(block, weights=rows) if what == "weights" else replace(block, partner=rows)


def check_shapes(source: Source, other: Source, what: What) -> None:
    """Raise ShapeError if the leading dimensions differ: rows would be paired in the wrong order.

    A flat array of rows fits any shape, and so does text, which has no shape.
    """
    wanted, given = source.leading, other.leading
    if wanted is None or given is None:
        return
    N = source.classes
    cells = {"labels": (), "weights": (), "Jacobians": (N, N)}.get(what, (N,))
    # The lines of a Jacobian count as rows; labels may have a trailing dimension of 1.
    end = {0: (1,), 1: (), 2: (N,)}[len(cells)]
    if given in (wanted, (*wanted, *end)) or len(given) <= 1 or given[1:] == end:
        return
    shape, right = (
        _with_classes(wanted, (N,), source.axis),
        _with_classes(wanted, cells, source.axis),
    )
    flat, place, along = (math.prod(wanted), *cells), source.place, ""
    if source.axis != -1:
        place = re.sub(r": along axis -?\d+$", "", place)
        along = f" with the classes along axis {len(shape) + source.axis}"
    remedy = f"give {what} of shape {right}"
    if right != flat and (source.axis == -1 or len(cells) != 1):
        remedy += f", or flat {flat}"
    lie = _with_classes(given, (N,), other.axis) if cells else given
    problem = f"{what} of shape {lie} for {place} of shape {shape}{along}"
    raise ShapeError(problem, remedy, re.sub(r": along axis -?\d+$", "", other.place))


def _with_classes(leading: tuple[int, ...], cells: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the shape of the array in its file, before the axis of its classes was moved last."""
    if len(cells) != 1:
        return (*leading, *cells)
    place = len(leading) + 1 + axis
    return (*leading[:place], *cells, *leading[place:])


class RowReader:
    """Reads a source in batches of the caller's size, to pair its rows with those of another."""

    def __init__(self, source: Source) -> None:
        """Open nothing and read nothing yet."""
        self._source = source
        self._blocks = blocks_in_order(source)
        self._rest: NDArray[Any] | None = None

    def take(self, count: int, partner: str) -> NDArray[Any]:
        """Return the next `count` rows; raise InputError if there are fewer."""
        rows = self.up_to(count)
        if count and (rows is None or len(rows) < count):
            raise InputError(f"has fewer rows than {partner}", ONE_TO_ONE, self._source.place)
        if rows is None:
            import numpy as np

            from softmax_cli.core.exact.bfloat16 import in_memory

            return np.empty((0, self._source.classes), in_memory(self._source.dtype))
        return rows

    def up_to(self, count: int) -> NDArray[Any] | None:
        """Return at most `count` of the next rows; None at the end."""
        import numpy as np

        parts: list[NDArray[Any]] = []
        missing = count
        while missing:
            if self._rest is None or not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block.values
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else None

    def finish(self, partner: str) -> None:
        """Raise InputError if rows are left."""
        left = self._rest is not None and len(self._rest)
        if left or any(len(block.values) for block in self._blocks):
            raise InputError(f"has more rows than {partner}", ONE_TO_ONE, self._source.place)
