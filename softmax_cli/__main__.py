"""main(argv) -> exit code: the only place where an error becomes a line and a code."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from softmax_cli.errors import ExitCode, SoftmaxCliError, Terminated, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; whatever happens, the exit code is one of ExitCode."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Rows are shared out among threads; NumPy's own would stand in their way, and slow its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    # Modules are made to stay; to look for what of them could go slows each import.
    gc.set_threshold(500_000)
    try:
        with _ended_by_signals():
            try:
                from softmax_cli.commands import run

                return run(arguments)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
    except BrokenPipeError:
        _silence_standard_output()
        return ExitCode.PIPE_CLOSED
    except Terminated as end:
        if end.number != signal.SIGINT:
            # By now nothing is left behind; end as the signal would have ended the program.
            signal.signal(end.number, signal.SIG_DFL)
            signal.raise_signal(end.number)
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SoftmaxCliError as error:
        return _failed(str(error), arguments)
    except MemoryError:
        return _failed("out of memory; the input or the result is too large", arguments)
    except OSError as error:
        return _failed(f"{error.filename or 'standard output'}: {error.strerror}", arguments)
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error}; --debug shows where"
        return _failed(text, arguments)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the signals that end a program pass through it, so that it can tidy up.

    SIGINT too: the interpreter kills itself after a KeyboardInterrupt that arose in code made from
    text, as that of a dataclass is, even where it was caught.
    """

    def terminate(number: int, _: object) -> None:
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
    for number in before:
        signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


def _failed(line: str, arguments: Sequence[str]) -> int:
    if "--debug" in arguments and sys.stderr is not None:
        import traceback

        with suppress(OSError):
            traceback.print_exc()
    say(line)
    return ExitCode.ERROR


def _silence_standard_output() -> None:
    """Keep the interpreter from complaining about the closed pipe when it exits."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
