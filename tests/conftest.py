"""Golden rewriting, a terminal of fixed width, which parametrized cases are fast, and signals."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import suppress

import pytest


def pytest_configure() -> None:
    """Let the signals that the tests send be heard, though nohup or a shell had them ignored."""
    for name in ("SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            # In another thread than the main one it is not possible, and nothing is sent.
            with suppress(ValueError):
                default = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
                signal.signal(number, default)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch."""
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what the commands print now into tests/commands/golden, instead of comparing",
    )


@pytest.fixture
def terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a terminal of 80 columns and 256 colors."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


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
