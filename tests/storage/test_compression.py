"""Zstandard: streams that are cut short or have several frames."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.formats.rows import read, refusal, saved


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_zstandard_cut_short(kept: float) -> None:
    zstandard = pytest.importorskip("zstandard")
    numbers = np.random.default_rng(1).normal(size=(20_000, 2)).tolist()
    data = zstandard.ZstdCompressor().compress(b"".join(b"%f,%f\n" % tuple(row) for row in numbers))
    line = refusal(saved("x.csv.zst", data[: int(kept * len(data))]))
    assert "cut short" in line


def test_several_zstandard_frames_are_one_stream() -> None:
    zstandard = pytest.importorskip("zstandard")
    frames = [zstandard.ZstdCompressor().compress(part) for part in (b"1,2\n3", b",4\n")]
    assert_array_equal(read(saved("x.csv.zst", b"".join(frames))).values, [[1, 2], [3, 4]])
