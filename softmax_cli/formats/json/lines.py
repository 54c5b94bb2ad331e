"""JSON lines: one row per line, a list or an object whose keys name the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice, repeat

from softmax_cli.errors import InputError
from softmax_cli.formats.columns.lists import FIRST_ROWS
from softmax_cli.formats.columns.table_options import refuse_text_options
from softmax_cli.formats.json.entries import entries_of_rows
from softmax_cli.formats.json.table import JsonTable, json_layout, read_rows
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.digits import are_many, join_lines, parts, row_texts
from softmax_cli.formats.text.json_values import are_finite, json_rows, json_text
from softmax_cli.formats.text.lines import LineRecorder
from softmax_cli.storage.input import Input


def read(source: Input, form: str, options: ReadOptions, request: ColumnRequest) -> Source:
    """Open JSON lines; only the first line is read, and those up to the first list."""
    refuse_text_options(form, options)
    lines = LineRecorder(b"", source.stream)
    rows = read_rows(lines, source.place, 1)
    number, first = next(rows, (0, None))
    if first is None:
        raise InputError("is empty", "give at least one row of numbers", source.place)
    others = (row for _, row in islice(rows, FIRST_ROWS))
    layout = json_layout(chain([first], others), options, request, f"{source.place}:{number}")
    table = JsonTable(source, layout, b"".join(lines.held[number - 1 :]), number)
    return table.open(partial(table.chunks, quotes=False))


def read_entries(source: Input, _form: str, options: ReadOptions) -> Source:
    """Open JSON lines, each a number, a list or a record; each number of it is a row."""
    rows = read_rows(source.stream, source.place, 1)
    placed = ((row, f"{source.place}:{line}") for line, row in rows)
    return entries_of_rows(placed, source.place, options)


class JsonLinesSink(FormatSink):
    """Writes one list per row, or one object if there are class names or ids."""

    def begin(self) -> None:
        result = self._result
        self._names = result.names or result.class_names
        escaped = (json_text(name).replace("%", "%%") for name in self._names or ())
        self._template = _object(dict.fromkeys(escaped, "%s"))
        self._list_name = result.list_name if result.is_list else None
        self._openings = [f"{json_text(name)}: " for name in self._keys(has_classes=False)]
        keys = self._keys(has_classes=result.has_top_classes)
        result.check_names(keys, self._target.place)

    def _keys(self, *, has_classes: bool) -> Sequence[str]:
        """Return the keys of each row after those of the ids."""
        result = self._result
        if result.matrix:
            return ("row", "i", result.name)
        if has_classes:
            return ("classes", result.name)
        if self._list_name is not None:
            return (self._list_name,)
        return self._names or (result.name,)

    def prepare(self, block: Block) -> Callable[[], None]:
        is_plain = block.classes is None and not self._result.matrix
        if is_plain and are_many(block.values, self._precision) and are_finite(block.values):
            return partial(self._target.write, self._format_many(block))
        return partial(self._target.write, self._format(block).encode())

    def _format_many(self, block: Block) -> bytes:
        """Return rows of lists or records as lines, by Polars."""
        import polars as pl

        keys = list(self._openings)
        if self._names is not None and self._list_name is None:
            before, opening, between, closing = "{", "", "", "}"
            keys[1:] = [f", {key}" for key in keys[1:]]
        elif self._list_name is not None or block.ids is not None:
            before, opening, between, closing = "{", f"{keys.pop()}[", ", ", "]}"
        else:
            before, opening, between, closing, keys = "", "[", ", ", "]", []
        names = list(map(json_text, self._result.id_keys))
        ids = repeat(()) if block.ids is None else block.ids.json()
        lines = []
        for part in parts(block.values):
            rows = row_texts(part, between, keys)
            if block.ids is None:
                lines.append(join_lines(rows, before + opening, closing))
                continue
            heads = (
                "".join(f"{name}: {text}, " for name, text in zip(names, texts, strict=True))
                for texts in islice(ids, len(part))
            )
            rows = pl.Series([f"{head}{opening}" for head in heads]) + rows
            lines.append(join_lines(rows, before, closing))
        return b"".join(lines)

    def _format(self, block: Block) -> str:
        rows = json_rows(block.values, self._precision)
        is_bare = not (self._list_name or self._result.matrix) and block.classes is None
        if is_bare and block.ids is None:
            if self._names is not None:
                rows = [self._template % tuple(row[1:-1].split(", ")) for row in rows]
        else:
            ids = repeat(()) if block.ids is None else block.ids.json()
            names = self._keys(has_classes=block.classes is not None)
            keys = list(map(json_text, (*self._result.id_keys, *names)))
            members = self._members(block, rows)
            rows = [
                _object(dict(zip(keys, chain(*cells), strict=True)))
                for cells in zip(ids, members, strict=False)
            ]
        return "".join(f"{row}\n" for row in rows)

    def _members(self, block: Block, rows: list[str]) -> Iterator[Iterable[str]]:
        """Yield the members of each row except its ids."""
        result = self._result
        if block.classes is not None:
            names = result.name_classes(block.classes)
            yield from ((json_text(each), row) for each, row in zip(names, rows, strict=True))
        elif result.matrix:
            for line, row in enumerate(rows, block.start):
                matrix, i = divmod(line, result.lines)
                yield str(matrix), str(i), row
        elif self._list_name is not None or self._names is None:
            yield from ((row,) for row in rows)
        else:
            yield from (row[1:-1].split(", ") for row in rows)


def _object(members: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {text}' for name, text in members.items())}}}"
