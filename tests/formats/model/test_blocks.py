"""Blocks of rows: what goes with a row stays with it."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from softmax_cli.formats.model.blocks import Block, Source
from tests.formats.rows import ids_of, raw_ids


def test_chosen_rows_keep_what_goes_with_them() -> None:
    block = Block(
        10,
        np.array([[1.0], [2.0], [3.0]]),
        lambda row: f"file:{row + 5}",
        raw_ids([(b"a",), (b"b",), (b"c",)]),
        ["x", "y", "z"],
        np.array([[0], [1], [2]]),
        np.array([[7.0], [8.0], [9.0]]),
    )
    chosen = block.rows(np.array([0, 2]), 4)
    assert chosen.start == 4
    assert_array_equal(chosen.values, [[1], [3]])
    assert [chosen.place(row) for row in range(2)] == ["file:5", "file:7"]
    assert ids_of(chosen) == [(b"a",), (b"c",)]
    assert chosen.labels == ["x", "z"]
    assert chosen.classes is not None
    assert_array_equal(chosen.classes, [[0], [2]])
    assert chosen.partner is not None
    assert_array_equal(chosen.partner, [[7], [9]])


def test_rows_alone_stay_alone() -> None:
    chosen = Block(0, np.eye(2), str).rows(np.array([1]), 0)
    assert (chosen.ids, chosen.labels, chosen.classes, chosen.partner) == (None,) * 4


def test_leaving_a_source_closes_it() -> None:
    closed = []
    source = Source("x", 1, np.dtype(float), lambda: iter(()), close=lambda: closed.append(1))
    with source as entered:
        assert entered is source
        assert not closed
    assert closed == [1]


def test_other_values_have_other_likeliest_classes() -> None:
    block = Block(0, np.eye(3), str, likeliest=np.arange(3))
    assert block.rows(np.array([2]), 0).likeliest == [2]
    assert block.with_values(np.ones((3, 3))).likeliest is None
