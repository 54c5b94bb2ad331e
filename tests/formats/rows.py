"""Reads and writes rows the way a command does: open, every block, close."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.id_columns import IdColumns, TextColumn, id_columns
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.opening.source import open_source
from softmax_cli.formats.registry import FORMATS

Array = NDArray[Any]
Ids = list[tuple[bytes, ...]]

# The same examples in every run.
examples = settings(derandomize=True, deadline=None, max_examples=25)

NO_ZSTANDARD = pytest.mark.skipif(find_spec("zstandard") is None, reason="needs zstandard")
COMPRESSIONS = ["", ".gz", pytest.param(".zst", marks=NO_ZSTANDARD)]
TEXTS = [suffix for form in FORMATS if form.reader and form.text for suffix in form.suffixes]
BINARY = [suffix for form in FORMATS if form.reader and not form.text for suffix in form.suffixes]
COLUMNAR = [".parquet", ".arrow", ".feather"]
ARRAYS = [suffix for suffix in BINARY if suffix not in COLUMNAR]


@dataclass(frozen=True)
class Rows:
    """All blocks of a source, joined."""

    source: Source
    values: Array
    places: list[str]
    ids: Ids
    labels: list[str]


def read(*tokens: str | Path, request: ColumnRequest = ColumnRequest(), **options: Any) -> Rows:
    """Read everything that the tokens name."""
    with open_source([str(token) for token in tokens], ReadOptions(**options), request) as source:
        return joined(source)


def joined(source: Source) -> Rows:
    """Read all blocks of a source; their starts must follow from their lengths."""
    blocks = list(source.blocks())
    values = [block.values for block in blocks]
    assert [block.start for block in blocks] == [
        sum(map(len, values[:number])) for number in range(len(values))
    ]
    return Rows(
        source,
        np.concatenate(values) if values else np.empty((0, source.classes), source.dtype),
        [block.place(row) for block in blocks for row in range(len(block.values))],
        [cells for block in blocks if block.ids for cells in block.ids.cells()],
        [label for block in blocks for label in block.labels or ()],
    )


def raw_ids(rows: Ids) -> IdColumns | None:
    """Return the id columns of these rows of raw cells."""
    return id_columns(list(map(TextColumn, zip(*rows, strict=True))))


def ids_of(block: Block) -> Ids | None:
    """Return the cells of CSV of a block's ids."""
    return None if block.ids is None else list(block.ids.cells())


def warnings_of(source: Source) -> list[str]:
    """Return what is printed once all rows of a source are read."""
    return [line for warning in source.warnings for line in warning()]


def refusal(*tokens: str | Path, request: ColumnRequest = ColumnRequest(), **options: Any) -> str:
    """Return the line that refuses what the tokens name."""
    try:
        read(*tokens, request=request, **options)
    except SoftmaxCliError as error:
        return str(error)
    pytest.fail("was not refused")


def write(
    path: str | Path,
    values: Array,
    *,
    names: tuple[str, ...] | None = None,
    ids: Ids | None = None,
    id_names: tuple[str, ...] = (),
    leading: tuple[int, ...] | None = None,
    inputs: Sequence[Path] = (),
    **options: Any,
) -> Path:
    """Write the values in blocks of two rows."""
    result = Result(
        command="softmax",
        name="probabilities",
        columns=values.shape[-1],
        dtype=values.dtype,
        class_names=names,
        column_names=names,
        id_names=id_names,
        leading=leading,
    )
    with open_sink(result, WriteOptions(output=str(path), **options), inputs) as sink:
        for start in range(0, len(values), 2):
            rows = slice(start, start + 2)
            sink.write(Block(start, values[rows], str, raw_ids((ids or [])[rows])))
    return Path(path)


def saved(name: str, data: bytes | str) -> str:
    """Write the bytes of a file, and return its name."""
    Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return name


def piped(stream: bytes | io.RawIOBase, **options: Any) -> Rows:
    """Read the bytes, or a stream of them, as standard input."""
    raw = io.BytesIO(stream) if isinstance(stream, bytes) else io.BufferedReader(stream)
    with mock.patch.object(sys, "stdin", mock.Mock(buffer=raw)):
        return read("-", **options)


class Trickle(io.RawIOBase):
    """A pipe that gives a few bytes at a time, and may fail after some of them."""

    def __init__(self, data: bytes, size: int, error: OSError | None = None) -> None:
        """Hold the bytes."""
        super().__init__()
        self._data, self._size, self._error = data, size, error

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give the next bytes."""
        if not self._data and self._error is not None:
            raise self._error
        count = min(self._size, len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def same_bits(got: Array, expected: Array) -> bool:
    """Compare shape, dtype and every bit, so that -0.0 is not 0.0."""
    alike = got.shape == expected.shape and got.dtype == expected.dtype
    return alike and got.tobytes() == expected.tobytes()
