"""JSON: an object or nested lists, strict: numbers that are not finite are strings."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_cli.errors import InputError, join_names, shorten
from softmax_cli.formats.arrays.array import array_source, numeric_array
from softmax_cli.formats.columns.header import missing_texts
from softmax_cli.formats.columns.table_columns import TableColumns
from softmax_cli.formats.model.blocks import Block, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.opening.pickles import refuse_table_options
from softmax_cli.formats.text.digits import lines_of_numbers
from softmax_cli.formats.text.numbers import json_number
from softmax_cli.formats.text.records import unquoted
from softmax_cli.storage.input import PIECE_BYTES, Input, read_whole
from softmax_cli.storage.limits import LARGEST_DOCUMENT
from softmax_cli.storage.output import Target

_KEYS = ("logits", "probabilities", "log_probabilities", "jacobian")


def read(source: Input, form: str, options: ReadOptions, keep: ColumnRequest) -> Source:
    """Read nested lists, or the object that this program writes, whole."""
    refuse_table_options(form, options, keep)
    document = parsed(source)
    names = None
    if isinstance(document, dict):
        key = options.key or next((key for key in _KEYS if key in document), None)
        if key not in document:
            raise InputError(
                f"has no array {key!r}" if key else "has no array of a known name",
                "--key is one of " + join_names(document),
                source.place,
            )
        names, document = document.get("class_names"), document[key]
    array = numeric_array(document, source.place, missing_texts(options))
    class_names = tuple(map(str, names)) if isinstance(names, list) else None
    if not document and class_names is not None:
        array = array.reshape(0, len(class_names))
    if class_names is not None and len(class_names) != array.shape[-1]:
        raise InputError(
            f"has {len(class_names)} class names and {array.shape[-1]} classes",
            "every class needs one name",
            source.place,
        )
    opened = array_source(array, source.place, class_names)
    classes = range(1, opened.classes + 1)
    return replace(opened, table=TableColumns(None, classes, cells="class"))


def parsed(source: Input) -> Any:
    """Return the document that the stream holds."""
    data = read_whole(source, lambda piece, held: _check_piece(piece, held, source.place))
    try:
        return loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", "save it as UTF-8", source.place) from None
    except json.JSONDecodeError as error:
        place = f"{source.place}:{error.lineno}:{error.colno}"
        remedy = "--input-format jsonl reads a row a line" if error.lineno > 1 else "check it"
        raise InputError(f"is not JSON: {error.msg}", remedy, place) from None
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", "check it", source.place) from None


def _check_piece(piece: bytes, held: int, place: str) -> None:
    """Refuse too much of a document; one without commas holds no numbers, and may have no end."""
    if len(piece) == PIECE_BYTES and b"," not in piece:
        problem = f"holds {PIECE_BYTES >> 20} MiB without a comma"
        raise InputError(problem, "give rows of numbers", place)
    if held > LARGEST_DOCUMENT:
        problem = f"is larger than {LARGEST_DOCUMENT >> 30} GiB, and would be held whole"
        raise InputError(problem, "JSON lines and .npy are read in parts", place)


def loads(text: str) -> Any:
    """Return the value of a JSON text; ValueError says what is none, or not strict.

    A number that becomes infinite is refused, and so is a name that an object has twice.
    """
    try:
        value = json.loads(text, parse_float=_finite, object_pairs_hook=_named_once)
        if "\\ud" in text or "\\uD" in text:
            # Half of a character that is written as two: no text can hold it.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError:
        raise
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):
            raise ValueError("a number is beyond the range of float64") from None
        raise


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the name {shorten(twice)!r} twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{shorten(text)} is beyond the range of float64")
    return number


def json_rows(values: NDArray[Any], precision: int | None) -> list[str]:
    """Return each row as a JSON list.

    >>> import numpy as np
    >>> json_rows(np.array([[0.5, -np.inf]]), None)
    ['[0.5, "-inf"]']
    """
    rows = lines_of_numbers(values, b",", precision).decode().splitlines()
    if not np.isfinite(values).all():
        rows = [",".join(map(json_number, row.split(","))) for row in rows]
    return [f"[{row.replace(',', ', ')}]" for row in rows]


def write(result: Result, form: str, target: Target, options: WriteOptions) -> Sink:  # noqa: ARG001
    """Open a sink for one JSON object."""
    return JsonSink(result, target, options.precision)


class JsonSink(Sink):
    """Writes the object that the command's contract names; a line of it is a row."""

    def __init__(self, result: Result, target: Target, precision: int | None) -> None:
        """Write what comes before the rows; what is only known after them comes last."""
        self._result, self._target, self._precision = result, target, precision
        self._lines = 0
        self._ids: list[list[str]] = []
        self._classes: list[list[object]] = []
        names = None if result.class_names is None else list(result.class_names)
        facts = {"command": result.command, **result.facts, "class_names": names}
        opening = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        target.write(f'{opening[:-1]}, "{result.name}": ['.encode())

    def write(self, block: Block) -> None:
        """Write the rows of a block."""
        result = self._result
        for row in json_rows(block.values, self._precision):
            matrix_starts = result.matrix and self._lines % result.columns == 0
            closed = "]," if self._lines and matrix_starts else "," if self._lines else ""
            opened = "\n[" if matrix_starts else ""
            self._target.write(f"{closed}{opened}\n{row}".encode())
            self._lines += 1
        if block.ids is not None:
            each = result.columns if result.matrix else 1
            first_of_row = -block.start % each
            self._ids.extend(list(map(text_cell, row)) for row in block.ids[first_of_row::each])
        if block.classes is not None:
            self._classes.extend(named_classes(block.classes, result.class_names))

    def finish(self) -> None:
        """Close the lists and write what is known by now."""
        result = self._result
        closed = "]\n]" if result.matrix and self._lines else "\n]"
        rows = self._lines // result.columns if result.matrix else self._lines
        after: dict[str, object] = {"rows": rows}
        if self._classes:
            after["top_classes"] = self._classes
        if self._ids:
            after["ids"] = self._ids
        if result.steps is not None:
            after["steps"] = [step.as_dict() for step in result.steps()]
        self._target.write(f"{closed}, {json_report(after, self._precision)[1:]}\n".encode())


def named_classes(classes: NDArray[Any], names: tuple[str, ...] | None) -> list[list[object]]:
    """Return class numbers as lists, or the names of the classes if they have names."""
    return [
        [number if names is None else names[number] for number in row] for row in classes.tolist()
    ]


def label_text(value: object) -> str:
    """Return a label of a JSON file as text; a null is an empty cell."""
    return "" if value is None else str(value)


def text_cell(cell: bytes) -> str:
    """Return the content of a pass-through cell, which is spelt as in CSV."""
    return unquoted(cell).decode("utf-8", "replace")


def json_report(report: object, precision: int | None = None) -> str:
    """Return a report as strict JSON: numbers that are not finite become strings.

    >>> json_report({"loss": float("inf")})
    '{"loss": "inf"}'
    """
    return json.dumps(_strict(report, precision), ensure_ascii=False, allow_nan=False)


def _strict(value: object, precision: int | None) -> object:
    if isinstance(value, dict):
        return {key: _strict(entry, precision) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(entry, precision) for entry in value]
    if isinstance(value, float) and value - value != 0:
        return repr(value)
    if isinstance(value, float) and precision is not None:
        return float(f"{value:.{precision}g}")
    return value
