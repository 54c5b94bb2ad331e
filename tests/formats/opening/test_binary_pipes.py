"""Binary formats in a pipe: the bytes of the file, and the stream format of Arrow."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.formats.model import blocks
from tests.formats.rows import Array, piped, write
from tests.running import run


def through_a_pipe(values: Array, form: str, **options: Any) -> bytes:
    """Return what a pipe gets."""
    reader, writer = os.pipe()
    found: list[bytes] = []

    def read_all() -> None:
        with os.fdopen(reader, "rb") as stream:
            found.append(stream.read())

    thread = Thread(target=read_all)
    thread.start()
    write(f"/dev/fd/{writer}", values, format=form, **options)
    os.close(writer)
    thread.join(10)
    return found[0]


@pytest.mark.parametrize("form", ["npy", "npz", "safetensors", "parquet"])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_pipe_gets_the_bytes_of_the_file(form: str, rows: int) -> None:
    values = np.arange(3.0 * rows).reshape(rows, 3)
    file = write(f"x.{form}", values)
    assert through_a_pipe(values, form) == file.read_bytes()


def test_a_pipe_keeps_the_leading_shape() -> None:
    values = np.arange(12.0).reshape(6, 2)
    data = through_a_pipe(values, "npy", leading=(2, 3))
    assert np.load(io.BytesIO(data)).shape == (2, 3, 2)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_pipe_gets_the_stream_format_of_arrow(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softmax_cli.formats.columnar.writer._PART_ROWS", 2)
    values = np.arange(3.0 * rows).reshape(rows, 3)
    data = through_a_pipe(values, "arrow", names=("a", "b", "c"))
    assert data[:4] == data[-8:-4] == b"\xff" * 4
    frame = pl.read_ipc_stream(io.BytesIO(data))
    assert frame.columns == ["a", "b", "c"]
    assert_array_equal(frame.to_numpy(), values)


def test_standard_output_that_is_a_file_gets_the_file_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("out").open("wb") as stream:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
        write("-", np.ones((3, 2)), format="arrow")
        sys.stdout.flush()
        assert pl.read_ipc("out").shape == (3, 2)


@pytest.mark.parametrize(
    "line",
    [
        "softmax z.csv --format npy",
        "jacobian z.csv --format npy -o -",
        "jacobian z.csv --vjp 1,0,0 --format npy",
        "xent z.csv --labels 0,1 --reduction none --format npy",
        "softmax z.csv --on-bad-row skip --format npy",
    ],
)
def test_every_command_writes_into_a_pipe(line: str) -> None:
    Path("z.csv").write_text("1,2,4\n0.5,3,1\n")
    assert run(f"softmax-cli {line.removesuffix(' -o -')} -o file.npy").code == 0
    data = run(f"softmax-cli {line}").out.encode("utf-8", "surrogateescape")
    assert data == Path("file.npy").read_bytes()
    assert len(piped(data).values)


@pytest.mark.parametrize(
    ("line", "is_held"),
    [
        ("softmax z.npy --format npy", False),
        ("softmax z.npy --format safetensors", False),
        ("softmax z.npy --on-bad-row nan --format npy", False),
        ("softmax z.npy --on-bad-row skip --format npy", True),
        ("softmax z.npy --axis 0 --format npy", True),
        ("jacobian z.npy --format npy", False),
        ("jacobian z.npy --jvp 1,0,0 --format npy", False),
    ],
)
def test_rows_whose_number_is_certain_go_into_a_pipe_as_they_come(
    line: str, is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(0).normal(size=(7, 11, 3))
    if "--on-bad-row" in line:
        logits[2, 5, 1] = np.nan
    np.save("z.npy", logits)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    name = f"file.{line.rpartition(' ')[2]}"
    assert run(f"softmax-cli {line} -o {name}").code == 0
    file = mock.Mock(side_effect=tempfile.TemporaryFile)
    monkeypatch.setattr(tempfile, "TemporaryFile", file)
    data = run(f"softmax-cli {line}").out.encode("utf-8", "surrogateescape")
    assert data == Path(name).read_bytes()
    assert file.called == is_held


def test_what_one_command_writes_the_next_one_reads() -> None:
    data = run("softmax-cli softmax 1,2,4 0.5,3,1 --format npy").out
    assert_array_equal(
        piped(data.encode("utf-8", "surrogateescape")).values.sum(axis=1).round(12), [1, 1]
    )
