"""JSON documents: nested lists, or an object that holds them."""

from __future__ import annotations

import json
from dataclasses import replace

from softmax_cli.errors import InputError
from softmax_cli.formats.arrays.array import array_source, no_array, numeric_array
from softmax_cli.formats.columns.layout import Layout, missing_texts
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.model.sinks import FormatSink
from softmax_cli.formats.text.json_values import json_report, json_rows, read_document
from softmax_cli.storage.input import Input

_KEYS = ("logits", "probabilities", "log_probabilities", "jacobian")


def read(source: Input, _: str, options: ReadOptions, request: ColumnRequest) -> Source:  # noqa: ARG001
    """Read nested lists, or an object that this program wrote; the document is held whole."""
    document = read_document(source)
    names = None
    if isinstance(document, dict):
        key = options.key or next((key for key in _KEYS if key in document), None)
        if key not in document:
            raise no_array(document, key, "has no array of a known name", source.place)
        names, document = document.get("class_names"), document[key]
    array = numeric_array(document, source.place, missing_texts(options))
    class_names = tuple(map(str, names)) if isinstance(names, list) else None
    if class_names is not None:
        if not document:
            array = array.reshape(0, len(class_names))
        if len(class_names) != array.shape[-1]:
            problem = f"has {len(class_names)} class names and {array.shape[-1]} classes"
            raise InputError(problem, "every class needs one name", source.place)
    opened = array_source(array, source.place)
    classes = list(range(opened.classes))
    layout = Layout(len(classes), classes, [], None, None, named_by="class")
    return replace(opened, class_names=class_names, table=layout)


class JsonSink(FormatSink):
    """Writes one object, with each row on a line of its own."""

    def begin(self) -> None:
        result = self._result
        self._lines = 0
        self._ids: list[str] = []
        self._classes: list[list[object]] = []
        facts = {"command": result.command, **result.facts, "class_names": result.class_names}
        opening = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        self._target.write(f'{opening[:-1]}, "{result.name}": ['.encode())

    def write(self, block: Block) -> None:
        result = self._result
        for row in json_rows(block.values, self._precision):
            matrix_starts = result.matrix and self._lines % result.columns == 0
            closing = "]," if self._lines and matrix_starts else "," if self._lines else ""
            opening = "\n[" if matrix_starts else ""
            self._target.write(f"{closing}{opening}\n{row}".encode())
            self._lines += 1
        if block.ids is not None:
            each = result.columns if result.matrix else 1
            first = -block.start % each
            self._ids.extend(f"[{', '.join(row)}]" for row in block.ids[first::each].json())
        if block.classes is not None:
            self._classes.extend(result.name_classes(block.classes))

    def finish(self) -> None:
        result = self._result
        closing = "]\n]" if result.matrix and self._lines else "\n]"
        rows = self._lines // result.columns if result.matrix else self._lines
        after: dict[str, object] = {"rows": rows}
        if self._classes:
            after["top_classes"] = self._classes
        if result.steps is not None:
            after["steps"] = [step.as_dict() for step in result.steps()]
        ids = f', "ids": [{", ".join(self._ids)}]' if self._ids else ""
        report = json_report(after, self._precision)[1:]
        self._target.write(f"{closing}{ids}, {report}\n".encode())
