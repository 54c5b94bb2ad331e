"""The program as the shell sees it: exit codes, closed pipes, signals, what is left behind."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from softmax_cli.__main__ import main
from softmax_cli.errors import ExitCode, print_message
from tests.running import ROOT, run

PROGRAM = [sys.executable, "-m", "softmax_cli"]
ONE_LINE = re.compile(r"softmax-cli: [^\n]+\n")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """Logits that take seconds to print."""
    path = tmp_path / "big.npy"
    np.save(path, np.random.default_rng(0).standard_normal((200_000, 20)))
    return path


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 130, 141]


def test_a_closed_pipe_is_silent(big: Path) -> None:
    program = subprocess.Popen(
        [*PROGRAM, "softmax", str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stdout.readline()
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait() == ExitCode.PIPE_CLOSED


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP),
    ],
)
def test_a_signal_leaves_nothing_behind(sent: int, code: int, big: Path) -> None:
    before = set(big.parent.iterdir())
    program = subprocess.Popen(
        [*PROGRAM, "softmax", str(big), "-o", str(big.parent / "out.csv")], stderr=subprocess.PIPE
    )
    while not list(big.parent.glob(".out.csv.*.tmp")):
        assert program.poll() is None
        time.sleep(0.01)
    program.send_signal(sent)
    _, err = program.communicate()
    assert (program.returncode, err) == (code, b"")
    assert set(big.parent.iterdir()) == before


INTERRUPTS = {
    "in code made from text": "exec('signal.raise_signal(signal.SIGINT)')",
    "where an object ends": "End(); time.sleep(60)",
}


@pytest.mark.parametrize("where", INTERRUPTS)
def test_an_interrupt_ends_the_program_wherever_it_comes(where: str, tmp_path: Path) -> None:
    script = f"""
import signal, sys, time
import softmax_cli.commands.app.app
from softmax_cli.__main__ import main

class End:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)

def run(_):
    {INTERRUPTS[where]}

softmax_cli.commands.app.app.run = run
sys.exit(main(["softmax", "1"]))
"""
    path = tmp_path / "script.py"
    path.write_text(script)
    result = subprocess.run([sys.executable, path], capture_output=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (ExitCode.INTERRUPTED, b"", b"")


def test_a_hang_up_that_is_ignored_stays_so() -> None:
    def run(_: list[str]) -> int:
        signal.raise_signal(signal.SIGHUP)
        return ExitCode.DONE

    with mock.patch("softmax_cli.commands.app.app.run", run):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert main(["softmax", "1"]) == ExitCode.DONE
        finally:
            signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("boom\nbang"), 2),
        (MemoryError(), 2),
        (OSError(5, "Input/output error"), 2),
        (RecursionError("too deep"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_no_error_is_ever_exit_code_1(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with mock.patch("softmax_cli.core.softmax.softmax.softmax", side_effect=error):
        assert main(["softmax", "1", "2"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert (ONE_LINE.fullmatch(err) is not None) == (code == 2)


def test_debug_shows_the_traceback() -> None:
    outcome = run("softmax-cli softmax abc --debug")
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback")
    assert ONE_LINE.fullmatch(outcome.err.splitlines(keepends=True)[-1])


def test_a_full_device_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "softmax", "1", "2"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == ExitCode.ERROR
    assert ONE_LINE.fullmatch(done.stderr)
    assert "standard output: cannot be written: No space left on device" in done.stderr


# Its functions print where they are imported, where they are called, and when the interpreter ends.
_TALKS = """
import atexit, signal
import numpy as np

def say():
    print("hello" * 5000)

atexit.register(print, "bye")
say()

def square(x):
    say()
    return float(np.sum(x**2))

def twice(x):
    return 2 * x

def thrice(x):
    return 3 * x

def interrupted(x):
    say()
    signal.raise_signal(signal.SIGINT)

def terminated(x):
    say()
    signal.raise_signal(signal.SIGTERM)
"""
# Every way to end, its exit code, and whether it has something for standard output.
ENDINGS: dict[str, tuple[int, bool]] = {
    "softmax abc": (2, False),
    "softmax 1 2": (0, True),
    "softmax 1 2 -o y.csv": (0, False),
    "softmax 1,nan 1,2 --on-bad-row skip": (0, True),
    "softmax 1,nan 1,2 --on-bad-row skip -o y.csv": (0, False),
    "softmax abc --debug": (2, False),
    "softmax --typo": (2, False),
    "sofmax": (2, False),
    "": (2, False),
    "--help": (0, True),
    "xent --help": (0, True),
    "--version": (0, True),
    "softmax x.parquet": (0, True),
    "softmax damaged.parquet": (2, False),
    "softmax 'part-*.npy' --output-dir done": (0, False),
    "gradcheck 1 2": (0, True),
    "gradcheck talks:square --grad talks:twice --at 1,2": (0, True),
    "gradcheck talks:square --grad talks:thrice --at 1,2": (1, True),
    "gradcheck talks:square --grad talks:twice --at 0,0": (3, True),
    "gradcheck talks:square --grad talks:twice --at 1,2 -o y.json": (0, False),
    "gradcheck talks:interrupted --grad talks:twice --at 1,2": (130, False),
    "gradcheck talks:terminated --grad talks:twice --at 1,2": (-signal.SIGTERM, False),
}
# One ending of this process, and one of its copy: those that are tried without buffers too.
_KINDS = ("softmax abc", "softmax x.parquet")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
FAILING = ["full", "closed", "unread"]
ALL_ENDINGS = [
    *(pytest.param(line, {}, id=f"{line}, buffered") for line in ENDINGS),
    *(pytest.param(line, UNBUFFERED, id=f"{line}, unbuffered") for line in _KINDS),
]


@pytest.fixture
def endings(tmp_path: Path) -> Path:
    """Return a folder with all that the endings read."""
    import polars as pl

    pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).write_parquet(tmp_path / "x.parquet")
    (tmp_path / "damaged.parquet").write_bytes((tmp_path / "x.parquet").read_bytes()[:-9])
    for number in range(2):
        np.save(tmp_path / f"part-{number}.npy", np.zeros((2, 2)))
    (tmp_path / "talks.py").write_text(_TALKS)
    return tmp_path


def ended(line: str, folder: Path, environment: dict[str, str], **streams: str) -> tuple[int, str]:
    """Run a line with streams that fail, and return its exit code and what came of the others.

    The environment is bare, so that what is found does not depend on this one.
    """
    shell = "exec " + " ".join([sys.executable, "-P", "-m", "softmax_cli", line])
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    given: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    opened = []
    for name, how in streams.items():
        if how == "closed":
            shell += f" {'21'[name == 'stdout']}>&-"
        elif how == "full":
            given[name] = os.open("/dev/full", os.O_WRONLY)
            opened.append(given[name])
        else:
            reader, given[name] = os.pipe()
            os.close(reader)
            opened.append(given[name])
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=folder,
        env={**variables, "SHELL": "/bin/bash", **environment},
        stdin=subprocess.DEVNULL,
        stdout=given["stdout"],
        stderr=given["stderr"],
        text=True,
        check=False,
    )
    for number in opened:
        os.close(number)
    return done.returncode, (done.stdout or "") + (done.stderr or "")


@pytest.mark.fast(1)
@pytest.mark.parametrize(("line", "environment"), ALL_ENDINGS)
def test_standard_error_that_fails_does_not_change_the_exit_code(
    line: str, environment: dict[str, str], endings: Path
) -> None:
    code, prints = ENDINGS[line]
    assert ended(line, endings, environment)[0] == code
    for how in FAILING:
        found, out = ended(line, endings, environment, stderr=how)
        assert (how, found) == (how, code)
        # What was for standard error is not sent to standard output instead; what the module prints
        # at the very end is its own affair.
        assert (how, bool(out)) == (how, prints or line.endswith("-o y.json"))
        assert "softmax-cli: " not in out


@pytest.mark.fast(1)
@pytest.mark.parametrize(("line", "environment"), ALL_ENDINGS)
def test_standard_output_that_fails_is_an_error_where_it_is_needed(
    line: str, environment: dict[str, str], endings: Path
) -> None:
    code, prints = ENDINGS[line]
    for how in FAILING:
        expected = (141 if how == "unread" else 2) if prints else code
        found, err = ended(line, endings, environment, stdout=how)
        assert (how, found) == (how, expected)
        assert ("standard output: " in err) == (prints and how != "unread"), err
    assert ended(line, endings, environment, stdout="full", stderr="full")[0] == (
        2 if prints else code
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", FAILING)
def test_a_run_on_a_cluster_needs_no_standard_stream(how: str, endings: Path) -> None:
    line = "softmax 'part-*.npy' --output-dir done --scheduler local --workers 1"
    assert ended(line, endings, {}, stdout=how, stderr=how)[0] == 0
    assert ended(f"{line} --no-such-option", endings, {}, stdout=how, stderr=how)[0] == 2
    (endings / "part-1.npy").write_bytes(b"damaged")
    assert ended(f"{line} --fresh", endings, {}, stdout=how, stderr=how)[0] == 2


@pytest.mark.parametrize("instruction", ["complete_bash", "source_zsh", "nonsense"])
def test_completion_ends_with_a_code_of_the_contract(instruction: str, endings: Path) -> None:
    words = {"COMP_WORDS": "softmax-cli so", "COMP_CWORD": "1"}
    environment = {"_SOFTMAX_CLI_COMPLETE": instruction, **words}
    found, out = ended("", endings, environment)
    assert found == (2 if instruction == "nonsense" else 0)
    assert "softmax" in out or found
    for how in ("full", "closed"):
        assert ended("", endings, environment, stdout=how, stderr="full")[0] == 2


def test_completion_is_shown_at_a_shell(endings: Path) -> None:
    # The shell that started the program is asked for.
    for stream, code in (("", 0), (">/dev/full", 2), (">&-", 2)):
        line = f"{sys.executable} -P -m softmax_cli --show-completion {stream}; exit $?"
        variables = {"PATH": os.environ["PATH"], "HOME": str(endings), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["bash", "-c", line], env=variables, capture_output=True, text=True)
        assert (done.returncode, "complete" in done.stdout) == (code, code == 0)


@pytest.mark.parametrize("name", ["a\nb.csv", "\x1b[31mred.csv"])
def test_a_file_name_is_never_sent_raw(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["softmax", name]) == ExitCode.ERROR
    err = capsys.readouterr().err
    assert ONE_LINE.fullmatch(err)
    assert err.strip().isprintable()


def test_no_line_is_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    print_message(f"x.csv: {'long ' * 1000}; mend it")
    err = capsys.readouterr().err
    assert len(err) < 1000
    assert err.startswith("softmax-cli: x.csv: long")
    assert err.endswith("; mend it\n")


def _at_a_terminal(*arguments: str, **environment: str) -> str:
    """Return what a person sees: standard output and error of a real terminal."""
    controller, terminal = pty.openpty()
    variables = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", **environment}
    program = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=variables
    )
    os.close(terminal)
    shown = b""
    # Reading from a terminal that its program has left is an error on Linux.
    with contextlib.suppress(OSError):
        while chunk := os.read(controller, 65536):
            shown += chunk
    program.wait()
    os.close(controller)
    return shown.decode().replace("\r\n", "\n")


def test_a_person_gets_a_table_with_bars_and_colour() -> None:
    shown = _at_a_terminal("softmax", "1", "2", "3")
    assert "probability" in shown
    assert "█" in shown
    assert "\x1b[" in shown


@pytest.mark.parametrize(
    ("arguments", "environment"), [(("--color", "never"), {}), ((), {"NO_COLOR": "1"})]
)
def test_no_colour(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    shown = _at_a_terminal("jacobian", "1", "2", "3", *arguments, **environment)
    assert not re.search("\x1b\\[[0-9;]*(3[0-9]|4[0-9])", shown)
    assert "shade" in shown


def test_colour_in_a_pipe_when_asked_for() -> None:
    outcome = run("softmax-cli jacobian 1 2 3 --format table --color always")
    assert "\x1b[" in outcome.out
    assert "\x1b[" not in run("softmax-cli jacobian 1 2 3 --format table").out


@pytest.mark.fast(8)
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "arguments",
    [
        ("softmax", "samples/digits_logits.npy"),
        ("softmax", "samples/iris.csv", "--id-columns", "label"),
        ("softmax", "samples/iris.csv", "--id-columns", "label", "-k", "2"),
        ("jacobian", "samples/digits_logits.npy"),
        ("xent", "samples/iris.csv", "--label-column", "label"),
        ("gradcheck", "1", "2"),
        ("softmax", *map(str, range(100))),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_table_fits_its_terminal(
    arguments: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = run(f"softmax-cli {' '.join(arguments)}", terminal=True)
    # Under the table of gradcheck stand sentences, and a command to copy: the terminal wraps them.
    table = outcome.out.split("\n\n")[0]
    lines = re.sub("\x1b\\[[0-9;]*m", "", table).splitlines()
    assert max(map(len, lines)) <= width
    # What is left out is a whole column or row, or the middle of a name, never a part of a number.
    assert not any(re.search(r"[\d.]…", line) for line in lines)
    if arguments[0] == "softmax" and arguments[1].startswith("samples/digits"):
        assert any("…" in line for line in lines) == (width < 200)
        assert "20 of 1797 rows" in outcome.out
