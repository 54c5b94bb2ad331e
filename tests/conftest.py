"""The switch that rewrites the golden cases, and what of a parametrized test is fast."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch."""
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what the commands print now into tests/commands/golden, instead of comparing",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what comes after the first N cases of a test that is marked `fast(N)`."""
    seen: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("fast")
        if marker is None:
            continue
        name = item.nodeid.partition("[")[0]
        seen[name] += 1
        if seen[name] > marker.args[0]:
            item.add_marker(pytest.mark.slow)
