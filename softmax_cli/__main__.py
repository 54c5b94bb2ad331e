"""main(argv) -> exit code: the only place where an error becomes a line and a code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from softmax_cli.errors import ExitCode, OutputError, SoftmaxCliError, Terminated, say
from softmax_cli.runtime.fork_guard import allow
from softmax_cli.runtime.signals import ended_by_signals
from softmax_cli.runtime.standard_streams import (
    drop_what_cannot_be_written,
    open_standard_streams,
    silence_standard_output,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; whatever happens, the exit code is one of ExitCode."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_program = argv is None
    allow(is_program)
    if not is_program:
        return _outcome(arguments)
    open_standard_streams()
    code = _outcome(arguments)
    drop_what_cannot_be_written()
    return code


def _outcome(arguments: list[str]) -> int:
    # Rows are shared out among threads; NumPy's own would stand in their way, and slow its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    # Modules are made to stay; to look for what of them could go slows each import.
    gc.set_threshold(500_000)
    try:
        with ended_by_signals():
            try:
                from softmax_cli.commands.app.app import run

                code = run(arguments)
            except Exception:
                # The error that is under way is the one to tell.
                with suppress(OSError, OutputError):
                    _flush_standard_output()
                raise
            _flush_standard_output()
            return code
    except BrokenPipeError:
        silence_standard_output()
        return ExitCode.PIPE_CLOSED
    except Terminated as end:
        if end.number != signal.SIGINT:
            # By now nothing is left behind; end as the signal would have ended the program.
            signal.signal(end.number, signal.SIG_DFL)
            signal.raise_signal(end.number)
        silence_standard_output()
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        silence_standard_output()
        return ExitCode.INTERRUPTED
    except SoftmaxCliError as error:
        return _failed(str(error), arguments)
    except MemoryError:
        return _failed("out of memory; the input or the result is too large", arguments)
    except OSError as error:
        # Of the commands' own files an error tells more; what is left is the help.
        return _failed(f"standard output: {error.strerror or error}", arguments)
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error}; --debug shows where"
        return _failed(text, arguments)


def _failed(line: str, arguments: Sequence[str]) -> int:
    if "--debug" in arguments and sys.stderr is not None:
        import traceback

        with suppress(OSError):
            traceback.print_exc()
    say(line)
    return ExitCode.ERROR


def _flush_standard_output() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        silence_standard_output()
        if isinstance(error, BrokenPipeError):
            raise
        problem = f"cannot be written: {error.strerror or error}"
        raise OutputError(problem, "name a place that can be", "standard output") from error


if __name__ == "__main__":
    sys.exit(main())
