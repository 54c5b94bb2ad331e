"""A Parquet or Arrow IPC file; Polars reads some rows of some columns at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TypeVar

import polars as pl

from softmax_cli.errors import InputError
from softmax_cli.formats.columnar import arrow_footer, parquet_footer
from softmax_cli.formats.columnar.table import DECRYPT, PARSE_ERRORS, ColumnarTable, index_columns
from softmax_cli.storage.change_check import change_check
from softmax_cli.storage.input import Input, read_at
from softmax_cli.storage.limits import LONGEST_FOOTER

T = TypeVar("T")
_MAGIC = {"parquet": parquet_footer.MAGIC, "arrow": arrow_footer.MAGIC}
_TITLES = {"parquet": "Parquet", "arrow": "Arrow IPC"}
# Related formats by their first bytes: problem and remedy.
_OTHERS = {
    ("parquet", b"PARE"): DECRYPT,
    ("arrow", b"FEA1"): ("is Feather version 1", "write it again as version 2, with pyarrow"),
}


class ColumnarFile(ColumnarTable):
    """A file whose number of rows is known."""

    rows: int

    def __init__(self, source: Input, form: str) -> None:
        self.place, self.title = source.place, _TITLES[form]
        self._source, self._form = source, form
        head, magic = source.head(), _MAGIC[form]
        if other := _OTHERS.get((form, head[:4])):
            raise InputError(*other, self.place)
        if not head.startswith(magic):
            problem = f"is no {self.title} file: it does not begin with {magic.decode()}"
            raise InputError(problem, "--input-format names another format", self.place)
        if source.path is None or source.size is None:
            problem = f"this {self.title} file is read from its end, which compressed bytes hide"
            raise InputError(problem, "decompress it first", self.place)
        if isinstance(source.path, str):
            from softmax_cli.storage.remote import RemoteFile

            # Polars holds a file in memory unless it opens it itself.
            assert isinstance(source.stream.raw, RemoteFile)
            path = source.stream.raw.local_copy()
        else:
            # Absolute: Polars takes some names for addresses.
            path = source.path.absolute()
        self.check = change_check(path, self.place)
        scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
        with self.reading():
            self._lazy = scan(path, glob=False, hive_partitioning=False)
            self.schema = self._lazy.collect_schema()
            self.rows = int(self._lazy.select(pl.len()).collect(engine="streaming").item())
            if form == "parquet":
                held = self._rows_in_groups()
                metadata = pl.read_parquet_metadata(path)
            else:
                held = self.rows
                metadata = parse_footer(source, form, arrow_footer.schema_metadata) or {}
        if held != self.rows:
            why = f"its footer declares {self.rows} rows, and its row groups hold {held}"
            raise self.refusal(why)
        self.index = index_columns(metadata)

    def part(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns."""
        with self.reading():
            rows = self._lazy.select(names)
            # Polars checks a file less closely if only some of its rows are requested.
            rows = rows if count == self.rows else rows.slice(start, count)
            frame = rows.collect(engine="streaming")
        self.check()
        if len(frame) != count:
            raise self.refusal(f"{len(frame)} of {count} rows are there")
        return frame

    def windows(self, step: int, whole: int = 0) -> Iterator[tuple[int, int]]:
        groups = [rows for rows in self._groups() if rows] if whole else []
        if sum(groups) != self.rows or min(groups, default=0) <= 0:
            groups, whole = [self.rows], step
        start = 0
        for rows in _joined(groups, step):
            size = ceil(rows / ceil(rows / whole)) if rows > whole else whole
            # Reading no rows still finds damage, and types of id columns.
            for first in range(0, max(1, rows), size):
                yield start + first, min(size, rows - first)
            start += rows

    def head(self, name: str, count: int) -> pl.Series:
        return self.part([name], 0, min(count, self.rows)).to_series()

    def noted_length(self, name: str) -> int | None:
        if self._form != "parquet" or not self.rows:
            return None
        return parse_footer(
            self._source, "parquet", lambda footer: parquet_footer.length_of_lists(footer, name)
        )

    def _groups(self) -> list[int]:
        """Return the rows of each row group; none are known of Arrow, or of a damaged footer."""
        if self._form != "parquet":
            return []
        return parse_footer(self._source, "parquet", parquet_footer.rows_of_groups) or []

    def _rows_in_groups(self) -> int:
        """Return how many rows the row groups of a Parquet file hold: those that Polars reads."""
        if not self.rows:
            # Polars trusts a footer that declares no rows.
            return sum(self._groups())
        unused = "row" + max(self.schema, key=len, default="")
        numbered = self._lazy.with_row_index(unused).select(pl.col(unused).max())
        last = numbered.collect(engine="streaming").item()
        return 0 if last is None else int(last) + 1


def _joined(groups: list[int], step: int) -> list[int]:
    """Return the rows of groups, with small ones that follow each other joined.

    >>> _joined([3, 1, 1, 5, 2, 2, 2], step=4)
    [4, 1, 5, 4, 2]
    """
    joined: list[int] = []
    for rows in groups:
        if joined and joined[-1] + rows <= step:
            joined[-1] += rows
        else:
            joined.append(rows)
    return joined


def parse_footer(source: Input, form: str, parse: Callable[[bytes], T]) -> T | None:
    """Return what a function finds in the footer of a plain file; None if the footer is damaged."""
    magic, size = _MAGIC[form], source.size or 0
    tail = bytearray(4 + len(magic))
    if size < 2 * len(tail):
        return None
    read_at(source, size - len(tail), memoryview(tail))
    length = int.from_bytes(tail[:4], "little")
    if not tail.endswith(magic) or length > min(size - 2 * len(tail), LONGEST_FOOTER):
        return None
    footer = bytearray(length)
    read_at(source, size - len(tail) - length, memoryview(footer))
    try:
        return parse(bytes(footer))
    except PARSE_ERRORS:
        return None
