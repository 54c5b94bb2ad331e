"""What a token names: a file of this machine, or an address; and what is there."""

from __future__ import annotations

import os
import re
from pathlib import Path

# A file of this machine, or an address.
Location = Path | str
# Two letters at least: one is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.ASCII | re.IGNORECASE)


def is_remote(token: str) -> bool:
    """Tell whether a token is an address, and no path of this machine.

    >>> is_remote("s3://bucket/logits.npy"), is_remote("C:/logits.npy"), is_remote("a:b")
    (True, False, False)
    """
    return _ADDRESS.match(token) is not None


def location(token: str) -> Location:
    """Return where a token points to."""
    return token if is_remote(token) else Path(token)


def exists(token: str) -> bool:
    """Tell whether a token names something; a row of numbers may be too long for a name."""
    if is_remote(token):
        from softmax_cli.storage import remote

        return remote.exists(token)
    return os.path.exists(token)  # noqa: PTH110 - Path.exists() raises for what is too long


def is_file(token: str) -> bool:
    """Tell whether a token names a plain file."""
    if is_remote(token):
        from softmax_cli.storage import remote

        return remote.is_file(token)
    return os.path.isfile(token)  # noqa: PTH113


def matching(pattern: str) -> list[str]:
    """Return what a pattern stands for, in order."""
    if is_remote(pattern):
        from softmax_cli.storage import remote

        return remote.found(pattern)
    from glob import glob

    return sorted(glob(pattern, recursive=True))  # noqa: PTH207 - takes absolute patterns
