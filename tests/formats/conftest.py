"""Every test works in a directory of its own, so that errors name files without one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make an empty directory the current one; what is in it need not survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        yield Path(name)
