"""main(argv) -> exit code: the one error boundary, which turns errors into messages and codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from softmax_cli.errors import ExitCode, OutputError, SoftmaxCliError, Terminated, print_message
from softmax_cli.runtime.fork_guard import allow_fork
from softmax_cli.runtime.signals import raise_on_signals
from softmax_cli.runtime.standard_streams import (
    ignore_output_errors,
    open_standard_streams,
    silence_standard_output,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code, one of ExitCode whatever happens."""
    is_program = argv is None
    allow_fork(is_program)
    if is_program:
        open_standard_streams()
    code = _exit_code(list(sys.argv[1:] if argv is None else argv))
    if is_program:
        ignore_output_errors()
        # What is alive now ends with the process; searching it for garbage takes a tenth of a run.
        gc.freeze()
    return code


def _exit_code(arguments: list[str]) -> int:
    # The threads of NumPy's BLAS slow its import, and would compete with those of the pipeline.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    # Modules are never freed; collecting garbage during imports only slows the start.
    gc.set_threshold(500_000)
    try:
        with raise_on_signals():
            try:
                from softmax_cli.commands.app.app import run

                code = run(arguments)
            except Exception:
                # Report this error, not one of flushing.
                with suppress(OSError, OutputError):
                    _flush_standard_output()
                raise
            _flush_standard_output()
            return code
    except BrokenPipeError:
        silence_standard_output()
        return ExitCode.PIPE_CLOSED
    except (Terminated, KeyboardInterrupt) as end:
        if isinstance(end, Terminated) and end.number != signal.SIGINT:
            # The files are cleaned up: now end by the signal, as its sender expects.
            signal.signal(end.number, signal.SIG_DFL)
            signal.raise_signal(end.number)
        silence_standard_output()
        return ExitCode.INTERRUPTED
    except SoftmaxCliError as error:
        return _report(str(error), arguments)
    except MemoryError:
        return _report("out of memory; the input or the result is too large", arguments)
    except OSError as error:
        # Commands raise OutputError for their files; this error comes from printing help.
        return _report(f"standard output: {error.strerror or error}", arguments)
    except Exception as error:
        text = f"internal error: {type(error).__name__}: {error}; --debug shows where"
        return _report(text, arguments)


def _report(line: str, arguments: Sequence[str]) -> int:
    if "--debug" in arguments and sys.stderr is not None:
        import traceback

        with suppress(OSError):
            traceback.print_exc()
    print_message(line)
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
