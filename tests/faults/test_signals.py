"""A signal at any moment leaves the old file or the whole new one, and nothing beside it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.faults import OLD, SIGNALS, TEMPORARY, Fault, Outcome, Zygote, write_inputs

pytestmark = pytest.mark.fast(1)

CODES = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM, signal.SIGKILL: -signal.SIGKILL}
LINES = {
    "softmax few.csv -o x.csv.gz": ["x.csv.gz"],
    "softmax z.npy -o x.npy": ["x.npy"],
    "softmax z.npy -o x.npz": ["x.npz"],
    "softmax z.npy --no-sync -o x.npy": ["x.npy"],
    "softmax few.csv -o x.csv --save x.svg": ["x.csv", "x.svg"],
    "xent z.npy --labels l.csv --losses x.npy --grad x.csv": ["x.npy", "x.csv"],
}
STEP = 149

every_line = pytest.mark.parametrize("line", LINES)


@every_line
@pytest.mark.parametrize("kind", ["open", "write", "sync", "close", "rename", "chmod"])
def test_a_signal_at_any_call(kind: str, line: str, runner: Zygote, tmp_path: Path) -> None:
    new = _whole(line, runner, tmp_path)
    for sent in (signal.SIGKILL, signal.SIGTERM):
        number, came = 1, True
        while came:
            _put_old(line, tmp_path)
            outcome = runner.run(tmp_path, line, Fault(kind, number, SIGNALS - sent), signal=sent)
            came = bool(outcome.failed)
            _check(sent, outcome, new, came=came)
            number += 1
        assert (number > 2) == (kind != "sync" or "--no-sync" not in line)


@every_line
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_a_line_that_opens_or_lets_go(
    sent: signal.Signals, line: str, runner: Zygote, tmp_path: Path
) -> None:
    """Some of these lines: all of them, which STEP = 1 takes, are a few thousand."""
    new = _whole(line, runner, tmp_path)
    number, came = 1 + sent % STEP, True
    while came:
        _put_old(line, tmp_path)
        outcome = runner.run(tmp_path, line, at_line=number, signal=sent)
        came = outcome.code != 0
        _check(sent, outcome, new, came=came)
        number += STEP
    assert number > 2 * STEP


def _whole(line: str, runner: Zygote, folder: Path) -> dict[str, bytes]:
    write_inputs(folder)
    outcome = runner.run(folder, line)
    assert outcome.code == 0, outcome.err
    return outcome.files


def _put_old(line: str, folder: Path) -> None:
    """Let there be an old file in place of the last output alone, and nothing left of before."""
    *others, last = LINES[line]
    for name in others:
        (folder / name).unlink(missing_ok=True)
    (folder / last).write_bytes(OLD)
    for path in folder.glob(".*.tmp"):
        path.unlink()


def _check(sent: signal.Signals, outcome: Outcome, new: dict[str, bytes], *, came: bool) -> None:
    told = (sent, outcome)
    assert outcome.err == "", told
    assert outcome.code == (CODES[sent] if came else 0), told
    for name, data in outcome.files.items():
        if sent != signal.SIGKILL or not TEMPORARY.fullmatch(name):
            assert data in (OLD, new[name]), told
