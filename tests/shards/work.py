"""The work of test tasks; the processes of a cluster find it by name."""

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
    """Return a square, and print a note."""
    note(f"the square of {number}", WriteOptions())
    return number * number


def bad(place: str) -> None:
    """Raise the error of a damaged file."""
    raise InputError("holds words", "give numbers", f"{place}:3")


def wrong() -> None:
    """Raise an error that no command should."""
    raise KeyError("lost")


def full() -> None:
    """Raise the error of a full disk."""
    raise OSError(28, "No space left on device", "out.npy")


def die() -> None:
    """Kill the worker, as a library that crashes does."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_once(folder: str) -> int:
    """Write the id of the worker to a file, and wait forever; return it the second time."""
    path = Path(folder, "worker")
    if path.exists():
        return int(path.read_text())
    Path(folder, "new").write_text(str(os.getpid()))
    Path(folder, "new").rename(path)
    while True:
        sleep(0.05)


def write_without_end(path: str) -> None:
    """Write a file block by block until the task is stopped."""
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
