"""CSV, TSV and whitespace-separated text, written a line a row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from softmax_cli.errors import OutputError, shorten
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.text.digits import lines_of_numbers
from softmax_cli.formats.text.records import requoted, spelt
from softmax_cli.storage.output import Target


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:
    """Open a sink for CSV, TSV or whitespace-separated text."""
    return DelimitedSink(result, {"csv": b",", "tsv": b"\t"}.get(form, b" "), target, options)


class DelimitedSink(Sink):
    """Writes a line a row; a header if the input had one; id columns first, as they came."""

    def __init__(
        self, result: Result, delimiter: bytes, target: Target, options: WriteOptions
    ) -> None:
        """Write the header."""
        self._result, self._target = result, target
        self._delimiter, self._precision = delimiter, options.precision
        self._as_entries = result.matrix and not result.single
        names = result.column_names
        if names is not None:
            if self._as_entries:
                names = ("row", "i", "j", "value")
            header = [self._named(name.encode()) for name in (*result.id_names, *names)]
            header[0] = self._no_comment(header[0])
            target.write(self._delimiter.join(header) + b"\n")

    def write(self, block: Block) -> None:
        """Write the rows of a block, or the entries of a batch of matrices."""
        self.prepare(block)()

    def prepare(self, block: Block) -> Callable[[], None]:
        """Spell the numbers of a block; only the writing needs order."""
        return partial(self._target.write, self._spelt(block))

    def _spelt(self, block: Block) -> bytes:
        if not block.values.size and block.ids is None:
            return b""
        numbers = lines_of_numbers(block.values, self._delimiter, self._precision)
        if block.ids is None and block.classes is None and not self._as_entries:
            return numbers
        rows = [line.split(self._delimiter) for line in numbers.split(b"\n")[:-1]]
        if self._as_entries:
            rows, ids = self._entries(block, rows)
        else:
            ids = block.ids
            if block.classes is not None:
                rows = self._with_class_names(block.classes, rows)
        if ids is not None:
            rows = [[*map(self._fitting, kept), *row] for kept, row in zip(ids, rows, strict=True)]
        return b"".join(self._delimiter.join(row) + b"\n" for row in rows)

    def finish(self) -> None:
        """Nothing follows the last row."""

    def _named(self, name: bytes) -> bytes:
        return self._fitting(spelt(name, self._delimiter))

    def _no_comment(self, first: bytes) -> bytes:
        """Return the first cell of a header, in quotes if the line would read as a comment."""
        if not first.startswith(b"#"):
            return first
        if self._delimiter == b" ":
            problem = f"a line that begins with {first.decode()!r} reads as a comment"
            raise OutputError(problem, "write csv", self._target.place)
        return b'"' + first + b'"'

    def _fitting(self, cell: bytes) -> bytes:
        """Return a cell that the delimiter does not cut apart; between blanks, quotes are none."""
        if self._delimiter == b" " and (b" " in cell or not cell):
            shown = shorten(cell.decode("utf-8", "replace"))
            raise OutputError(
                f"blanks separate its cells, and {shown!r} has one", "write csv", self._target.place
            )
        return requoted(cell, self._delimiter)

    def _with_class_names(
        self, classes: NDArray[Any], rows: list[list[bytes]]
    ) -> list[list[bytes]]:
        names = self._result.class_names
        return [
            [
                cell
                for number, probability in zip(numbers, row, strict=True)
                for cell in (
                    self._named((str(number) if names is None else names[number]).encode()),
                    probability,
                )
            ]
            for numbers, row in zip(classes.tolist(), rows, strict=True)
        ]

    def _entries(
        self, block: Block, rows: list[list[bytes]]
    ) -> tuple[list[list[bytes]], list[tuple[bytes, ...]] | None]:
        classes = self._result.columns
        entries: list[list[bytes]] = []
        ids: list[tuple[bytes, ...]] = []
        for line, row in enumerate(rows):
            matrix, i = divmod(block.start + line, classes)
            entries.extend(
                [b"%d" % matrix, b"%d" % i, b"%d" % j, cell] for j, cell in enumerate(row)
            )
            if block.ids is not None:
                ids.extend([block.ids[line]] * classes)
        return entries, ids or None
