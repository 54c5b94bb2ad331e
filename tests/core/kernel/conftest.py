"""The compiled kernel, whatever the environment asks for."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from softmax_cli.core.kernel import choice


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType | None]:
    """Choose the compiled kernel, and return it."""
    monkeypatch.setenv("SOFTMAX_CLI_KERNELS", "compiled")
    choice.compiled.cache_clear()
    yield choice.compiled()
    choice.compiled.cache_clear()
