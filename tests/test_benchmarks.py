"""The benchmarks run, at a scale where nothing can be learned of speed; times are never tested."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import inputs
from benchmarks.inputs import Input
from benchmarks.measure import CommandError, Measured, Run, measure, missing, ratio, run_once
from benchmarks.pairs import Pair, pairs, peaks
from benchmarks.report import pair_cells
from tests.running import ROOT, run

pytestmark = pytest.mark.fast(4)

SCALE = 0.0001
PAIRS = pairs(SCALE)
OURS = [pytest.param(pair.ours, id=pair.name) for pair in PAIRS]


def _benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every input of every pair."""
    made = tmp_path_factory.mktemp("inputs")
    for wanted in {wanted for pair in PAIRS for wanted in pair.inputs}:
        inputs.write(wanted, made)
    return made


@pytest.mark.parametrize("ours", OURS)
def test_our_commands_run(
    ours: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    outcome = run(shlex.join(ours))
    assert (outcome.code, outcome.err) == (0, "")


def test_the_peers_are_there_and_their_scripts_compile() -> None:
    scripts = {word for pair in PAIRS for word in pair.peer if word.startswith("benchmarks/")}
    assert scripts == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks/peers").glob("*.py")
    }
    for script in scripts:
        compile((ROOT / script).read_text(), script, "exec")


def test_the_list_names_everything_once() -> None:
    done = _benchmarks("--list")
    names = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert names == [pair.name for pair in pairs(1)] + [peak.name for peak in peaks(1)]
    assert len(set(names)) == len(names)
    assert "  B: cp float32-250000x1000.npy peer.npy\n" in done.stdout


@pytest.mark.parametrize("pattern", ["softmax-float32-5000x50257-cp", "peak-npy-200MB"])
@pytest.mark.slow
def test_a_table_and_its_commands_are_printed(pattern: str, tmp_path: Path) -> None:
    kept = ("--folder", str(tmp_path)) if pattern.startswith("peak") else ()
    options = ("--scale", str(SCALE), "--runs", "1", "--only", pattern, "--markdown", *kept)
    done = _benchmarks(*options)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "- NumPy: " + np.__version__ in lines
    table = [line for line in lines if line.startswith(f"| {pattern}")]
    assert len(table) == (1 if kept else 3)
    assert lines[lines.index(pattern) + 1].lstrip(" A:").startswith("softmax-cli softmax float32-")
    assert [path.name for path in tmp_path.iterdir()] == (["float32-5x1000.npy"] if kept else [])


def test_the_table_of_exactness_has_every_family_and_dtype() -> None:
    words = [sys.executable, "-m", "benchmarks.exactness", "--only", "subnormal", "--markdown"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    _, headings, _, *lines = done.stdout.splitlines()
    assert "softmax ours" in headings
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| subnormal logits", dtype] for dtype in ("float64", "float32")
    ]
    words[4] = "no such family"
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such family" in done.stderr


def test_a_name_that_is_not_there_is_an_error() -> None:
    done = _benchmarks("--only", "sigmoid")
    assert (done.returncode, done.stdout) == (2, "")
    assert "sigmoid" in done.stderr


def test_the_ratio_is_the_median_of_the_pairwise_ratios() -> None:
    assert ratio([1, 3, 40], [2, 3, 10]) == 1
    assert ratio([1, 2], [2, 1]) == 1.25
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


def test_the_line_of_a_pair() -> None:
    pair = Pair("name", ("ours",), ("peer",), 0.75)
    ours = [Run(0.5, 50 << 20), Run(1.5, 60 << 20), Run(1.0, 55 << 20)]
    peers = [Run(1.0, 10 << 20), Run(1.0, 9 << 20), Run(4.0, 8 << 20)]
    cells = pair_cells(pair, Measured(ours, peers), 16 << 20)
    assert cells == ["name", "0.50", "0.75", "1.00 s", "1.00 s", "60 MiB", "< 16 MiB", "3"]
    unknown = pair_cells(Pair("name", ("a",), ("b",)), Measured([Run(0.1, None)], peers[:1]), None)
    assert unknown == ["name", "0.10", "-", "100 ms", "1.00 s", "-", "10 MiB", "1"]


def test_both_are_run_in_turn_after_one_run_that_is_not_counted(tmp_path: Path) -> None:
    def write(letter: str, output: str) -> tuple[str, ...]:
        told = f"open('{output}', 'x'); open('order', 'a').write('{letter}')"
        return ("python", "-c", told)

    pair = Pair("name", write("A", "ours.npy"), write("B", "peer.npy"), fresh=True)
    measured = measure(pair, 2, tmp_path)
    assert (tmp_path / "order").read_text() == "ABABAB"
    assert [len(measured.ours), len(measured.peers)] == [2, 2]
    assert all(made.seconds > 0 for made in measured.ours)


@pytest.mark.slow
def test_the_peak_is_that_of_the_process(tmp_path: Path) -> None:
    if not hasattr(os, "wait4"):
        pytest.skip("the system does not tell")
    # In a small process: a child begins with the peak of the one that starts it.
    script = (
        "import sys; from pathlib import Path; from benchmarks.measure import run_once; "
        "hungry = ('python', '-c', 'print(len(bytes([1]) * (300 << 20)))'); "
        "print(run_once(hungry, Path(sys.argv[1])).peak)"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert 300 << 20 < int(done.stdout) < 600 << 20


def test_a_failure_is_told_with_what_the_command_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"(?s)python -c .* ended with 3\n.*wrong"):
        run_once(("python", "-c", "import sys; print('wrong', file=sys.stderr); exit(3)"), tmp_path)
    with pytest.raises(CommandError, match="no-such-program is not installed"):
        run_once(("no-such-program",), tmp_path)


def test_what_a_peer_lacks_is_named() -> None:
    pair = Pair("name", ("ours",), ("no-such-program",), needs=("numpy", "no_such_module"))
    assert missing(pair) == "no-such-program, no_such_module"


def test_how_many_runs_are_counted() -> None:
    counted = {pair.name: pair.runs(5) for pair in PAIRS}
    assert counted["softmax-scipy"] == 5
    assert counted["start-pipe"] == 15
    assert counted["csv-10000x1000-pandas"] == 1


@pytest.mark.parametrize("wanted", [Input("float64", 3, 4), Input("vector", 1, 4)])
def test_an_input_is_made_once_and_whole(wanted: Input, tmp_path: Path) -> None:
    wanted.make(tmp_path)
    values = np.load(tmp_path / wanted.name)
    assert values.shape == ((4,) if wanted.kind == "vector" else (3, 4))
    (tmp_path / wanted.name).write_bytes(b"kept")
    wanted.make(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"kept"]


def test_a_long_csv_repeats_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_BODY_ROWS", 2)
    inputs.write(Input("csv", 5, 3), tmp_path)
    header, *rows = (tmp_path / "csv-5x3.csv").read_text().splitlines()
    assert header == "class_0,class_1,class_2"
    assert rows == [rows[0], rows[1], rows[0], rows[1], rows[0]]
    assert rows[0] != rows[1]


@pytest.mark.slow
def test_shards_are_measured(tmp_path: Path) -> None:
    words = ["-m", "benchmarks.shards", "--shards", "2", "--megabytes", "1", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, *words, "--markdown", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split(" | ")[0] for line in done.stdout.splitlines() if line.startswith("| ")]
    names = [
        f"| {name}, {count}" for count in ("1 worker", "2 workers") for name in ("softmax", "xent")
    ]
    assert lines == ["| run", *names, "| start of local"]
    for name in ("softmax", "xent"):
        assert sorted(path.name for path in tmp_path.glob(f"{name}-one/00*")) == sorted(
            path.name for path in tmp_path.glob(f"{name}-many/00*")
        )
