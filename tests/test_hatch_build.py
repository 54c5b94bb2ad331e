"""The kernel is compiled when the package is built, and the package is built without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

import hatch_build
from hatch_build import build_kernel, compile_kernel, remove_kernel, source_digest, wheel_tag
from tests.core.kernel.building import load_kernel, needs_compiler
from tests.running import ROOT

# Compiles in no time.
SMALL = """
#include <Python.h>
static int run(PyObject *self) { return PyModule_AddStringConstant(self, "SOURCE", KERNEL_SOURCE); }
static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_slots = slots};
PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&module); }
"""


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOFTMAX_CLI_BUILD", "CC", "CFLAGS", "LDFLAGS", "MACOSX_DEPLOYMENT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    (home := tmp_path / "home").mkdir()
    (home / "kernel.c").write_text(SMALL)
    monkeypatch.setattr(hatch_build, "HOME", home)


@needs_compiler
@pytest.mark.parametrize("clones", [True, False])
def test_compiles_into_a_folder(clones: bool, tmp_path: Path) -> None:
    path = compile_kernel(tmp_path / "new", ["-O1"], clones)
    assert [each.name for each in (tmp_path / "new").iterdir()] == [path.name]
    assert source_digest() == load_kernel(path).SOURCE


@needs_compiler
def test_a_compiler_that_refuses_clones(tmp_path: Path) -> None:
    source = hatch_build.HOME / "kernel.c"
    source.write_text(f"#ifdef KERNEL_CLONES\n#error no clones\n#endif\n{SMALL}")
    with pytest.raises(Exception, match=r"exit (code|status) 1"):
        compile_kernel(tmp_path / "new")
    path = build_kernel(tmp_path / "new")
    assert path is not None
    assert source_digest() == load_kernel(path).SOURCE


@needs_compiler
def test_fast_math_of_the_environment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-Ofast -ffast-math -march=native")
    path = build_kernel(tmp_path)
    assert path is not None
    # Linked with -ffast-math, it would set subnormal numbers to zero in the whole process.
    script = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('_kernel', sys.argv[1])\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(float.fromhex('0x1p-1022') / 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == 2.0**-1023


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    assert build_kernel(tmp_path / "new") is None
    assert list((tmp_path / "new").iterdir()) == []
    monkeypatch.setenv("SOFTMAX_CLI_BUILD", "require")
    with pytest.raises(RuntimeError, match="require, but the kernel was not compiled: "):
        build_kernel(tmp_path)


def test_a_build_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTMAX_CLI_BUILD", "none")
    assert build_kernel(tmp_path) is None
    monkeypatch.setenv("SOFTMAX_CLI_BUILD", "always")
    with pytest.raises(RuntimeError, match="'always' is unknown; give require or none, or unset"):
        build_kernel(tmp_path)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (sysconfig, "get_config_var", lambda name: name == "Py_GIL_DISABLED"),
        (sys.implementation, "name", "pypy"),
        (sys, "maxsize", 2**31 - 1),
    ],
)
def test_pythons_that_go_without(
    module: object, name: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, name, value)
        assert hatch_build.unsupported()
        assert build_kernel(tmp_path) is None


def test_a_compilation_that_is_left_out_removes_the_old_kernel(tmp_path: Path) -> None:
    for name in ("_kernel.abi3.so", "_kernel.pyd", "kernel.c"):
        (tmp_path / name).touch()
    (tmp_path / "_kernel.half").mkdir()
    remove_kernel(tmp_path)
    assert {path.name for path in tmp_path.glob("*kernel*")} == {"_kernel.half", "kernel.c"}


@pytest.mark.parametrize(
    ("platform", "target", "tag"),
    [
        ("linux-x86_64", None, "linux_x86_64"),
        ("linux-aarch64", "10.13", "linux_aarch64"),
        ("win-amd64", None, "win_amd64"),
        ("macosx-10.9-universal2", None, "macosx_10_9_universal2"),
        ("macosx-10.9-x86_64", "10.13", "macosx_10_13_x86_64"),
        ("macosx-14-arm64", None, "macosx_14_0_arm64"),
        ("macosx-11.0-arm64", "12.3", "macosx_12_0_arm64"),
    ],
)
def test_the_tag_of_a_wheel(
    platform: str, target: str | None, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
    if target is not None:
        monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", target)
    assert wheel_tag() == f"cp311-abi3-{tag}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what a wheel is built from, with an old kernel in it."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "softmax_cli",
        folder / "softmax_cli",
        ignore=shutil.ignore_patterns("__pycache__", "_kernel.*"),
    )
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    (folder / "softmax_cli/core/kernel/kernel.c").write_text(SMALL)
    (folder / "softmax_cli/core/kernel/_kernel.abi3.so").write_bytes(b"old")
    return folder


def _build(checkout: Path, target: str, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    (path,) = out.iterdir()
    return path


def _kernels(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/_kernel." in name]
        return {name: archive.read(name) for name in names}


@needs_compiler
@pytest.mark.slow
def test_a_wheel_has_the_kernel_that_was_compiled_for_it(checkout: Path, tmp_path: Path) -> None:
    before = set(checkout.rglob("*"))
    wheel = _build(checkout, "wheel", tmp_path / "out")
    assert wheel.name.endswith(f"-{wheel_tag()}.whl")
    ((name, data),) = _kernels(wheel).items()
    assert source_digest().encode() in data
    assert Path(name).parent == Path("softmax_cli/core/kernel")
    after = {path for path in checkout.rglob("*") if "__pycache__" not in path.parts}
    assert after == before


@pytest.mark.slow
def test_a_wheel_without_a_kernel_is_for_any_platform(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTMAX_CLI_BUILD", "none")
    wheel = _build(checkout, "wheel", tmp_path / "out")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert _kernels(wheel) == {}


@pytest.mark.slow
def test_a_source_archive_has_the_source_alone(checkout: Path, tmp_path: Path) -> None:
    archive = _build(checkout, "sdist", tmp_path / "out")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    names = {path.name for path in (tmp_path / "unpacked").rglob("*")}
    assert {"hatch_build.py", "kernel.c"} <= names
    assert not [name for name in names if name.startswith("_kernel.")]
