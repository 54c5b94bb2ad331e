"""What is printed: the facts of the machine, tables that grow line by line, the commands."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks.measure import Measured, Run, ratio
from benchmarks.pairs import Pair, Peak
from softmax_cli.core.kernel import choice

PAIR_HEADINGS = ("pair", "ratio", "target", "ours", "peer", "our peak", "its peak", "runs")
PEAK_HEADINGS = ("run", "peak", "limit", "time")

_PACKAGES = {
    "softmax-cli": "softmax-xent",
    "NumPy": "numpy",
    "Polars": "polars",
    "pyarrow": "pyarrow",
    "SciPy": "scipy",
    "pandas": "pandas",
    "PyTorch": "torch",
}


class Table:
    """A table whose lines are printed as they come: names to the left, numbers to the right."""

    def __init__(self, headings: Sequence[str], names: Iterable[str], *, markdown: bool) -> None:
        """Print the headings; the names tell how wide the first column is."""
        self._markdown = markdown
        first = max([len(headings[0]), *map(len, names)])
        self._widths = [first, *(max(9, len(heading)) for heading in headings[1:])]
        print()
        self.add(headings)
        if markdown:
            print("|".join(["", "---", *["---:"] * (len(headings) - 1), ""]), flush=True)

    def add(self, cells: Sequence[str]) -> None:
        """Print a line."""
        if self._markdown:
            print(f"| {' | '.join(cells)} |", flush=True)
            return
        first, *others = zip(cells, self._widths, strict=True)
        line = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        print("  ".join(line), flush=True)


def facts() -> dict[str, str]:
    """Return the date, the machine and the versions, by their names."""
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "CPU": _processor(),
        "cores": str(_cores()),
        "system": platform.system(),
        "Python": platform.python_version(),
        "kernel": " ".join(filter(None, (choice.name(), choice.instructions()))),
        "instructions that NumPy uses": _numpy_instructions(),
    }
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "-"
    return found


def method(runs: int, scale: float) -> list[str]:
    """Return how it is measured, in sentences."""
    return [
        "A and B are whole processes, run in turn after one run of each that is not counted. "
        f"Counted runs of each: {runs}; {3 * runs} of start-ups; 1 against pandas and of memory.",
        "ratio: the median of the ratios of A to B, pair by pair; times are medians; peaks are the "
        "largest, and one below that of the measuring program itself is not known.",
        "Inputs are in the page cache. What is not yet on the disk is sent there before each run; "
        "A also waits for its own output to be on the disk, except with --no-sync.",
        "Each command overwrites its output of the run before; both are deleted first, outside the "
        "measured time, where a name ends in 'fresh'.",
        *([f"Rows are multiplied by {scale:g}: targets are for 1."] if scale != 1 else []),
    ]


def pair_cells(pair: Pair, measured: Measured, floor: int | None) -> list[str]:
    """Return the line of a pair."""
    ours, peers = ([run.seconds for run in runs] for runs in (measured.ours, measured.peers))
    return [
        pair.name,
        f"{ratio(ours, peers):.2f}",
        "-" if pair.target is None else f"{pair.target:.2f}",
        _time(median(ours)),
        _time(median(peers)),
        _memory(measured.ours, floor),
        _memory(measured.peers, floor),
        str(len(ours)),
    ]


def peak_cells(peak: Peak, run: Run, floor: int | None) -> list[str]:
    """Return the line of a run whose memory was measured."""
    return [peak.name, _memory([run], floor), f"{peak.limit} MiB", _time(run.seconds)]


def commands(pairs: Sequence[Pair], peaks: Sequence[Peak]) -> list[str]:
    """Return the lines that tell what is run, each name followed by its commands."""
    lines = []
    for pair in pairs:
        lines += [pair.name, f"  A: {shlex.join(pair.ours)}", f"  B: {shlex.join(pair.peer)}"]
    for peak in peaks:
        lines += [peak.name, f"  {shlex.join(peak.ours)}"]
    return lines


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _memory(runs: Sequence[Run], floor: int | None) -> str:
    """Return the largest peak; a child's is never told below that of its parent."""
    known = [run.peak for run in runs if run.peak is not None]
    if not known:
        return "-"
    if floor is not None and max(known) <= floor:
        return f"< {floor / 2**20:.0f} MiB"
    return f"{max(known) / 2**20:.0f} MiB"


def _numpy_instructions() -> str:
    """Return the instruction sets that NumPy found; asked in another process, to stay small."""
    told = (
        "from numpy._core import _multiarray_umath as core; "
        "print(*(name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]))"
    )
    words = [sys.executable, "-c", told]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "-"


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Return the model of the processor, as far as the system tells it."""
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        words = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()
