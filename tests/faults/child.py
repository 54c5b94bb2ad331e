"""One process, loaded with the shim, that is copied for each case: to start an interpreter is slow.

A line of JSON on standard input is a case, and a line on standard output what came of it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pkgutil
import resource
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

import softmax_cli
from softmax_cli.__main__ import main
from softmax_cli.commands.app.app import load
from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.formats.model import blocks
from softmax_cli.storage import input as streams
from softmax_cli.storage import output as target

# What a copy would have to import anew. The threads of Polars do not survive in a copy.
OTHERS = ("concurrent.futures.thread", "gzip", "softmax_cli.display.rich.console", "zstandard")
NOT_YET = ("columnar.", ".polars_", "__main__")
TRACED = (
    *("storage/open_target.py", "storage/output.py", "formats/opening/sink.py", "contextlib.py"),
    *("commands/loss/output.py", "commands/loss/computation.py"),
)


def _small_blocks() -> None:
    """Let files of a few rows take several reads and several writes."""
    for module, name, size in (
        (blocks, "BLOCK_BYTES", 512),
        (streams, "HEAD_BYTES", 1024),
        (target, "_HELD_BYTES", 256),
        (target, "_WRITEBACK_BYTES", 1024),
    ):
        assert hasattr(module, name)
        setattr(module, name, size)


def _signal_at(number: int, sent: int) -> None:
    """Let a signal come at the Nth line that is run of what opens files and lets go of them."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if event == "call":
            return trace if frame.f_code.co_filename.endswith(TRACED) else None
        lines += 1
        if lines == number:
            sys.settrace(None)
            signal.raise_signal(sent)
        return trace

    sys.settrace(trace)


def _in_a_copy(case: dict[str, Any], shim: ctypes.CDLL, answer: int) -> None:
    """Run a command line in this process, which is a copy, and tell what came of it."""
    os.chdir(case["folder"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(case[name], flags, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    if case["signal"]:
        # What is opened when a signal comes is no object of the program's yet.
        warnings.simplefilter("ignore", ResourceWarning)
    _small_blocks()
    if case["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (case["largest_file"], resource.RLIM_INFINITY))
    if case["at_line"]:
        _signal_at(case["at_line"], case["signal"])
    shim.shim_arm(
        case["folder"].encode(), case["kind"], case["number"], case["how"], case["follows_output"]
    )
    code = int(main(case["arguments"]))
    gc.collect()
    # As the interpreter does when it ends.
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"at the end: {error}", file=sys.stderr)
    count = shim.shim_count()
    sys.settrace(None)
    shim.shim_arm(b"", -1, 0, 0, 0)
    told = {"code": code, "count": count, "failed": os.fsdecode(shim.shim_failed())}
    os.write(answer, json.dumps(told).encode())


def serve(shim: ctypes.CDLL) -> None:
    """Answer each case."""
    # What is there already need not be looked through, nor copied for that, in each copy.
    gc.freeze()
    for line in sys.stdin:
        receiving, answer = os.pipe()
        if os.fork() == 0:
            with suppress(BaseException):
                _in_a_copy(json.loads(line), shim, answer)
            os._exit(0)
        os.close(answer)
        with open(receiving, "rb") as stream:  # noqa: PTH123 - a descriptor
            told = stream.read()
        _, status = os.wait()
        ended = json.dumps({"code": os.waitstatus_to_exitcode(status), "count": 1, "failed": "?"})
        print(told.decode() or ended, flush=True)


if __name__ == "__main__":
    ours = pkgutil.walk_packages(softmax_cli.__path__, "softmax_cli.")
    names = [each.name for each in ours if not any(part in each.name for part in NOT_YET)]
    for name in (*names, *OTHERS):
        import_module(name)
    for command in COMMANDS:
        load(command)
    assert "polars" not in sys.modules
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    library.shim_count.restype = ctypes.c_long
    library.shim_failed.restype = ctypes.c_char_p
    library.shim_arm.argtypes = [
        *(ctypes.c_char_p, ctypes.c_int, ctypes.c_long),
        *(ctypes.c_int, ctypes.c_int),
    ]
    serve(library)
