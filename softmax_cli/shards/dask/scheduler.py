"""The scheduler that an address stands for: asked who it is before anything relies on it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from softmax_cli.errors import InputError, SoftmaxCliError, UsageError

_REMEDY = "tcp://HOST:PORT"


def find_scheduler(token: str, patience: float) -> str:
    """Return the address of a scheduler that answers; a file that one wrote may name it.

    Dask's own client does not end where its address is none, and waits for what another program
    says that listens there.
    """
    address = _written(token) if token.endswith(".json") else token
    try:
        kind = asyncio.run(asyncio.wait_for(_kind(address, patience), patience))
    except (OSError, TimeoutError) as error:
        remedy = "start one with 'dask scheduler', or use --scheduler local"
        raise SoftmaxCliError("no scheduler answers", remedy, token) from error
    except ValueError as error:
        place = token or "--scheduler"
        raise UsageError(f"is no address: {error}", _REMEDY, place) from error
    except (TypeError, RuntimeError, ImportError) as error:
        # Of a protocol that needs keys, or a package.
        problem = f"Dask is not set up for this: {error}"
        raise UsageError(problem, f"see to that, or use {_REMEDY}", token) from error
    if kind in ("Worker", "Nanny"):
        raise UsageError(f"is a {kind.lower()}", "give the address of its scheduler", token)
    return address


async def _kind(address: str, patience: float) -> str:
    from distributed.core import rpc
    from distributed.security import Security

    keys = Security().get_connection_args("client")
    async with rpc(address, timeout=patience, connection_args=keys) as there:
        return str((await there.identity())["type"])


def _written(path: str) -> str:
    remedy = "give what 'dask scheduler --scheduler-file' wrote"
    try:
        return str(json.loads(Path(path).read_bytes())["address"])
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", remedy, path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("names no scheduler", remedy, path) from error
