"""A library that ends the process: one line, exit code 2, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softmax_cli.errors import ExitCode
from tests.running import ROOT

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the process is copied on Linux"),
    pytest.mark.fast(1),
]

# Reading rows does this, once the temporary file of the output is there.
_PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from softmax_cli.__main__ import main

def install():
    from softmax_cli.formats.columnar.file import ColumnarFile
    whole = ColumnarFile.part
    def part(self, names, start, count):
        Path("reading").write_text(str(os.getpid()))
        {does}
        return whole(self, names, start, count)
    ColumnarFile.part = part

import softmax_cli.formats.registry as formats
load_reader = formats.Format.load_reader
def patched(self):
    module = load_reader(self)
    install()
    return module
formats.Format.load_reader = patched
sys.exit(main())
"""


def started(does: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    import polars as pl

    pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).write_parquet(folder / "x.parquet")
    (folder / "y.csv").write_text("old\n")
    (folder / "program.py").write_text(_PROGRAM.format(does=does))
    arguments = arguments or ("softmax", "x.parquet", "-o", "y.csv")
    return subprocess.Popen(
        [sys.executable, "-P", "program.py", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"reading", "program.py", "x.parquet"}


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os.abort()", "x.parquet: cannot be read: it ends the process (SIGABRT); it is damaged"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "x.parquet: cannot be read: it ends the process"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "(SIGBUS); it is damaged"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it may have been short of memory"),
    ],
)
def test_a_process_that_a_file_ends(does: str, said: str, tmp_path: Path) -> None:
    program = started(does, tmp_path)
    out, err = program.communicate()
    assert (program.returncode, out) == (ExitCode.ERROR, "")
    assert said in err
    assert err.count("\n") == 1
    assert left(tmp_path) == {"y.csv"}
    assert (tmp_path / "y.csv").read_text() == "old\n"


def test_a_right_file_is_read_as_ever(tmp_path: Path) -> None:
    program = started("pass", tmp_path)
    out, err = program.communicate()
    assert (program.returncode, out, err) == (0, "", "")
    assert (tmp_path / "y.csv").read_text().startswith("a,b\n0.1192")
    assert int((tmp_path / "reading").read_text()) != program.pid


def test_an_error_is_told_once(tmp_path: Path) -> None:
    program = started("raise MemoryError", tmp_path)
    out, err = program.communicate()
    assert (program.returncode, out) == (ExitCode.ERROR, "")
    assert err == "softmax-cli: out of memory; the input or the result is too large\n"


@pytest.mark.parametrize("group", [False, True], ids=["the first alone", "both"])
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)],
)
def test_a_signal_ends_both(sent: int, code: int, group: bool, tmp_path: Path) -> None:
    program = started("time.sleep(60)", tmp_path)
    reading = tmp_path / "reading"
    while not (reading.exists() and reading.read_text()):
        assert program.poll() is None
        time.sleep(0.01)
    (os.killpg if group else os.kill)(program.pid, sent)
    out, err = program.communicate()
    assert (program.returncode, out, err) == (code, "", "")
    assert left(tmp_path) == {"y.csv"}
    assert not _lives(int(reading.read_text()))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_a_copy_that_hears_no_signal_is_killed(sent: int, tmp_path: Path) -> None:
    deaf = f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(sent)}]); time.sleep(60)"
    program = started(deaf, tmp_path)
    reading = tmp_path / "reading"
    while not (reading.exists() and reading.read_text()):
        time.sleep(0.01)
    program.send_signal(sent)
    out, err = program.communicate()
    assert (program.returncode, out, err) == (130 if sent == signal.SIGINT else -sent, "", "")
    assert left(tmp_path) == {"y.csv"}


@pytest.mark.parametrize("closed", ["<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>&-"])
def test_standard_streams_that_are_closed(closed: str, tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).write_parquet(tmp_path / "x.parquet")
    line = f"exec {sys.executable} -P -m softmax_cli softmax x.parquet -o y.csv {closed}"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=variables, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "y.csv").read_text().startswith("a,b\n0.1192")


def test_the_copy_does_not_outlive_a_kill(tmp_path: Path) -> None:
    program = started("time.sleep(60)", tmp_path)
    reading = tmp_path / "reading"
    while not (reading.exists() and reading.read_text()):
        time.sleep(0.01)
    program.kill()
    program.communicate()
    for _ in range(500):
        if not _lives(int(reading.read_text())):
            break
        time.sleep(0.01)
    assert not _lives(int(reading.read_text()))
    assert (tmp_path / "y.csv").read_text() == "old\n"


def _lives(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
