"""Lets a copy of this process do the work where a library may end it, and tidies up after that.

Polars ends the whole process over some damaged files: a page that speaks of exabytes is "memory
allocation of 2305843009213693848 bytes failed" and SIGABRT, and no exception tells of it. So before
Polars reads a file the process is copied, which takes a millisecond: the copy goes on as if nothing
had happened, and this one waits for it, to say in its place what happened and to end with 2.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from softmax_cli.errors import ExitCode, print_message

if TYPE_CHECKING:
    import mmap

_BOARD_BYTES = 1 << 16
_TEXT_BYTES = _BOARD_BYTES // 2
# How long the copy has to end by itself: a key that interrupts goes to both.
_PATIENCE_SECONDS = 0.3
_LAST_PATIENCE_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1

# What the copy tells: what it reads, and the names of its files that are not whole.
_board: mmap.mmap | None = None
_is_allowed = False


def allow(is_program: bool) -> None:
    """Let this process be copied if it is a program that was started, and no part of another."""
    global _is_allowed
    _is_allowed = is_program


def fork_guard() -> None:
    """Return in a copy of this process, once; what called this then runs there alone."""
    global _board
    if not _is_allowed or sys.platform != "linux" or _board is not None:
        return
    # Threads do not survive in a copy, and a lock that one holds is never given back.
    if "polars" in sys.modules or threading.active_count() > 1:
        return
    import mmap

    board = mmap.mmap(-1, _BOARD_BYTES)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    copy = os.fork()
    if copy:
        os._exit(_outcome(copy, board))
    _board = board
    _end_with_the_parent()


def tell_what_is_read(place: str) -> None:
    """Tell what is read now, in case that this ends the process."""
    _tell(0, place)


def tell_what_is_unfinished(names: set[str]) -> None:
    """Tell which files are not whole."""
    _tell(_TEXT_BYTES, "\0".join(names))


def _tell(at: int, text: str) -> None:
    if _board is not None:
        data = os.fsencode(text)[: _TEXT_BYTES - 4]
        _board[at : at + 4 + len(data)] = len(data).to_bytes(4, "little") + data


def _told(board: mmap.mmap, at: int) -> str:
    length = int.from_bytes(board[at : at + 4], "little")
    return os.fsdecode(board[at + 4 : at + 4 + length])


def _end_with_the_parent() -> None:
    """Let the copy not go on alone when what waits for it is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _outcome(copy: int, board: mmap.mmap) -> int:
    """Wait for the copy, and return the exit code; one that ended badly is tidied up after."""
    received: list[int] = []

    def wait_a_little(number: int, _: object) -> None:
        received[:] = [number]
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS, _LAST_PATIENCE_SECONDS)

    def pass_on(*_: object) -> None:
        # Within a library no signal is heard: after the second time there is no asking.
        os.kill(copy, received[-1] if len(received) == 1 else signal.SIGKILL)
        received.append(received[0])

    signal.signal(signal.SIGALRM, pass_on)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, wait_a_little)
    _, status = os.waitpid(copy, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL and received:
        code = -received[0]
    if code >= 0:
        return code
    for name in filter(None, _told(board, _TEXT_BYTES).split("\0")):
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
        print_message(f"{_told(board, 0)}: {problem}; it is damaged")
    return ExitCode.ERROR
