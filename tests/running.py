"""Runs command lines through the real main, and compares what they print with what is expected."""

from __future__ import annotations

import contextlib
import io
import math
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from softmax_cli.__main__ import main

ROOT = Path(__file__).parent.parent
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?!\w)")


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    """A standard stream in memory that says whether it is a terminal."""

    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        self.bytes = io.BytesIO(data)
        self.terminal = terminal
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode(errors="surrogateescape")


def run(line: str, *, terminal: bool = False) -> Outcome:
    r"""Run `softmax-cli ...`, or `printf 'text\n' | softmax-cli ...`, in this process.

    At a terminal, `... | cat` still goes into a pipe.
    """
    piped, _, command = line.rpartition("printf ")[2].rpartition(" | softmax-cli ")
    if not line.startswith("printf "):
        piped, command = "", line.removeprefix("softmax-cli").strip()
    if command.endswith("| cat"):
        terminal, command = False, command.removesuffix("| cat")
    data = shlex.split(piped)[0].encode().decode("unicode_escape").encode() if piped else b""
    standard = _Stream(data, terminal=terminal and not piped), _Stream(terminal=terminal), _Stream()
    with contextlib.ExitStack() as stack:
        for name, stream in zip(("stdin", "stdout", "stderr"), standard, strict=True):
            stack.enter_context(mock.patch.object(sys, name, stream))
        code = main(shlex.split(command))
    _, out, err = standard
    return Outcome(int(code), out.text(), err.text())


def program(folder: Path) -> Path:
    """Write the program as an installed one stands on the PATH, and return its folder."""
    folder.mkdir(exist_ok=True)
    path = folder / "softmax-cli"
    start = shlex.join([sys.executable, "-P", "-m", "softmax_cli"])
    found = f"{shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={found} exec {start} "$@"\n')
    path.chmod(0o755)
    return folder


def same(got: str, expected: str) -> bool:
    """Compare texts: the words must be equal, the numbers close, blanks and rules do not count.

    The last digits depend on the processor, and with them how wide a column is.
    """
    if _NUMBER.sub("#", _plain(got)) != _NUMBER.sub("#", _plain(expected)):
        return False
    pairs = zip(_NUMBER.findall(got), _NUMBER.findall(expected), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-13) for a, b in pairs)


def _plain(text: str) -> str:
    return " ".join(re.sub("─+", "─", text).split())


def cases(transcript: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a transcript, after `$ `, and the lines that follow it."""
    for part in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        yield line, printed.rstrip("\n")
