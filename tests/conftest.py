"""The switch that rewrites the golden cases."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch."""
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what the commands print now into tests/commands/golden, instead of comparing",
    )
