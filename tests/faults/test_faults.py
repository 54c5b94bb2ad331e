"""Whatever call fails, a file is the old one or the whole new one, and one line says why."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.faults import HARMLESS, HOW, OLD, TEMPORARY, Fault, Outcome, Zygote, write_inputs

pytestmark = pytest.mark.fast(1)

ONE_LINE = re.compile(r"softmax-cli: ([^\n]+)\n")
# What a report says of when it was made, and how long that took.
_TIMES = re.compile(rb' time(?:stamp)?="[^"]*"')


@dataclass(frozen=True)
class Case:
    """A command line, the files that it writes, and the kinds of calls that fail."""

    line: str
    outputs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = tuple(HOW)
    old: bool = True
    stdin: str = ""
    into: str | None = None
    code: int = 0


ENDS = ("write", "sync", "close", "rename")
CASES = [
    *(
        Case(f"softmax few.csv -o x{suffix}", (f"x{suffix}",), ENDS, old=old)
        for suffix, old in (
            *((".csv", True), (".tsv", False), (".txt", True), (".csv.gz", True)),
            *((".csv.zst", False), (".json", True), (".jsonl", False)),
        )
    ),
    *(
        Case(f"softmax z.npy -o x{suffix}", (f"x{suffix}",), old=old)
        for suffix, old in ((".npy", True), (".npz", False), (".safetensors", False))
    ),
    Case("softmax few.npy -o x.parquet", ("x.parquet",), ("write", "rename")),
    Case("softmax few.npy -o x.arrow", ("x.arrow",), ("sync",), old=False),
    Case("softmax z.csv -o x.csv", ("x.csv",), ("open", "read", "close"), old=False),
    Case("softmax z.csv z.csv.gz -o x.npy", ("x.npy",), ("open", "read", "close")),
    Case("softmax z.safetensors -o x.csv", ("x.csv",), ("read", "close")),
    *(
        Case(f"softmax {name} -o x.csv", ("x.csv",), ("open", "read", "close"))
        for name in ("z.npz", "z.csv.gz", "z.json")
    ),
    Case("softmax - -o x.npy", ("x.npy",), ("read", "close"), stdin="z.npy"),
    Case("softmax z.npy -o z.npy --in-place", ("z.npy",)),
    Case("softmax few.csv -o few.csv --in-place", ("few.csv",)),
    Case("jacobian few.npy -o j.npy", ("j.npy",), ("open", *ENDS), old=False),
    # The error that there is without a fault is the one that is told with it.
    Case("jacobian z.csv --vjp few.csv -o j.csv", ("j.csv",), ("close",), code=2),
    Case(
        "xent z.npy --labels l.csv --losses l.npy --grad g.csv.gz -o loss.json",
        ("l.npy", "g.csv.gz", "loss.json"),
    ),
    Case(
        "gradcheck --logits few.npy --labels 0,1,2 --grad few.npy --report r.xml --report r.json",
        ("r.xml", "r.json"),
        ("open", "read", *ENDS),
        code=1,
    ),
    Case("softmax few.csv -o x.csv --save p.svg", ("x.csv", "p.svg"), ENDS),
    Case("xent z.npy --labels l.csv --explain --save p.html", ("p.html",), ENDS, into="out.txt"),
    Case("softmax few.csv", into="out.csv", kinds=("read", "write", "close")),
    Case("jacobian z.npy", into="out.csv", kinds=("write",)),
    Case("xent z.npy --labels l.csv --losses l.npy", ("l.npy",), ENDS, into="out.csv"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.line)
def test_every_fault(case: Case, runner: Zygote, tmp_path: Path) -> None:
    write_inputs(tmp_path)
    folder = Folder(tmp_path, case)
    right = folder.run(runner, None)
    assert right.code == case.code, right.err
    new = {name: right.files.get(name, b"") for name in case.outputs}
    for kind in case.kinds:
        for how in HOW[kind]:
            number, count = 0 if how in HARMLESS and how < 0 else 1, 1
            while number <= count:
                fault = Fault(kind, number, how)
                outcome = folder.run(runner, fault)
                count = 0 if outcome.count < number else outcome.count
                folder.check(fault, outcome, right, new)
                number += 1


class Folder:
    """Where a case runs, and what was there before."""

    def __init__(self, path: Path, case: Case) -> None:
        """Put the old files there, or none."""
        self._path, self._case = path, case
        if case.old:
            for name in case.outputs:
                if not (path / name).exists():
                    (path / name).write_bytes(OLD)
        self._before = {each.name: each.read_bytes() for each in path.iterdir()}

    def run(self, runner: Zygote, fault: Fault | None) -> Outcome:
        """Run the command, with the files as they were."""
        for name in self._case.outputs:
            if name in self._before:
                (self._path / name).write_bytes(self._before[name])
            else:
                (self._path / name).unlink(missing_ok=True)
        case = self._case
        return runner.run(self._path, case.line, fault, stdin=case.stdin, into=case.into)

    def check(self, fault: Fault, outcome: Outcome, right: Outcome, new: dict[str, bytes]) -> None:
        """Compare what was left with what may be."""
        told = (str(fault), outcome)
        for name in self._case.outputs:
            left = outcome.files.get(name)
            assert left == self._before.get(name) or same(left, new[name]), (name, told)
        others = {name: data for name, data in outcome.files.items() if name not in new}
        before = {name: data for name, data in self._before.items() if name not in new}
        assert others == before, told
        if not outcome.failed:
            assert outcome.count < max(1, fault.number), told
        # Of a renaming that is interrupted nobody knows whether it took place.
        never_mind = fault.how in HARMLESS and fault.kind != "rename"
        never_mind = never_mind or fault == Fault("allocate", 1, errno.EIO)
        if not outcome.failed or never_mind or right.code == 2:
            assert (outcome.code, outcome.err) == (right.code, right.err), told
            assert outcome.out == right.out, told
            assert all(same(outcome.files.get(name), data) for name, data in new.items()), told
            return
        assert outcome.code == 2, told
        line = ONE_LINE.fullmatch(outcome.err)
        assert line is not None, told
        place = _place(outcome.failed)
        assert line[1].startswith("standard input" if place == self._case.stdin else place), told
        assert os.strerror(fault.how) in line[1], told
        assert right.out.startswith(outcome.out), told
        assert outcome.failed == "standard output" or outcome.out[-1:] in (b"", b"\n"), told


def same(left: bytes | None, right: bytes) -> bool:
    """Compare two files; one report tells how long it took."""
    return left is not None and _TIMES.sub(b"", left) == _TIMES.sub(b"", right)


def _place(path: str) -> str:
    """Return how an error names the file whose call failed."""
    name = Path(path.removesuffix(" (deleted)")).name
    temporary = TEMPORARY.fullmatch(name)
    return temporary[1] if temporary else name
