"""Rows in order, alone and in pairs: values with their labels, targets, weights or vectors.

Every row that goes in comes out once, in its place. A failed check of that is a bug in the program;
no result is better than one that lacks a row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softmax_cli.core.exact.bfloat16 import in_memory
from softmax_cli.errors import InputError, ShapeError, SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Chunk, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AXIS = r": along axis -?\d+$"
ONE_TO_ONE = "give one row for each row of the values"
Role = Literal[
    "labels", "weights", "targets", "p", "vectors", "upstream gradients", "gradients", "Jacobians"
]


def check_row_order(block: Block, start: int, rows: int, place: str) -> None:
    """Raise SoftmaxCliError unless the block holds this many rows, from row `start` on."""
    if (block.start, len(block.values)) != (start, rows):
        came = f"{len(block.values)} rows from row {block.start} on"
        raise bug(f"read {came}, expected {rows} from row {start} on", place)


def blocks_in_order(source: Source) -> Iterator[Block]:
    """Yield the blocks of the source, each checked to hold the rows that come next."""
    start = source.first
    for chunk in source.chunks():
        block = chunk.read()
        check_row_order(block, start, chunk.rows, source.place)
        start += chunk.rows
        yield block


def bug(problem: str, place: str) -> SoftmaxCliError:
    """Return the error for a bug of this program."""
    return SoftmaxCliError(problem, "this is a bug in the program: please report it", place)


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
    source: Source, other: Source, *, role: Role = "labels", every_row: bool = False
) -> Source:
    """Return the source with the rows of the other added to its blocks, as `weights` or `partner`.

    With `every_row`, an other that has a single row is paired with every row of the source.
    """
    other, single = peeked(other)
    is_repeated = single and every_row
    rows = source.rows if source.within is None else source.within.of
    if not is_repeated:
        if other.rows is not None and rows is not None and other.rows != rows:
            remedy = _row_remedy(source, other, other.rows)
            if remedy == ONE_TO_ONE and other.classes == 1 and other.rows == rows * source.classes:
                remedy = "labels are one number per row; --targets takes one-hot rows"
            counted = "1 row" if other.rows == 1 else f"{other.rows} rows"
            problem = f"has {counted}, but {source.place} has {rows}"
            raise InputError(problem, remedy, other.place)
        check_shapes(source, other, role)
        other = other.slice_rows(source.within)

    def chunks() -> Iterator[Chunk]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if is_repeated else None
        for chunk in source.chunks():
            if row is not None:
                rows = np.broadcast_to(row, (chunk.rows, other.classes))
            else:
                rows = reader.take(chunk.rows, source.place)
            field = "weights" if role == "weights" else "partner"
            yield chunk.map(partial(replace, **{field: rows}))
        reader.finish(source)

    return replace(
        source,
        chunks=chunks,
        paths=(*source.paths, *other.paths),
        warnings=(*source.warnings, *other.warnings),
    )


def check_shapes(source: Source, other: Source, role: Role) -> None:
    """Raise ShapeError if the leading dimensions differ: rows would be paired in the wrong order.

    A flat array of rows fits any shape, and so does text, which has no shape.
    """
    leading, given, N = source.leading, other.leading, source.classes
    if leading is None or given is None:
        return
    cells = {"labels": (), "weights": (), "Jacobians": (N, N)}.get(role, (N,))
    # The lines of a Jacobian count as rows; labels may have a trailing dimension of 1.
    end = {0: (1,), 1: (), 2: (N,)}[len(cells)]
    if given in (leading, (*leading, *end)) or len(given) <= 1 or given[1:] == end:
        return
    shape = _with_classes(leading, (N,), source.axis)
    right = _with_classes(leading, cells, source.axis)
    flat = (math.prod(leading), *cells)
    along = ""
    if source.axis != -1:
        along = f" with the classes along axis {len(shape) + source.axis}"
    remedy = f"give {role} of shape {right}"
    if not cells and (fitting := _axis_for(source, other)) is not None:
        remedy = f"{_along(fitting)}, else {remedy}"
    if right != flat and (source.axis == -1 or len(cells) != 1):
        remedy += f", or flat {flat}"
    found = _with_classes(given, (N,), other.axis) if cells else given
    place, other_place = (re.sub(_AXIS, "", each.place) for each in (source, other))
    problem = f"{role} of shape {found} for {place} of shape {shape}{along}"
    raise ShapeError(problem, remedy, other_place)


def _axis_for(source: Source, other: Source, rows: int | None = None) -> int | None:
    """Return the class axis that would give the array the other's shape or number of rows."""
    if source.leading is None or not source.paths:
        return None
    shape = _with_classes(source.leading, (source.classes,), source.axis)
    given = other.leading or ()
    for axis in range(len(shape)):
        rest = shape[:axis] + shape[axis + 1 :]
        is_flat = len(given) <= 1 and math.prod(rest) == rows
        if axis - len(shape) != source.axis and (given == rest or is_flat):
            return axis
    return None


def _row_remedy(source: Source, other: Source, rows: int) -> str:
    """Return what to do about an other that has so many rows, another number than the source."""
    if other.classes == 1 and (axis := _axis_for(source, other, rows)) is not None:
        return _along(axis)
    if other.classes == 1 and source.leading == () and rows == source.classes:
        return "--binary if each number is a row, of two classes, --targets if these are one-hot"
    return ONE_TO_ONE


def _along(axis: int) -> str:
    return f"--axis {axis} if that axis holds the classes"


def _with_classes(leading: tuple[int, ...], cells: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the shape of the array in its file, before the axis of its classes was moved last."""
    if len(cells) != 1:
        return (*leading, *cells)
    place = len(leading) + 1 + axis
    return (*leading[:place], *cells, *leading[place:])


class RowReader:
    """Reads a source in batches of the caller's size, to pair its rows with those of another."""

    def __init__(self, source: Source) -> None:
        self._source, self._blocks = source, blocks_in_order(source)
        self._rest: NDArray[Any] | None = None
        self._taken = 0

    def take(self, count: int, partner: str) -> NDArray[Any]:
        """Return the next `count` rows; raise InputError if there are fewer."""
        rows = self.up_to(count)
        if rows is None:
            rows = np.empty((0, self._source.classes), in_memory(self._source.dtype))
        if len(rows) < count:
            raise InputError(f"has fewer rows than {partner}", ONE_TO_ONE, self._source.place)
        return rows

    def up_to(self, count: int) -> NDArray[Any] | None:
        """Return at most `count` of the next rows; None at the end."""
        parts: list[NDArray[Any]] = []
        while count:
            if self._rest is None or not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block.values
            parts.append(self._rest[:count])
            self._rest = self._rest[count:]
            count -= len(parts[-1])
            self._taken += len(parts[-1])
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else None

    def finish(self, partner: Source) -> None:
        """Raise InputError if rows are left."""
        source, left = self._source, 0 if self._rest is None else len(self._rest)
        left += sum(len(block.values) for block in self._blocks)
        if not left:
            return
        remedy = _row_remedy(partner, source, self._taken + left)
        if left == 1 and source.if_one_more:
            remedy = source.if_one_more
        raise InputError(f"has more rows than {partner.place}", remedy, source.place)
