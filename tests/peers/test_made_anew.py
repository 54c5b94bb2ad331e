"""The libraries themselves: they write the files anew, and read what is written here.

pip install '.[test-peers]'
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose

from tests.peers.commands import MEAN_LOSS
from tests.peers.rows import FILES, IDS, LOSS, NAMES, PROBABILITIES, SPECIES
from tests.running import run

NEEDS = {
    "pandas": ("pandas", "pyarrow", "openpyxl"),
    "numpy": ("scipy", "h5py", "safetensors"),
    "pyarrow": ("pyarrow", "polars", "duckdb"),
    "polars": ("pyarrow", "polars", "duckdb"),
    "duckdb": ("pyarrow", "polars", "duckdb"),
}
WRITERS = {"pandas": "pandas_files", "numpy": "numpy_files"}


def _library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"needs {name}, of the extra test-peers")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("tool", NEEDS)
def test_files_made_anew_have_the_same_losses(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NEEDS[tool]:
        _library(name)
    folder = _copied(tmp_path) / tool
    if tool in WRITERS:
        import_module(f"tests.peers.make.{WRITERS[tool]}").main(folder)
    else:
        getattr(import_module("tests.peers.make.columnar_files"), f"write_{tool}")(folder)
    monkeypatch.chdir(folder)
    _check(tool)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "program", "script"),
    [("r", "Rscript", "r_files.R"), ("octave", "octave-cli", "octave_files.m")],
)
def test_programs_write_the_same(
    tool: str, program: str, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    path = FILES.parent / "make" / script
    folder = _copied(tmp_path) / tool
    done = subprocess.run((program, path, folder), capture_output=True, text=True)
    if "there is no package called" in done.stderr:
        pytest.skip(f"needs a package of {program}: {done.stderr.splitlines()[0]}")
    monkeypatch.chdir(folder)
    _check(tool)


def _copied(folder: Path) -> Path:
    """Return a copy of all files; some commands read those of two tools."""
    return Path(shutil.copytree(FILES, folder / "files"))


def _check(tool: str) -> None:
    for line in MEAN_LOSS[tool]:
        outcome = run(f"softmax-cli xent {line}")
        assert outcome.code == 0, (line, outcome.err)
        assert float(outcome.out) == pytest.approx(LOSS, rel=1e-12), line


@pytest.fixture(params=["csv", "jsonl", "parquet", "feather"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the probabilities of a table that pandas wrote, in one of our formats."""
    path = tmp_path / f"probabilities.{request.param}"
    given = FILES / "pandas" / "ids.parquet"
    outcome = run(f"softmax-cli softmax {given} --id-columns image_id,label -o {path}")
    assert (outcome.code, outcome.err) == (0, "")
    return path


def test_pandas_reads_what_we_write(written: Path) -> None:
    pandas = _library("pandas")
    if written.suffix == ".jsonl":
        frame = pandas.read_json(written, lines=True, precise_float=True)
    else:
        _library("pyarrow")
        frame = getattr(pandas, f"read_{written.suffix[1:]}")(written)
    assert frame["image_id"].tolist() == list(IDS)
    assert frame["image_id"].dtype == "int64"
    assert frame["label"].tolist() == list(SPECIES)
    assert_allclose(frame[list(NAMES)], PROBABILITIES, rtol=1e-15)


def test_duckdb_reads_what_we_write(written: Path) -> None:
    if written.suffix == ".feather":
        pytest.skip("DuckDB reads no Arrow files without an extension")
    found = _library("duckdb").sql(f"SELECT image_id, label, {','.join(NAMES)} FROM '{written}'")
    rows = found.fetchall()
    assert [row[:2] for row in rows] == [*zip(IDS, SPECIES, strict=True)]
    assert_allclose([row[2:] for row in rows], PROBABILITIES, rtol=1e-15)


def test_pyarrow_reads_what_we_write(written: Path) -> None:
    pa = _library("pyarrow")
    modules = {".csv": "csv.read_csv", ".jsonl": "json.read_json"}
    modules |= {".parquet": "parquet.read_table", ".feather": "feather.read_table"}
    module, _, function = modules[written.suffix].partition(".")
    table = getattr(import_module(f"pyarrow.{module}"), function)(written)
    assert table.schema.field("image_id").type == pa.int64()
    assert table["image_id"].to_pylist() == list(IDS)
    assert table["label"].to_pylist() == list(SPECIES)
    assert_allclose(table.select(NAMES).to_pandas(), PROBABILITIES, rtol=1e-15)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_lists_leave_as_lists_of_the_same_name(suffix: str, tmp_path: Path) -> None:
    pa = _library("pyarrow")
    for kind in ("list", "large_list", "fixed_size_list"):
        given, path = FILES / "pyarrow" / f"{kind}.parquet", tmp_path / f"{kind}.{suffix}"
        assert run(f"softmax-cli softmax {given} --id-columns id,label -o {path}").code == 0
        module = import_module(f"pyarrow.{suffix}")
        table = module.read_table(path)
        assert table.column_names == ["id", "label", "logits"]
        assert pa.types.is_int64(table.schema.field("id").type)
        assert_allclose(table["logits"].to_pylist(), PROBABILITIES, rtol=1e-15)


def test_a_pipe_of_arrow(tmp_path: Path) -> None:
    pa = _library("pyarrow")
    given = FILES / "duckdb" / "stream.arrow"
    words = f"softmax {given} --id-columns id,label --format arrow"
    made = _bytes(words, tmp_path)
    table = pa.ipc.open_stream(made).read_all()
    assert table["id"].to_pylist() == list(IDS)
    assert_allclose(table.select(NAMES).to_pandas(), PROBABILITIES, rtol=1e-15)
    made = _bytes(
        words.replace("arrow", "parquet").replace("stream.parquet", "stream.arrow"), tmp_path
    )
    assert import_module("pyarrow.parquet").read_table(pa.BufferReader(made)).num_rows == len(IDS)


def _bytes(words: str, folder: Path) -> bytes:
    command = (sys.executable, "-P", "-m", "softmax_cli", *words.split())
    return subprocess.run(command, capture_output=True, check=True, cwd=folder).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "needs", "line"),
    [
        ("pandas/sheet.xlsx", "openpyxl", "sheet.csv --label-column label"),
        ("numpy/logits.h5", "h5py", "logits.npy --labels 0,1,2,0,1"),
        ("numpy/scipy.mat", "scipy", "'scipy.npz[logits]' --labels 0,1,2,0,1"),
        ("octave/v7.mat", "scipy", "'v7.npz[logits]' --labels 'v7.npz[labels]' --label-base 1"),
    ],
)
def test_the_line_that_converts_a_file_does(
    name: str, needs: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _library(needs)
    _library("pandas")
    monkeypatch.chdir(tmp_path)
    shutil.copy(FILES / name, ".")
    refused = run(f"softmax-cli softmax {Path(name).name}")
    assert refused.code == 2
    found = re.search('python -c "(.*)"', refused.err)
    assert found
    subprocess.run((sys.executable, "-c", found[1].replace("KEY", "logits")), check=True)
    outcome = run(f"softmax-cli xent {line}")
    assert float(outcome.out) == pytest.approx(LOSS, rel=1e-12)
