"""Threads and blocks: any number and any size give the very same bytes, and end as one would."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from softmax_cli.formats.columns import line_table
from softmax_cli.formats.model import blocks
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.text import digits
from softmax_cli.pipeline import threads as threads_module
from softmax_cli.pipeline.threads import thread_count
from tests.running import run

pytestmark = pytest.mark.fast(2)

ROWS = 37


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    for name, classes in (("few", 4), ("many", 60)):
        for dtype in ("f4", "f8"):
            logits = random.normal(0, 6, (ROWS, classes)).astype(dtype)
            logits[5, 1] = -np.inf
            np.save(f"{name}_{dtype}.npy", logits)
            likely = np.where(np.arange(ROWS) % 3, logits.argmax(-1), 0)
            np.save(f"likely_{name}_{dtype}.npy", likely)
            np.save(f"weights_{name}_{dtype}.npy", random.uniform(0.1, 2, classes))
        np.savetxt(f"{name}.csv", logits, delimiter=",", fmt="%.17g")
    labels = random.integers(0, 4, ROWS)
    labels[5] = 0
    np.save("labels.npy", labels)


LINES = [
    "softmax {}.npy -o out.npy",
    "softmax {}.npy --log --base 2 -o out.npy",
    "softmax {}.npy -t 0.3 -o out.csv",
    "softmax {}.npy --top-k 2 -o out.csv",
    "softmax {}.npy --log -o out.jsonl",
    "jacobian {}.npy -o out.npy",
    "jacobian {}.npy --of log-softmax -o out.csv",
    "jacobian {}.npy --vjp {}.npy -o out.npy",
    "jacobian {}.npy --of log-softmax --jvp {}.npy -o out.npy",
    "xent {}.npy --labels labels.npy -o out.json --losses losses.npy --grad grad.npy",
    "xent {}.npy --labels labels.npy -o out.json --per-class --worst 5 --calibration "
    "--top-k-accuracy 2 --class-weights weights_{}.npy --sample-weights labels.npy "
    "--label-smoothing 0.1 --mask-class 1 --ignore-label 1 --grad grad.npy",
    "xent {}.npy --labels likely_{}.npy --fit-temperature -o out.json",
    "xent {}.npy --labels labels.npy --reduction none -o out.csv --grad grad.csv",
]
SIZES = [
    (["--threads", "1"], 1 << 20),
    (["--threads", "1"], 1),
    (["--threads", "2"], 500),
    (["--threads", "3"], 4000),
    (["--threads", "8"], 1000),
]


def written(line: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bytes]]:
    """Return what a command writes for every number of threads and every size of blocks."""
    results = []
    for threads, size in SIZES:
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "BLOCK_BYTES", size)
            patch.setattr(line_table, "_CHUNK_BYTES", size)
            patch.setattr(line_table, "_LITTLE_TEXT", 0 if size < 1 << 20 else size)
            patch.setattr(digits, "_MANY", 100_000 if size % 1000 else 10)
            outcome = run(f"softmax-cli {line} {' '.join(threads)}")
        assert (outcome.code, outcome.err) == (0, "")
        outputs = [*Path().glob("out.*"), *Path().glob("losses.*"), *Path().glob("grad.*")]
        results.append({path.name: path.read_bytes() for path in outputs})
        for path in outputs:
            path.unlink()
    return results


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", ["few_f4", "few_f8", "many_f4", "many_f8"])
def test_the_same_bytes(line: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = written(line.format(name, name), monkeypatch)
    assert first
    for other in others:
        assert other == first


@pytest.mark.parametrize("line", ["softmax {}.csv -o out.csv", "softmax {}.csv --log -o out.npy"])
@pytest.mark.parametrize("name", ["few", "many"])
def test_the_same_bytes_of_text(line: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = written(line.format(name), monkeypatch)
    for other in others:
        assert other == first


@pytest.mark.parametrize("policy", ["nan", "zero", "skip"])
def test_bad_rows_are_the_same(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.load("few_f8.npy")
    logits[3], logits[20, 0], logits[36] = np.nan, np.inf, -np.inf
    np.save("bad.npy", logits)
    line = f"softmax bad.npy --on-bad-row {policy} --quiet -o out.npy"
    first, *others = written(line, monkeypatch)
    assert all(other == first for other in others)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_the_first_bad_row_is_named(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.load("few_f8.npy")
    logits[[30, 20, 33], 2] = np.nan
    np.save("bad.npy", logits)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    outcome = run(f"softmax-cli softmax bad.npy -o out.npy --threads {threads}")
    assert outcome.code == 2
    assert "bad.npy: row 20: has no softmax: it holds NaN, and 2 more rows have none" in outcome.err
    assert not Path("out.npy").exists()


def test_a_small_input_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise AssertionError("a thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert run("softmax-cli softmax few_f8.npy -o out.npy --threads 4").code == 0
    assert run("softmax-cli softmax 1 2 3 --threads 4").code == 0
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    assert run("softmax-cli softmax few_f8.npy -o out.npy --threads 1").code == 0
    assert run("softmax-cli softmax few_f8.npy -o out.npy --threads 2").code == 2


def test_memory_does_not_grow_with_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "cores", lambda: 64)
    assert thread_count(WriteOptions()) == 16
    assert thread_count(WriteOptions(threads=64)) == 64
    monkeypatch.setattr(threads_module, "cores", lambda: 3)
    assert thread_count(WriteOptions()) == 3


@pytest.mark.parametrize("threads", ["0", "-1", "x", "1.5"])
def test_no_number_of_threads(threads: str) -> None:
    outcome = run(f"softmax-cli softmax 1 2 3 --threads {threads}")
    assert outcome.code == 2
    assert "--threads" in outcome.err
