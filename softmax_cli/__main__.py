"""main(argv) -> exit code: the only place where an error becomes a line and a code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from softmax_cli.errors import ExitCode, SoftmaxCliError, printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; whatever happens, the exit code is one of ExitCode."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            from softmax_cli.commands import run

            return run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence_standard_output()
        return ExitCode.PIPE_CLOSED
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


def _failed(line: str, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    print(f"softmax-cli: {printable(line)}", file=sys.stderr)
    return ExitCode.ERROR


def _silence_standard_output() -> None:
    """Keep the interpreter from complaining about the closed pipe when it exits."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
