"""One process for all cases; where it cannot be had, none of them runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.faults.faults import Zygote, zygote


@pytest.fixture(scope="package")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """The process that runs every case."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs Linux and a C compiler, to stand before the C library")
    with zygote(tmp_path_factory.mktemp("zygote")) as runner:
        yield runner
