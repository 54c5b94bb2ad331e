"""NPY: a header, then the numbers of an array. Pickles are refused, sizes checked."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.bfloat16 import BFLOAT16, packed
from softmax_cli.errors import InputError, UsageError, shorten
from softmax_cli.formats.arrays.array import (
    array_source,
    check_dtype,
    check_exact,
    check_size,
    checked_shape,
    numbers_in,
    row_place,
)
from softmax_cli.formats.model.blocks import Block, Chunk, Source, rows_per_block
from softmax_cli.formats.model.options import ColumnRequest, DTypeName, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.storage.input import Input, read_at, read_exactly
from softmax_cli.storage.limits import LONGEST_NPY_HEADER

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
_MOST_DIMENSIONS = 64


class Header(NamedTuple):
    """What a file says about an array; the header takes `length` bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool = False
    length: int = 0

    @property
    def size(self) -> int:
        """The size of the array in bytes."""
        return self.dtype.itemsize * math.prod(self.shape)


def read(source: Input, _: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open an NPY file or stream; only its header is read."""
    header = read_header(source, options.dtype, request)
    check_size(source.size, header.length + header.size, source.place)
    return rows_of(source, header, request, None if source.size is None else header.length)


def rows_of(
    source: Input, header: Header, request: ColumnRequest, first_byte: int | None = None
) -> Source:
    """Return the rows of the array that the stream yields next.

    In a plain file they start at `first_byte`, and are read in any order.
    """
    dtype, shape, place = header.dtype, header.shape, source.place
    is_column, is_flat = request.is_column(shape), request.flat and len(shape) == 1
    if is_flat:
        shape = (*shape, 1)
    classes = 1 if is_column else checked_shape(shape, place)[-1]
    by_columns = header.fortran_order and len(shape) == 2 and first_byte is not None
    if header.fortran_order and len(shape) > 1 and (not by_columns or is_column):
        data = read_exactly(source, header.size)
        _refuse_more(source)
        try:
            array = np.frombuffer(data, dtype).reshape(shape, order="F")
        except ValueError as error:
            raise InputError(f"has the shape {shape}", "it is damaged", place) from error
        if is_column:
            return replace(array_source(array.reshape(-1, 1), place), leading=shape)
        return array_source(array, place)
    leading = shape if is_column else shape[:-1]
    rows = math.prod(leading)
    leading = () if is_flat else leading
    step = rows_per_block(classes, dtype.itemsize)

    def chunks() -> Iterator[Chunk]:
        for start in range(0, rows, step):
            count = min(step, rows - start)
            size = count * classes * dtype.itemsize
            if first_byte is None:
                values = np.frombuffer(read_exactly(source, size), dtype)
                yield Chunk(count, partial(block, start, values.reshape(-1, classes)), size=size)
            else:
                read = partial(read_block, first_byte, start, count)
                yield Chunk(count, read, at_once=2, size=size)
        _refuse_more(source)

    def read_block(first_byte: int, start: int, count: int) -> Block:
        stored = np.empty((classes, count) if by_columns else (1, count * classes), dtype)
        for column, numbers in enumerate(stored):
            at = column * rows + start if by_columns else start * classes
            read_at(source, first_byte + at * dtype.itemsize, numbers.view(np.uint8).data)
        return block(start, stored.T if by_columns else stored.reshape(-1, classes))

    def block(start: int, table: NDArray[Any]) -> Block:
        check_exact(table, place, start)
        numbers = numbers_in(table.T).T if by_columns else numbers_in(table)
        return Block(start, numbers, row_place(place, start))

    in_memory = numbers_in(np.empty(0, dtype)).dtype
    return Source(place, classes, in_memory, chunks, rows=rows, leading=leading, size=header.size)


def _refuse_more(source: Input) -> None:
    """Refuse a stream that goes on after the array; the size of a file is already checked."""
    if source.size is None and source.head():
        raise InputError("goes on after its array", "it is damaged", source.place)


def read_header(
    source: Input, asked: DTypeName | None, request: ColumnRequest = ColumnRequest()
) -> Header:
    """Return what the header says, with every part checked; `asked` is the value of `--dtype`."""
    start = read_exactly(source, 8)
    if not start.startswith(MAGIC):
        raise InputError("is not an NPY file", "--input-format names another format", source.place)
    if start[6] not in (1, 2, 3) or start[7]:
        problem = f"is an NPY file of version {start[6]}.{start[7]}, and 1.0, 2.0 and 3.0 are read"
        raise InputError(problem, "write it again with numpy.save", source.place)
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(read_exactly(source, width), "little")
    if length > LONGEST_NPY_HEADER:
        raise InputError(f"has a header of {length} bytes", "the file is damaged", source.place)
    # Version 3 differs in names of fields alone, and arrays with fields are not read.
    text = length.to_bytes(4, "little") + read_exactly(source, length)
    try:
        with warnings.catch_warnings(action="error"):
            shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(
                io.BytesIO(text), max_header_size=length
            )
    except Exception as error:
        # NumPy's parser raises errors of many types, and warns of what it guesses.
        raise InputError("has no valid header", "the file is damaged", source.place) from error
    check_dtype(dtype, source.place, asked, request)
    most = max(8, dtype.itemsize) * math.prod(max(1, size) for size in shape)
    are_sizes = all(type(size) is int and size >= 0 for size in shape)
    if not are_sizes or most >= 1 << 63 or len(shape) > _MOST_DIMENSIONS:
        raise InputError(f"has the shape {shorten(str(shape))}", "it is damaged", source.place)
    return Header(dtype, shape, fortran_order, 8 + width + length)


def header_bytes(dtype: np.dtype[Any], shape: tuple[int, ...], *, room: int = 0) -> bytes:
    """Return the header of a C-ordered array, of at least `room` bytes and a multiple of 64."""
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    text = repr(fields).encode("latin-1")
    size = max(room, len(MAGIC) + 4 + len(text) + 1)
    size += -size % 64
    length = size - len(MAGIC) - 4
    return MAGIC + b"\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"


def stored_as(dtype: np.dtype[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as a file of this dtype stores them."""
    return packed(values) if dtype == BFLOAT16 else np.ascontiguousarray(values, dtype=dtype)


class NpySink(FormatSink):
    """Writes an array; into a file, its header follows when the number of rows is known."""

    def header(self, shape: tuple[int, ...], *, room: int = 0) -> bytes:
        """Return the header of an array of this shape, of at least `room` bytes."""
        return header_bytes(self._result.dtype, shape, room=room)

    def begin(self) -> None:
        result, target = self._result, self._target
        if result.text_columns:
            problem = f"an array cannot hold {result.text_columns}"
            raise UsageError(problem, "write .npz, .csv or .json", target.place)
        self._end = result.first
        most = (1 << 62, *(result.leading or ()), *result.shape(0))
        self._room = len(self.header(most))
        self._goes_in_order = not target.seekable and result.rows is not None
        if self._goes_in_order and result.rows is not None:
            lines = result.rows * result.lines_per_row
            target.write(self.header(result.shape(lines), room=self._room))
        self._pipe = None if target.seekable or self._goes_in_order else target
        if self._pipe is not None:
            # The header comes first, and the number of rows is known last.
            self._target = target = target.spool()
        self._line_bytes = result.dtype.itemsize * (1 if result.flat else result.columns)
        if result.leading is not None and not result.flat:
            rows = math.prod(result.leading)
            size = self._room + rows * result.lines_per_row * self._line_bytes
            target.reserve(size, rows * result.columns)

    def prepare(self, block: Block) -> Callable[[], None]:
        """Write the numbers of a block at once, except into a pipe: their position is known."""
        values = stored_as(self._result.dtype, block.values)
        data = values.reshape(-1).view(np.uint8).data
        if self._goes_in_order:
            return partial(self._target.write, data)
        self._target.write_at(self._room + block.start * self._line_bytes, data)
        return partial(self._count, block.start + len(values))

    def _count(self, end: int) -> None:
        self._end = end

    def finish(self) -> None:
        if self._goes_in_order:
            return
        header = self.header(self._result.shape(self._end), room=self._room)
        self._target.write_at(0, memoryview(header))
        self._target.truncate(self._room + self._end * self._line_bytes)
        if self._pipe is not None:
            self._pipe.send(self._target)
