"""safetensors: a header of arrays and their bytes, and headers that are not to be trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.core.exact.bfloat16 import BFLOAT16, nearest, packed, widened
from tests.formats.rows import Array, piped, read, refusal, saved
from tests.running import run

NAMES = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "void16": "BF16",
}
ROWS = np.array([[1.5, 2.0], [3.0, 4.0]])


def with_header(header: object, data: bytes = b"") -> bytes:
    """Return a file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def safetensors(**arrays: Array) -> bytes:
    """Return arrays as the format lays them out, one behind the other."""
    header: dict[str, Any] = {"__metadata__": {"made": "here"}}
    data = b""
    for name, array in arrays.items():
        offsets = [len(data), len(data) + array.nbytes]
        dtype, shape = NAMES[array.dtype.name], list(array.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += array.tobytes()
    return with_header(header, data)


@pytest.mark.parametrize("dtype", [name for name in NAMES if name != "void16"])
def test_every_type(dtype: str) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6]]).astype(dtype)
    rows = read(saved("x.safetensors", safetensors(z=values)))
    assert_array_equal(rows.values, values)
    assert rows.values.dtype == (dtype if dtype.startswith("float") else np.float64)


def test_bfloat16_comes_back_as_it_came() -> None:
    logits = nearest(np.random.default_rng(0).normal(size=(3, 4)))
    saved("x.safetensors", safetensors(z=packed(logits)))
    rows = read("x.safetensors")
    assert_array_equal(rows.values, logits)
    assert rows.source.dtype == BFLOAT16
    assert run("softmax-cli softmax x.safetensors -o y.safetensors").code == 0
    assert run("softmax-cli softmax x.safetensors -o y.npy").code == 0
    data = Path("y.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])["probabilities"]
    assert entry == {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}
    assert (8 + length) % 8 == 0
    stored = np.frombuffer(data[8 + length :], BFLOAT16).reshape(3, 4)
    assert_array_equal(widened(stored), widened(np.load("y.npy")))
    assert run("softmax-cli softmax x.safetensors --dtype float32 -o y.npy").code == 0
    assert np.load("y.npy").dtype == np.float32


def test_one_of_several() -> None:
    name = saved("x.safetensors", safetensors(a=ROWS, b=ROWS[:1].astype("f4"), c=ROWS[1:] * 2))
    assert_array_equal(read(name, key="b").values, ROWS[:1])
    assert_array_equal(read(name, key="c").values, ROWS[1:] * 2)
    assert (
        refusal(name) == "x.safetensors: holds 3 arrays; --key or FILE[KEY] chooses one of a, b, c"
    )
    assert refusal(name, key="d") == "x.safetensors: has no array 'd'; it has a, b, c"
    assert refusal(name, key="xyz") == "x.safetensors: has no array 'xyz'; it has a, b, c"


def test_a_stream_is_read_to_its_end() -> None:
    data = safetensors(a=ROWS * 2, z=ROWS)
    assert_array_equal(piped(data, key="z", input_format="safetensors").values, ROWS)
    with pytest.raises(Exception, match=r"other arrays follow 'a'; name a file"):
        piped(data, key="a", input_format="safetensors")


def _entry(**changed: Any) -> dict[str, Any]:
    return {"z": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 32], **changed}}


DATA = ROWS.tobytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends after 0 of the 8 bytes"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "has a header of 1099511627776 bytes"),
        ((50).to_bytes(8, "little") + b"{}", "has a header of 50 bytes"),
        (with_header(b"{]"), "has no valid header"),
        (with_header([1]), "has no valid header"),
        (with_header(b"[" * 100_000), "has no valid header"),
        (with_header({"z": 3}), "has no valid header"),
        (with_header(_entry(shape=[-1, 2]), DATA), "has no valid header"),
        (with_header(_entry(shape=[1 << 62, 4]), DATA), "has no valid header"),
        (with_header(_entry(shape=[True, 2]), DATA), "has no valid header"),
        (with_header(_entry(shape=None), DATA), "has no valid header"),
        (with_header(_entry(data_offsets=[32, 0]), DATA), "has no valid header"),
        (with_header(_entry(data_offsets=[8, 40]), DATA), "begins at byte 8, not 0"),
        (with_header({**_entry(), "y": _entry()["z"]}, DATA), "begins at byte 0, not 32"),
        (with_header(_entry(), DATA + b"x"), "and its header declares"),
        (with_header(_entry(), DATA[:-1]), "and its header declares"),
        (with_header(_entry(shape=[2, 3]), DATA), "and its header declares"),
        (with_header(_entry(dtype="F8_E4M3"), DATA), "holds F8_E4M3 values"),
        (with_header(_entry(shape=[], data_offsets=[0, 8]), DATA[:8]), "of shape ()"),
        (with_header({}), "holds 0 arrays; it is empty"),
    ],
)
def test_headers_that_are_not_to_be_trusted(data: bytes, said: str) -> None:
    line = refusal(saved("x.safetensors", data))
    assert line.startswith("x.safetensors")
    assert said in line
