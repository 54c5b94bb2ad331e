"""Whole numbers of 64 bits: those that float64 would round are errors, and no others are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmax_cli.errors import InputError
from softmax_cli.formats.arrays.array import check_exact
from softmax_cli.formats.model import blocks
from tests.formats.arrays.test_safetensors import safetensors
from tests.formats.rows import Array, examples, read, refusal
from tests.running import run

EXACT = [0, 1, -(2**53), 2**53, 2**53 + 2, -(2**53) - 2, 2**60, -(2**63), 2**63 - 2**10, 3 * 2**60]
ROUNDED = [2**53 + 1, -(2**53) - 1, 2**54 + 1, 2**60 + 1, 2**62 + 1, 2**63 - 1, 1 - 2**63]
FORMS = [".npy", "fortran.npy", ".npz", ".safetensors", ".parquet", ".arrow", "lists.parquet"]


def saved(array: Array, form: str) -> str:
    """Save an array in one of the forms."""
    name = f"x{form}"
    if form.endswith(".npy"):
        np.save(name, np.asfortranarray(array) if form == "fortran.npy" else array)
    elif form == ".npz":
        np.savez(name, x=array)
    elif form == ".safetensors":
        Path(name).write_bytes(safetensors(x=array))
    else:
        inner = pl.UInt64 if array.dtype.kind == "u" else pl.Int64
        if form.startswith("lists"):
            frame = pl.DataFrame({"x": pl.Series(array.tolist(), dtype=pl.List(inner))})
        else:
            frame = pl.DataFrame({f"c{number}": column for number, column in enumerate(array.T)})
        frame.write_ipc(name) if form == ".arrow" else frame.write_parquet(name)
    return name


@pytest.mark.parametrize("form", FORMS)
def test_exact_ones_are_read(form: str) -> None:
    array = np.array(EXACT, np.int64).reshape(5, 2)
    assert read(saved(array, form)).values.ravel().tolist() == [float(each) for each in EXACT]
    unsigned = np.array([[2**63, 2**64 - 2**11], [2**53, 1]], np.uint64)
    assert read(saved(unsigned, form)).values.tolist() == unsigned.astype(float).tolist()


@pytest.mark.fast(8)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [*ROUNDED, 2**64 - 1, 2**63 + 1])
def test_rounded_ones_are_named(number: int, form: str) -> None:
    array = np.full((4, 3), 2**60, np.uint64 if number >= 2**63 else np.int64)
    array[2, 1] = number
    message = refusal(saved(array, form))
    assert ": row 2: column " in message
    assert f" holds {number}, which float64 cannot hold" in message
    assert "store it as float64" in message


@pytest.mark.parametrize("dtype", ["<i8", ">i8", "<u8", ">u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_byte_order_and_any_block(
    dtype: str, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    array = np.full((50, 3), 5, dtype)
    array[37, 2] = 2**53 + 1
    np.save("x.npy", np.asarray(array, order=order))
    remedy = "which float64 cannot hold exactly; store it as float64 to accept rounding"
    said = f"x.npy: row 37: column 2 holds 9007199254740993, {remedy}"
    assert refusal("x.npy") == said
    for threads in (1, 4):
        outcome = run(f"softmax-cli softmax x.npy --threads {threads}")
        assert (outcome.code, outcome.out, outcome.err) == (2, "", f"softmax-cli: {said}\n")


def test_more_dimensions_and_another_axis() -> None:
    array = np.zeros((2, 3, 4), np.int64)
    array[1, 2, 3] = 2**53 + 1
    np.save("x.npy", array)
    for options in ("", "--axis 1", "--axis 0"):
        outcome = run(f"softmax-cli softmax x.npy {options}")
        assert (outcome.code, outcome.out) == (2, "")
        assert "x.npy: row 5: column 3 holds 9007199254740993, which" in outcome.err


@pytest.mark.parametrize("form", [".npy", ".npz", ".safetensors"])
def test_labels_and_weights(form: str) -> None:
    np.save("z.npy", np.zeros((3, 2)))
    name = saved(np.array([[0], [1], [2**53 + 1]]), form)
    place = name if form == ".npy" else f"{name}[x]"
    said = f"{place}: row 2: holds 9007199254740993, which float64 cannot hold exactly; store"
    for options in (f"--labels {name}", f"--labels 0,0,1 --sample-weights {name}"):
        outcome = run(f"softmax-cli xent z.npy {options}")
        assert (outcome.code, outcome.out) == (2, "")
        assert said in outcome.err
    name = saved(np.array([0, 1, -(2**63)]), form)
    line = f"softmax-cli xent z.npy --labels {name} --ignore-label -9223372036854775808"
    assert run(f"{line} --base 2").out == "1.0\n"


@examples
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(0, 10))
def test_what_is_rounded_is_what_float_changes(numbers: list[int], bits: int) -> None:
    for dtype, changed in ((np.int64, numbers), (np.uint64, [each + 2**63 for each in numbers])):
        shifted = [each >> bits << bits for each in changed]
        wrong = [row for row, each in enumerate(shifted) if int(float(each)) != each]
        array = np.array(shifted, dtype)[:, None]
        if not wrong:
            check_exact(array, "x")
            continue
        with pytest.raises(InputError, match=f"^x: row {wrong[0] + 7}: holds {shifted[wrong[0]]},"):
            check_exact(array, "x", 7)
