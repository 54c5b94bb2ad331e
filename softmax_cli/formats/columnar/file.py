"""A Parquet or Arrow IPC file; Polars reads some rows of some columns at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columnar.metadata import arrow_metadata, index_columns, rows_in_groups
from softmax_cli.runtime.fork_guard import report_current_file
from softmax_cli.storage.change_check import change_check
from softmax_cli.storage.input import Input

_TITLES = {"parquet": "Parquet", "arrow": "Arrow IPC"}
_MAGIC = {"parquet": b"PAR1", "arrow": b"ARROW1"}
_DECRYPT = "is an encrypted Parquet file", "write it again without encryption"
# Related formats by their first bytes: problem and remedy.
_OTHERS = {
    "parquet": [(b"PARE", *_DECRYPT)],
    "arrow": [
        (b"FEA1", "is a Feather file of version 1", "write it again as version 2, with pyarrow"),
        (
            b"\xff\xff\xff\xff",
            "holds Arrow's stream format, and its file format is read",
            "write it again with pyarrow.ipc.new_file",
        ),
    ],
}
_MOST_SAID = 200
_LACKS = re.compile(
    r"not (yet )?(supported|implemented)|unsupported|could not import from|unknown codec", re.I
)
_UNKNOWN = re.compile(r"thrift out of range|unknown type", re.I)
_ERRORS = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    *(OSError, OverflowError, ValueError),
)


@dataclass(frozen=True)
class ColumnarFile:
    """A file whose schema and number of rows are known.

    place   its name in errors
    title   name of its format
    schema  names and types of its columns
    rows    number of rows
    lazy    reads the rows
    check   raises an error if the file has changed
    index   columns that pandas wrote as the index of a data frame
    """

    place: str
    title: str
    schema: pl.Schema
    rows: int
    lazy: pl.LazyFrame
    check: Callable[[], None]
    index: frozenset[str] = frozenset()

    def part(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns."""
        with _reading(self.place, self.title, self.check):
            rows = self.lazy.select(names)
            # Polars checks a file less closely if only some of its rows are requested.
            rows = rows if count == self.rows else rows.slice(start, count)
            frame = rows.collect(engine="streaming")
        self.check()
        if len(frame) != count:
            raise _damaged(self.place, self.title, f"{len(frame)} of {count} rows are there")
        return frame

    def words(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns as text; null becomes an empty text."""
        columns = {}
        for column in self.part(names, start, count).get_columns():
            try:
                columns[column.name] = column.cast(pl.String).fill_null("")
            except pl.exceptions.PolarsError:
                held = f"{shorten(str(column.dtype))} values, which are no text"
                problem = f"column {shorten(column.name)!r} holds {held}"
                raise InputError(problem, "leave it out", self.place) from None
        return pl.DataFrame(columns)


def open_columnar(source: Input, form: str) -> ColumnarFile:
    """Open a file: read its schema and its number of rows."""
    title, magic = _TITLES[form], _MAGIC[form]
    head = source.head()
    for start, problem, remedy in _OTHERS[form]:
        if head.startswith(start):
            raise InputError(problem, remedy, source.place)
    if not head.startswith(magic):
        raise InputError(
            f"is no {title} file: it does not begin with {magic.decode()}",
            "--input-format names another format",
            source.place,
        )
    if source.path is None or source.size is None:
        raise InputError(
            f"{title} is read from its end, which a pipe or a compressed file hides",
            "name a plain file",
            source.place,
        )
    if isinstance(source.path, str):
        from softmax_cli.storage.remote import RemoteFile

        # Polars holds a file in memory unless it opens it itself.
        assert isinstance(source.stream.raw, RemoteFile)
        path = source.stream.raw.local_copy()
    else:
        # Absolute: Polars takes some names for addresses.
        path = source.path.absolute()
    check = change_check(path, source.place)
    scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
    with _reading(source.place, title, check):
        lazy = scan(path, glob=False, hive_partitioning=False)
        schema = lazy.collect_schema()
        rows = int(lazy.select(pl.len()).collect(engine="streaming").item())
        held = _rows_in_groups(source, lazy, rows) if form == "parquet" else rows
        metadata = arrow_metadata(source) if form == "arrow" else pl.read_parquet_metadata(path)
    if held != rows:
        why = f"its footer declares {rows} rows, and its row groups hold {held}"
        raise _damaged(source.place, title, why)
    return ColumnarFile(source.place, title, schema, rows, lazy, check, index_columns(metadata))


def _rows_in_groups(source: Input, lazy: pl.LazyFrame, rows: int) -> int:
    """Return how many rows the row groups of a Parquet file hold: those that Polars reads."""
    if not rows:
        # Polars trusts a footer that declares no rows.
        return rows_in_groups(source) or 0
    unused = "row" + max(lazy.collect_schema(), key=len, default="")
    numbered = lazy.with_row_index(unused).select(pl.col(unused).max())
    last = numbered.collect(engine="streaming").item()
    return 0 if last is None else int(last) + 1


@contextmanager
def _reading(place: str, title: str, check: Callable[[], None]) -> Iterator[None]:
    """Turn an error from Polars into one that names the file."""
    report_current_file(place)
    try:
        with _without_panic_messages():
            yield
    except _ERRORS as error:
        # The file may only look damaged because it changed meanwhile.
        check()
        lines = str(error).splitlines() or [type(error).__name__]
        raise _refusal(place, title, lines[0].removeprefix("parquet: ")) from error


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


def _refusal(place: str, title: str, why: str) -> InputError:
    """Return the error for a file that is damaged, encrypted or not supported by Polars."""
    if why.startswith("Encryption error"):
        return InputError(*_DECRYPT, place)
    if _LACKS.search(why):
        problem = f"uses a part of {title} that is not read here: {why[:_MOST_SAID]}"
        remedy = "write it again with plain columns, and compressed with zstd or not at all"
        return InputError(problem, remedy, place)
    if _UNKNOWN.search(why):
        remedy = f"it is damaged, or newer than Polars {pl.__version__} reads"
        return InputError(f"cannot be read: {why[:_MOST_SAID]}", remedy, place)
    return _damaged(place, title, why)


def _damaged(place: str, title: str, why: str) -> InputError:
    return InputError(f"is no {title} file: {why}", "it is damaged", place)
