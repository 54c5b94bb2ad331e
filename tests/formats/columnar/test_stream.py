"""Arrow's IPC stream: batch by batch, from a pipe or a file; damage is an error."""

from __future__ import annotations

import gzip
import io
import random
from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError
from softmax_cli.formats.columnar import reader, stream
from tests.formats.rows import Trickle, piped, read, refusal, saved
from tests.running import run

END = b"\xff\xff\xff\xff\0\0\0\0"
FRAME = pl.DataFrame(
    {"id": [1, 2, 3, 4, 5], "a": [1.0, 2.0, 3.0, None, 5.0], "b": [0.5, 1.5, 2.5, 3.5, 4.5]}
)
LABELS = pl.Series("y", ["b", "a", "b", "a", "b"]).cast(pl.Categorical)


def streamed(frame: pl.DataFrame, rows: int = 2, **options: Any) -> bytes:
    """Return the frame as a stream with batches of so many rows."""
    data = b""
    for start in range(0, max(1, len(frame)), rows):
        part = io.BytesIO()
        frame.slice(start, rows).write_ipc_stream(part, **options)
        message = part.getvalue().removesuffix(END)
        schema = 8 + int.from_bytes(message[4:8], "little")
        data += message if not data else message[schema:]
    return data + END


@pytest.mark.parametrize("together", [1, 1 << 24])
@pytest.mark.parametrize("window", [1, 3, 1 << 18])
@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_rows_of_all_batches(
    together: int, window: int, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_TOGETHER", together)
    monkeypatch.setattr(reader, "_WINDOW_ROWS", window)
    data = streamed(FRAME.with_columns(LABELS), compression=compression)
    for back in (
        piped(data, id_columns=["id,y"]),
        piped(Trickle(data, 7), id_columns=["id,y"]),
        read(saved("x.arrow", data), id_columns=["id,y"]),
        read(saved("x.arrows", data.removesuffix(END)), id_columns=["id,y"]),
    ):
        assert_array_equal(back.values, FRAME.select("a", "b").to_numpy())
        words = [cells[1] for cells in back.ids]
        assert words == [b"b", b"a", b"b", b"a", b"b"]
        assert [place.split(": ")[-1] for place in back.places] == [f"row {n}" for n in range(5)]
        assert (back.source.rows, back.source.class_names) == (None, ("a", "b"))


@pytest.mark.parametrize("fixed", [True, False])
def test_lists_of_a_stream(fixed: bool) -> None:
    values = np.arange(12.0).reshape(4, 3)
    column = pl.Series("z", values)
    data = streamed((column if fixed else column.arr.to_list()).to_frame())
    back = piped(data)
    assert_array_equal(back.values, values)
    assert back.source.list_name == "z"


def test_a_dictionary_is_replaced_after_the_first_list() -> None:
    parts = [
        streamed(pl.DataFrame({"id": pl.Series(words, dtype=pl.Categorical), "z": [[1.0, 2.0]]}))
        for words in (["a"], ["b"], ["c"])
    ]
    schema = 8 + int.from_bytes(parts[0][4:8], "little")
    data = parts[0].removesuffix(END) + b"".join(
        part[schema:].removesuffix(END) for part in parts[1:]
    )
    assert piped(data + END, id_columns=["id"]).ids == [(b"a",), (b"b",), (b"c",)]


def test_through_the_program() -> None:
    saved("x.arrow", streamed(FRAME.drop_nulls().with_columns(y=pl.Series([0, 1, 0, 1]))))
    FRAME.drop_nulls().write_csv("x.csv")
    expected = run("softmax-cli softmax x.csv --id-columns id")
    outcome = run("softmax-cli softmax x.arrow --columns a,b --id-columns id")
    assert (outcome.code, outcome.out) == (0, expected.out)
    expected = run("softmax-cli xent x.csv --id-columns id --labels 0,1,0,1")
    outcome = run("softmax-cli xent x.arrow --columns a,b --label-column y")
    assert (outcome.code, outcome.out) == (0, expected.out)
    assert run("softmax-cli softmax x.arrow --columns a,b -o y.npy").code == 0


def test_labels_of_a_stream() -> None:
    saved("y.arrow", streamed(LABELS.to_frame()))
    saved("z.csv", "a,b\n" + "1,2\n" * 5)
    outcome = run("softmax-cli xent z.csv --labels y.arrow --reduction none")
    assert len(outcome.out.splitlines()) == 5


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (streamed(FRAME)[:-30], "bytes that should come next; it is cut short"),
        (streamed(FRAME) * 2, "has data after its end; give a single stream"),
        (END, "is no Arrow IPC stream: it does not begin with a schema; it is damaged"),
        (END[:4] + b"\xff\xff\xff\x7f", "its messages have no valid sizes"),
        (END[:4] + b"\x08\0\0\0" + b"\xff" * 8, "a message is not valid; it is damaged"),
        (streamed(FRAME.select("a").clear()), "a header and no rows"),
    ],
)
def test_refused(data: bytes, line: str) -> None:
    saved("x.arrow", data)
    outcome = run("softmax-cli softmax x.arrow")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("softmax-cli: x.arrow: ")
    assert line in outcome.err


def test_an_index_that_pandas_notes() -> None:
    part = io.BytesIO()
    frame = FRAME.rename({"id": "__index_level_0__"})
    frame.write_ipc_stream(part)
    assert "is the index of a data frame" in refusal(saved("x.arrow", part.getvalue()))


def test_damaged_anywhere(capfd: pytest.CaptureFixture[str]) -> None:
    good = streamed(FRAME.select("a", "b"))
    chance = random.Random(0)
    for size in range(4, len(good) - 8, 11):
        with suppress(InputError):
            read(saved("x.arrow", good[:size]))
    for _ in range(100):
        data = bytearray(good)
        data[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
        with suppress(InputError):
            read(saved("x.arrow", bytes(data)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("form", "name", "remedy"),
    [
        ("parquet", "x.parquet.gz", "which compressed bytes hide; decompress it first"),
        ("arrow", "x.arrow.gz", "which compressed bytes hide; decompress it first"),
    ],
)
def test_a_file_that_has_no_end(form: str, name: str, remedy: str) -> None:
    data = io.BytesIO()
    FRAME.write_parquet(data) if form == "parquet" else FRAME.write_ipc(data)
    assert refusal(saved(name, gzip.compress(data.getvalue()))).endswith(remedy)


def test_a_compressed_stream_is_read() -> None:
    name = saved("x.arrow.gz", gzip.compress(streamed(FRAME)))
    assert_array_equal(read(name, id_columns=["id"]).values, FRAME.select("a", "b").to_numpy())
