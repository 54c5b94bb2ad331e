"""Files that are not damaged, but newer or older, encrypted, or of codecs that are not read."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from softmax_cli.formats.columnar.parquet_footer import decode, encode
from tests.formats.arrays.test_npy import npy
from tests.formats.arrays.test_safetensors import with_header
from tests.formats.columnar.test_parquet_footer import patch, with_footer
from tests.formats.rows import NO_ZSTANDARD, read, refusal, saved
from tests.peers.make.pandas_index import HERE

TABLE = np.arange(6.0).reshape(2, 3)
CODEC, TYPE = (4, 1, 3, 4), (2, 1)
ENCODING = (5, 2)


@pytest.mark.parametrize("version", [(4, 0), (0, 0), (1, 1), (255, 3)])
def test_npy_of_other_versions(version: tuple[int, int]) -> None:
    data = bytearray(npy(TABLE))
    data[6:8] = version
    said = f"is an NPY file of version {version[0]}.{version[1]}, and 1.0, 2.0 and 3.0 are read"
    assert refusal(saved("x.npy", bytes(data))) == f"x.npy: {said}; write it again with numpy.save"


def _zip(method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("a.npy", npy(TABLE))
    return bytearray(stream.getvalue())


def _zip_with(at: int, value: int) -> bytes:
    data = _zip()
    data[at] = data[data.find(b"PK\x01\x02") + at + 2] = value
    return bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_methods_that_python_has(method: int) -> None:
    np.testing.assert_array_equal(read(saved("x.npz", bytes(_zip(method)))).values, TABLE)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_that_grow_too_much_are_not_called_damaged(method: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("a.npy", npy(np.zeros((1 << 17, 8))))
    assert "x.npz[a]: grows to over 1032 times its size; write it again with numpy.savez" in (
        refusal(saved("x.npz", stream.getvalue()))
    )


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *((1, "Shrink"), (6, "Implode"), (9, "Deflate64"), (93, "Zstandard"), (95, "XZ")),
        *((98, "PPMd"), (77, "method 77")),
    ],
)
def test_zips_of_other_methods(method: int, name: str) -> None:
    problem = f"'a.npy' is compressed with {name}"
    said = f"x.npz: {problem}; write it again with numpy.savez or numpy.savez_compressed"
    assert refusal(saved("x.npz", _zip_with(8, method))) == said


@pytest.mark.parametrize("flag", [0x01, 0x41])
def test_encrypted_zips(flag: int) -> None:
    said = "x.npz: 'a.npy' is encrypted; write it again without a password"
    assert refusal(saved("x.npz", _zip_with(6, flag))) == said


@pytest.mark.parametrize(("at", "value", "why"), [(4, 99, "zip file version"), (6, 32, "patched")])
def test_zips_of_other_features(at: int, value: int, why: str) -> None:
    message = refusal(saved("x.npz", _zip_with(at, value)))
    assert message.startswith("x.npz: cannot be read: ")
    assert why in message
    assert message.endswith("; write it again with numpy.savez or numpy.savez_compressed")


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64", "new"])
def test_tensors_of_other_types(dtype: str) -> None:
    entry = {"dtype": dtype, "shape": [2, 3], "data_offsets": [0, 6]}
    said = f"x.safetensors[a]: holds {dtype} values; integers, F16, BF16, F32 or F64 are read"
    assert refusal(saved("x.safetensors", with_header({"a": entry}, bytes(6)))) == said


def test_tensors_of_truth_values() -> None:
    entry = {"dtype": "BOOL", "shape": [2, 3], "data_offsets": [0, 6]}
    said = "x.safetensors[a]: holds BOOL values; store truth values as numbers, 0 and 1"
    assert refusal(saved("x.safetensors", with_header({"a": entry}, bytes(6)))) == said


def _parquet() -> bytes:
    stream = io.BytesIO()
    pl.DataFrame(TABLE).write_parquet(stream, compression="uncompressed")
    return stream.getvalue()


def _with_encoding(number: int) -> bytes:
    """Return a Parquet file whose first page says that it has another encoding."""
    data = _parquet()
    header = decode(iter(data[4:]))
    old = encode(header)
    patch(header, ENCODING, number)
    new = encode(header)
    assert data[4:].startswith(old)
    assert len(new) == len(old)
    return data[:4] + new + data[4 + len(new) :]


def _with_footer(path: tuple[int, ...], number: int) -> bytes:
    return with_footer(_parquet(), path, number)


LACKS = "uses a part of Parquet that is not read here: Not yet supported: "


def test_a_codec_and_an_encoding_that_polars_lacks() -> None:
    remedy = "write it again with plain columns, and compressed with zstd or not at all"
    message = refusal(saved("x.parquet", with_footer(_parquet(), CODEC, 3)))
    assert message == f"x.parquet: {LACKS}Compression Lzo is not supported; {remedy}"
    message = refusal(saved("x.parquet", _with_encoding(4)))
    assert message.startswith(f"x.parquet: {LACKS}Decoding ")
    assert message.endswith(f"; {remedy}")


@pytest.mark.parametrize(
    "data",
    [
        *(partial(_with_footer, CODEC, number) for number in (8, 99)),
        *(partial(_with_encoding, number) for number in (10, 30)),
        partial(_with_footer, TYPE, 8),
    ],
)
def test_numbers_that_polars_does_not_know_may_be_newer(data: Callable[[], bytes]) -> None:
    message = refusal(saved("x.parquet", data()))
    assert message.startswith("x.parquet: cannot be read: ")
    assert message.endswith(f"; it is damaged, or newer than Polars {pl.__version__} reads")


def test_what_is_damaged_is_still_damaged() -> None:
    data = _parquet()
    for cut in (data[:-9] + data[-8:], data[:-20], with_footer(data, CODEC, 6)):
        assert refusal(saved("x.parquet", cut)).endswith("; it is damaged")
    arrow = io.BytesIO()
    pl.DataFrame(TABLE).write_ipc(arrow)
    assert refusal(saved("x.arrow", arrow.getvalue()[:-9])).endswith("; it is damaged")


LACKS_ARROW = "uses a part of Arrow IPC that is not read here: "


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(
            (
                f"encrypted_{what}.parquet",
                "is an encrypted Parquet file; write it again without encryption",
            )
            for what in ("whole", "columns")
        ),
        ("version1.feather", "is Feather version 1; write it again as version 2, with pyarrow"),
        ("union.arrow", f"{LACKS_ARROW}Arrow datatype Union("),
        ("list_view.arrow", f"{LACKS_ARROW}not yet implemented; write it again with plain columns"),
    ],
)
def test_files_of_pyarrow(name: str, said: str) -> None:
    saved(name, (HERE / name).read_bytes())
    message = refusal(name)
    assert message.startswith(f"{name}: {said}")
    assert "damaged" not in message


@NO_ZSTANDARD
def test_zstandard_that_needs_what_is_not_here() -> None:
    import zstandard

    samples: list[Any] = [str(number).encode() * 20 for number in range(1000)]
    dictionary = zstandard.train_dictionary(1000, samples)
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"1,2,3\n" * 10)
    said = "was compressed with a dictionary, which is not in it; compress without one"
    assert refusal(saved("x.csv.zst", data)) == f"x.csv.zst: {said}"
    parameters = zstandard.ZstdCompressionParameters(window_log=30)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = stream.compress(b"1,2,3\n" * 10) + stream.flush()
    said = "has a window of more than 128 MiB; compress without --long and --ultra"
    assert said in refusal(saved("x.csv.zst", data))
    assert "damaged" in refusal(saved("x.csv.zst", zstandard.compress(b"1,2,3\n" * 99)[:-3]))


@NO_ZSTANDARD
@pytest.mark.parametrize("first", range(0x50, 0x60))
def test_zstandard_with_frames_that_are_skipped(first: int) -> None:
    import zstandard

    skipped = bytes([first]) + b"\x2a\x4d\x18\x04\0\0\0abcd"
    row = zstandard.compress(b"1,2,3\n")
    for data in (skipped + row, skipped + skipped + row + skipped + row, row + skipped):
        values = read(saved("x.csv.zst", data)).values
        assert values.tolist() == [[1, 2, 3]] * data.count(row)


def test_gzip_of_another_method() -> None:
    data = bytearray(gzip.compress(b"1,2\n"))
    data[2] = 7
    said = "has an unknown compression method; use gzip or zstd"
    assert refusal(saved("x.csv.gz", bytes(data))) == f"x.csv.gz: {said}"
    assert "damaged" in refusal(saved("x.csv.gz", gzip.compress(b"1,2\n" * 99)[:-9]))
