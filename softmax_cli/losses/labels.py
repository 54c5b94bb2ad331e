"""Labels and sample weights: one cell per row, from a file or typed inline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

from softmax_cli.errors import InputError, shorten
from softmax_cli.formats.columns.missing_values import missing_numbers, missing_texts
from softmax_cli.formats.model.blocks import Source, identity
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.text.cell_kinds import number_remedy
from softmax_cli.formats.text.numbers import NotANumberError, parse_number
from softmax_cli.losses.cell_reader import CellReader
from softmax_cli.losses.class_labels import Names


def open_labels(
    token: str,
    names: Names,
    options: ReadOptions = ReadOptions(),
    *,
    column: str | None = None,
    one_hot: tuple[int, int] | None = None,
) -> Source:
    """Open labels as rows of one class number each, float64 or int64; NaN for an ignored label.

    The token is a file, or the labels themselves: `2,0,1`, `setosa,virginica` or `[2,0,1]`.
    A table has one label per line, text without a header any number separated by blanks. The first
    line is a header if it is a name, but not of a class or an ignored label.

    column   the column of a table that holds the labels, if it has several
    one_hot  dimensions and classes of the values: labels of this shape are returned as they are
    """

    def numbers(texts: Sequence[str], place: Callable[[int], str]) -> list[float]:
        if options.decimal == ",":
            texts = [text if text in names.words else _with_point(text) for text in texts]
        return names.numbers(texts, place)

    cells = CellReader(
        "labels",
        "2,0,1",
        "--labels",
        numbers,
        names.of_array,
        options,
        names.words,
        column,
        one_hot,
    )
    return cells.opened(token)


def open_weights(
    token: str, options: ReadOptions = ReadOptions(), *, may_be_missing: bool = False
) -> Source:
    """Open sample weights, in a file or typed: `1,0.5,2`; NaN if one is, and `may_be_missing`."""
    missing, numbers = missing_texts(options), missing_numbers(options)

    def weight(text: str, place: str) -> float:
        try:
            number = math.nan if text in missing else parse_number(text, options.decimal)
        except NotANumberError as error:
            remedy = number_remedy(text, options.decimal) or "a weight is a number"
            raise InputError(str(error), remedy, place) from None
        if not math.isnan(number) and number not in numbers:
            return number
        if may_be_missing:
            return math.nan
        remedy = "every row needs one; 0 leaves a row out"
        raise InputError(f"the weight is missing: {shorten(text)!r}", remedy, place)

    def weights(texts: Sequence[str], place: Callable[[int], str]) -> list[float]:
        return [weight(text, place(row)) for row, text in enumerate(texts)]

    cells = CellReader("weights", "1,0.5,2", "--sample-weights", weights, identity, options)
    return cells.opened(token)


def _with_point(text: str) -> str:
    """Return a number with its decimal comma as a point, and any other text unchanged."""
    with suppress(NotANumberError):
        return repr(parse_number(text, ","))
    return text
