"""The scheduler of a cluster: found by its address, or started on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softmax_cli.errors import InputError, SoftmaxCliError, UsageError

_REMEDY = "give tcp://HOST:PORT"
# How long the processes of this machine may take to end.
_STOP_SECONDS = 5


def find_scheduler(token: str, patience: float) -> str:
    """Return the address of a scheduler that answers, given itself or in a scheduler file."""
    # Dask's client does not stop at an invalid address, and waits for other programs to answer.
    address = _address_in(token) if token.endswith(".json") else token
    try:
        kind = asyncio.run(asyncio.wait_for(_kind(address, patience), patience))
    except (OSError, TimeoutError) as error:
        remedy = "start one with 'dask scheduler', or use --scheduler local"
        raise SoftmaxCliError("no scheduler answers", remedy, token) from error
    except ValueError as error:
        raise UsageError(f"not an address: {error}", _REMEDY, token or "--scheduler") from error
    except (TypeError, RuntimeError, ImportError) as error:
        # The protocol needs keys, or another package.
        problem = f"Dask is not set up for this protocol: {error}"
        raise UsageError(problem, f"set it up, or {_REMEDY}", token) from error
    if kind in ("Worker", "Nanny"):
        raise UsageError(f"is a {kind.lower()}", "give the address of its scheduler", token)
    return address


async def _kind(address: str, patience: float) -> str:
    from distributed.core import rpc
    from distributed.security import Security

    keys = Security().get_connection_args("client")
    async with rpc(address, timeout=patience, connection_args=keys) as server:
        return str((await server.identity())["type"])


def _address_in(path: str) -> str:
    remedy = "give a file that 'dask scheduler --scheduler-file' wrote"
    try:
        return str(json.loads(Path(path).read_bytes())["address"])
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", remedy, path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("names no scheduler", remedy, path) from error


@contextmanager
def local_scheduler(workers: int) -> Iterator[str]:
    """Start a scheduler and workers as processes of this machine; yield the address."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory(prefix="softmax-cli-", ignore_cleanup_errors=True) as folder:
        # Ctrl-C reaches all processes of a terminal; only this one handles it.
        with _interrupts_blocked():
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                # The scheduler serves HTTP in any case; let it use any free port.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
                local_directory=folder,
            )
        try:
            yield local.scheduler_address
        finally:
            with suppress(Exception):
                local.close(timeout=_STOP_SECONDS)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Delay interrupts; threads and processes started meanwhile never receive one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
