"""Writes CSV, TSV and whitespace-separated text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, repeat
from operator import add

from softmax_cli.errors import OutputError, shorten
from softmax_cli.formats.model.blocks import Block
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.cells import QUOTED, quote, requote
from softmax_cli.formats.text.digits import format_rows


class DelimitedSink(FormatSink):
    """Writes one line per row, id columns first, below a header if the input had one."""

    def begin(self) -> None:
        result = self._result
        self._delimiter = {"csv": b",", "tsv": b"\t"}.get(self._form, b" ")
        self._as_entries = result.matrix and not result.single
        found = result.header(is_asked=self._has_header)
        if found is not None:
            ids, names = found
            result.check_names(names, self._target.place, unique=False)
            header = list(map(self._name, (*ids, *names)))
            if header[0].startswith(b"#"):
                # The line would be a comment.
                header[0] = b'"' + header[0] + b'"'
            self._target.write(self._delimiter.join(header) + b"\n")

    def prepare(self, block: Block) -> Callable[[], None]:
        return partial(self._target.write, self._format(block))

    def _format(self, block: Block) -> bytes:
        if not block.values.size and block.ids is None:
            return b""
        numbers = format_rows(block.values, self._delimiter, self._precision)
        if block.ids is None and block.classes is None and not self._as_entries:
            return numbers
        lines: Iterable[bytes] = numbers.split(b"\n")[:-1]
        join = self._delimiter.join
        before: Iterator[bytes] = repeat(b"")
        if block.ids is not None:
            before = iter([join([*map(self._fit, cells), b""]) for cells in block.ids.cells()])
        if self._as_entries:
            lines = self._entries(block.start, before, lines)
        else:
            if block.classes is not None:
                names = self._result.name_classes(block.classes)
                lines = map(self._with_names, names, lines)
            lines = map(add, before, lines)
        return b"".join(line + b"\n" for line in lines)

    def _with_names(self, names: list[object], line: bytes) -> bytes:
        cells = zip(map(self._name, map(str, names)), line.split(self._delimiter), strict=True)
        return self._delimiter.join(chain.from_iterable(cells))

    def _entries(
        self, start: int, before: Iterator[bytes], lines: Iterable[bytes]
    ) -> Iterator[bytes]:
        """Yield a line for each entry of matrices, given their lines from number `start` on."""
        for number, (ids, line) in enumerate(zip(before, lines, strict=False), start):
            matrix, i = divmod(number, self._result.lines)
            for j, cell in enumerate(line.split(self._delimiter)):
                place = (b"%d" % index for index in (matrix, i, j))
                yield ids + self._delimiter.join([*place, cell])

    def _name(self, name: str) -> bytes:
        return self._fit(quote(name.encode(), self._delimiter))

    def _fit(self, cell: bytes) -> bytes:
        """Return a cell, quoted if the delimiter would split it."""
        if self._delimiter != b" ":
            return requote(cell, self._delimiter)
        if b"\n" in cell or b"\r" in cell:
            shown = shorten(cell.decode("utf-8", "replace"))
            problem = f"a row is one line, but {shown!r} has several"
            raise OutputError(problem, "write csv", self._target.place)
        is_whole = QUOTED.fullmatch(cell) or (cell.split() == [cell] and cell[:1] not in b'#"')
        return cell if is_whole else b'"' + cell.replace(b'"', b'""') + b'"'
