"""Digits: the same text whether Polars spells them or Python, and the same number read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softmax_cli.formats.text import digits
from softmax_cli.formats.text.digits import format_rows
from tests.formats.rows import examples, same_bits

WIDTHS: dict[Any, Any] = {np.float32: 32, np.float64: 64}


@examples
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.data())
def test_polars_and_python_spell_alike(dtype: Any, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2))
    elements = st.floats(width=WIDTHS[dtype], allow_nan=False) | st.integers(-30, 30).map(
        lambda power: float(dtype(10.0**power))
    )
    values = data.draw(hnp.arrays(dtype, shape, elements=elements))
    python = format_rows(values, b",", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "_MANY", 0)
        patch.setattr(digits, "_PART", 3)
        for delimiter in (b",", b"\t", b" "):
            expected = python.replace(b",", delimiter)
            assert format_rows(values, delimiter, None) == expected
            assert format_rows(np.asfortranarray(values), delimiter, None) == expected
    back = np.array([line.split(b",") for line in python.split()], dtype=dtype)
    assert same_bits(back, values)


@pytest.mark.fast(12)
@pytest.mark.parametrize("exponent", range(-50, 40))
def test_the_exponent_begins_at_the_same_number(
    exponent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dtype in (np.float32, np.float64):
        if dtype is np.float32 and not -45 < exponent < 38:
            continue
        power = dtype(float(f"1e{exponent}"))
        values = np.array([[power, np.nextafter(power, dtype(0)), -power * dtype(1.5)]])
        with monkeypatch.context() as patch:
            patch.setattr(digits, "_MANY", 0)
            by_polars = format_rows(values, b",", None)
        assert format_rows(values, b",", None) == by_polars


def test_nan_is_spelt_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "_MANY", 0)
    values = np.array([[np.nan, 1.0], [np.inf, -np.inf]])
    assert format_rows(values, b",", None) == b"nan,1.0\ninf,-inf\n"


def test_no_rows() -> None:
    assert format_rows(np.empty((0, 3)), b",", None) == b""
