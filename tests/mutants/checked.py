"""What gradcheck says of a case: in Python, or of files through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from softmax_cli import gradcheck
from tests.mutants.cases import Array, Files, Problem
from tests.running import run


def verdict(problem: Problem, folder: Path) -> str:
    """Return the verdict; the files go into the folder."""
    if problem.files is None:
        return gradcheck(problem.function, problem.judged, problem.points).verdict
    line = command_line(problem.files, folder)
    outcome = run(f"softmax-cli gradcheck --format json {line}")
    if not outcome.out:
        raise AssertionError(f"{line}: {outcome.err}")
    found: dict[str, Any] = json.loads(outcome.out)
    return str(found["verdict"])


def command_line(files: Files, folder: Path) -> str:
    """Write the files, and return the options that name them."""
    named = []
    for option, array in files.arrays.items():
        suffix = ".csv" if isinstance(array, str) else files.suffix
        path = folder / f"{option.strip('-')}{suffix}"
        if isinstance(array, str):
            path.write_text(array)
        elif suffix == ".csv":
            _write_csv(path, array)
        else:
            np.save(path, array)
        named.append(f"{option} {path}")
    return " ".join(named) + files.options


def _write_csv(path: Path, array: Array) -> None:
    lines = array.tolist() if array.ndim == 2 else [[entry] for entry in array.tolist()]
    path.write_text("".join(",".join(map(repr, line)) + "\n" for line in lines))
