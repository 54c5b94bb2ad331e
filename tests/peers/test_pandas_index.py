"""Files that pandas and pyarrow wrote: the index of a data frame is no class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.formats.rows import read, refusal
from tests.peers.make.pandas_index import HERE, LOGITS
from tests.running import run

SUFFIXES = ["parquet", "feather"]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["range", "named_range"])
def test_a_range_is_no_column(name: str, suffix: str) -> None:
    rows = read(f"{name}.{suffix}")
    assert rows.source.class_names == ("a", "b", "c")
    assert_array_equal(rows.values, LOGITS)


@pytest.mark.parametrize(
    ("name", "columns", "called"),
    [
        *((f"named.{suffix}", ["sample"], "sample") for suffix in SUFFIXES),
        *((f"words.{suffix}", ["sample"], "sample") for suffix in SUFFIXES),
        *((f"several.{suffix}", ["fold", "n"], "fold,n") for suffix in SUFFIXES),
        *((f"unnamed.{suffix}", ["__index_level_0__"], "__index_level_0__") for suffix in SUFFIXES),
        ("by_pandas.parquet", ["sample"], "sample"),
        ("batches.arrow", ["sample"], "sample"),
        ("labelled.parquet", ["sample", "label"], "sample,label"),
    ],
)
def test_an_index_is_an_error_that_names_the_option(
    name: str, columns: list[str], called: str
) -> None:
    what = "the column" if len(columns) == 1 else "the columns"
    verb, it = ("is", "it") if len(columns) == 1 else ("are", "them")
    shown = " and ".join(map(repr, columns))
    problem = f"{name}: {what} {shown} {verb} the index of a data frame"
    said = f"{problem}; --id-columns {called} passes {it} through"
    message = refusal(name)
    assert message == said
    outcome = run(f"softmax-cli softmax {name} --id-columns {called}")
    assert (outcome.code, outcome.err) == (0, "")
    header = outcome.out.splitlines()[0].split(",")
    assert header[-3:] == ["a", "b", "c"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("columns", [["a", "b", "c"], ["?"], ["1-3"]])
def test_other_columns_may_be_named(columns: list[str], suffix: str) -> None:
    assert_array_equal(read(f"named.{suffix}", columns=columns).values, LOGITS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_index_that_is_named_is_a_class(suffix: str) -> None:
    rows = read(f"named.{suffix}", columns=["sample", "a"])
    assert_array_equal(rows.values, np.c_[[1001, 1002, 1003], LOGITS[:, 0]])


def test_an_index_of_labels() -> None:
    message = refusal_of("xent labelled.parquet --label-column label")
    assert "the column 'sample' is the index" in message
    line = "softmax-cli xent labelled.parquet --label-column label --id-columns sample"
    labels = "softmax-cli xent labelled.parquet --columns a,b,c --labels 0,1,2"
    assert run(line).out == run(labels).out != ""


def refusal_of(line: str) -> str:
    """Return what a command says that ends with 2."""
    outcome = run(f"softmax-cli {line}")
    assert (outcome.code, outcome.out) == (2, "")
    return outcome.err


def test_the_second_input_has_an_index_as_well() -> None:
    message = refusal_of("xent range.parquet --targets named.parquet")
    assert "the column 'sample' is the index of a data frame" in message
    line = "gradcheck --logits named.parquet --id-columns sample --labels 0,1,2 --grad"
    assert "the index of a data frame" not in run(f"softmax-cli {line} range.parquet").err


def test_files_of_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path("named.parquet").read_bytes()
    monkeypatch.chdir(tmp_path)
    for name in ("a[1].parquet", "a*.parquet", "a b.parquet", "s3:x.parquet"):
        Path(name).write_bytes(data)
        assert "the column 'sample' is the index of a data frame" in refusal(f"./{name}")
