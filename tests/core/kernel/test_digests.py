"""The compiled kernel computes the same bytes on every processor, however it is compiled."""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from hatch_build import compile_kernel, unsupported
from softmax_cli.core.kernel import choice
from tests.core.kernel import digests
from tests.core.kernel.test_choice import has_kernel

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None or bool(unsupported()),
    reason="needs the C compiler that Python was built with",
)
VARIANTS = {"-O0": "", "-O1": "", "-O2 -mavx2 -mfma": "avx2", "-O2 -march=x86-64-v4": "avx512f"}


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _differing() -> list[str]:
    """Return the operations whose results are not those of digests.txt."""
    kept = digests.kept()
    return [name for name, digest in digests.digests().items() if digest != kept.get(name)]


def _has(instructions: str) -> bool:
    """Return whether this processor has the instructions, as far as the system tells."""
    try:
        return f" {instructions} " in f" {Path('/proc/cpuinfo').read_text()} ".replace("\n", " ")
    except OSError:
        return False


@has_kernel
def test_the_installed_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTMAX_CLI_KERNELS", "compiled")
    choice.compiled.cache_clear()
    try:
        differing = _differing()
    finally:
        choice.compiled.cache_clear()
    hint = "python -m tests.core.kernel.digests writes what it computes now"
    assert not differing, f"the kernel computes other bytes ({hint})"


@needs_compiler
@pytest.mark.fast(1)
@pytest.mark.parametrize("flags", VARIANTS)
def test_a_kernel_without_clones(
    flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (needed := VARIANTS[flags]) and not _has(needed):
        pytest.skip(f"this processor has no {needed}")
    kernel = _load(compile_kernel(tmp_path, flags.split(), clones=False))
    monkeypatch.setattr(choice, "compiled", lambda: kernel)
    assert not _differing()
