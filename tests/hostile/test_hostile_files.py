"""Whatever a file holds: one line, exit code 2, little memory, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from tests.formats.arrays.test_npy import npy
from tests.hostile.files import COMPRESSED, COSTLY, MIB, NPY, NPZ, SAFETENSORS, TABLE, TEXT
from tests.running import ROOT, run

pytestmark = pytest.mark.fast(3)

LINE = re.compile(r"softmax-cli: [^\n]{1,1000}\n")

CASES: dict[str, tuple[str, bytes]] = {
    **{f"npy: {name}": ("x.npy", data) for name, data in NPY.items()},
    **{f"npz: {name}": ("x.npz", data) for name, data in NPZ.items()},
    **{f"safetensors: {name}": ("x.safetensors", data) for name, data in SAFETENSORS.items()},
    **{f"text: {name}": case for name, case in TEXT.items()},
    **{f"compressed: {name}": case for name, case in COMPRESSED.items()},
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(name: str, output: str = "out.npy") -> str:
    """Return the one line that refuses a file; nothing is written, and nothing is left."""
    before = set(Path().iterdir())
    outcome = run(f"softmax-cli softmax {name} -o {output}")
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert LINE.fullmatch(outcome.err), outcome.err
    assert outcome.err.rstrip("\n").isprintable()
    assert set(Path().iterdir()) == before
    return outcome.err.removeprefix("softmax-cli: ")


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_is_refused(case: str) -> None:
    name, data = CASES[case]
    Path(name).write_bytes(data)
    assert refused(name).startswith(name)


@pytest.mark.parametrize("case", ["npy: cut at 130", "npz: cut at 200", "text: a word"])
@pytest.mark.parametrize("output", ["out.csv", "out.csv.gz", "out.json", "out.npz", "out.parquet"])
def test_whatever_was_to_be_written(case: str, output: str) -> None:
    name, data = CASES[case]
    Path(name).write_bytes(data)
    Path(output).write_bytes(b"old")
    refused(name, output)
    assert Path(output).read_bytes() == b"old"


@pytest.mark.parametrize("size", range(len(npy(TABLE))))
def test_npy_cut_anywhere(size: int) -> None:
    Path("x.npy").write_bytes(npy(TABLE)[:size])
    refused("x.npy")


@pytest.mark.parametrize(
    "data",
    [
        *(npy(TABLE, (version, 0)) for version in (1, 2, 3)),
        npy(TABLE.astype(">f8")),
        npy(np.asfortranarray(TABLE)),
        npy(np.asfortranarray(TABLE.astype(">f8"))),
    ],
    ids=["version 1", "version 2", "version 3", "big-endian", "Fortran", "big-endian Fortran"],
)
def test_what_is_rare_and_right_is_read(data: bytes) -> None:
    Path("x.npy").write_bytes(data)
    assert run("softmax-cli softmax x.npy -o out.npy").code == 0
    terms = np.exp(TABLE - TABLE.max(axis=1, keepdims=True))
    expected = terms / terms.sum(axis=1, keepdims=True)
    assert_array_equal(np.load("out.npy").round(6), expected.round(6))


def test_a_missing_key_names_those_that_there_are() -> None:
    np.savez("x.npz", left=TABLE, right=TABLE)
    assert "'middle'; it has left, right" in refused("x.npz --key middle")


def _directory() -> str:
    Path("folder").mkdir()
    return "folder"


def _pipe_without_a_writer() -> str:
    os.mkfifo("pipe")
    return "pipe"


def _device() -> str:
    return "/dev/zero"


def _without_permission() -> str:
    Path("x.csv").write_text("1,2\n")
    Path("x.csv").chmod(0)
    if os.access("x.csv", os.R_OK):
        pytest.skip("every file may be read here")
    return "x.csv"


def _of_control_characters() -> str:
    Path("a\nb\x1b[31m.csv").write_text("x\n1,a\n")
    return "'a\nb\x1b[31m.csv'"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
@pytest.mark.parametrize(
    "made",
    [_directory, _pipe_without_a_writer, _device, _without_permission, _of_control_characters],
    ids=lambda made: made.__name__.strip("_").replace("_", " "),
)
def test_what_is_no_plain_file(made: Callable[[], str]) -> None:
    refused(made())


def test_a_header_runs_no_code() -> None:
    Path("x.npy").write_bytes(NPY["a header that is code"])
    assert "header" in refused("x.npy")
    assert not Path("made").exists()


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="memory is not told here")
@pytest.mark.parametrize("case", COSTLY)
@pytest.mark.fast(1)
def test_what_a_hostile_file_costs(case: str) -> None:
    name, made = COSTLY[case]
    Path(name).write_bytes(made())
    memory, err, code = measured("softmax", name, "-o", "out.csv")
    assert (code, list(Path().iterdir())) == (2, [Path(name)]), err
    assert LINE.fullmatch(err)
    assert memory < 100 * MIB


_ONE_BYTE_EACH = """
import contextlib, io, json, os, sys
from pathlib import Path
from softmax_cli.__main__ import main

whole, name = Path(sys.argv[1]).read_bytes(), "x" + sys.argv[1]
for number in range(120):
    data = bytearray(whole)
    data[number * len(data) // 120] ^= 255 if number % 2 else 1 << number % 8
    Path(name).write_bytes(data)
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        code = main(["softmax", name, "-o", "out.csv", "--on-bad-row", "nan", "--quiet"])
    left = sorted(path.name for path in Path().iterdir())
    lines = Path("out.csv").read_bytes().count(b"\\n") if code == 0 else 0
    Path("out.csv").unlink(missing_ok=True)
    print(json.dumps([code, err.getvalue(), lines, left]))
"""


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.slow
def test_a_table_with_one_wrong_byte(
    form: str, compression: Literal["uncompressed", "zstd"]
) -> None:
    """What has no checksum may be another number; the rows are all there, or none is."""
    table = pl.DataFrame({name: TABLE[:, place] for place, name in enumerate("abc")})
    name = f"table.{form}"
    if form == "parquet":
        table.write_parquet(name, compression=compression)
    else:
        table.write_ipc(name, compression=compression)
    # In a process of its own: Polars may end it, and this one has other tests to run.
    program = subprocess.run(
        [sys.executable, "-P", "-c", _ONE_BYTE_EACH, name],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    told = [json.loads(line) for line in program.stdout.splitlines()]
    assert (program.returncode, len(told)) == (0, 120), program.stderr
    assert sum(code == 2 for code, *_ in told) > 20
    for code, err, lines, left in told:
        assert (code, lines) in ((0, len(TABLE) + 1), (2, 0))
        assert code == 0 or LINE.fullmatch(err), err
        assert left == sorted([name, f"x{name}", *(["out.csv"] if code == 0 else [])])


# A process begins with the memory of the one that starts it, as the system counts; this one is
# small. And a file that is believed after all ends the program, not the machine.
_STARTER = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
program = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(program, 0)
print(used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def measured(*arguments: str) -> tuple[int, str, int]:
    """Run the program; return the most memory that it held, what it said, and its exit code."""
    started = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            _STARTER,
            sys.executable,
            "-P",
            "-m",
            "softmax_cli",
            *arguments,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    memory, code = map(int, started.stdout.split())
    return memory * (1 if sys.platform == "darwin" else 1024), started.stderr, code
