"""The choice of a kernel: the compiled one, unless it is missing, damaged or not asked for."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hatch_build import source_digest
from softmax_cli.core.kernel import choice
from softmax_cli.errors import UsageError
from tests.running import run

MODULE = "softmax_cli.core.kernel._kernel"
has_kernel = pytest.mark.skipif(
    importlib.util.find_spec(MODULE) is None, reason="there is no compiled kernel here"
)


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    choice.compiled.cache_clear()
    yield
    choice.compiled.cache_clear()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda kernel: monkeypatch.setenv("SOFTMAX_CLI_KERNELS", kernel)


@has_kernel
def test_the_installed_kernel_was_built_from_this_source(ask: Callable[[str], None]) -> None:
    ask("compiled")
    kernel = choice.compiled()
    assert kernel is not None
    assert source_digest() == kernel.SOURCE, (
        "the compiled kernel was built from another kernel.c: `pip install -e .` builds it again"
    )


@has_kernel
@pytest.mark.parametrize("kernel", ["", "compiled"])
def test_the_compiled_one_is_chosen(kernel: str, ask: Callable[[str], None]) -> None:
    ask(kernel)
    assert choice.name() == "compiled kernel"
    assert run("softmax-cli --version").out.endswith(" (compiled kernel)\n")


def test_numpy_is_asked_for(ask: Callable[[str], None]) -> None:
    ask("numpy")
    assert choice.compiled() is None
    assert choice.name() == "NumPy"
    assert choice.instructions() == ""
    assert run("softmax-cli --version").out.endswith(" (NumPy)\n")


@pytest.mark.parametrize("line", ["--version", "softmax 1 2", "gradcheck"])
def test_a_kernel_that_there_is_not(line: str, ask: Callable[[str], None]) -> None:
    ask("cuda")
    done = run(f"softmax-cli {line}")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "softmax-cli: SOFTMAX_CLI_KERNELS: there is no kernel 'cuda'; "
        "give numpy or compiled, or unset it\n"
    )


def test_without_one(ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, None)
    ask("")
    assert choice.compiled() is None
    choice.compiled.cache_clear()
    ask("compiled")
    said = (
        "SOFTMAX_CLI_KERNELS: this installation has no compiled kernel; "
        "install it again where a C compiler is at hand, or unset it for NumPy"
    )
    assert run("softmax-cli softmax 1 2").err == f"softmax-cli: {said}\n"
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: name == "Py_GIL_DISABLED")
    with pytest.raises(UsageError, match=r"free-threaded Python has no .*; use another Python"):
        choice.compiled()


def test_a_damaged_one(
    tmp_path: Path, ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    (tmp_path / f"_kernel{EXTENSION_SUFFIXES[-1]}").write_bytes(b"nothing of the kind")
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.setattr("softmax_cli.core.kernel.__path__", [str(tmp_path)])
    ask("")
    assert choice.name() == "NumPy"
    ask("compiled")
    choice.compiled.cache_clear()
    with pytest.raises(UsageError, match=r"the compiled kernel cannot be loaded: .*; install it"):
        choice.compiled()
