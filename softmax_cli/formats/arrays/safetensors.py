"""safetensors: a JSON header that says where each array is, then their bytes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from softmax_cli.core.exact.bfloat16 import BFLOAT16
from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import check_size, chosen_array
from softmax_cli.formats.arrays.npy import Header, NpySink, rows_of
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.text.numbers import STORE_TRUTH
from softmax_cli.storage.input import Input, read_exactly
from softmax_cli.storage.limits import LONGEST_TENSOR_LIST

_DTYPES: dict[str, np.dtype[Any]] = {
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    "BF16": BFLOAT16,
    "BOOL": np.dtype(bool),
}
_PIECE = 1 << 20


class _Tensor(NamedTuple):
    """An array of the file; its bytes run from `begin` to before `end`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read(source: Input, _: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open the array that `--key` names, or the only one; only the header is read."""
    length = int.from_bytes(read_exactly(source, 8), "little")
    most = LONGEST_TENSOR_LIST if source.size is None else min(LONGEST_TENSOR_LIST, source.size - 8)
    if length > most:
        raise _damaged(source, f"has a header of {length} bytes")
    tensors = _tensors(source, bytes(read_exactly(source, length)))
    size = max((tensor.end for tensor in tensors), default=0)
    check_size(source.size, 8 + length + size, source.place)
    tensor = chosen_array({tensor.name: tensor for tensor in tensors}, options.key, source.place)
    place = f"{source.place}[{shorten(tensor.name)}]"
    if tensor.dtype not in _DTYPES or (tensor.dtype == "BOOL" and not request.reads_truth):
        read = "integers, F16, BF16, F32 or F64 are read"
        remedy = STORE_TRUTH if tensor.dtype == "BOOL" else read
        raise InputError(f"holds {shorten(tensor.dtype)} values", remedy, place)
    dtype = _DTYPES[tensor.dtype]
    array = Header(dtype, tensor.shape)
    check_size(tensor.end - tensor.begin, array.size, place)
    if source.size is None:
        _skip(source, tensor, size)
    first_byte = None if source.size is None else 8 + length + tensor.begin
    opened = rows_of(replace(source, place=place), array, request, first_byte)
    return replace(opened, dtype=BFLOAT16) if dtype == BFLOAT16 else opened


def _tensors(source: Input, header: bytes) -> list[_Tensor]:
    """Return the arrays in a header; refuse arrays that overlap or leave gaps."""
    try:
        entries = json.loads(header)
        if not isinstance(entries, dict):
            raise TypeError
        entries.pop("__metadata__", None)
        tensors = [
            _Tensor(name, entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
            for name, entry in entries.items()
        ]
        if not all(map(_is_valid, tensors)):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(source, "has no valid header") from error
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    end = 0
    for tensor in tensors:
        if tensor.begin != end:
            name = shorten(tensor.name)
            raise _damaged(source, f"array {name!r} begins at byte {tensor.begin}, not {end}")
        end = tensor.end
    return tensors


def _is_valid(tensor: _Tensor) -> bool:
    numbers = (*tensor.shape, tensor.begin, tensor.end)
    return (
        isinstance(tensor.dtype, str)
        and all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
        and tensor.begin <= tensor.end
        and len(tensor.shape) <= 64
        and math.prod(max(1, size) for size in tensor.shape) < 1 << 60
    )


def _skip(source: Input, tensor: _Tensor, size: int) -> None:
    """Skip to the bytes of an array, which must be the last one of a stream."""
    if tensor.end != size:
        problem = f"other arrays follow {shorten(tensor.name)!r}"
        raise InputError(problem, "name a file, whose arrays are read in any order", source.place)
    for begin in range(0, tensor.begin, _PIECE):
        read_exactly(source, min(_PIECE, tensor.begin - begin))


def _damaged(source: Input, problem: str) -> InputError:
    return InputError(problem, "the file is damaged", source.place)


class SafetensorsSink(NpySink):
    """Writes a file of one array, named like the result."""

    def header(self, shape: tuple[int, ...], *, room: int = 0) -> bytes:
        dtype = self._result.dtype
        name = next(name for name, stored in _DTYPES.items() if stored == dtype)
        size = dtype.itemsize * math.prod(shape)
        entry = {"dtype": name, "shape": shape, "data_offsets": (0, size)}
        text = json.dumps({self._result.name: entry}).encode()
        length = max(room, 8 + len(text))
        length += -length % 8
        return (length - 8).to_bytes(8, "little") + text.ljust(length - 8)
