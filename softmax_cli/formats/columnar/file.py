"""A Parquet or Arrow IPC file; Polars reads some rows of some columns at a time."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import polars as pl
from polars.exceptions import PanicException, PolarsError

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columnar import arrow_footer, parquet_footer
from softmax_cli.runtime.fork_guard import report_current_file
from softmax_cli.storage.change_check import change_check
from softmax_cli.storage.input import Input, read_at
from softmax_cli.storage.limits import LONGEST_FOOTER

T = TypeVar("T")
_MAGIC = {"parquet": parquet_footer.MAGIC, "arrow": arrow_footer.MAGIC}
_TITLES = {"parquet": "Parquet", "arrow": "Arrow IPC"}
_DECRYPT = "is an encrypted Parquet file", "write it again without encryption"
# Related formats by their first bytes: problem and remedy.
_OTHERS = {
    ("parquet", b"PARE"): _DECRYPT,
    ("arrow", b"FEA1"): ("is Feather version 1", "write it again as version 2, with pyarrow"),
    ("arrow", b"\xff" * 4): ("is an Arrow stream, no file", "write it with pyarrow.ipc.new_file"),
}
_MOST_SAID = 200
_LACKS = re.compile(
    r"not (yet )?(supported|implemented)|unsupported|could not import from|unknown codec", re.I
)
_UNKNOWN = re.compile(r"thrift out of range|unknown type", re.I)
_POLARS_ERRORS = (PolarsError, PanicException, OSError, OverflowError, ValueError)
# What parsing a damaged footer raises. Polars then decides whether the file is damaged.
_ERRORS = (struct.error, LookupError, TypeError, ValueError, RecursionError, StopIteration)


class ColumnarFile:
    """A file whose schema and number of rows are known.

    place   its name in errors
    schema  names and types of its columns
    rows    number of rows
    index   columns that pandas wrote as the index of a data frame
    """

    def __init__(self, source: Input, form: str) -> None:
        self.place, self._title = source.place, _TITLES[form]
        head, magic = source.head(), _MAGIC[form]
        if other := _OTHERS.get((form, head[:4])):
            raise InputError(*other, self.place)
        if not head.startswith(magic):
            problem = f"is no {self._title} file: it does not begin with {magic.decode()}"
            raise InputError(problem, "--input-format names another format", self.place)
        if source.path is None or source.size is None:
            problem = f"{self._title} is read from its end, which a pipe or a compressed file hides"
            raise InputError(problem, "name a plain file", self.place)
        if isinstance(source.path, str):
            from softmax_cli.storage.remote import RemoteFile

            # Polars holds a file in memory unless it opens it itself.
            assert isinstance(source.stream.raw, RemoteFile)
            path = source.stream.raw.local_copy()
        else:
            # Absolute: Polars takes some names for addresses.
            path = source.path.absolute()
        self._check = change_check(path, self.place)
        scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
        with self._reading():
            self._lazy = scan(path, glob=False, hive_partitioning=False)
            self.schema = self._lazy.collect_schema()
            self.rows = int(self._lazy.select(pl.len()).collect(engine="streaming").item())
            if form == "parquet":
                held = self._rows_in_groups(source)
                metadata = pl.read_parquet_metadata(path)
            else:
                held = self.rows
                metadata = parse_footer(source, form, arrow_footer.schema_metadata) or {}
        if held != self.rows:
            why = f"its footer declares {self.rows} rows, and its row groups hold {held}"
            raise self._refusal(why)
        self.index = index_columns(metadata)

    def part(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns."""
        with self._reading():
            rows = self._lazy.select(names)
            # Polars checks a file less closely if only some of its rows are requested.
            rows = rows if count == self.rows else rows.slice(start, count)
            frame = rows.collect(engine="streaming")
        self._check()
        if len(frame) != count:
            raise self._refusal(f"{len(frame)} of {count} rows are there")
        return frame

    def words(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns as text; null becomes an empty text."""
        columns = {}
        if not names:
            return pl.DataFrame()
        for column in self.part(names, start, count).get_columns():
            try:
                columns[column.name] = column.cast(pl.String).fill_null("")
            except PolarsError:
                problem = (
                    f"column {shorten(column.name)!r} holds {shorten(str(column.dtype))} values"
                )
                raise InputError(problem, "leave out what is no text", self.place) from None
        return pl.DataFrame(columns)

    def _rows_in_groups(self, source: Input) -> int:
        """Return how many rows the row groups of a Parquet file hold: those that Polars reads."""
        if not self.rows:
            # Polars trusts a footer that declares no rows.
            return parse_footer(source, "parquet", parquet_footer.rows_of_groups) or 0
        unused = "row" + max(self.schema, key=len, default="")
        numbered = self._lazy.with_row_index(unused).select(pl.col(unused).max())
        last = numbered.collect(engine="streaming").item()
        return 0 if last is None else int(last) + 1

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn an error from Polars into one that names the file."""
        report_current_file(self.place)
        try:
            with _without_panic_messages():
                yield
        except _POLARS_ERRORS as error:
            # The file may only look damaged because it changed meanwhile.
            self._check()
            lines = str(error).splitlines() or [type(error).__name__]
            raise self._refusal(lines[0].removeprefix("parquet: ")) from error

    def _refusal(self, why: str) -> InputError:
        problem, remedy = f"is no {self._title} file: {why}", "it is damaged"
        if why.startswith("Encryption error"):
            problem, remedy = _DECRYPT
        elif _LACKS.search(why):
            problem = f"uses a part of {self._title} that is not read here: {why[:_MOST_SAID]}"
            remedy = "write it again with plain columns, and compressed with zstd or not at all"
        elif _UNKNOWN.search(why):
            problem = f"cannot be read: {why[:_MOST_SAID]}"
            remedy = f"it is damaged, or newer than Polars {pl.__version__} reads"
        return InputError(problem, remedy, self.place)


@contextmanager
def _without_panic_messages() -> Iterator[None]:
    """Silence the messages that the Rust library prints to standard error before it raises."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


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
    except _ERRORS:
        return None


def index_columns(metadata: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that pandas wrote as the index of a data frame.

    >>> index_columns({"pandas": '{"index_columns": ["sample", {"kind": "range"}]}'})
    frozenset({'sample'})
    """
    try:
        noted = json.loads(metadata.get("pandas", "{}"))["index_columns"]
        return frozenset(name for name in noted if isinstance(name, str))
    except _ERRORS:
        return frozenset()
