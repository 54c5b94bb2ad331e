"""A Parquet or Arrow table, read a few rows and columns at a time."""

from __future__ import annotations

import json
import os
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import polars as pl
from polars.exceptions import PanicException, PolarsError

from softmax_cli.errors import InputError, shorten
from softmax_cli.runtime.fork_guard import report_current_file
from softmax_cli.storage.change_check import no_check

DECRYPT = "is an encrypted Parquet file", "write it again without encryption"
_MOST_SAID = 200
_LACKS = re.compile(
    r"not (yet )?(supported|implemented)|unsupported|could not import from|unknown codec", re.I
)
_UNKNOWN = re.compile(r"thrift out of range|unknown type", re.I)
_POLARS_ERRORS = (PolarsError, PanicException, OSError, OverflowError, ValueError)
# What parsing a damaged footer raises. Polars then decides whether the file is damaged.
PARSE_ERRORS = (struct.error, LookupError, TypeError, ValueError, RecursionError, StopIteration)


class ColumnarTable(ABC):
    """A table whose schema is known.

    place   its name in errors
    title   its format, as errors name it
    kind    file or stream
    schema  names and types of its columns
    rows    number of rows, if it is known
    index   columns that pandas wrote as the index of a data frame
    """

    place: str
    title: str
    kind: str = "file"
    schema: pl.Schema
    rows: int | None = None
    index: frozenset[str] = frozenset()
    check: Callable[[], None] = staticmethod(no_check)

    @abstractmethod
    def windows(self, step: int, whole: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the start and the size of windows of at most `step` rows, in order, once.

        A row group of at most `whole` rows is not cut, and a larger one is cut as little as
        possible: Polars decodes a group of lists anew for every part of it.
        """

    @abstractmethod
    def part(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Return some rows of some columns, within the window that was yielded last."""

    @abstractmethod
    def head(self, name: str, count: int) -> pl.Series:
        """Return at most this many of the first entries of a column."""

    def noted_length(self, name: str) -> int | None:  # noqa: ARG002
        """Return the length that a file notes for the lists of a column; None if it notes none.

        If a list has another length, the lists differ.
        """
        return None

    def words(self, names: list[str], start: int, count: int) -> pl.DataFrame:
        """Read some rows of some columns as text; null becomes an empty text."""
        columns = {}
        if not names:
            return pl.DataFrame()
        truths = pl.selectors.boolean().cast(pl.Int8)
        for column in self.part(names, start, count).with_columns(truths).get_columns():
            try:
                columns[column.name] = column.cast(pl.String).fill_null("")
            except PolarsError:
                held = f"holds {shorten(str(column.dtype))} values"
                problem = f"column {shorten(column.name)!r} {held}"
                remedy = "each row needs one number or word"
                raise InputError(problem, remedy, self.place) from None
        return pl.DataFrame(columns)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn an error from Polars into one that names the file."""
        report_current_file(self.place)
        try:
            with _without_panic_messages():
                yield
        except _POLARS_ERRORS as error:
            # The file may only look damaged because it changed meanwhile.
            self.check()
            lines = str(error).splitlines() or [type(error).__name__]
            raise self.refusal(lines[0].removeprefix("parquet: ")) from error

    def refusal(self, why: str) -> InputError:
        problem, remedy = f"is no {self.title} {self.kind}: {why}", "it is damaged"
        if why.startswith("Encryption error"):
            problem, remedy = DECRYPT
        elif _LACKS.search(why):
            problem = f"uses a part of {self.title} that is not read here: {why[:_MOST_SAID]}"
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


def index_columns(metadata: Mapping[str, str]) -> frozenset[str]:
    """Return the columns that pandas wrote as the index of a data frame.

    >>> index_columns({"pandas": '{"index_columns": ["sample", {"kind": "range"}]}'})
    frozenset({'sample'})
    """
    try:
        noted = json.loads(metadata.get("pandas", "{}"))["index_columns"]
        return frozenset(name for name in noted if isinstance(name, str))
    except PARSE_ERRORS:
        return frozenset()
