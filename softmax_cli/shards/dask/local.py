"""A scheduler and its workers as processes of this machine."""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# How long they have to end.
_STOP_SECONDS = 5


@contextmanager
def processes(distributed: Any, count: int) -> Iterator[str]:
    """Start a scheduler and so many workers, and return the address of the scheduler."""
    folder = tempfile.mkdtemp(prefix="softmax-cli-")
    try:
        # A key that interrupts goes to all of a terminal's processes, and is this one's affair.
        with _interrupts_held():
            local = distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                # What it serves beside is for nobody, and needs no port of its own choice.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
                local_directory=folder,
            )
        try:
            yield local.scheduler_address
        finally:
            with suppress(Exception):
                local.close(timeout=_STOP_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let interrupts wait; threads and processes that are begun here never hear of one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
