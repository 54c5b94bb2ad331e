"""A file that changes while it is read is an error, whatever its format and whatever changed."""

from __future__ import annotations

import gzip
import os
import sys
import threading
import time
from collections.abc import Callable
from io import BufferedReader, FileIO
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError
from softmax_cli.formats.columnar import reader as columnar
from softmax_cli.formats.columns import line_table
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.options import ReadOptions
from softmax_cli.formats.opening.source import open_source
from softmax_cli.storage import input as streams
from tests.formats.rows import read, refusal, saved, write

VALUES = np.random.default_rng(3).normal(size=(500, 4))
# Formats of which a part is read before the rest.
IN_PARTS = [".csv", ".tsv", ".txt", ".jsonl", ".npy", ".npz", ".parquet", ".arrow", ".safetensors"]


def _grown(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(path.read_bytes()[-40:])


def _shrunk(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 40)


def _written_to(path: Path) -> None:
    later = path.stat().st_mtime_ns + 10**9
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(later, later))


CHANGES: dict[str, Callable[[Path], None]] = {
    "grew": _grown,
    "shrank": _shrunk,
    "was written to": _written_to,
}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 256)
    monkeypatch.setattr(line_table, "_CHUNK_BYTES", 1024)
    monkeypatch.setattr(columnar, "_WINDOW_ROWS", 50)
    monkeypatch.setattr(streams, "HEAD_BYTES", 512)


@pytest.mark.fast(8)
@pytest.mark.parametrize("happened", CHANGES)
@pytest.mark.parametrize("suffix", [*IN_PARTS, ".csv.gz"])
def test_a_file_that_changes_between_two_parts(suffix: str, happened: str) -> None:
    path = write(f"x{suffix}", VALUES)
    with open_source([str(path)], ReadOptions()) as source:
        parts = source.blocks()
        next(parts)
        CHANGES[happened](path)
        with pytest.raises(InputError, match=f"^{path}.*{happened} while it was read"):
            list(parts)


def test_a_table_that_is_replaced_is_not_half_of_each() -> None:
    path = write("x.parquet", VALUES)
    with open_source([str(path)], ReadOptions()) as source:
        parts = source.blocks()
        next(parts)
        write("y.parquet", VALUES + 1).replace(path)
        with pytest.raises(InputError, match="while it was read"):
            list(parts)


def test_a_file_that_is_replaced_is_read_as_it_was() -> None:
    path = write("x.npy", VALUES)
    with open_source([str(path)], ReadOptions()) as source:
        parts = source.blocks()
        first = next(parts)
        write("y.npy", VALUES + 1).replace(path)
        rows = np.concatenate([first.values, *(block.values for block in parts)])
    assert_array_equal(rows, VALUES)


@pytest.mark.parametrize("happened", CHANGES)
def test_standard_input_from_a_file_that_changes(happened: str) -> None:
    path = write("x.csv", VALUES)
    with path.open("rb") as stream:
        raw = BufferedReader(_Changing(stream.fileno(), path, CHANGES[happened]), 512)
        with (
            mock.patch.object(sys, "stdin", mock.Mock(buffer=raw)),
            pytest.raises(InputError, match=f"^standard input: {happened} while it was read"),
        ):
            read("-")


class _Changing(FileIO):
    """A file that changes once some of it has been read."""

    def __init__(self, descriptor: int, path: Path, change: Callable[[Path], None]) -> None:
        super().__init__(descriptor, closefd=False)
        self._path, self._change, self._reads = path, change, 0

    def readinto(self, buffer: object) -> int:
        self._reads += 1
        if self._reads == 3:
            self._change(self._path)
        return super().readinto(buffer)  # type: ignore[arg-type]


named_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none here")


@named_pipes
def test_a_pipe_is_waited_for_until_its_writer_comes() -> None:
    os.mkfifo("x.csv")

    def write_slowly() -> None:
        time.sleep(0.1)
        with Path("x.csv").open("w") as stream:
            stream.flush()
            time.sleep(0.3)
            stream.write("1,2\n3,4\n")

    writer = threading.Thread(target=write_slowly)
    writer.start()
    try:
        assert_array_equal(read("x.csv").values, [[1, 2], [3, 4]])
    finally:
        writer.join()


@named_pipes
def test_a_pipe_without_a_writer_is_not_waited_for() -> None:
    os.mkfifo("x.csv")
    with mock.patch.object(streams, "_PATIENCE_SECONDS", 0.05):
        assert refusal("x.csv") == (
            "x.csv: is a pipe that nobody writes to; start its writer first"
        )


@pytest.mark.slow
def test_a_large_part_of_what_is_compressed_is_still_read() -> None:
    """Rows that are alike compress well, and are read in parts, not held."""
    saved("x.csv", b"0.5,0.5\n" * 2_000_000)
    data = Path("x.csv").read_bytes()
    saved("y.csv.gz", gzip.compress(data, 9))
    assert Path("y.csv.gz").stat().st_size * 200 < len(data)
    with mock.patch.object(line_table, "_CHUNK_BYTES", 1 << 20):
        assert read("y.csv.gz").values.shape == (2_000_000, 2)


def test_a_device_is_refused() -> None:
    if sys.platform == "win32":
        pytest.skip("there is no such device")
    assert refusal("/dev/null").startswith("/dev/null: is a device; ")
