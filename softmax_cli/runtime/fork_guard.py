"""Fork guard: run a crash-prone library in a child process, and clean up after a crash.

Polars aborts the process over some damaged files, such as a page that declares exabytes. Before it
reads a file the process forks, which takes a millisecond. The child continues as if nothing had
happened; the parent waits for it, reports a crash and returns the exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

from softmax_cli.errors import ExitCode, print_message

_BOARD_BYTES = 1 << 16
_TEXT_BYTES = _BOARD_BYTES // 2
# How long the child has to end by itself: Ctrl-C interrupts both processes.
_PATIENCE_SECONDS = 0.3
_LAST_PATIENCE_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1

# Shared memory: the file that the child reads, and the names of its temporary files.
_board: memoryview | None = None
_is_allowed = False


def allow_fork(is_program: bool) -> None:
    """Allow a fork if this process is the program itself, and not a library in another one."""
    global _is_allowed
    _is_allowed = is_program


def fork_guard() -> None:
    """Fork at the first call, if that is safe, and return in the child only."""
    global _board
    if not _is_allowed or sys.platform != "linux" or _board is not None:
        return
    # Threads do not survive a fork, and a lock that one holds is never released.
    if "polars" in sys.modules or threading.active_count() > 1:
        return
    import ctypes
    import mmap

    board = memoryview(mmap.mmap(-1, _BOARD_BYTES))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    child = os.fork()
    if child:
        os._exit(_outcome(child, board))
    _board = board
    # End when the parent is killed.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def report_current_file(place: str) -> None:
    """Report the file that is read now, in case it crashes the process."""
    _write(0, place)


def report_temp_files(names: set[str]) -> None:
    """Report the temporary files to remove after a crash."""
    _write(_TEXT_BYTES, "\0".join(names))


def _write(at: int, text: str) -> None:
    if _board is not None:
        data = os.fsencode(text)[: _TEXT_BYTES - 4]
        _board[at : at + 4 + len(data)] = len(data).to_bytes(4, "little") + data


def _read(board: memoryview, at: int) -> str:
    length = int.from_bytes(board[at : at + 4], "little")
    return os.fsdecode(bytes(board[at + 4 : at + 4 + length]))


def _outcome(child: int, board: memoryview) -> int:
    """Wait for the child, clean up if it crashed, and return the exit code."""
    received: list[int] = []

    def wait_a_little(number: int, _: object) -> None:
        received[:] = [number]
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS, _LAST_PATIENCE_SECONDS)

    def pass_on(*_: object) -> None:
        # A library may hold back signals: the second one kills.
        os.kill(child, received[-1] if len(received) == 1 else signal.SIGKILL)
        received.append(received[0])

    signal.signal(signal.SIGALRM, pass_on)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, wait_a_little)
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL and received:
        code = -received[0]
    if code >= 0:
        return code
    for name in filter(None, _read(board, _TEXT_BYTES).split("\0")):
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
    if -code == signal.SIGINT:
        return ExitCode.INTERRUPTED
    if -code in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(-code, signal.SIG_DFL)
        signal.raise_signal(-code)
    if -code == signal.SIGKILL:
        print_message("the process was killed; it may have been short of memory")
    else:
        problem = f"cannot be read: it ends the process ({signal.Signals(-code).name})"
        print_message(f"{_read(board, 0)}: {problem}; it is damaged")
    return ExitCode.ERROR
