"""Signals that end the program become exceptions, and temporary files are removed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softmax_cli.errors import Terminated
from softmax_cli.runtime.fork_guard import report_temp_files

# A signal may come between the call that creates a file and the block that would remove it.
_temporary: set[str] = set()


def make_temp() -> tuple[int, Path]:
    """Create a temporary file that a signal removes; return its descriptor and its path."""
    from tempfile import mkstemp

    descriptor, name = mkstemp(prefix="softmax-cli-", suffix=".tmp")
    register_temp(Path(name))
    return descriptor, Path(name)


def register_temp(path: Path) -> None:
    """Remove this file if a signal ends the program."""
    _temporary.add(str(path))
    report_temp_files(_temporary)


def remove_temp(path: Path) -> None:
    """Remove a registered file, unless it has been renamed."""
    with suppress(OSError):
        path.unlink()
    _temporary.discard(str(path))
    report_temp_files(_temporary)


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise Terminated in the main thread when SIGINT, SIGTERM or SIGHUP comes.

    SIGINT too: after a KeyboardInterrupt in generated code, such as a dataclass's, the interpreter
    kills itself even if the exception was caught.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def terminate(number: int, _: object) -> None:
        received.append(number)
        for name in tuple(_temporary):
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108
        raise Terminated(number)

    def send_again(number: int) -> None:
        if hasattr(signal, "pthread_kill"):
            # The main thread may be asleep.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            signal.raise_signal(number)

    def retry(unraisable: sys.UnraisableHookArgs) -> None:
        # Python drops an exception raised in a finalizer: send the signal again.
        if isinstance(unraisable.exc_value, Terminated):
            again = threading.Timer(0.01, send_again, [unraisable.exc_value.number])
            again.daemon = True
            again.start()
        else:
            hook(unraisable)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # A signal that is ignored, as under nohup, stays ignored.
    before = {n: was for n in numbers if (was := signal.getsignal(n)) != signal.SIG_IGN}
    hook, sys.unraisablehook = sys.unraisablehook, retry
    try:
        for number in before:
            signal.signal(number, terminate)
        yield
    except BaseException as error:
        # The removed files may cause other errors: report the signal.
        if received and not isinstance(error, Terminated | GeneratorExit):
            raise Terminated(received[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
    if received:
        raise Terminated(received[0])
