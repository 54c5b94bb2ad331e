"""The signals that end a program pass through it, so that nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from softmax_cli.errors import Terminated
from softmax_cli.runtime.fork_guard import tell_what_is_unfinished

# The names of files that are not whole yet. A signal may come where no block guards them: between
# the call that makes one and the block that would take it away.
_unfinished: set[str] = set()


def register_temp(name: str) -> None:
    """Remember a file that is about to be made, and is not whole."""
    _unfinished.add(name)
    tell_what_is_unfinished(_unfinished)


def unregister_temp(name: str) -> None:
    """Forget a file that is whole now, or gone."""
    _unfinished.discard(name)
    tell_what_is_unfinished(_unfinished)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the signals that end a program pass through it, so that it can tidy up.

    SIGINT too: the interpreter kills itself after a KeyboardInterrupt that arose in code made from
    text, as that of a dataclass is, even where it was caught.
    """
    received: list[int] = []

    def terminate(number: int, _: object) -> None:
        received.append(number)
        for name in tuple(_unfinished):
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108
        raise Terminated(number)

    def send_again(number: int) -> None:
        if hasattr(signal, "pthread_kill"):
            # To the main thread, which may be asleep.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            signal.raise_signal(number)

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        # Raised where an object ends, an exception is dropped: the signal has to come again.
        if isinstance(unraisable.exc_value, Terminated):
            again = threading.Timer(0.01, send_again, [unraisable.exc_value.number])
            again.daemon = True
            again.start()
        else:
            hook(unraisable)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # A signal that is ignored, as nohup asks, stays so.
    before = {n: was for n in numbers if (was := signal.getsignal(n)) != signal.SIG_IGN}
    hook, sys.unraisablehook = sys.unraisablehook, lost
    try:
        for number in before:
            signal.signal(number, terminate)
        yield
    except BaseException as error:
        # What is not whole is gone since, and an error about that is no error.
        if received and not isinstance(error, Terminated | GeneratorExit):
            raise Terminated(received[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
    if received:
        raise Terminated(received[0])
