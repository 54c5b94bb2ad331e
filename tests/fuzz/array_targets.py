"""Arrays: what NumPy reads of them, whole and in blocks, from files and pipes."""

from __future__ import annotations

import io
import json
import math
import warnings
import zipfile
from contextlib import suppress
from typing import Any
from unittest import mock

import numpy as np

from softmax_cli.core.exact.bfloat16 import BFLOAT16, widened
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.options import ColumnRequest, DTypeName
from tests.formats.rows import Array
from tests.fuzz.outcomes import Choices, Outcome, agree, alike, equals, file, outcome
from tests.fuzz.stream_targets import piped

_AXES = (-1, 0, 1, -2)
_KEYS = (None, "a", "b", "")
_DTYPES: tuple[DTypeName | None, ...] = (None, "bfloat16", "float32")
_MOST_BYTES = 1 << 20
_LONGEST_HEADER = 1 << 16


def npy(data: bytes) -> None:
    """Read an NPY file."""
    choices = Choices(data)
    asked, axis = choices.one(_DTYPES), choices.one(_AXES)
    request = ColumnRequest(one_column=choices.one((False, True)))
    # Labels have no axis.
    axis = -1 if request.one_column else axis
    options: dict[str, Any] = {"dtype": asked, "axis": axis}
    found, from_pipe = _read("npy", choices.rest, request, options)
    _check(found, by_numpy(choices.rest), request, asked, axis)
    alike(from_pipe, found, "from a pipe")


def npz(data: bytes) -> None:
    """Read an NPZ file."""
    choices = Choices(data)
    asked, axis, key = choices.one(_DTYPES), choices.one(_AXES), choices.one(_KEYS)
    request = ColumnRequest(one_column=choices.one((False, True)))
    # Labels have no axis.
    axis = -1 if request.one_column else axis
    options: dict[str, Any] = {"dtype": asked, "axis": axis, "key": key}
    found, from_pipe = _read("npz", choices.rest, request, options)
    _check(found, _from_zip(choices.rest, key), request, asked, axis)
    alike(from_pipe, found, "from a pipe")


def safetensors(data: bytes) -> None:
    """Read a safetensors file."""
    choices = Choices(data)
    axis, key = choices.one(_AXES), choices.one(_KEYS)
    request = ColumnRequest(one_column=choices.one((False, True)))
    # Labels have no axis.
    axis = -1 if request.one_column else axis
    options: dict[str, Any] = {"axis": axis, "key": key}
    found, from_pipe = _read("safetensors", choices.rest, request, options)
    _check(found, _from_safetensors(choices.rest, key), request, "bfloat16", axis)
    if "other arrays follow" not in from_pipe.line:
        alike(from_pipe, found, "from a pipe")


def _read(
    form: str, body: bytes, request: ColumnRequest, options: dict[str, Any]
) -> tuple[Outcome, Outcome]:
    """Read a file, whole and in small blocks, which must agree; and the same from a pipe."""
    name = file(f"x.{form}", body)
    found = outcome(name, request, **options)
    with mock.patch.object(blocks, "BLOCK_BYTES", 64):
        agree(outcome(name, request, **options), found, "in small blocks")
    return found, piped(body, request, input_format=form, **options)


def _check(
    found: Outcome,
    expected: Array | None,
    request: ColumnRequest,
    asked: DTypeName | None,
    axis: int,
) -> None:
    """Compare with an array that was read by other means; None if that failed."""
    if expected is None:
        assert found.line, f"is read as {found!r}"
        return
    is_number = expected.dtype.kind in "fiu" and expected.dtype.itemsize <= 8
    is_known = is_number or (expected.dtype == BFLOAT16 and asked == "bfloat16")
    has_axis = -expected.ndim <= axis < expected.ndim and expected.ndim <= 64
    if found.line:
        is_fine = is_known and has_axis and axis == -1 and expected.size > 0
        # NumPy makes more dimensions of '2f8', which no file of numbers is said to hold.
        is_fine = is_fine and "arrays within the array" not in found.line
        assert not is_fine, f"{found!r}, and not {expected!r}"
        return
    assert is_known, f"{expected.dtype} is read as {found!r}"
    if expected.dtype == BFLOAT16:
        numbers: Array = widened(expected)
    else:
        wide = np.dtype(np.float64) if expected.dtype.kind in "iu" else expected.dtype
        numbers = expected.astype(wide.newbyteorder("="))
    if request.one_column:
        numbers = numbers.reshape(-1, 1)
    rows = np.moveaxis(numbers, axis, -1)
    equals(found.values, rows.reshape(found.values.shape), "by other means")
    if not request.one_column:
        assert found.accepted.leading == rows.shape[:-1]


def by_numpy(data: bytes) -> Array | None:
    """Return the array that NumPy reads, if there is one, and no byte beside it."""
    stream = io.BytesIO(data)
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        first = np.lib.format.read_magic(stream) == (1, 0)
        # The third version differs from the second in names of fields alone.
        read_header = (
            np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(stream, max_header_size=_LONGEST_HEADER)
        size = dtype.itemsize * math.prod(shape)
        if dtype.hasobject or stream.tell() + size != len(data):
            return None
        stream.seek(0)
        array: Array = np.load(stream, allow_pickle=False, max_header_size=_LONGEST_HEADER)
        return array
    return None


def _from_zip(data: bytes, key: str | None) -> Array | None:
    with suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        member = next(iter(names.values())) if key is None and len(names) == 1 else names[key or ""]
        if member.file_size <= _MOST_BYTES:
            content = archive.read(member)
            return by_numpy(content) if len(content) == member.file_size else None
    return None


def _from_safetensors(data: bytes, key: str | None) -> Array | None:
    kinds, sizes = {"F": "f", "I": "i", "U": "u"}, {"8": 1, "16": 2, "32": 4, "64": 8}
    with suppress(Exception):
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        end_of_data = len(data) - 8 - length
        name = next(iter(header)) if key is None and len(header) == 1 else key
        entry = header[name]
        begin, end = entry["data_offsets"]
        assert all(each.keys() >= {"dtype", "shape", "data_offsets"} for each in header.values())
        assert all(isinstance(each["dtype"], str) for each in header.values())
        sizes_of_all = [size for each in header.values() for size in each["shape"]]
        assert all(type(size) is int and size >= 0 for size in sizes_of_all)
        places = sorted(tuple(each["data_offsets"]) for each in header.values())
        assert [0, *(end for _, end in places)] == [*(begin for begin, _ in places), end_of_data]
        kind, bits = entry["dtype"][0], entry["dtype"][1:]
        form = np.dtype(f"<{kinds[kind]}{sizes[bits]}") if kind + bits != "BF16" else BFLOAT16
        return np.frombuffer(data[8 + length :][begin:end], form).reshape(entry["shape"])
    return None
