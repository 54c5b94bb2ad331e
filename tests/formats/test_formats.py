"""Which format is meant, and what is never read."""

from __future__ import annotations

import gzip
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.opening.files import open_file
from softmax_cli.formats.registry import FORMATS, output_format, suffix_format
from tests.formats.arrays.test_npy import npy
from tests.formats.rows import Trickle, piped, read, refusal, saved

SUFFIXES = {suffix: form.name for form in FORMATS for suffix in form.suffixes}
PICKLES = {
    ".pt": "torch.load",
    ".PTH": "torch.load",
    ".pkl": "pickle.load",
    ".pickle": "pickle.load",
}


def test_every_suffix_has_one_format() -> None:
    assert len(SUFFIXES) == sum(len(form.suffixes) for form in FORMATS)
    assert len({form.name for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(("suffix", "name"), SUFFIXES.items())
@pytest.mark.parametrize("more", ["", ".gz", ".zst", ".GZ"])
def test_suffix(suffix: str, name: str, more: str) -> None:
    for path in (f"x{suffix}{more}", f"/a.b/x.y{suffix.upper()}{more}"):
        form = suffix_format(path)
        assert form is not None
        assert form.name == name


@pytest.mark.parametrize("path", ["x", "csv", ".csv", "x.gz", "x.csv.bak", "x.csv/y", ""])
def test_no_suffix(path: str) -> None:
    assert suffix_format(path) is None


@pytest.mark.parametrize(
    ("options", "terminal", "name"),
    [
        (WriteOptions(), False, "csv"),
        (WriteOptions(), True, "table"),
        (WriteOptions(output="-"), False, "csv"),
        (WriteOptions(output="-"), True, "table"),
        (WriteOptions(format="json"), True, "json"),
        (WriteOptions(output="x.npz"), True, "npz"),
        (WriteOptions(output="x.tsv.gz"), True, "tsv"),
        (WriteOptions(output="x.npy", format="csv"), False, "csv"),
        (WriteOptions(output="x", format="table"), False, "table"),
    ],
)
def test_output_format(
    options: WriteOptions, terminal: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert output_format(options).name == name


@pytest.mark.parametrize(
    ("options", "place", "words"),
    [
        (WriteOptions(format="bogus"), "--format", "csv, tsv, txt, json, jsonl, npy, npz, "),
        (WriteOptions(output="x.bogus"), "x.bogus", ".csv .tsv .txt"),
        (WriteOptions(output="x"), "x", "--format"),
        (WriteOptions(output="x.npy.gz"), "x.npy.gz", "not written compressed"),
        (WriteOptions(output="x.NPZ.ZST"), "x.NPZ.ZST", "not written compressed"),
    ],
)
def test_no_output_format(options: WriteOptions, place: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        output_format(options)
    assert str(error.value).startswith(f"{place}: ")
    assert words in str(error.value)


@pytest.mark.parametrize("form", ["npy", "arrow", "parquet"])
def test_a_binary_format_is_for_a_file_or_a_pipe(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert output_format(WriteOptions(format=form, output="x.bin")).name == form
    for output in (None, "-"):
        with pytest.raises(UsageError, match=f"--format: {form} is binary, .* terminal; .* -o"):
            output_format(WriteOptions(format=form, output=output))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert output_format(WriteOptions(format=form, output="-")).name == form


class Trap:
    """Leaves a trace when a pickle of it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        """Run code when read."""
        return Path.touch, (Path("trace"),)


@pytest.mark.parametrize(("suffix", "converter"), PICKLES.items())
def test_pickles_are_never_read(suffix: str, converter: str) -> None:
    name = saved(f"x{suffix}", pickle.dumps(Trap()))
    line = refusal(name)
    assert line.startswith(f"{name}: ")
    assert "python -c" in line
    assert converter in line
    assert not Path("trace").exists()


@pytest.mark.parametrize("name", ["x", "x.csv", "x.json", "x.npy", "x.npz"])
def test_a_pickle_under_another_name_is_never_read(name: str) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert refusal(saved(name, pickle.dumps(Trap(), protocol))).startswith(name)
    assert not Path("trace").exists()


def test_a_file_alone() -> None:
    saved("12", "3 4\n")
    with open_file("12", ReadOptions()) as source:
        assert source.paths == (Path("12"),)
        assert_array_equal(next(source.blocks()).values, [[3, 4]])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"^x\.csv: no such file$"):
        open_file("x.csv", ReadOptions())


@pytest.mark.parametrize("name", ["a b.csv", "é.csv", "-x.csv", "[x.csv", "x*.csv", "1e5.csv"])
def test_any_name(name: str) -> None:
    assert read(saved(name, "1,2\n3,4\n")).places == [f"{name}:1", f"{name}:2"]


TWO_BY_TWO = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(
    "data",
    [
        b"1,2\n3,4\n",
        b"[1, 2]\n[3, 4]\n",
        b"[[1, 2], [3, 4]]",
        gzip.compress(b"1,2\n3,4\n"),
        npy(TWO_BY_TWO),
    ],
    ids=["csv", "jsonl", "json", "gzip", "npy"],
)
def test_a_pipe_that_brings_few_bytes_at_a_time(data: bytes, size: int) -> None:
    assert_array_equal(piped(Trickle(data, size)).values, TWO_BY_TWO)
