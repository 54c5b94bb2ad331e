"""Files are on the disk before they appear, unless --no-sync leaves that to the system."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.running import run

LINES = {
    "softmax z.npy -o x.npy --save x.svg": {"x.npy", "x.svg"},
    "softmax z.npy -o x.csv.gz": {"x.csv.gz"},
    "softmax z.npy -o x.parquet": {"x.parquet"},
    "softmax z.npy w.npy --output-dir d": {"z.npy", "w.npy", "softmax-cli-manifest.json"},
    "jacobian z.npy -o x.npz": {"x.npz"},
    "xent z.npy --labels l.npy -o x.txt": {"x.txt"},
    "xent z.npy --labels l.npy --losses x.csv --grad x.npy --report x.json -o y.txt": {
        "x.csv",
        "x.npy",
        "x.json",
        "y.txt",
    },
    "xent z.npy --labels l.npy --output-dir d": {"z.json", "softmax-cli-manifest.json"},
    "gradcheck --of softmax --report x.json --report x.xml --save x.svg -o y.txt": {
        "x.json",
        "x.xml",
        "x.svg",
        "y.txt",
    },
}


@pytest.fixture
def events(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is synced and what appears, in order: each by the name of the temporary file."""
    del folder
    rng = np.random.default_rng(0)
    for name in "zw":
        np.save(f"{name}.npy", rng.normal(size=(4, 3)))
    np.save("l.npy", rng.integers(0, 3, 4))
    found: list[tuple[str, str]] = []
    rename: Callable[..., Any] = os.replace

    def sync(descriptor: int) -> None:
        found.append(("sync", _name(os.fstat(descriptor))))

    def replace(old: Any, new: Any, **how: Any) -> None:
        found.append((Path(new).name, _name(Path(old).stat())))
        rename(old, new, **how)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    return found


def _name(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


@pytest.mark.parametrize("line", LINES)
def test_every_file_is_synced_before_it_appears(line: str, events: list[tuple[str, str]]) -> None:
    outcome = run(line)
    assert not outcome.code, outcome
    appeared = [(place, event) for place, event in enumerate(events) if event[0] != "sync"]
    assert {name for _, (name, _) in appeared} == LINES[line]
    for place, (name, file) in appeared:
        assert ("sync", file) in events[:place], name


@pytest.mark.parametrize("line", LINES)
def test_no_file_is_synced_with_no_sync(line: str, events: list[tuple[str, str]]) -> None:
    outcome = run(f"{line} --no-sync")
    assert not outcome.code, outcome
    assert {name for name, _ in events} == LINES[line]


def test_a_run_over_many_files_goes_on_with_and_without_sync(events: list[tuple[str, str]]) -> None:
    assert not run("softmax z.npy --output-dir d --no-sync").code
    events.clear()
    outcome = run("softmax z.npy --output-dir d")
    assert "1 skipped (done before" in outcome.err, outcome
    assert not any(name == "z.npy" for name, _ in events)
