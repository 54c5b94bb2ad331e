"""The targets without a fuzzer: what was found before, and seeds that are changed a little."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmax_cli.errors import InputError
from softmax_cli.formats.arrays.array import numbers_in
from softmax_cli.storage.input import Input, open_input
from tests.formats.conftest import folder
from tests.fuzz.__main__ import CORPUS
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.fast(2)

__all__ = ["folder"]

every_target = pytest.mark.parametrize("name", TARGETS)
# The same examples in every run.
examples = settings(derandomize=True, deadline=None, max_examples=100, database=None)


@every_target
def test_seeds(name: str) -> None:
    for seed in seeds(name):
        TARGETS[name](seed)


@every_target
def test_what_fuzzing_found(name: str) -> None:
    for path in sorted((CORPUS / name).glob("*")):
        TARGETS[name](path.read_bytes())


@every_target
@pytest.mark.fast(1)
def test_seeds_that_are_changed_a_little(name: str) -> None:
    start = seeds(name)

    @examples
    @given(st.data())
    def target(data: st.DataObject) -> None:
        TARGETS[name](_changed(data, start))

    target()


def _changed(data: st.DataObject, start: list[bytes]) -> bytes:
    """Cut, flip, insert, double or splice, a few times."""
    text = data.draw(st.sampled_from(start))
    for way in data.draw(st.lists(st.sampled_from(["cut", "flip", "insert", "double", "splice"]))):
        first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        between = {
            "cut": b"",
            "flip": bytes(byte ^ 1 << first % 8 for byte in text[first:last]),
            "insert": data.draw(st.binary(max_size=4)) + text[first:last],
            "double": text[first:last] * 2,
            "splice": data.draw(st.sampled_from(start))[first:last],
        }
        text = text[:first] + between[way] + text[last:]
    return text


def _refused(token: str) -> Input:
    """Open plain files alone."""
    if token == "-" or token.endswith((".gz", ".zst")):
        raise InputError("is not read", place=token.replace("-", "standard input"))
    return open_input(token)


# For each target a part of its reader, and something wrong in the place of that.
BROKEN: dict[str, tuple[str, Any]] = {
    "csv": ("formats.delimited.polars_chunk._is_exact", lambda *_: True),
    "tsv": ("formats.columns.line_table.batches", lambda records, _: iter([list(records)[:1]])),
    "txt": (
        "formats.delimited.reader.DelimitedTable._numbers",
        lambda _, cells, __: [*map(float, cells)][::-1],
    ),
    "json": ("formats.arrays.nested_lists.json_float", lambda *_, **__: 0.0),
    "jsonl": ("formats.json.table.read_with_polars", lambda _, rows, __: (np.ones((rows, 3)), {})),
    "npy": ("formats.arrays.npy.numbers_in", lambda stored: -numbers_in(stored)),
    "npz": ("formats.arrays.npz.chosen_array", lambda arrays, *_: next(iter(arrays.values()))),
    "safetensors": (
        "formats.arrays.safetensors.chosen_array",
        lambda arrays, *_: next(iter(arrays.values())),
    ),
    "parquet": ("formats.columnar.reader.numbers_of", lambda column, *_: column.to_numpy()[::-1]),
    "arrow": ("formats.model.id_columns.quote", lambda _: b""),
    "compressed": ("formats.opening.foreign.open_input", _refused),
    "detected": ("formats.opening.foreign.open_input", _refused),
    "inline": ("formats.opening.inline._number", lambda *_: 0.5),
    "labels": ("losses.cell_reader.batches", lambda cells, _: iter([list(cells)[:1]])),
    "weights": ("losses.labels.parse_number", lambda *_: 0.5),
    "columns": ("formats.columns.selection._positions", lambda *_: [99]),
    "numbers": ("formats.text.digits._format_with_polars", lambda *_: b""),
    "config": ("commands.gradients.configuration._arguments", lambda *_: [1]),
}


@every_target
def test_a_reader_that_is_broken_is_found(name: str) -> None:
    part, wrong = BROKEN[name]
    with mock.patch(f"softmax_cli.{part}", wrong), pytest.raises(AssertionError):
        test_seeds(name)


@every_target
def test_an_error_that_is_none_of_ours_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LookupError

    monkeypatch.setattr(f"softmax_cli.{BROKEN[name][0]}", fail)
    with pytest.raises(LookupError):
        test_seeds(name)
