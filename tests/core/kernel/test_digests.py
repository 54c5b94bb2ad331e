"""The compiled kernel computes the same bytes on every processor, however it is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatch_build import compile_kernel
from softmax_cli.core.kernel import choice
from tests.core.kernel import digests
from tests.core.kernel.building import load_kernel, needs_compiler
from tests.core.kernel.test_choice import has_kernel

VARIANTS = {"-O0": "", "-O1": "", "-O2 -mavx2 -mfma": "avx2", "-O2 -march=x86-64-v4": "avx512f"}


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
@pytest.mark.usefixtures("kernel")
def test_the_installed_kernel() -> None:
    differing = _differing()
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
    kernel = load_kernel(compile_kernel(tmp_path, flags.split(), clones=False))
    monkeypatch.setattr(choice, "compiled", lambda: kernel)
    assert not _differing()
