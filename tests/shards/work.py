"""What the tests of engines let workers do: found by name in the processes of a cluster."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import sleep

import numpy as np

from softmax_cli.errors import InputError
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ReadOptions, WriteOptions
from softmax_cli.formats.opening.source import open_source
from softmax_cli.pipeline.reporting import note, progress
from softmax_cli.storage.open_target import open_target


def square(number: int) -> int:
    """Return a square, and say so."""
    note(f"the square of {number}", WriteOptions())
    return number * number


def bad(place: str) -> None:
    """Find a fault in a file."""
    raise InputError("holds words", "give numbers", f"{place}:3")


def wrong() -> None:
    """Fail as no command should."""
    raise KeyError("lost")


def full() -> None:
    """Fail as a disk does that is full."""
    raise OSError(28, "No space left on device", "out.npy")


def die() -> None:
    """End the worker, as a library that ends its process does."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_once(folder: str) -> int:
    """Tell who does this and wait without an end, but return at once the second time."""
    path = Path(folder, "worker")
    if path.exists():
        return int(path.read_text())
    Path(folder, "new").write_text(str(os.getpid()))
    Path(folder, "new").rename(path)
    while True:
        sleep(0.05)


def write_without_end(path: str) -> None:
    """Write a file block by block for as long as nobody says stop."""
    source = open_source(["1,2", "3,4"], ReadOptions())
    with open_target(path) as target, progress(_of_file(source, path), WriteOptions()) as advance:
        rows = 0
        while True:
            target.write(np.ones(1000).tobytes())
            rows += 1000
            advance(rows, 8 * rows)
            sleep(0.01)


def _of_file(source: Source, path: str) -> Source:
    return source.map(lambda block: block, place=path)
