"""What reading came to, and what must hold of it whatever the input: the terms of all targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from softmax_cli.core.exact.bfloat16 import in_memory
from softmax_cli.errors import SoftmaxCliError, UsageError, escape_unprintable
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.source import open_source
from tests.formats.rows import Array, Ids, same_bits

T = TypeVar("T")

# An error is read by a person: it quotes some of the input, never a page of it.
LONGEST_LINE = 1000
_CHOICES = 8


class Choices:
    """Takes options from the first bytes of the data; what is left of it is the input."""

    def __init__(self, data: bytes) -> None:
        """Split the data."""
        self._bytes = iter(data[:_CHOICES])
        self.rest = data[_CHOICES:]

    def one(self, of: Sequence[T]) -> T:
        """Choose one; the first, if the bytes are zero."""
        return of[next(self._bytes, 0) % len(of)]


def chosen(body: bytes, *choices: int) -> bytes:
    """Return the data of which a target makes these choices and this input."""
    return bytes(choices).ljust(_CHOICES, b"\0") + body


@dataclass(frozen=True, eq=False)
class Outcome:
    """The rows of a source, or the line that refuses it.

    >>> refused("x.csv: is empty") == refused("x.csv: is empty")
    True
    """

    line: str
    values: Array
    places: list[str]
    ids: Ids
    labels: list[str]
    source: Source | None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Outcome)
            and (self.line, self.ids, self.labels) == (other.line, other.ids, other.labels)
            and self.places == other.places
            and same_bits(self.values, other.values)
        )

    def __repr__(self) -> str:
        """Return what an assertion that fails shows."""
        rows = f"{self.values.tolist()} {self.ids} {self.labels} {self.places}"
        return self.line or f"{self.values.dtype}{self.values.shape} {rows}"[:4000]

    @property
    def accepted(self) -> Source:
        """The source that was read to its end."""
        assert self.source is not None
        return self.source


def refused(line: str) -> Outcome:
    """Return the outcome of an input that was refused."""
    return Outcome(line, np.empty(0), [], [], [], None)


def outcome(name: str, request: ColumnRequest = ColumnRequest(), **options: Any) -> Outcome:
    """Read a file, or `-`, to its end."""
    called = "standard input" if name == "-" else name
    return outcome_of(lambda: open_source([name], ReadOptions(**options), request), called)


def outcome_of(opened: Callable[[], Source], name: str) -> Outcome:
    """Read a source to its end; whatever is wrong with it is said in one line that names it."""
    try:
        with opened() as source:
            return _read(source, name)
    except SoftmaxCliError as error:
        return refused(said(error, name))


def said(error: Exception, name: str = "") -> str:
    """Return the line that an error is; it is no page, and names the input or an option."""
    line = escape_unprintable(str(error))
    assert line
    assert len(str(error)) <= LONGEST_LINE, f"an error of {len(line)} characters: {line[:300]}"
    assert name in line or isinstance(error, UsageError), f"names no file: {line}"
    return line


def _read(source: Source, name: str) -> Outcome:
    blocks: list[Block] = []
    start = 0
    for chunk in source.chunks():
        block = chunk.read()
        assert block.start == start, (block.start, start)
        assert block.values.shape == (chunk.rows, source.classes)
        # Labels of arrays are whole numbers where all of a block are.
        dtypes = (in_memory(source.dtype), np.dtype(np.int64))
        assert block.values.dtype in dtypes, (block.values.dtype, source.dtype)
        assert block.ids is None or len(block.ids) == chunk.rows
        assert block.labels is None or len(block.labels) == chunk.rows
        blocks.append(block)
        start += chunk.rows
    assert source.rows in (None, start), (source.rows, start)
    assert source.leading is None or math.prod(source.leading) == start
    assert source.class_names is None or len(source.class_names) == source.classes
    none = np.empty((0, source.classes), in_memory(source.dtype))
    places = [block.place(row) for block in blocks for row in range(len(block.values))]
    assert all(name in place for place in places), places[:3]
    return Outcome(
        "",
        np.concatenate([none, *(block.values for block in blocks)]),
        places,
        [cells for block in blocks if block.ids for cells in block.ids.cells()],
        [label for block in blocks for label in block.labels or ()],
        source,
    )


def agree(found: Outcome, expected: Outcome, what: str) -> None:
    """Refuse two readings of one input that differ."""
    assert found == expected, f"{what}: {found!r}, and not {expected!r}"


def alike(found: Outcome, expected: Outcome, what: str) -> None:
    """Refuse two readings that differ in more than in the names of the places."""
    assert bool(found.line) == bool(expected.line), f"{what}: {found!r}, and not {expected!r}"
    assert (found.ids, found.labels) == (expected.ids, expected.labels), what
    if not found.line:
        equals(found.values, expected.values, what)


def equals(found: Array, expected: Array, what: str) -> None:
    """Refuse numbers that are not these, bit for bit; one NaN is as good as another."""
    assert found.shape == expected.shape, f"{what}: {found.shape}, and not {expected.shape}"
    assert found.dtype == expected.dtype, f"{what}: {found.dtype}, and not {expected.dtype}"
    if not same_bits(found, expected):
        nan = np.isnan(expected)
        assert np.array_equal(np.isnan(found), nan), f"{what}: {found!r}, and not {expected!r}"
        plain = np.where(nan, 0, found), np.where(nan, 0, expected)
        assert same_bits(*plain), f"{what}: {found!r}, and not {expected!r}"


def file(name: str, data: bytes) -> str:
    """Write a file into the current folder, which is a temporary one; return its name."""
    Path(name).write_bytes(data)
    return name
