"""NPZ: a zip of NPY arrays."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.arrays.array import check_size, chosen_array
from softmax_cli.formats.arrays.npy import header_bytes, read_header, rows_of, stored_as
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.storage.input import Input, read_whole, reading
from softmax_cli.storage.limits import MOST_DEFLATED
from softmax_cli.storage.output import writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

# ValueError: a negative offset.
_ZIP_ERRORS = (zipfile.BadZipFile, ValueError)
_AGAIN = "write it again with numpy.savez or numpy.savez_compressed"
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENCRYPTED = 0x41


def read(source: Input, _: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open the array that `--key` names, or the only one."""
    try:
        # A zip is read from its end.
        stream = source.stream if source.size is not None else io.BytesIO(read_whole(source))
        archive = zipfile.ZipFile(stream)
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        member = chosen_array(members, options.key, source.place)
        _check_method(member, source.place)
        with reading(source.place):
            opened = archive.open(member)
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(f"cannot be read: {error}", _AGAIN, source.place) from error
    except _ZIP_ERRORS as error:
        raise InputError(f"is no NPZ file: {error}", "it is damaged", source.place) from error
    place = f"{source.place}[{shorten(member.filename.removesuffix('.npy'))}]"
    plain: io.BufferedReader = io.BufferedReader(cast(Any, opened))
    array = Input(place, plain, compressed=lambda: member.compress_size)
    header = read_header(array, options.dtype, request)
    check_size(member.file_size, header.length + header.size, place)
    if member.file_size > MOST_DEFLATED * (member.compress_size + 1):
        problem = f"{member.compress_size} bytes cannot hold the {member.file_size} they declare"
        remedy = "the file is damaged"
        if member.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            problem, remedy = f"grows to over {MOST_DEFLATED} times its size", _AGAIN
        raise InputError(problem, remedy, place)
    if header.fortran_order or options.axis != -1:
        array.check_expansion(member.file_size)
    return rows_of(array, header, request)


def _check_method(member: zipfile.ZipInfo, place: str) -> None:
    name = shorten(member.filename)
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{name!r} is encrypted", "write it again without a password", place)
    if member.compress_type not in _READ_METHODS:
        method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise InputError(f"{name!r} is compressed with {method}", _AGAIN, place)


class NpzSink(FormatSink):
    """Writes the values under the name of the result, and the top k classes as `classes`."""

    def begin(self) -> None:
        self._arrays: dict[str, list[NDArray[Any]]] = {self._result.name: []}

    def write(self, block: Block) -> None:
        """Hold the numbers: a zip cannot go back to write the header."""
        self._arrays[self._result.name].append(stored_as(self._result.dtype, block.values))
        if block.classes is not None:
            self._arrays.setdefault("classes", []).append(block.classes.astype(np.int64))

    def finish(self) -> None:
        target = self._target if self._target.seekable else self._target.spool()
        with writing(target.place), zipfile.ZipFile(target.stream, "w", allowZip64=True) as archive:
            for name, blocks in self._arrays.items():
                dtype = self._result.dtype if name == self._result.name else np.dtype(np.int64)
                shape = self._result.shape(sum(map(len, blocks)))
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                    stream.write(header_bytes(dtype, shape))
                    for block in blocks:
                        stream.write(block.tobytes())
        if target is not self._target:
            self._target.send(target)
