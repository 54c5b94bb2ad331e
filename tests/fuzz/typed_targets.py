"""What is typed, and what is small: tokens, labels, weights, columns, numbers, configurations."""

from __future__ import annotations

import json
import math
import tomllib
from contextlib import suppress
from typing import Any
from unittest import mock

import numpy as np

from softmax_cli.commands.app.app import load
from softmax_cli.commands.app.parameters import command_line
from softmax_cli.commands.gradients.configuration import tables_asked_for
from softmax_cli.errors import SoftmaxCliError
from softmax_cli.formats.columns.selection import select_columns
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.source import open_source
from softmax_cli.formats.text import digits
from softmax_cli.formats.text.digits import format_rows
from softmax_cli.formats.text.numbers import NotANumberError, is_number, json_number, parse_number
from softmax_cli.losses import cell_reader
from softmax_cli.losses.class_labels import Names, class_number
from softmax_cli.losses.labels import open_labels, open_weights
from tests.fuzz.outcomes import (
    Choices,
    Outcome,
    agree,
    alike,
    equals,
    file,
    outcome,
    outcome_of,
    said,
)

_NAMES: tuple[tuple[str, ...] | None, ...] = (
    None,
    ("dog", "owl", "2"),
    ("2", "1", "0"),
    ("a", "a", "nan"),
    ("0.5", "-1", "1e3", "x"),
)
_IGNORED: tuple[tuple[str, ...], ...] = ((), ("-100",), ("nan",), ("?", "2"), ("owl",))
_LONG = 200
_SUFFIXES = (".csv", ".txt", ".json", ".jsonl", ".npy", "", ".tsv")


def inline(data: bytes) -> None:
    """Read tokens as the shell hands them over: bytes of any kind, none of them zero."""
    choices = Choices(data)
    axis = choices.one((-1, 0, 1))
    tokens = [token.decode("utf-8", "surrogateescape") for token in choices.rest.split(b"\0")]
    if any(set(token) & set("/~") or token.strip(".-*?[]") == "" for token in tokens):
        # These may name what is there.
        return
    if any(len(token) > _LONG for token in tokens):
        # An error repeats them whole, as it does the names of files.
        return
    read = ReadOptions(axis=axis)
    found = outcome_of(lambda: open_source(tokens, read, place="typed"), "")
    if found.line or axis != -1:
        return
    texts = [token if token.startswith("[") else f"[{token}]" for token in tokens]
    if all(map(is_number, tokens)):
        texts = [f"[{','.join(tokens)}]"]
    elif len(tokens) == 1:
        texts = [texts[0].removeprefix("[").removesuffix("]")] * texts[0].startswith("[[") or texts
    file("x.jsonl", "\n".join(texts).encode("utf-8", "replace"))
    in_file = outcome("x.jsonl")
    if not in_file.line and "[[" not in "".join(tokens):
        # JSON has no whole number -0.
        equals(found.values + 0.0, in_file.values + 0.0, "in a file")


def labels_and_names(data: bytes) -> None:
    """Read labels from a file, in small blocks, from an array, and typed."""
    choices = Choices(data)
    names, ignored, suffix = choices.one(_NAMES), choices.one(_IGNORED), choices.one(_SUFFIXES)
    name = file(f"x{suffix}", choices.rest)

    def read(token: str, place: str) -> Outcome:
        return outcome_of(lambda: open_labels(token, Names(names, ignored)), place)

    found = read(name, name)
    with mock.patch.object(cell_reader, "_CELLS_PER_BLOCK", 2):
        agree(read(name, name), found, "in small blocks")
    with suppress(ValueError):
        cells = [cell.decode() for cell in choices.rest.split()]
        # In an array NaN is no name.
        plain = suffix == ".txt" and "nan" not in (names or ())
        if plain and cells and not found.line and all(map(_is_label, cells)):
            np.save("y.npy", np.array(list(map(float, cells))))
            alike(read("y.npy", "y.npy"), found, "as an array")
            alike(read(",".join(cells), "--labels"), found, "as typed")
    for cell in choices.rest.decode("utf-8", "replace").split()[:3]:
        with suppress(SoftmaxCliError):
            assert class_number(cell, names, 3, "--mask-class") in range(3)


def _is_label(cell: str) -> bool:
    return is_number(cell) and (float(cell).is_integer() or math.isnan(float(cell)))


def weights(data: bytes) -> None:
    """Read a weight a row."""
    choices = Choices(data)
    suffix = choices.one(_SUFFIXES)
    name = file(f"x{suffix}", choices.rest)
    found = outcome_of(lambda: open_weights(name), name)
    with mock.patch.object(cell_reader, "_CELLS_PER_BLOCK", 2):
        agree(outcome_of(lambda: open_weights(name), name), found, "in small blocks")
    cells = [cell.decode("utf-8", "replace") for cell in choices.rest.split()]
    if suffix == ".txt" and not found.line and all(map(is_number, cells)):
        equals(found.values, np.array(list(map(float, cells)))[:, None], "as numbers")


def columns(data: bytes) -> None:
    """Choose columns by name, number, range and pattern."""
    choices = Choices(data)
    count = choices.one((1, 3, 12))
    first, _, rest = choices.rest.decode("utf-8", "replace").partition("\n")
    names = (rest.split(",") + [""] * count)[:count] if choices.one((False, True)) else None
    try:
        found = select_columns(first.split(" "), names, count, "--columns")
    except SoftmaxCliError as error:
        said(error)
        return
    assert len(set(found)) == len(found)
    assert set(found) <= set(range(count))


def numbers(data: bytes) -> None:
    """Read a number, and spell many of them in two ways that must not differ."""
    choices = Choices(data)
    dtype = choices.one((np.float64, np.float32, np.float16))
    text = choices.rest.decode("utf-8", "replace")
    try:
        number = parse_number(text)
    except NotANumberError as error:
        said(error)
    else:
        assert "_" not in text
        assert math.isnan(number) or number == float(text)
        json.loads(json_number(repr(number)))
    body = choices.rest[: len(choices.rest) // 16 * 16]
    values = np.frombuffer(body, dtype).reshape(-1, 2)
    if not len(values):
        return
    lines = format_rows(values, b",", None)
    with np.errstate(over="ignore"):
        back = np.array([line.split(b",") for line in lines.splitlines()], np.float64)
        equals(back.astype(dtype), values, "read again")
    with mock.patch.object(digits, "_MANY", 0):
        spelt = format_rows(values, b",", None)
    assert spelt == lines, f"{spelt!r}, and not {lines!r}"


def config(data: bytes) -> None:
    """Read the tables of a configuration into command lines, of which none is run."""
    choices = Choices(data)
    name = file("x.toml", choices.rest)
    command = load("gradcheck")
    try:
        with command.make_context("gradcheck", ["--config", name]) as context:
            tables = tables_asked_for(command_line(context), name)
    except SoftmaxCliError as error:
        said(error, name)
        return
    document: Any = tomllib.loads(choices.rest.decode())
    ours = document["tool"]["softmax-cli"]["gradcheck"]
    assert list(tables) == [table["name"] for table in ours]
    assert all(isinstance(token, str) for tokens in tables.values() for token in tokens)
