"""Compile the kernel when the package is built; where that fails, build the package without it.

`python hatch_build.py` compiles it into this checkout, as `pip install -e .` does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilderConfig

HOME = Path(__file__).parent / "softmax_cli" / "core" / "kernel"
_VARIABLE = "SOFTMAX_CLI_BUILD"
_PYTHON = (3, 11)
# They come after CFLAGS, which may hold -ffast-math: results depend on the source alone.
FLAGS = (
    # -O3 takes three times as long to compile, and its code is no faster.
    *("-std=c11", "-O2", "-ftree-vectorize", "-g0", "-fvisibility=hidden"),
    *("-fno-fast-math", "-fno-unsafe-math-optimizations", "-ffp-contract=off"),
    *("-fno-trapping-math", "-fno-math-errno", "-Werror=implicit-function-declaration"),
)
_MSVC_FLAGS = ("/std:c11", "/O2", "/fp:precise")


def compile_kernel(target: Path, flags: Sequence[str] = (), clones: bool = True) -> Path:
    """Compile kernel.c into a folder, and return the extension module there.

    flags   for the compiler and the linker, after all others
    clones  whether functions are compiled for several instruction sets, chosen at run time

    Raises errors of setuptools and of the system if that fails; the compiler prints why.
    """
    from setuptools import Distribution, Extension

    if reason := unsupported():
        raise RuntimeError(reason)
    is_msvc = sysconfig.get_platform().startswith("win")
    all_flags = [*(_MSVC_FLAGS if is_msvc else FLAGS), *flags]
    macros: list[tuple[str, str | None]] = [
        ("Py_LIMITED_API", f"0x{_PYTHON[0]:02X}{_PYTHON[1]:02X}0000"),
        ("KERNEL_SOURCE", f'"{source_digest()}"'),
    ]
    extension = Extension(
        "_kernel",
        [str(HOME / "kernel.c")],
        define_macros=[*macros, ("KERNEL_CLONES", None)] if clones else macros,
        extra_compile_args=all_flags,
        # Linked with -ffast-math, the module would change the arithmetic of the whole process.
        extra_link_args=[*flags] if is_msvc else all_flags,
        py_limited_api=True,
    )
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_kernel.", dir=target) as scratch:
        command: Any = Distribution({"ext_modules": [extension]}).get_command_obj("build_ext")
        command.build_lib = command.build_temp = scratch
        command.ensure_finalized()
        command.run()
        built = Path(command.get_ext_fullpath("_kernel"))
        # A process may have loaded the old one.
        return built.replace(target / built.name)


def source_digest() -> str:
    """Return the SHA-256 of the text of kernel.c, which the compiled module holds as SOURCE."""
    return hashlib.sha256((HOME / "kernel.c").read_text(encoding="utf-8").encode()).hexdigest()


def build_kernel(target: Path, flags: Sequence[str] = ()) -> Path | None:
    """Compile the kernel into a folder as far as it can be; None where the package goes without.

    Raises RuntimeError if SOFTMAX_CLI_BUILD is `require` and the kernel cannot be compiled.
    """
    wanted = os.environ.get(_VARIABLE, "")
    if wanted not in ("", "none", "require"):
        raise RuntimeError(f"{_VARIABLE}: {wanted!r} is unknown; give require or none, or unset it")
    if wanted == "none":
        return None
    error: Exception
    for clones in (True, False):
        try:
            return compile_kernel(target, flags, clones)
        except Exception as caught:
            error = caught
            _print(f"{'with' if clones else 'without'} clones: {error}")
    if wanted == "require":
        raise RuntimeError(f"{_VARIABLE}=require, but the kernel was not compiled: {error}")
    _print("not compiled: the package works in NumPy")
    return None


def unsupported() -> str:
    """Return why the kernel cannot be compiled for this Python; empty if it can."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this Python has no stable ABI"
    # Their arithmetic may be wider than float64.
    return "" if sys.maxsize > 2**32 else "the kernel needs a Python of 64 bits"


def _print(line: str) -> None:
    print(f"kernel.c: {line}", file=sys.stderr, flush=True)


def remove_kernel(home: Path = HOME) -> None:
    """Remove what was compiled into a folder earlier."""
    for path in home.glob("_kernel.*"):
        if path.is_file():
            path.unlink()


def wheel_tag() -> str:
    """Return the tag of a wheel with the kernel: for any CPython from 3.11 on, on this platform."""
    platform = sysconfig.get_platform()
    if platform.startswith("macosx-"):
        system, version, machine = platform.split("-")
        if "_PYTHON_HOST_PLATFORM" not in os.environ:
            version = os.environ.get("MACOSX_DEPLOYMENT_TARGET") or version
        major, minor = f"{version}.0".split(".")[:2]
        # pip knows versions from 11 on by their first number alone.
        platform = f"{system}-{major}.{minor if int(major) < 11 else 0}-{machine}"
    return f"cp{_PYTHON[0]}{_PYTHON[1]}-abi3-{platform.replace('-', '_').replace('.', '_')}"


class KernelBuildHook(BuildHookInterface[WheelBuilderConfig]):
    """Put the kernel into the wheel, or into the source tree for an editable install."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernel before the wheel is put together."""
        if version == "editable":
            remove_kernel()
            build_kernel(HOME)
            return
        self._folder = tempfile.TemporaryDirectory()
        if (built := build_kernel(Path(self._folder.name))) is not None:
            build_data["force_include"][str(built)] = f"softmax_cli/core/kernel/{built.name}"
            build_data |= {"pure_python": False, "tag": wheel_tag()}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what the wheel holds a copy of."""
        if self._folder is not None:
            self._folder.cleanup()


def main() -> int:
    """Compile the kernel into this checkout, or into another folder."""
    parser = argparse.ArgumentParser(description="Compile the kernel.")
    parser.add_argument("--out", type=Path, default=HOME, help="the folder, default: this checkout")
    parser.add_argument("--no-clones", action="store_true", help="for one instruction set alone")
    parser.add_argument("--flags", nargs=argparse.REMAINDER, default=[], help="further flags, last")
    given = parser.parse_args()
    remove_kernel(given.out)
    if given.no_clones:
        built: Path | None = compile_kernel(given.out, given.flags, clones=False)
    else:
        built = build_kernel(given.out, given.flags)
    if built is None:
        return 1
    print(built)
    return 0


if __name__ == "__main__":
    sys.exit(main())
