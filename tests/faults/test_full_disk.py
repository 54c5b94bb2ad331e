"""A disk that is full, and a file that may not grow: the old file stays, and one line says why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.faults.faults import OLD, Zygote, write_inputs
from tests.running import ROOT

pytestmark = pytest.mark.fast(1)

SUFFIXES = (".csv", ".csv.gz", ".csv.zst", ".json", ".npy", ".npz", ".safetensors", ".arrow")
SMALL_DISK = 'mount -t tmpfs -o size=64k tmpfs "$1"'
SCRIPT = """
import sys
from pathlib import Path
from softmax_cli.__main__ import main
logits, disk, old, *suffixes = sys.argv[1:]
(Path(disk) / "fill").write_bytes(bytes(40_000))
for suffix in suffixes:
    path = Path(disk) / f"x{suffix}"
    path.write_text(old)
    code = main(["softmax", logits, "-o", str(path)])
    print(suffix, code, path.read_text() == old, len(list(Path(disk).iterdir())))
    path.unlink()
"""
VARIABLES = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_full_disk(tmp_path: Path) -> None:
    own = ["unshare", "-m", "sh", "-c"]
    disk = tmp_path / "disk"
    disk.mkdir()
    trial = [*own, SMALL_DISK, "sh", str(disk)]
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    np.save(tmp_path / "z.npy", np.random.default_rng(0).standard_normal((3000, 4)))
    line = f'{SMALL_DISK} && shift && exec "$@"'
    program = [sys.executable, "-P", "-c", SCRIPT]
    arguments = [str(tmp_path / "z.npy"), str(disk), OLD.decode(), *SUFFIXES]
    done = subprocess.run(
        [*own, line, "sh", str(disk), *program, *arguments],
        capture_output=True,
        text=True,
        env=VARIABLES,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{suffix} 2 True 2" for suffix in SUFFIXES]
    told = [
        f"softmax-cli: {disk}/x{suffix}: cannot be written: No space left on device; "
        "name a place that can be"
        for suffix in SUFFIXES
    ]
    assert done.stderr.splitlines() == told


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".json", ".jsonl", ".npy", ".npz", ".arrow"])
def test_a_file_that_may_not_grow(suffix: str, runner: Zygote, tmp_path: Path) -> None:
    write_inputs(tmp_path)
    name = f"x{suffix}"
    (tmp_path / name).write_bytes(OLD)
    before = {path.name for path in tmp_path.iterdir()}
    outcome = runner.run(tmp_path, f"softmax z.npy -o {name}", largest_file=700)
    assert (outcome.code, outcome.out) == (2, b"")
    line = f"softmax-cli: {name}: cannot be written: File too large; name a place that can be\n"
    assert outcome.err == line
    assert set(outcome.files) == before
    assert outcome.files[name] == OLD


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_that_may_not_grow(unbuffered: str, tmp_path: Path) -> None:
    """Without a buffer, what a write leaves over is the program's to write."""
    np.save(tmp_path / "z.npy", np.random.default_rng(0).standard_normal((3000, 4)))
    line = f'ulimit -f 8; exec "{sys.executable}" -P -m softmax_cli softmax z.npy >out.csv'
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**VARIABLES, "PYTHONUNBUFFERED": unbuffered},
    )
    assert done.returncode == 2
    assert re.fullmatch(
        "softmax-cli: standard output: cannot be written: File too large; [^\n]+\n", done.stderr
    )
