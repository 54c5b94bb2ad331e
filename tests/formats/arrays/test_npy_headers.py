"""NPY headers that are malformed, and shapes that are unusual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softmax_cli.errors import InputError
from tests.formats.arrays.test_npy import described, headed, npy
from tests.formats.rows import piped, read, refusal, saved
from tests.running import run

TWO_BY_TWO = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.npy", headed(described("(" + "1," * 100 + ")")), "shape"),
        ("x.npy", headed(described("(1,)", "()")), "header"),
        ("x.npy", headed(described("(1,)", "None")), "header"),
        ("x.npy", headed(described("(1,)", "'2f4'")), "arrays within the array"),
        ("x.npy", headed(described("(1,)", "'a8'")), "header"),
        ("x.npy", headed(described("(1,)", fortran_order="5")), "header"),
    ],
)
def test_a_malformed_header_is_refused(name: str, data: bytes, message: str) -> None:
    line = refusal(saved(name, data))
    assert line.startswith(name)
    assert message in line


@pytest.mark.parametrize(
    ("shape", "fortran_order"),
    [(f"({2**62},)", "False"), (f"({2**40}, 4)", "True"), (f"(0, {2**60})", "True")],
)
def test_a_header_that_lies_in_a_pipe_allocates_nothing(shape: str, fortran_order: str) -> None:
    with pytest.raises(InputError):
        piped(headed(described(shape, "'|u1'", fortran_order)))


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("x.npy", headed(described("(" + "1," * 5000 + ")")), {}),
        ("x.npy", headed(described("(1,)", str([(f"f{n}", "<f8") for n in range(500)]))), {}),
    ],
)
def test_an_error_about_a_header_is_short(
    name: str, data: bytes | str, options: dict[str, Any]
) -> None:
    line = refusal(saved(name, data), **options)
    assert name in line or "--columns" in line
    assert len(line) < 1000


def test_big_endian_fortran_order_is_written_as_others_are() -> None:
    array = np.asfortranarray(TWO_BY_TWO.astype(">f8"))
    assert read(saved("x.npy", npy(array))).source.dtype.isnative


@pytest.mark.parametrize("shape", [(*[1] * 50, 3), (2, 0, 3)], ids=["many", "empty"])
@pytest.mark.parametrize("axis", [0, -1])
def test_any_shape_there_and_back(shape: tuple[int, ...], axis: int) -> None:
    np.save("x.npy", np.zeros(shape))
    assert run(f"softmax-cli softmax x.npy --axis {axis} -o y.npy").code == 0
    assert np.load("y.npy").shape == shape
