"""Some rows of a source: the same as of all rows cut there, whatever the format and its blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model import blocks as blocks_module
from softmax_cli.formats.model.blocks import RowRange, Source
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.source import open_source
from softmax_cli.pipeline.pairing import blocks_in_order
from tests.formats.rows import ARRAYS, COLUMNAR, TEXTS
from tests.running import run

pytestmark = pytest.mark.fast(4)

ROWS = 2500
LOGITS = np.random.default_rng(0).normal(size=(ROWS, 3)).round(3)


def _rows(source: Source) -> tuple[Any, list[int], list[str]]:
    blocks = list(blocks_in_order(source))
    values = [block.values for block in blocks]
    numbers = [block.number(row) for block in blocks for row in range(len(block.values))]
    places = [block.place(row) for block in blocks for row in range(len(block.values))]
    return np.concatenate(values) if values else np.empty((0, 3)), numbers, places


@pytest.mark.parametrize("suffix", [*TEXTS, *ARRAYS, *COLUMNAR, ".csv.gz"])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, ROWS), (7, 1003), (2499, 2500), (9, 9)])
def test_rows_keep_their_numbers_and_places(
    suffix: str, start: int, stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 24 * 300)
    np.save(tmp_path / "z.npy", LOGITS)
    path = tmp_path / f"rows{suffix}"
    assert run(f"softmax-cli softmax {tmp_path}/z.npy --log -o {path}").code == 0
    with open_source([str(path)], ReadOptions()) as source:
        values, _, places = _rows(source)
    with open_source([str(path)], ReadOptions()) as source:
        part = source.slice_rows(RowRange(start, stop, ROWS))
        found, numbers, found_places = _rows(part)
    assert part.first == start
    assert part.rows in (None, stop - start)
    assert_array_equal(found, values[start:stop])
    assert numbers == list(range(start, stop))
    assert found_places == places[start:stop]


def test_behind_the_last_row_nothing_is_lost(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    with open_source([str(tmp_path / "z.npy")], ReadOptions()) as source:
        # Of a file that should have a row less, the last range holds one more.
        values, _, _ = _rows(source.slice_rows(RowRange(1000, ROWS - 1, ROWS - 1)))
        assert_array_equal(values, LOGITS[1000:])
        values, _, _ = _rows(source.slice_rows(RowRange(1000, 1010, ROWS - 1)))
        assert_array_equal(values, LOGITS[1000:1010])


def test_no_range_is_all_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    with open_source([str(tmp_path / "z.npy")], ReadOptions()) as source:
        assert source.slice_rows(None) is source
        assert source.first == 0
        assert RowRange(1, 2, 5).times(3) == RowRange(3, 6, 15)
