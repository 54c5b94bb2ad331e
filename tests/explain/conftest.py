"""A terminal of 80 columns, and a folder with the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import ROOT


@pytest.fixture(autouse=True)
def _at_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
