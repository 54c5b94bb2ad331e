"""What a cluster costs: the same files by one process, and by workers on the same cores.

    pip install -e '.[benchmarks,dask]'
    python -m benchmarks.shards --markdown

A scheduler and its workers are started once, as on a cluster that is there; `start` is what
`--scheduler local` adds, which starts its own. At full size it wants 12 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import sleep

import numpy as np

from benchmarks.measure import Run, own_peak, ratio, run_once
from benchmarks.report import Table, facts

CLASSES = 1000
HEADINGS = ("run", "ratio", "target", "cluster", "one process", "worker peak", "at the end")
LINES = {
    "softmax": ("softmax", "logits/*.npy", "--output-dir"),
    "xent": ("xent", "logits/*.npy", "--labels", "labels", "--output-dir"),
}
TARGET = 1.1
# As `--scheduler local` starts its own workers.
_SETTINGS = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=100, help="of a shard")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--folder", type=Path, help="for the files; kept")
    given = parser.parse_args(arguments)
    for name, value in facts().items():
        print(f"{name}: {value}")
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        size = write_shards(folder, given.shards, given.megabytes * 10**6)
        print(f"{given.shards} shards of {size / 1e6:.0f} MB")
        names = [f"{name}, {workers} workers" for name in LINES for workers in (1, 2)]
        table = Table(HEADINGS, [*names, "start"], markdown=given.markdown)
        for workers in (1, 2):
            with running(workers) as address:
                for name in LINES:
                    cells = _cells(name, workers, address, folder, given.runs)
                    table.add((f"{name}, {_counted(workers)}", *cells))
        table.add(("start of local", *_start(folder, given.runs)))


def write_shards(folder: Path, count: int, size: int) -> int:
    """Write logits and labels, and return the bytes of a shard of logits."""
    rng = np.random.default_rng(0)
    rows = max(1, size // (4 * CLASSES))
    logits = (rng.standard_normal((rows, CLASSES), np.float32) * 5).astype(np.float32)
    for name in ("logits", "labels"):
        (folder / name).mkdir(exist_ok=True)
    for shard in range(count):
        np.save(folder / f"logits/{shard:04}.npy", logits)
        np.save(folder / f"labels/{shard:04}.npy", rng.integers(0, CLASSES, rows))
    (folder / "one").mkdir(exist_ok=True)
    np.save(folder / "one/0000.npy", logits[:1])
    return logits.nbytes


@contextmanager
def running(workers: int) -> Iterator[str]:
    """Start a scheduler and workers of one task at a time, and return the scheduler's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        words = [
            ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            *[["worker", address, "--nthreads", "1", "--no-dashboard"]] * workers,
        ]
        for line in words:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *line],
                env={**os.environ, **_SETTINGS, "DASK_TEMPORARY_DIRECTORY": scratch},
                **quiet,  # type: ignore[call-overload]
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        _wait_for(address, workers)
        yield address


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client

    while True:
        try:
            with Client(address, timeout=30, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=60)
            return
        except OSError:
            sleep(0.5)


def _peaks(address: str) -> float:
    """Return the most memory, in MiB, that a worker has held so far."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return max(peak or 0 for peak in client.run(own_peak).values()) / (1 << 20)


def _cells(name: str, workers: int, address: str, folder: Path, runs: int) -> tuple[str, ...]:
    """Measure a line in turn, and return what stands behind its name."""
    alone, many = [], []
    line = ("softmax-cli", *LINES[name])
    threads = str(max(1, 2 // workers))
    first = 0.0
    for number in range(runs + 1):
        pair = (
            run_once((*line, f"{name}-one", "--fresh", "-q"), folder),
            run_once(
                (
                    *(*line, f"{name}-many", "--fresh", "-q"),
                    *("--scheduler", address, "--threads", threads),
                ),
                folder,
            ),
        )
        if number == 0:
            first = _peaks(address)
            continue
        alone.append(pair[0].seconds)
        many.append(pair[1].seconds)
    return (
        f"{ratio(many, alone):.2f}",
        f"{TARGET:.2f}",
        f"{median(many):.2f} s",
        f"{median(alone):.2f} s",
        f"{first:.0f} MiB",
        f"{_peaks(address):.0f} MiB",
    )


def _start(folder: Path, runs: int) -> tuple[str, ...]:
    """Measure a file of one row by a cluster that is started for it, and without."""
    line = ("softmax-cli", "softmax", "one/*.npy", "--fresh", "-q", "--output-dir")
    alone: list[Run] = []
    many: list[Run] = []
    for _ in range(runs):
        alone.append(run_once((*line, "start-one"), folder))
        many.append(run_once((*line, "start-many", "--scheduler", "local"), folder))
    seconds = [[run.seconds for run in each] for each in (many, alone)]
    return (f"{ratio(*seconds):.2f}", "-", *(f"{median(each):.2f} s" for each in seconds), "-", "-")


def _counted(workers: int) -> str:
    return f"{workers} worker" if workers == 1 else f"{workers} workers"


if __name__ == "__main__":
    main()
