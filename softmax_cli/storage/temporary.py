"""Names of files that are not whole yet, unlike every other's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_tag: ContextVar[str] = ContextVar("tag", default="")


@contextlib.contextmanager
def tagged(run: str) -> Iterator[None]:
    """Let the names of files that are not whole, made in this thread, tell of which run they are.

    Those of a process that was killed can then be found.
    """
    token = _tag.set(f"{run}.")
    try:
        yield
    finally:
        _tag.reset(token)


def temporary_name(final: Path) -> Path:
    """Return a name beside that of the file that is made."""
    return final.with_name(f".{final.name[:40]}.{_tag.get()}{os.urandom(8).hex()}.tmp")
