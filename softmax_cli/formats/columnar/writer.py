"""Parquet and Arrow IPC, written in parts of a fixed number of rows."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from softmax_cli.core.exact.bfloat16 import in_memory
from softmax_cli.errors import UsageError
from softmax_cli.formats.columnar import arrow_footer, parquet_footer
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.cells import cell_text

_PART_BYTES = 1 << 24
_PART_ROWS = 1 << 18


class ColumnarSink(FormatSink):
    """Writes one column per class, after the id columns, as text.

    Polars writes a file at once, or keeps several parts of it in memory. But rows have the same
    bytes in every file of the same columns; only offsets in the footer differ. So each part is
    written as a file, and all of them are joined. Parts do not depend on the blocks.
    """

    def begin(self) -> None:
        result = self._result
        # Neither format has a bfloat16.
        self._dtype = in_memory(result.dtype)
        self._as_entries = result.matrix and not result.single
        # With --top-k, the name of its class comes before each number.
        self._has_classes = len(result.column_names or ()) == 2 * result.columns
        names = self._names()
        if len(set(names)) < len(names):
            raise UsageError("two columns have the same name", "write csv", self._target.place)
        width = 1 if self._as_entries else result.columns
        line_bytes = 32 if self._as_entries else width * self._dtype.itemsize
        self._most = min(_PART_ROWS, max(1, _PART_BYTES // line_bytes))
        self._numbers = np.empty((width, self._most), self._dtype)
        self._words: list[pl.DataFrame] = []
        self._held = self._written = self._size = 0
        self._footers = parquet_footer if self._form == "parquet" else arrow_footer
        self._first_footer = b""
        self._entries: list[Any] = []

    def _names(self) -> list[str]:
        result = self._result
        ids = [name or f"id_{place}" for place, name in enumerate(result.id_names, 1)]
        if self._as_entries:
            return [*ids, "row", "i", "j", "value"]
        if result.flat:
            return [*ids, result.name]
        if self._has_classes and result.column_names is None:
            ranks = range(1, result.columns + 1)
            return [*ids, *(f"{what}_{rank}" for rank in ranks for what in ("class", "value"))]
        numbered = tuple(map(str, range(result.columns)))
        return [*ids, *(result.column_names or result.class_names or numbered)]

    def prepare(self, block: Block) -> Callable[[], None]:
        self._has_classes = self._has_classes or block.classes is not None
        numbers = block.values.reshape(-1, 1) if self._as_entries else block.values
        columns = np.ascontiguousarray(numbers.T, dtype=self._dtype)
        return partial(self._add, columns, self._words_of(block))

    def finish(self) -> None:
        if self._held or not self._written:
            self._write_part()
        footer = self._footers.join_entries(self._first_footer, self._entries)
        length = len(footer).to_bytes(4, "little")
        self._target.write(self._footers.BEFORE_FOOTER + footer + length + self._footers.MAGIC)

    def _words_of(self, block: Block) -> pl.DataFrame:
        """Return the columns of text: ids, and the names of the top k classes."""
        columns: list[list[str]] = []
        if block.ids is not None:
            per_row = self._result.columns if self._as_entries else 1
            for cells in zip(*block.ids, strict=True):
                words = map(cell_text, cells)
                columns.append([word for word in words for _ in range(per_row)])
        if block.classes is not None:
            names = self._result.name_classes(block.classes)
            columns += [list(map(str, rank)) for rank in zip(*names, strict=True)]
        return pl.DataFrame([pl.Series(str(place), words) for place, words in enumerate(columns)])

    def _add(self, numbers: NDArray[Any], words: pl.DataFrame) -> None:
        done, rows = 0, numbers.shape[1]
        while done < rows:
            count = min(rows - done, self._most - self._held)
            self._numbers[:, self._held : self._held + count] = numbers[:, done : done + count]
            self._words.append(words.slice(done, count))
            self._held += count
            done += count
            if self._held == self._most:
                self._write_part()

    def _write_part(self) -> None:
        frame = pl.DataFrame(self._columns())
        stream = io.BytesIO()
        if self._form == "parquet":
            frame.write_parquet(stream, row_group_size=self._most, statistics=False)
        else:
            # Older readers do not know the strings that Polars writes by default.
            oldest = pl.CompatLevel.oldest()
            frame.write_ipc(stream, record_batch_size=self._most, compat_level=oldest)
        # No view of the stream itself: if writing fails, Python 3.12 crashes when both are freed.
        part = memoryview(stream.getvalue())
        tail = len(part) - len(self._footers.MAGIC) - 4
        end = tail - int.from_bytes(part[tail : tail + 4], "little")
        footer = bytes(part[end:tail])
        start, entries = self._footers.entries_of(footer, self._size)
        self._first_footer = self._first_footer or footer
        self._entries += entries
        rows = part[start : end - len(self._footers.BEFORE_FOOTER)]
        self._target.write(rows)
        self._size += len(rows)
        self._written += self._held
        self._held, self._words = 0, []

    def _columns(self) -> list[pl.Series]:
        ids = len(self._result.id_names)
        lines = [*self._numbers[:, : self._held]]
        if self._as_entries:
            classes = self._result.columns
            first = self._result.first * classes + self._written
            entries = np.arange(first, first + self._held)
            lines[:0] = entries // classes**2, entries // classes % classes, entries % classes
        none = [pl.Series(dtype=pl.String)] * (ids + self._has_classes * len(lines))
        words = pl.concat(self._words).get_columns() if self._words else none
        columns = [*words[:ids], *map(pl.Series, lines)]
        if self._has_classes:
            columns[ids:] = chain.from_iterable(zip(words[ids:], columns[ids:], strict=True))
        return [column.alias(name) for column, name in zip(columns, self._names(), strict=True)]
