"""What a command writes: the description of a result, and the sinks that take its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from softmax_cli.errors import UsageError, shorten
from softmax_cli.formats.model.blocks import Block, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from softmax_cli.display.parts import Part, Step
    from softmax_cli.formats.model.options import WriteOptions
    from softmax_cli.storage.output import Target


def id_keys(names: Sequence[str]) -> list[str]:
    """Return the names of id columns, with `id_1`, `id_2`, ... for those that have none."""
    return [name or f"id_{place}" for place, name in enumerate(names, 1)]


class Result(NamedTuple):
    """What a sink needs to know before the first row.

    name          of the values, plural: the JSON key and the title of a table
    columns       values per line
    column_names  names of the columns of text files, if a header is written
    list_name     name of the column that holds the values as lists, where the format has lists
    new_names     names of the columns in a header that the input had not, if not by class
    facts         further keys of the JSON object
    matrix        each row is a matrix, and its lines are written one by one
    height        lines of each matrix, if not as many as columns
    single        there is one row
    rows          number of rows, if it is certain before they are written
    leading       dimensions of an array before the columns
    axis          axis of the classes in the output, counted from the end
    text_columns  what an array cannot hold, if there are columns of text
    first         number of the first line, if other tasks write those before it
    flat          an array of the result has no axis of columns: one number per row, or only one
    steps         returns the steps of --explain, once all rows are read
    after         returns what a table shows below the result
    """

    command: str
    name: str
    columns: int
    dtype: np.dtype[Any]
    class_names: tuple[str, ...] | None = None
    column_names: tuple[str, ...] | None = None
    new_names: tuple[str, ...] | None = None
    id_names: tuple[str, ...] = ()
    list_name: str | None = None
    facts: Mapping[str, object] = MappingProxyType({})
    matrix: bool = False
    height: int | None = None
    single: bool = False
    rows: int | None = None
    leading: tuple[int, ...] | None = None
    axis: int = -1
    text_columns: str = ""
    first: int = 0
    flat: Literal["", "rows", "one"] = ""
    steps: Callable[[], Sequence[Step]] | None = None
    after: Callable[[], Sequence[Part]] | None = None

    @classmethod
    def of(cls, source: Source, command: str, name: str, **fields: Any) -> Result:
        """Return a result with the shape, names and dtype of the source, except these fields."""
        shared = ("dtype", "class_names", "id_names", "list_name", "leading", "axis", "first")
        shape = {name: getattr(source, name) for name in shared}
        return cls(command, name, **{"columns": source.classes, **shape, **fields})

    @property
    def lines(self) -> int:
        """The number of lines of each matrix."""
        return self.height or self.columns

    @property
    def lines_per_row(self) -> int:
        """The number of lines that are written for each row."""
        return self.lines if self.matrix else 1

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, `name_0, name_1, ...` for a list; None if there are none."""
        if self.column_names is None and self.list_name is not None:
            return tuple(f"{self.list_name}_{entry}" for entry in range(self.columns))
        return self.column_names

    @property
    def is_list(self) -> bool:
        """Whether formats that have lists write each row as one."""
        return self.list_name is not None and not self.matrix

    @property
    def shown_names(self) -> Sequence[object]:
        """The names, or numbers, that people see for the classes."""
        names = self.names if self.list_name is not None else None
        return self.class_names or names or range(self.columns)

    @property
    def id_keys(self) -> list[str]:
        """The names of the id columns, for formats where each needs one."""
        return id_keys(self.id_names)

    @property
    def has_top_classes(self) -> bool:
        """Whether the names of the columns are those of the top k classes and their values."""
        return len(self.column_names or ()) == 2 * self.columns

    def check_names(self, names: Sequence[str], place: str, *, unique: bool = True) -> None:
        """Refuse an id column with one of the names that the result adds, or any name twice."""
        added = set(names).difference(() if self.flat else self.class_names or ())
        if shared := added.intersection(self.id_names):
            problem = f"the input has a column {shorten(min(shared))!r}, and so has the result"
            raise UsageError(problem, "rename that of the input", place)
        every = [*self.id_keys, *names]
        if unique and len(set(every)) < len(every):
            raise UsageError("two columns have the same name", "write csv", place)

    def shape(self, lines: int) -> tuple[int, ...]:
        """Return the shape of the array that holds all lines: leading dimensions, then classes."""
        if self.flat == "one":
            return ()
        rows = lines // self.lines_per_row
        leading = self.leading
        if leading is None or math.prod(leading) != rows or (self.flat and not leading):
            leading = (rows,)
        if self.flat and not self.matrix:
            return leading
        return (*leading, *([self.lines] if self.matrix else ()), self.columns)

    def header(self, *, is_asked: bool) -> tuple[Sequence[str], Sequence[str]] | None:
        """Return the id names and the other names of a text header; None without a header.

        --output-header asks for one that the input had not; words make it read as a header.
        """
        ids: Sequence[str] = self.id_names
        names = self.names
        if names is None and is_asked and self.flat != "one":
            ids = self.id_keys
            names = self.new_names or tuple(map("class_{}".format, range(self.columns)))
        if names is not None and self.matrix and not self.single:
            names = ("row", "i", "j", "value")
        return None if names is None else (ids, names)

    def name_classes(self, classes: NDArray[Any]) -> list[list[object]]:
        """Return the names of classes, or their numbers if they have no names."""
        names = self.class_names
        return [[n if names is None else names[n] for n in row] for row in classes.tolist()]


class Sink:
    """Writes the blocks of a result. Subclasses override `write`, or `prepare` to use threads."""

    def write(self, block: Block) -> None:
        """Write the rows of the next block."""
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        """Prepare a block for writing, in any thread; return what then writes it, in order."""
        return partial(self.write, block)

    def finish(self) -> None:
        """Write what follows the last row, if anything."""


class FormatSink(Sink):
    """Writes a result into a target, in the format with the name `form`."""

    def __init__(self, result: Result, form: str, target: Target, options: WriteOptions) -> None:
        self._result, self._form, self._target = result, form, target
        self._precision, self._has_header = options.precision, options.output_header
        self.begin()

    def begin(self) -> None:
        """Write what comes before the rows; refuse a result that the format cannot hold."""


class Sinks(Sink):
    """Gives each block to several sinks."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def prepare(self, block: Block) -> Callable[[], None]:
        return partial(call_each, [sink.prepare(block) for sink in self._sinks])

    def finish(self) -> None:
        for sink in self._sinks:
            sink.finish()


def call_each(commits: Sequence[Callable[[], None]]) -> None:
    """Write the blocks that several sinks prepared."""
    for commit in commits:
        commit()
