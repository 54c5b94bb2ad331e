"""Parquet and Arrow IPC, written in parts of a fixed number of rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from softmax_cli.core.exact.bfloat16 import in_memory
from softmax_cli.formats.columnar import arrow_footer, parquet_footer
from softmax_cli.formats.columnar.id_series import joined_ids, without_dictionaries
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.sinks import FormatSink

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PART_BYTES = 1 << 24
_PART_ROWS = 1 << 18
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class ColumnarSink(FormatSink):
    """Writes one column per class, or one of lists, after the id columns.

    Polars writes a file at once, or keeps several parts of it in memory. But rows have the same
    bytes in every file of the same columns; only offsets in the footer differ. So each part is
    written as a file, and all of them are joined. Parts do not depend on the blocks. Arrow has a
    stream format for pipes.
    """

    def begin(self) -> None:
        result = self._result
        # Neither format has a bfloat16.
        self._dtype = in_memory(result.dtype)
        self._as_entries = result.matrix and not result.single
        self._has_classes = result.has_top_classes
        result.check_names(self._names(), self._target.place)
        width = 1 if self._as_entries else result.columns
        line_bytes = 32 if self._as_entries else width * self._dtype.itemsize
        self._most = min(_PART_ROWS, max(1, _PART_BYTES // line_bytes))
        # A line for each column; lists are stored by rows.
        order: Literal["C", "F"] = "F" if result.is_list else "C"
        self._numbers = np.empty((width, self._most), self._dtype, order)
        self._others: list[list[pl.Series]] = []
        self._id_types: list[pl.DataType] = []
        self._held = self._written = self._size = 0
        self._is_stream = self._form == "arrow" and self._target.is_pipe
        self._footers = parquet_footer if self._form == "parquet" else arrow_footer
        self._first_footer = b""
        self._entries: list[Any] = []

    def _names(self) -> Sequence[str]:
        """Return the names of the columns after those of the ids."""
        result = self._result
        if self._as_entries:
            return ("row", "i", "j", "value")
        if result.flat:
            return (result.name,)
        if result.list_name is not None and not result.matrix:
            return (result.list_name,)
        if self._has_classes and result.column_names is None:
            ranks = range(1, result.columns + 1)
            return [f"{what}_{rank}" for rank in ranks for what in ("class", "value")]
        return result.names or result.class_names or tuple(map(str, range(result.columns)))

    def prepare(self, block: Block) -> Callable[[], None]:
        self._has_classes = self._has_classes or block.classes is not None
        numbers = block.values.reshape(-1, 1) if self._as_entries else block.values
        columns = numbers.T
        if not self._result.is_list:
            columns = np.ascontiguousarray(columns, dtype=self._dtype)
        return partial(self._add, columns, list(self._others_of(block, columns.shape[1])))

    def finish(self) -> None:
        if self._held or not self._written:
            self._write_part()
        if self._is_stream:
            self._target.write(_END_OF_STREAM)
            return
        footer = self._footers.join_entries(self._first_footer, self._entries)
        length = len(footer).to_bytes(4, "little")
        self._target.write(self._footers.BEFORE_FOOTER + footer + length + self._footers.MAGIC)

    def _others_of(self, block: Block, rows: int) -> Iterator[list[pl.Series]]:
        """Yield the id columns, then those of the top k classes, cut where a part of the file ends.

        The type of an id column is then that of all values in a part, whatever the blocks.
        """
        result = self._result
        per_line = result.columns if self._as_entries else 1
        ids = None if block.ids is None else block.ids.repeated(per_line)
        names = () if block.classes is None else result.name_classes(block.classes)
        start = (block.start - result.first) * per_line
        cuts = range(-start % self._most, rows, self._most)
        # Without rows, the id columns still have types.
        bounds = sorted({0, *cuts, rows}) if rows else [0, 0]
        for first, end in pairwise(bounds):
            columns = [] if ids is None else ids[first:end].series()
            columns += [
                pl.Series(list(map(str, rank))) for rank in zip(*names[first:end], strict=True)
            ]
            yield columns

    def _add(self, numbers: NDArray[Any], others: list[list[pl.Series]]) -> None:
        done, rows = 0, numbers.shape[1]
        while others:
            count = min(rows - done, self._most - self._held)
            self._numbers[:, self._held : self._held + count] = numbers[:, done : done + count]
            self._others.append(others.pop(0))
            self._held += count
            done += count
            if self._held == self._most:
                self._write_part()

    def _write_part(self) -> None:
        frame, stream = pl.DataFrame(self._columns()), io.BytesIO()
        # Older readers do not know the strings that Polars writes by default.
        oldest = pl.CompatLevel.oldest()
        if self._form == "parquet":
            frame.write_parquet(stream, row_group_size=self._most, statistics=False)
        elif self._is_stream:
            frame.rechunk().write_ipc_stream(stream, compat_level=oldest)
        else:
            frame.write_ipc(stream, record_batch_size=self._most, compat_level=oldest)
        # No view of the stream itself: if writing fails, Python 3.12 crashes when both are freed.
        part = memoryview(stream.getvalue())
        rows = self._batches(part) if self._is_stream else self._rows(part)
        self._target.write(rows)
        self._size += len(rows)
        self._written += self._held
        self._held, self._others = 0, []

    def _batches(self, part: memoryview) -> memoryview:
        """Return the messages of a stream before its end, with the schema if they come first."""
        schema = 8 + int.from_bytes(part[4:8], "little") if self._size else 0
        return part[schema : -len(_END_OF_STREAM)]

    def _rows(self, part: memoryview) -> memoryview:
        """Return what a file holds before its footer, and keep the entries of the footer."""
        tail = len(part) - len(self._footers.MAGIC) - 4
        end = tail - int.from_bytes(part[tail : tail + 4], "little")
        footer = bytes(part[end:tail])
        start, entries = self._footers.entries_of(footer, self._size)
        self._first_footer = self._first_footer or footer
        self._entries += entries
        return part[start : end - len(self._footers.BEFORE_FOOTER)]

    def _columns(self) -> list[pl.Series]:
        result, columns = self._result, self._number_columns()
        parts = [list(each) for each in zip(*self._others, strict=True)]
        count = len(result.id_names)
        ids = self._ids(parts[:count] or [[]] * count)
        if self._has_classes:
            none = [[pl.Series(dtype=pl.String)]] * result.columns
            words = list(map(pl.concat, parts[count:] or none))
            columns = list(chain.from_iterable(zip(words, columns, strict=True)))
        names = [*result.id_keys, *self._names()]
        return [column.alias(name) for column, name in zip([*ids, *columns], names, strict=True)]

    def _number_columns(self) -> list[pl.Series]:
        result, numbers = self._result, self._numbers[:, : self._held]
        if result.is_list:
            entries = pl.Series(numbers.T.reshape(-1))
            return [entries.reshape((-1, result.columns)).arr.to_list()]
        lines = [*numbers]
        if self._as_entries:
            first = result.first * result.columns + self._written
            line, column = np.divmod(np.arange(first, first + self._held), result.columns)
            lines[:0] = *np.divmod(line, result.lines), column
        return list(map(pl.Series, lines))

    def _ids(self, parts: list[list[pl.Series]]) -> list[pl.Series]:
        """Return the id columns of a part of the file, with the types of the first part."""
        keys, place = self._result.id_keys, self._target.place
        types: Sequence[pl.DataType | None] = self._id_types or [None] * len(keys)
        ids = list(map(joined_ids, parts, types, keys, [place] * len(keys)))
        self._id_types = [column.dtype for column in ids]
        if self._form == "arrow":
            # Only the dictionary of the first part is in the file.
            return [column.cast(without_dictionaries(column.dtype)) for column in ids]
        return ids
