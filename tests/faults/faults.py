"""Lets the Nth system call of a command fail, for every N."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.running import ROOT

KINDS = ("open", "read", "write", "sync", "close", "rename", "truncate", "allocate", "chmod")
ONE_BYTE, HALF = -1, -2
# How the calls of a kind fail. What is only short, or interrupted, need not be an error.
HOW: dict[str, tuple[int, ...]] = {
    "open": (errno.EIO,),
    "read": (errno.EIO, errno.EINTR, ONE_BYTE, HALF),
    "write": (errno.ENOSPC, errno.EIO, errno.EINTR, ONE_BYTE, HALF),
    "sync": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "close": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "rename": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "truncate": (errno.EIO,),
    "allocate": (errno.ENOSPC, errno.EIO, errno.EINTR),
    "chmod": (errno.EIO,),
}
# Lower numbers let a signal come at the call.
SIGNALS = -100
HARMLESS = (errno.EINTR, ONE_BYTE, HALF)

TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")
OLD = b"the old file\n"


@dataclass(frozen=True)
class Fault:
    """Which call fails, and how; the number 0 is every call of the kind."""

    kind: str
    number: int
    how: int

    def __str__(self) -> str:
        """`write 3: ENOSPC`."""
        how = {ONE_BYTE: "one byte", HALF: "half"}.get(self.how) or errno.errorcode[self.how]
        return f"{self.kind} {self.number or '(each)'}: {how}"


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    count   calls of the kind that there were
    failed  the file whose call failed, if any did
    """

    code: int
    out: bytes
    err: str
    files: dict[str, bytes]
    count: int
    failed: str


class Zygote:
    """Runs command lines in copies of one process."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        """Work in the folder."""
        self._process, self._folder = process, folder
        self.runs = 0

    def run(
        self,
        folder: Path,
        line: str,
        fault: Fault | None = None,
        *,
        stdin: str = "",
        into: str | None = None,
        **others: int,
    ) -> Outcome:
        """Run a command line in a folder, with standard output into one of its files or beside.

        The others are the `largest_file` that may be written, and at which line that is
        run of what opens files a `signal` comes.
        """
        out = folder / into if into is not None else self._folder / "stdout"
        err = self._folder / "stderr"
        case = {
            "folder": str(folder),
            "arguments": shlex.split(line),
            "largest_file": 0,
            "at_line": 0,
            "signal": 0,
            **others,
            "stdin": str(folder / stdin) if stdin else os.devnull,
            "stdout": str(out),
            "stderr": str(err),
            "kind": -1 if fault is None else KINDS.index(fault.kind),
            "number": 0 if fault is None else fault.number,
            "how": 0 if fault is None else fault.how,
            "follows_output": into is not None,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(case), file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        self.runs += 1
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != into}
        failed = told["failed"]
        return Outcome(
            told["code"], out.read_bytes(), err.read_text(), files, told["count"], failed
        )


@contextmanager
def zygote(folder: Path) -> Iterator[Zygote]:
    """Compile the shim, and start the process that is copied."""
    compiler = shutil.which("cc") or "cc"
    shim = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"]
    subprocess.run(command, check=True)
    variables = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        # The mode for developers, below, would choose a slow one.
        "PYTHONMALLOC": "pymalloc",
        "PYTHONUNBUFFERED": "",
    }
    process = subprocess.Popen(
        # What an object that ends complains about is shown in this mode.
        [sys.executable, "-P", "-X", "dev", "-m", "tests.faults.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    try:
        yield Zygote(process, folder)
    finally:
        process.communicate()
    assert process.returncode == 0


def write_inputs(folder: Path) -> None:
    """Write the files that the command lines of the tests read."""
    rng = np.random.default_rng(7)
    logits = rng.standard_normal((40, 4)).round(3)
    np.save(folder / "z.npy", logits)
    np.save(folder / "few.npy", logits[:3])
    np.savez(folder / "z.npz", logits=logits)
    np.savetxt(folder / "z.csv", logits, delimiter=",", fmt="%.3f")
    np.savetxt(folder / "few.csv", logits[:3], delimiter=",", fmt="%.3f")
    text = (folder / "z.csv").read_bytes()
    (folder / "z.csv.gz").write_bytes(gzip.compress(text, mtime=0))
    (folder / "z.json").write_text(json.dumps(logits.tolist()))
    (folder / "l.csv").write_text("".join(f"{row % 4}\n" for row in range(40)))
    np.save(folder / "g.npy", rng.standard_normal((40, 4)))
    header = json.dumps(
        {"z": {"dtype": "F64", "shape": [40, 4], "data_offsets": [0, logits.nbytes]}}
    ).encode()
    data = len(header).to_bytes(8, "little") + header + logits.tobytes()
    (folder / "z.safetensors").write_bytes(data)
