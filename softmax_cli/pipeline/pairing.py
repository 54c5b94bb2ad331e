"""Rows in order, alone and in pairs: values with their labels, targets, weights or vectors.

Every row that goes in comes out once, in its place. A failed check of that is a bug in the program;
no result is better than one that lacks a row.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from softmax_cli.core.exact.bfloat16 import in_memory
from softmax_cli.errors import InputError, ShapeError, SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Chunk, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Reads rows, in any thread.
ReadRows: TypeAlias = "Callable[[], NDArray[Any]]"

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
    field: Literal["weights", "partner"] = "weights" if role == "weights" else "partner"
    rows = source.rows if source.within is None else source.within.of
    if not (single and every_row):
        if other.rows is not None and rows is not None and other.rows != rows:
            remedy = _row_remedy(source, other, other.rows)
            if remedy == ONE_TO_ONE and other.classes == 1 and other.rows == rows * source.classes:
                remedy = "labels are one number per row; --targets takes one-hot rows"
            counted = "1 row" if other.rows == 1 else f"{other.rows} rows"
            problem = f"has {counted}, but {source.place} has {rows}"
            raise InputError(problem, remedy, other.place)
        check_shapes(source, other, role)
        other = other.slice_rows(source.within)
    both = with_rows_of(source, other, field, repeated=single and every_row)
    return replace(
        both, paths=(*source.paths, *other.paths), warnings=(*source.warnings, *other.warnings)
    )


def with_rows_of(
    source: Source,
    other: Source,
    field: Literal["weights", "partner", "claimed"],
    *,
    repeated: bool = False,
    lines: int = 1,
) -> Source:
    """Return the source with the rows of the other in a field of its blocks.

    repeated  whether the other has one row, for all rows
    lines     how many rows of the other belong to one
    """

    def chunks() -> Iterator[Chunk]:
        reader = RowReader(other)
        row = reader.take(1, source.place) if repeated else None
        for chunk in source.chunks():
            read = reader.take(lines * chunk.rows, source.place) if row is None else row
            yield chunk.map(partial(_with_rows, field, lines, read))
        reader.finish(source)

    return replace(source, chunks=chunks)


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
        self._source, self._chunks = source, source.chunks()
        self._read: ReadRows = lambda: np.empty((0, source.classes), in_memory(source.dtype))
        self._start, self._left, self._taken = 0, 0, 0

    def take(self, count: int, partner: str) -> ReadRows:
        """Return what reads the next `count` rows; raise InputError if there are fewer."""
        parts = list(self._parts(count))
        if sum(rows for rows, _ in parts) < count:
            for _, read in parts:
                # What is wrong with a row comes first.
                read()
            raise InputError(f"has fewer rows than {partner}", ONE_TO_ONE, self._source.place)
        return partial(_joined, [read for _, read in parts] or [self._read])

    def up_to(self, count: int) -> NDArray[Any] | None:
        """Return at most `count` of the next rows; None at the end."""
        parts = [read for _, read in self._parts(count)]
        return _joined(parts) if parts else None

    def finish(self, partner: Source) -> None:
        """Raise InputError if rows are left."""
        left = sum(rows for rows, _ in self._parts(sys.maxsize))
        if not left:
            return
        source = self._source
        remedy = _row_remedy(partner, source, self._taken)
        if left == 1 and source.if_one_more:
            remedy = source.if_one_more
        raise InputError(f"has more rows than {partner.place}", remedy, source.place)

    def _parts(self, count: int) -> Iterator[tuple[int, ReadRows]]:
        """Yield what reads at most `count` of the next rows, a part of a chunk at a time.

        Each comes with the number of its rows.
        """
        while count:
            if not self._left:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                start = self._source.first + self._taken
                self._read = _once(partial(_values, chunk, start, self._source.place))
                self._start, self._left = 0, chunk.rows
            rows = min(count, self._left)
            part = partial(_lines, self._read, self._start, self._start + rows)
            self._start += rows
            self._left -= rows
            self._taken += rows
            count -= rows
            yield rows, part


def _values(chunk: Chunk, start: int, place: str) -> NDArray[Any]:
    block = chunk.read()
    check_row_order(block, start, chunk.rows, place)
    return block.values


def _once(read: ReadRows) -> ReadRows:
    """Return what reads the rows of a chunk when they are first needed; in any threads."""
    lock = Lock()
    found: list[NDArray[Any]] = []

    def rows() -> NDArray[Any]:
        with lock:
            if not found:
                found.append(read())
            return found[0]

    return rows


def _lines(read: ReadRows, start: int, stop: int) -> NDArray[Any]:
    return read()[start:stop]


def _joined(parts: Sequence[ReadRows]) -> NDArray[Any]:
    return np.concatenate([read() for read in parts]) if len(parts) > 1 else parts[0]()


def _with_rows(field: str, lines: int, read: ReadRows, block: Block) -> Block:
    rows, count = read(), len(block.values)
    if lines > 1:
        rows = rows.reshape(count, lines, -1)
    elif len(rows) != count:
        rows = np.broadcast_to(rows, (count, *rows.shape[1:]))
    changes: dict[str, Any] = {field: rows}
    return replace(block, **changes)
