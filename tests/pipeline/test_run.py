"""Source, kernel and sink joined: order, counts, rows without a softmax, pairs, progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from softmax_cli.core.softmax.softmax import softmax
from softmax_cli.errors import InputError, SoftmaxCliError
from softmax_cli.formats.arrays.array import array_source
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.blocks import Block, Chunk, Source, from_blocks
from softmax_cli.formats.model.options import OnBadRow, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink
from softmax_cli.formats.opening.sink import open_sink
from softmax_cli.formats.opening.source import open_source
from softmax_cli.pipeline import reporting
from softmax_cli.pipeline.bad_rows import Counts, Kernel, zero_bad_rows
from softmax_cli.pipeline.pairing import peeked, zip_rows
from softmax_cli.pipeline.run import run
from tests.formats.conftest import folder
from tests.formats.rows import (
    ARRAYS,
    TEXTS,
    Array,
    Rows,
    examples,
    joined,
    raw_ids,
    read,
    same_bits,
    saved,
    write,
)

INF, NAN = np.inf, np.nan
QUIET = WriteOptions(quiet=True)


__all__ = ["folder"]


class Collected(Sink):
    """Keeps every block."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.blocks: list[Block] = []

    def write(self, block: Block) -> None:
        """Keep the block."""
        self.blocks.append(block)

    def rows(self, classes: int) -> Rows:
        """Join the blocks."""
        source = Source("sink", classes, np.dtype(float), from_blocks(lambda: iter(self.blocks)))
        return joined(source)


def in_blocks(values: Any, sizes: list[int], place: str = "x", **changes: Any) -> Source:
    """Return a source that yields blocks of these sizes, the last one with the rest."""
    array = np.asarray(values, float)
    starts = np.minimum([0, *np.cumsum(sizes, dtype=int)], len(array)).tolist()

    def block(start: int, end: int) -> Block:
        return Block(start, array[start:end], lambda row: f"{place}:{start + row}")

    def read_blocks() -> Iterator[Block]:
        for start, end in zip(starts, [*starts[1:], len(array)], strict=True):
            if start < end:
                yield block(start, end)

    return replace(Source(place, array.shape[-1], array.dtype, from_blocks(read_blocks)), **changes)


def softmaxed(block: Block) -> Block:
    return block.with_values(softmax(block.values))


def unchanged(block: Block) -> Block:
    return block


def results(source: Source, kernel: Kernel, on_bad_row: OnBadRow) -> tuple[Rows, Counts]:
    sink = Collected()
    counts = run(source, zero_bad_rows(kernel, on_bad_row), sink.prepare, on_bad_row, QUIET)
    return sink.rows(source.classes), counts


# Blocks of any size

LOGITS = np.random.default_rng(7).normal(0, 5, (50, 3))


@pytest.mark.fast(14)
@pytest.mark.parametrize("block_bytes", [1, 24, 100, 1199, 1200, 1201, 1 << 20])
@pytest.mark.parametrize("suffix", [*TEXTS, *ARRAYS])
def test_any_block_size_gives_the_same_numbers(
    suffix: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"x{suffix}", LOGITS)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    options = WriteOptions(output=f"y{suffix}")
    with open_source([f"x{suffix}"], ReadOptions()) as source:
        result = Result("softmax", "probabilities", source.classes, source.dtype)
        with open_sink(result, options, source.paths) as sink:
            assert run(source, softmaxed, sink.prepare, "error", options) == Counts(read=50)
    assert same_bits(read(f"y{suffix}").values, softmax(LOGITS))


@pytest.mark.parametrize("block_bytes", [1, 48, 1 << 20])
def test_any_block_size_keeps_ids_and_places(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved("x.csv", "id,a\n" + "".join(f"r{row},{row}\n" for row in range(9)))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    back = read("x.csv", id_columns=["id"])
    assert back.ids == [(b"r%d" % row,) for row in range(9)]
    assert back.places == [f"x.csv:{row + 2}" for row in range(9)]


def test_a_block_may_be_split_for_a_kernel() -> None:
    def rows(block: Block) -> Iterator[Block]:
        for row in range(len(block.values)):
            yield block.rows(np.array([row]), block.start + row)

    def doubled(block: Block) -> Block:
        row = block.values[0]
        return Block(2 * block.start, np.array([row, -row]), str)

    sink = Collected()
    counts = run(in_blocks([[1, 4], [2, 5]], [1]), doubled, sink.prepare, "error", QUIET, rows)
    assert counts.read == 2
    assert_array_equal(sink.rows(2).values, [[1, 4], [-1, -4], [2, 5], [-2, -5]])


# Rows in, rows out


def _one_less(chunk: Chunk) -> Chunk:
    return chunk.map(lambda block: block.part(1, len(block.values)))


LOSSES: dict[str, Callable[[list[Chunk]], list[Chunk]]] = {
    "a portion is lost": lambda chunks: chunks[1:],
    "the last is lost": lambda chunks: chunks[:-1],
    "a portion comes twice": lambda chunks: [chunks[0], *chunks],
    "two change places": lambda chunks: [chunks[1], chunks[0], *chunks[2:]],
    "a row is lost": lambda chunks: [chunks[0], _one_less(chunks[1]), *chunks[2:]],
}


@pytest.mark.fast(8)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("on_bad_row", ["error", "nan", "skip"])
def test_a_reader_that_loses_rows_is_found_out(
    lost: str, on_bad_row: OnBadRow, threads: int
) -> None:
    source = in_blocks(LOGITS, [10] * 4, rows=50)
    broken = LOSSES[lost](list(source.chunks()))
    source = replace(source, chunks=lambda: iter(broken))
    with pytest.raises(SoftmaxCliError, match="rows"):
        run(source, softmaxed, Collected().prepare, on_bad_row, replace(QUIET, threads=threads))


def _lost_in_the_middle(block: Block) -> Block:
    return block.part(0, 5) if block.start == 20 else block


def _twice(block: Block) -> Block:
    return replace(block, start=0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernel", [_lost_in_the_middle, _twice])
def test_a_kernel_that_loses_rows_is_found_out(kernel: Kernel, threads: int) -> None:
    source = in_blocks(LOGITS, [10] * 4)
    with pytest.raises(SoftmaxCliError, match="this is a bug in the program"):
        run(source, kernel, Collected().prepare, "error", replace(QUIET, threads=threads))


def test_lines_lost_at_the_end_are_found_out() -> None:
    source, keep = in_blocks(LOGITS, [49]), Collected().prepare
    with pytest.raises(SoftmaxCliError, match="49 lines were written for 50 rows"):
        run(source, lambda block: block.part(0, 49 - block.start), keep, "error", QUIET)


def test_rows_left_out_are_not_lost() -> None:
    rows = LOGITS.copy()
    rows[[3, 17, 49]] = NAN
    back, counts = results(in_blocks(rows, [10] * 4), softmaxed, "skip")
    assert (len(back.values), counts.read, counts.bad) == (47, 50, 3)


def test_rows_behind_a_skipped_row_keep_their_number_in_later_blocks() -> None:
    rows = LOGITS.copy()
    rows[3] = NAN
    numbers: list[int] = []

    def kernel(block: Block) -> Block:
        numbers.extend(block.number(row) for row in range(len(block.values)))
        return block

    run(in_blocks(rows, [10] * 4), kernel, Collected().prepare, "skip", QUIET)
    assert numbers == [row for row in range(50) if row != 3]


def test_an_error_in_a_kernel_leaves_no_output() -> None:
    def broken(block: Block) -> Block:
        if block.start:
            raise KeyError("broken")
        return block

    result = Result("softmax", "probabilities", 1, np.dtype(float))
    with pytest.raises(KeyError), open_sink(result, WriteOptions(output="y.csv")) as sink:
        run(in_blocks([[1], [2], [3]], [2]), broken, sink.prepare, "error", QUIET)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("rows", [2, 4])
def test_rows_that_were_promised(rows: int) -> None:
    source = in_blocks([[1], [2], [3]], [2], rows=rows)
    with pytest.raises(SoftmaxCliError, match=f"^x: 3 of {rows} rows were read$"):
        run(source, unchanged, Collected().prepare, "error", QUIET)


# Rows without a softmax

BAD_ROWS = {"NaN": [0.0, NAN], "+inf": [INF, 0.0], "nothing but -inf": [-INF, -INF]}
MIXED = [[1, 2], BAD_ROWS["NaN"], [3, -INF], BAD_ROWS["+inf"], BAD_ROWS["nothing but -inf"], [5, 6]]
GOOD = [0, 2, 5]
any_sizes = pytest.mark.parametrize("sizes", [[], [1], [2, 2], [1] * 5, [3], [5]])


@any_sizes
@pytest.mark.parametrize(("on_bad_row", "filling"), [("nan", NAN), ("zero", 0.0), ("skip", None)])
def test_on_bad_row(on_bad_row: OnBadRow, filling: float | None, sizes: list[int]) -> None:
    back, counts = results(in_blocks(MIXED, sizes), softmaxed, on_bad_row)
    assert counts == Counts(6, 3, "x:1", "has no softmax: it holds NaN")
    good = softmax(np.array(MIXED)[GOOD])
    if filling is None:
        assert_array_equal(back.values, good)
        assert back.places == [f"x:{row}" for row in GOOD]
    else:
        expected = np.full((6, 2), filling)
        expected[GOOD] = good
        assert_array_equal(back.values, expected)
        assert back.places == [f"x:{row}" for row in range(6)]


@any_sizes
def test_error_names_the_first_and_counts_the_rest(sizes: list[int]) -> None:
    sink = Collected()
    with pytest.raises(InputError) as error:
        run(in_blocks(MIXED, sizes), softmaxed, sink.prepare, "error", QUIET)
    assert str(error.value) == (
        "x:1: has no softmax: it holds NaN, and 2 more rows have none; "
        "--on-bad-row nan, zero or skip goes on without it"
    )
    # What came before it may be written; the sink is abandoned.
    assert sum(len(block.values) for block in sink.blocks) <= 1


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        *(([row], f"it holds {what};") for what, row in BAD_ROWS.items()),
        ([[NAN, INF]], "it holds NaN;"),
        ([[INF, -INF]], "it holds +inf;"),
        ([BAD_ROWS["NaN"]] * 2, "it holds NaN, and 1 more row has none;"),
        ([BAD_ROWS["NaN"]] * 1001, "it holds NaN, and 1000 more rows have none;"),
    ],
)
def test_what_is_wrong_with_a_row(rows: list[list[float]], problem: str) -> None:
    with pytest.raises(InputError) as error:
        run(in_blocks(rows, []), softmaxed, Collected().prepare, "error", QUIET)
    assert str(error.value).startswith(f"x:0: has no softmax: {problem} --on-bad-row ")


@pytest.mark.parametrize(
    ("on_bad_row", "rows", "note"),
    [
        ("nan", MIXED, "x: 3 rows without a softmax set to NaN; the first: x:1"),
        ("zero", MIXED, "x: 3 rows without a softmax set to 0; the first: x:1"),
        ("skip", MIXED, "x: 3 rows without a softmax skipped; the first: x:1"),
        ("skip", MIXED[:2], "x: 1 row without a softmax skipped; the first: x:1"),
        ("skip", MIXED[:1], ""),
        ("nan", MIXED[2:3], ""),
    ],
)
def test_the_count_is_noted(
    on_bad_row: OnBadRow, rows: Any, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(in_blocks(rows, []), softmaxed, Collected().prepare, on_bad_row, WriteOptions())
    captured = capsys.readouterr()
    assert captured.err == (f"softmax-cli: {note}\n" if note else "")
    assert captured.out == ""
    run(in_blocks(rows, []), softmaxed, Collected().prepare, on_bad_row, QUIET)
    assert capsys.readouterr().err == ""


def test_a_note_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    source = in_blocks([BAD_ROWS["NaN"]], [], place="a\nb\x1b[31m")
    run(source, softmaxed, Collected().prepare, "nan", WriteOptions())
    assert capsys.readouterr().err.count("\n") == 1


def test_all_rows_skipped() -> None:
    back, counts = results(in_blocks([[NAN], [INF], [-INF]], [2]), softmaxed, "skip")
    assert back.values.shape == (0, 1)
    assert counts.bad == counts.read == 3


def test_the_input_stays_as_it_was() -> None:
    array = np.array(MIXED, float)
    results(array_source(array, "x"), softmaxed, "nan")
    assert_array_equal(array, MIXED)


def test_skip_takes_ids_and_labels_along() -> None:
    block = Block(
        0, np.array(MIXED), str, raw_ids([(b"%d" % n,) for n in range(6)]), list("abcdef")
    )
    source = Source("x", 2, np.dtype(float), from_blocks(lambda: iter([block])))
    back, _ = results(source, unchanged, "skip")
    assert back.ids == [(b"0",), (b"2",), (b"5",)]
    assert back.labels == ["a", "c", "f"]


rows_of_any_kind = st.lists(
    st.sampled_from([[0.0, 1.0], [2.0, -INF], *BAD_ROWS.values()]), min_size=1, max_size=12
)


@examples
@given(rows_of_any_kind, st.lists(st.integers(1, 4), max_size=4))
def test_skip_gives_the_softmax_of_the_good_rows(rows: Any, sizes: list[int]) -> None:
    back, counts = results(in_blocks(rows, sizes), softmaxed, "skip")
    good = [row for row in rows if row in ([0.0, 1.0], [2.0, -INF])]
    assert counts.bad == len(rows) - len(good)
    assert_array_equal(back.values, softmax(np.array(good).reshape(-1, 2)))


# Pairs of sources


def partners(source: Source) -> Array:
    return np.concatenate([np.asarray(block.partner) for block in source.blocks()])


@examples
@given(st.integers(1, 9), st.data())
def test_rows_are_paired_whatever_the_blocks(rows: int, data: st.DataObject) -> None:
    sizes = st.lists(st.integers(1, 4), max_size=4)
    values = np.arange(2.0 * rows).reshape(rows, 2)
    left = in_blocks(values, data.draw(sizes))
    right = in_blocks(-values[:, :1], data.draw(sizes), "y")
    both = zip_rows(left, right)
    assert_array_equal(partners(both), -values[:, :1])


@pytest.mark.parametrize("sizes", [[], [1], [2]])
@pytest.mark.parametrize(
    ("rows", "problem"), [(1, "fewer"), (2, "fewer"), (4, "more"), (5, "more")]
)
def test_sources_of_different_lengths(rows: int, problem: str, sizes: list[int]) -> None:
    left, right = in_blocks(np.ones((3, 2)), [2]), in_blocks(np.ones((rows, 1)), sizes, "y")
    with pytest.raises(InputError, match=f"^y: has {problem} rows than x; "):
        run(zip_rows(left, right), unchanged, Collected().prepare, "error", QUIET)


def test_an_empty_partner() -> None:
    left, right = in_blocks(np.ones((1, 2)), []), in_blocks(np.empty((0, 2)), [], "y")
    with pytest.raises(InputError, match=r"^y: has fewer rows than x; "):
        partners(zip_rows(left, right))


@pytest.mark.parametrize("known", [None, 1])
def test_one_row_for_every_row(known: int | None) -> None:
    left = in_blocks(np.ones((5, 2)), [2, 2])
    right = in_blocks([[7, 8]], [], "y", rows=known)
    assert_array_equal(partners(zip_rows(left, right, every_row=True)), [[7, 8]] * 5)
    with pytest.raises(InputError, match=r"^y: has fewer rows than x; "):
        partners(zip_rows(left, in_blocks([[7, 8]], [], "y", rows=known)))


def test_two_rows_are_not_for_every_row() -> None:
    left, right = in_blocks(np.ones((5, 2)), []), in_blocks([[7, 8]] * 2, [1], "y")
    with pytest.raises(InputError, match=r"^y: has fewer rows than x; "):
        partners(zip_rows(left, right, every_row=True))


@any_sizes
def test_partners_follow_their_rows_when_some_are_skipped(sizes: list[int]) -> None:
    right = in_blocks([[row] for row in range(6)], [4], "y")
    sink = Collected()
    run(zip_rows(in_blocks(MIXED, sizes), right), unchanged, sink.prepare, "skip", QUIET)
    kept = [np.asarray(block.partner) for block in sink.blocks]
    assert_array_equal(np.concatenate(kept), [[row] for row in GOOD])


@pytest.mark.parametrize(("rows", "single"), [(0, False), (1, True), (2, False), (5, False)])
@pytest.mark.parametrize("known", [True, False])
def test_peeking_loses_no_row(rows: int, single: bool, known: bool) -> None:
    values = np.arange(2.0 * rows).reshape(rows, 2)
    source = in_blocks(values, [1] * (rows - 1), rows=rows if known else None)
    source, found = peeked(source)
    assert found == single
    assert_array_equal(joined(source).values, values)


# Progress


class Terminal(io.StringIO):
    """A standard error that a person reads."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return True


@pytest.mark.parametrize(
    ("delay", "options", "shows"),
    [
        (0, WriteOptions(), True),
        (60, WriteOptions(), False),
        (0, WriteOptions(no_progress=True), False),
        (0, WriteOptions(quiet=True), False),
    ],
)
def test_progress(
    delay: float, options: WriteOptions, shows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(reporting, "DELAY_SECONDS", delay)
    monkeypatch.setenv("TERM", "xterm")

    def slow(block: Block) -> Block:
        end = monotonic() + 10
        while shows and "rows" not in terminal.getvalue() and monotonic() < end:
            sleep(0.01)
        return block

    source = in_blocks(np.ones((4, 2)), [1, 1], rows=4)
    run(source, slow, Collected().prepare, "error", options)
    assert bool(terminal.getvalue()) == shows
    assert ("rows" in terminal.getvalue()) == shows


def test_a_pipe_that_brings_nothing_shows_the_bytes_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(reporting, "DELAY_SECONDS", 0)
    monkeypatch.setenv("TERM", "xterm")
    with reporting.progress_bar("a pipe", None, None, WriteOptions(), lambda: 20_000):
        end = monotonic() + 10
        while "20 kB" not in terminal.getvalue() and monotonic() < end:
            sleep(0.01)
    assert "20 kB, " in terminal.getvalue()


def test_no_progress_away_from_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reporting, "DELAY_SECONDS", 0)
    run(in_blocks(np.ones((4, 2)), [1, 1]), unchanged, Collected().prepare, "error", WriteOptions())
    assert capsys.readouterr().err == ""
