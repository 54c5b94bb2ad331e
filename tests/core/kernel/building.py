"""Kernels that tests compile."""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from hatch_build import unsupported

_COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
needs_compiler = pytest.mark.skipif(
    shutil.which(_COMPILER) is None or bool(unsupported()),
    reason="needs the C compiler that Python was built with",
)


def load_kernel(path: Path) -> ModuleType:
    """Load a compiled kernel beside the one that is installed."""
    spec = importlib.util.spec_from_file_location("_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
