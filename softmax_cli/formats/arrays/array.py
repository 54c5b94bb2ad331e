"""Arrays in memory: as a source of rows, along another axis, from nested lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from softmax_cli.core.exact.bfloat16 import BFLOAT16, in_memory, widened
from softmax_cli.errors import InputError, UsageError, did_you_mean, join_names, shorten
from softmax_cli.formats.model.blocks import Block, Source, from_blocks, rows_per_block
from softmax_cli.formats.model.options import ColumnRequest, DTypeName
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.text.numbers import LARGEST_EXACT, STORE_TRUTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
INEXACT = "which float64 cannot hold exactly"
ACCEPT_ROUNDING = "store it as float64 to accept rounding"


def array_source(array: NDArray[Any], place: str) -> Source:
    """Return the rows of an array: 1-D is one row, leading dimensions are flattened."""
    shape = checked_shape(array.shape, place)
    stored = array.reshape(-1, shape[-1])
    check_exact(stored, place)
    rows = numbers_in(stored)

    def blocks() -> Iterator[Block]:
        step = rows_per_block(shape[-1], rows.dtype.itemsize)
        for start in range(0, len(rows), step):
            yield Block(start, rows[start : start + step], row_place(place, start))

    chunks = from_blocks(blocks)
    return Source(place, shape[-1], rows.dtype, chunks, rows=len(rows), leading=shape[:-1])


def row_place(place: str, start: int) -> Callable[[int], str]:
    """Return a function that names the rows of a block that starts at row `start`."""
    return lambda row: f"{place}: row {start + row}"


def check_dtype(
    dtype: np.dtype[Any],
    place: str,
    asked: DTypeName | None,
    request: ColumnRequest = ColumnRequest(),
) -> None:
    """Refuse a dtype that holds no real numbers; bfloat16 must be the value of --dtype.

    Labels may be words, and truth values where they are one-hot.
    """
    if dtype.kind in "fiu" and dtype.itemsize <= 8:
        return
    if (dtype.kind == "b" and request.reads_truth) or (dtype.kind in "US" and request.holds_labels):
        return
    if dtype == BFLOAT16:
        if asked == "bfloat16":
            return
        problem = "holds raw bytes, two per number (dtype |V2), like bfloat16"
        raise InputError(problem, "--dtype bfloat16 reads them as bfloat16", place)
    kinds = {"O": "objects", "c": "complex numbers", "b": "truth values", "V": "raw bytes"}
    kinds |= {"U": "text", "S": "bytes of text"}
    what = "records of several fields" if dtype.names else kinds.get(dtype.kind, f"{dtype} values")
    if dtype.subdtype is not None:
        what = "arrays within the array"
    read = "integers or float16, float32 or float64 are read"
    if dtype.kind == "O":
        read = f"save it with .astype({'str' if request.holds_labels else 'float'})"
    remedy = STORE_TRUTH if dtype.kind == "b" else read
    raise InputError(f"holds {what} (dtype {shorten(str(dtype))})", remedy, place)


def check_exact(rows: NDArray[Any], place: str, start: int = 0) -> None:
    """Refuse integers that float64 would round, such as 2^53 + 1, but not 2^60."""
    entry = first_inexact(rows)
    if entry is not None:
        row, column = divmod(entry, rows.shape[1])
        what = "holds" if rows.shape[1] == 1 else f"column {column} holds"
        problem = f"{what} {rows[row, column]}, {INEXACT}"
        raise InputError(problem, ACCEPT_ROUNDING, f"{place}: row {start + row}")


def first_inexact(numbers: NDArray[Any]) -> int | None:
    """Return the position, row by row, of the first integer that float64 would round, if any."""
    if numbers.dtype.kind not in "iu" or numbers.dtype.itemsize < 8 or not numbers.size:
        return None
    if int(numbers.max()) <= LARGEST_EXACT and int(numbers.min()) >= -LARGEST_EXACT:
        return None
    sizes = np.abs(numbers).astype(np.uint64).reshape(-1)
    large = np.flatnonzero(sizes > LARGEST_EXACT)
    odd_parts = sizes[large] // (sizes[large] & -sizes[large])
    inexact = large[odd_parts > LARGEST_EXACT]
    return int(inexact[0]) if len(inexact) else None


def check_size(size: int | None, declared: int, place: str) -> None:
    """Refuse a file or an array whose size, if it is known, is not what its header declares."""
    if size is not None and size != declared:
        problem = f"holds {size} bytes, and its header declares {declared}"
        raise InputError(problem, "the file is cut short or damaged", place)


def chosen_array(arrays: Mapping[str, T], key: str | None, place: str) -> T:
    """Return the array that `--key` or `FILE[KEY]` names, or the only one."""
    if key is None and len(arrays) == 1:
        return next(iter(arrays.values()))
    if key is not None and key in arrays:
        return arrays[key]
    raise no_array(arrays, key, f"holds {len(arrays)} arrays", place)


def no_array(names: Collection[str], key: str | None, problem: str, place: str) -> InputError:
    """Return the error for an unknown key, or for the problem if no key is given."""
    held = join_names(sorted(names))
    if not names:
        remedy = "it is empty"
    elif key is None:
        remedy = f"--key or FILE[KEY] chooses one of {held}"
    else:
        near = did_you_mean(key, names, "")
        remedy = f"{near} It has {held}" if near else f"it has {held}"
    if key is not None:
        problem = f"has no array {shorten(key)!r}"
    return InputError(problem, remedy, place)


def numbers_in(stored: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of a file in native byte order; integers become float64."""
    if stored.dtype == BFLOAT16:
        return widened(stored)
    native = np.dtype(np.float64) if stored.dtype.kind in "iub" else stored.dtype.newbyteorder("=")
    return stored.astype(native, copy=False)


def checked_shape(shape: tuple[int, ...], place: str) -> tuple[int, ...]:
    """Refuse an array without classes."""
    if not shape or not shape[-1]:
        raise InputError(f"holds an array of shape {shape}", "a row needs a number", place)
    return shape


def whole_array(source: Source) -> NDArray[Any]:
    """Read all rows of a source into one array, with its leading dimensions."""
    blocks = [block.values for block in source.blocks()]
    none = np.empty((0, source.classes), in_memory(source.dtype))
    array: NDArray[Any] = np.concatenate(blocks or [none])
    return array if source.leading is None else array.reshape(*source.leading, source.classes)


def along_axis(source: Source, axis: int) -> Source:
    """Return the rows along another axis; the whole array is held in memory."""
    if source.class_names is not None or source.id_names:
        raise UsageError("a table's classes are its columns", "it goes with arrays", "--axis")
    array = whole_array(source)
    if not -array.ndim <= axis < array.ndim:
        remedy = f"its axes are {-array.ndim} to {array.ndim - 1}"
        raise InputError(f"has no axis {axis}", remedy, source.place)
    moved = array_source(np.moveaxis(array, axis, -1), f"{source.place}: along axis {axis}")
    axis = axis % array.ndim - array.ndim
    # Along another axis, the rows of several files belong to no single one.
    files = source.files if len(source.files) == 1 else ()
    moved = replace(moved, dtype=source.dtype, axis=axis, files=files)
    return replace(moved, paths=source.paths, close=source.close)


class AlongAxisSink(Sink):
    """Holds all rows, and passes them on with the axes in the order of the input."""

    def __init__(self, result: Result, open_inner: Callable[[Result], Sink]) -> None:
        self._result, self._open_inner = result, open_inner
        self._blocks: list[NDArray[Any]] = []

    def write(self, block: Block) -> None:
        self._blocks.append(block.values)

    def finish(self) -> None:
        result = self._result
        none = np.empty((0, result.columns), in_memory(result.dtype))
        rows = np.concatenate([none, *self._blocks])
        array = np.moveaxis(rows.reshape(*(result.leading or ()), result.columns), -1, result.axis)
        *leading, columns = array.shape
        facts = {**result.facts, "axis": result.axis}
        shape = {"columns": columns, "leading": tuple(leading), "axis": -1, "rows": None}
        # The columns are no classes.
        result = result._replace(class_names=None, column_names=None)
        result = result._replace(new_names=tuple(map("column_{}".format, range(columns))))
        inner = self._open_inner(result._replace(facts=facts, **shape))
        for block in array_source(array, "").blocks():
            inner.write(block)
        inner.finish()
