"""Runs commands as whole processes: how long they take, and how much memory at most."""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

from benchmarks.pairs import Command, Pair

_ROOT = Path(__file__).resolve().parent.parent
_SUFFIXES = ("npy", "csv", "jsonl", "parquet")
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


class CommandError(Exception):
    """A command that is measured cannot be run, or has failed."""


@dataclass(frozen=True)
class Run:
    """The seconds that a process took, and its peak memory in bytes where the system tells it."""

    seconds: float
    peak: int | None


@dataclass(frozen=True)
class Measured:
    """The counted runs of a pair, in turn."""

    ours: list[Run]
    peers: list[Run]


def measure(pair: Pair, runs: int, folder: Path) -> Measured:
    """Run both commands in turn, first once each without counting it."""
    measured = Measured([], [])
    for index in range(runs + 1):
        for side, command, done in (
            ("ours", pair.ours, measured.ours),
            ("peer", pair.peer, measured.peers),
        ):
            if pair.fresh:
                clean(folder, side)
            run = run_once(command, folder)
            if index > 0:
                done.append(run)
    return measured


def ratio(ours: Sequence[float], peers: Sequence[float]) -> float:
    """Return the median of the pairwise ratios.

    A machine that slows down for a while slows both commands of a pair; the ratio of the medians
    would set runs of different moments against each other.
    """
    return statistics.median(a / b for a, b in zip(ours, peers, strict=True))


def clean(folder: Path, *sides: str) -> None:
    """Delete what our command, the peer, or both have written."""
    for side in sides:
        for suffix in _SUFFIXES:
            (folder / f"{side}.{suffix}").unlink(missing_ok=True)


def missing(pair: Pair) -> str:
    """Return what the peer needs and is not there, or nothing."""
    modules = [name for name in pair.needs if not _is_importable(name)]
    programs = [name for name in pair.peer[:1] if _program(name) is None]
    return ", ".join(programs + modules)


@cache
def _is_importable(module: str) -> bool:
    words = [sys.executable, "-c", f"import {module}"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@cache
def _program(name: str) -> str | None:
    if name == "python":
        return sys.executable
    if name == "softmax-cli":
        return shutil.which(name, path=str(Path(sys.executable).parent))
    return shutil.which(name)


def run_once(command: Command, folder: Path) -> Run:
    """Run a command to its end, its output read through a pipe.

    What earlier runs have left in memory is sent to the disk first: it is not for this one to wait
    for.
    """
    program = _program(command[0])
    if program is None:
        raise CommandError(f"{command[0]} is not installed beside this Python")
    scripts = (str(_ROOT / word) if word.startswith("benchmarks/") else word for word in command)
    words = [program, *list(scripts)[1:]]
    if sys.platform != "win32":
        os.sync()
    # Installed programs have their bytecode; what lies in a checkout gets it in the first run.
    variables = {name: text for name, text in os.environ.items() if name != _NO_BYTECODE}
    with tempfile.TemporaryFile() as errors:
        begin = perf_counter()
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        with process.stdout as output:
            while output.read(1 << 16):
                pass
        code, peak = _ended(process)
        seconds = perf_counter() - begin
        if code != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace").rstrip()
            raise CommandError(f"{shlex.join(command)} ended with {code}\n{said}")
    return Run(seconds, peak)


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, int | None]:
    """Wait for a process, and return its exit code and its peak memory in bytes."""
    if sys.platform == "win32":
        return process.wait(), None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, _in_bytes(usage.ru_maxrss)


def own_peak() -> int | None:
    """Return the peak memory of this process, with which its children begin."""
    if sys.platform == "win32":
        return None
    import resource

    return _in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _in_bytes(maxrss: int) -> int:
    return maxrss if sys.platform == "darwin" else maxrss * 1024
