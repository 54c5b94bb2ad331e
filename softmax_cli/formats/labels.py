"""Labels: one class number or class name a row, from a file, a column, or typed inline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats import open_file, refuse_pickle, suffix_format
from softmax_cli.formats.array import row_place
from softmax_cli.formats.blocks import BLOCK_BYTES, Block, Keep, ReadOptions, Source, ready
from softmax_cli.formats.detection import detected_format
from softmax_cli.formats.json_text import parsed
from softmax_cli.formats.numbers import is_number
from softmax_cli.formats.records import records, splitter, unquoted
from softmax_cli.formats.streams import Input, open_input

_LABELS_PER_BLOCK = BLOCK_BYTES // 64
Label = tuple[str, str]


def open_labels(
    token: str, class_names: tuple[str, ...] | None, *, key: str | None = None
) -> Source:
    """Open labels as rows of one class number each.

    The token is a file, or the labels themselves: `2,0,1`, `setosa,virginica` or `[2,0,1]`.
    CSV holds one label a line, text any number between blanks; the first line is a header if it is
    neither a number nor the name of a class.
    """
    if not token or (token != "-" and not Path(token).exists()):
        return _source(_typed(token), class_names, "--labels")
    refuse_pickle(token)
    form = suffix_format(token)
    source = open_input(token)
    try:
        name = form.name if form and token != "-" else detected_format(source)
        if name in ("npy", "npz", "safetensors"):
            source.close()
            return open_file(
                token, ReadOptions(key=None if name == "npy" else key), Keep(one_column=True)
            )
        place = source.place
        if name in ("parquet", "arrow"):
            from softmax_cli.formats.columnar import read_words

            lines, header = read_words(source, name), ""
        elif name == "json":
            lines, header = _from_json(source), ""
        else:
            lines, header = _from_text(source, class_names, words=name == "txt")
            place += f", below its header {header!r}" if header else ""
    except BaseException:
        source.close()
        raise
    return _source(lines, class_names, place, source)


def class_numbers(labels: Sequence[Label], class_names: tuple[str, ...] | None) -> list[float]:
    """Return the number of each label's class; the header's names win over numbers.

    >>> class_numbers([("2", "labels.csv:2"), ("cat", "labels.csv:3")], ("dog", "owl", "cat"))
    [2.0, 2.0]
    """
    known = {name: float(number) for number, name in enumerate(class_names or ())}
    duplicates = len(known) < len(class_names or ())
    numbers = []
    for text, place in labels:
        number = known.get(text)
        if number is None:
            if not is_number(text) or not float(text).is_integer():
                raise InputError(
                    f"the label {text!r} is no class",
                    "labels are class numbers from 0"
                    + (f" or names: {', '.join(list(known)[:8])}" if known else ""),
                    place,
                )
            number = float(text)
        elif duplicates and list(class_names or ()).count(text) > 1:
            raise InputError(f"several columns are named {text!r}", "give numbers", place)
        numbers.append(number)
    return numbers


def _source(
    labels: Iterator[Label],
    class_names: tuple[str, ...] | None,
    place: str,
    opened: Input | None = None,
) -> Source:
    def blocks() -> Iterator[Block]:
        start = 0
        while batch := list(islice(labels, _LABELS_PER_BLOCK)):
            values = np.array(class_numbers(batch, class_names))[:, None]
            yield Block(start, values, row_place(place, start))
            start += len(batch)

    source = Source(place, 1, np.dtype(np.float64), ready(blocks))
    if opened is None:
        return source
    paths = () if opened.path is None else (opened.path,)
    return Source(place, 1, source.dtype, source.portions, paths=paths, close=opened.close)


def _typed(token: str) -> Iterator[Label]:
    if not token:
        raise InputError("no labels", "name a file, or type 2,0,1", "--labels")
    texts = [part.strip() for part in token.strip("[]").split(",")]
    looks_like_a_path = len(texts) == 1 and ("/" in token or suffix_format(token) is not None)
    if looks_like_a_path:
        raise InputError("no such file", "check the spelling", f"--labels: {token}")
    return ((text.strip("\"'"), f"--labels, label {number}") for number, text in enumerate(texts))


def _from_json(source: Input) -> Iterator[Label]:
    document = parsed(source)
    if not isinstance(document, list):
        raise InputError("is not a list", "labels are [2, 0, 1]", source.place)
    return ((str(label), f"{source.place}: [{row}]") for row, label in enumerate(document))


def _from_text(
    source: Input, class_names: tuple[str, ...] | None, *, words: bool
) -> tuple[Iterator[Label], str]:
    """Return the labels of a text, and its header if it has one; `words` are cut at blanks."""
    split = splitter(None if words else ",")

    def cells(line: int, record: bytes) -> Iterator[Label]:
        found = split(record)
        place = f"{source.place}:{line}"
        if len(found) != 1 and not words:
            raise InputError(
                f"{len(found)} columns where one of labels is needed",
                "cut the others off, or use --label-column for labels beside the logits",
                place,
            )
        return ((unquoted(cell).decode("utf-8", "replace"), place) for cell in found)

    lines = records(source.stream, source.place, comments=words)
    first = list(chain.from_iterable(cells(*line) for line in islice(lines, 1)))
    if not first:
        raise InputError("is empty", "give one label a line", source.place)
    rest = chain.from_iterable(cells(*line) for line in lines)
    header = first[0][0]
    if len(first) == 1 and not is_number(header) and header not in (class_names or ()):
        return rest, header
    return chain(first, rest), ""
