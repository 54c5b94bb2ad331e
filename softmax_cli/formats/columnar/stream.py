"""Arrow's IPC stream: consecutive messages; only a few batches of rows are held at a time.

https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice

import polars as pl

from softmax_cli.errors import InputError
from softmax_cli.formats.columnar import arrow_footer
from softmax_cli.formats.columnar.table import PARSE_ERRORS, ColumnarTable, index_columns
from softmax_cli.storage.input import Input, read_exactly, reading
from softmax_cli.storage.limits import LARGEST_BATCH, LONGEST_FOOTER

BEGINNING = b"\xff\xff\xff\xff"
_END = BEGINNING + bytes(4)
# Polars decodes this many bytes of small batches at once.
_TOGETHER = 1 << 24


class ArrowStream(ColumnarTable):
    """A stream, also from a pipe; its rows are counted as they come."""

    title, kind = "Arrow IPC", "stream"

    def __init__(self, source: Input) -> None:
        self.place, self._source = source.place, source
        found = self._next_message()
        if found is None or found[0].kind != arrow_footer.SCHEMA:
            raise self.refusal("it does not begin with a schema")
        self._schema = found[1]
        # The dictionaries that the batches refer to, by number.
        self._dictionaries: dict[int, bytes] = {}
        self._start, self._frame = 0, self._decoded([])
        self.schema = self._frame.schema
        with suppress(*PARSE_ERRORS):
            self.index = index_columns(arrow_footer.message_metadata(self._schema[8:]))
        self._frames = self._read_frames()
        self._ahead: list[pl.DataFrame] = []

    def windows(self, step: int, whole: int = 0) -> Iterator[tuple[int, int]]:
        for frame in chain(self._ahead, self._frames):
            self._start += len(self._frame)
            self._frame = frame
            # Its rows are decoded already.
            size = max(step, whole)
            for first in range(0, len(frame), size):
                yield self._start + first, min(size, len(frame) - first)

    def part(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        return self._frame.select(names).slice(start - self._start, count)

    def head(self, name: str, count: int) -> pl.Series:
        self._ahead = self._ahead or list(islice(self._frames, 1))
        return (self._ahead or [self._frame])[0][name].head(count)

    def _read_frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows of batches, several small ones together."""
        held: list[bytes] = []
        size = 0
        while (found := self._next_message()) is not None:
            message, data = found
            if message.kind == arrow_footer.BATCH:
                held.append(data)
                size += len(data)
                if size < _TOGETHER:
                    continue
            if held:
                yield self._decoded(held)
                held, size = [], 0
            if message.kind == arrow_footer.DICTIONARY:
                earlier = self._dictionaries.get(message.dictionary, b"")
                kept = earlier if message.is_delta else b""
                self._dictionaries[message.dictionary] = kept + data
        if held:
            yield self._decoded(held)

    def _decoded(self, batches: list[bytes]) -> pl.DataFrame:
        parts = (self._schema, *self._dictionaries.values(), *batches, _END)
        with self.reading():
            return pl.read_ipc_stream(io.BytesIO(b"".join(parts))).rechunk()

    def _next_message(self) -> tuple[arrow_footer.Message, bytes] | None:
        """Return the next message and its bytes; None at the end of the stream."""
        with reading(self.place):
            ends = not self._source.stream.peek(1)
        if ends:
            return None
        start = bytes(read_exactly(self._source, 8))
        if start == _END:
            with reading(self.place):
                if self._source.stream.peek(1):
                    raise InputError("has data after its end", "give a single stream", self.place)
            return None
        size = int.from_bytes(start[4:], "little")
        if not start.startswith(BEGINNING) or size > LONGEST_FOOTER:
            raise self.refusal("its messages have no valid sizes")
        header = bytes(read_exactly(self._source, size))
        try:
            message = arrow_footer.parse_message(header)
        except PARSE_ERRORS:
            raise self.refusal("a message is not valid") from None
        if not 0 <= message.size <= LARGEST_BATCH:
            problem = f"holds more than {LARGEST_BATCH >> 30} GiB in one batch"
            raise InputError(problem, "write fewer rows per batch", self.place)
        return message, start + header + bytes(read_exactly(self._source, message.size))
