"""The house: imports go one way, heavy packages are imported late, rich and Typer in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "softmax_cli"
LAYERS = (
    *("__main__", "commands", "explain", "losses", "shards", "pipeline", "formats", "core"),
    *("storage", "display", "runtime", "errors"),
)
MAY_IMPORT = {
    "__main__": {"commands", "runtime", "errors"},
    "commands": {*LAYERS[1:], "__init__"} - {"runtime"},
    "shards": {"shards", "pipeline", "formats", "core", "storage", "errors", "__init__"},
    "losses": {"losses", "formats", "core", "storage", "errors"},
    "explain": {"explain", "formats", "core", "display", "errors"},
    "pipeline": {"pipeline", "formats", "core", "display", "errors"},
    "formats": {"formats", "core", "storage", "display", "runtime", "errors"},
    "core": {"core", "errors"},
    "storage": {"storage", "runtime", "errors"},
    "display": {"display", "errors"},
    "runtime": {"runtime", "errors"},
    "errors": set(),
    "__init__": {"core"},
}
# Typer brings the first two of these itself.
HEAVY = (
    "numpy",
    "polars",
    "rich",
    "zstandard",
    "softmax_cli.core.softmax",
    "softmax_cli.pipeline.run",
)
# What a person alone is shown.
UNSEEN = (
    "rich",
    "softmax_cli.display.parts",
    "softmax_cli.display.rich.console",
    "softmax_cli.explain",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add(str(node.module))
    return found


def _layer(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    ours = {name for name in _imports(path) if name.split(".")[0] == "softmax_cli"}
    assert {_layer(name) for name in ours} <= MAY_IMPORT[layer]


def test_the_layers_are_all_there_is() -> None:
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert found <= {*LAYERS, "__init__"}


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("rich", ["display/rich/"]),
        ("typer", ["commands/app/"]),
    ],
)
def test_a_package_has_one_home(package: str, home: list[str]) -> None:
    users = [
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(name.split(".")[0] == package for name in _imports(path))
    ]
    assert users
    assert all(user.startswith(tuple(home)) for user in users)


def _loaded(*arguments: str) -> set[str]:
    """Return the modules that the program loads for a command line, in a process of its own."""
    script = (
        "import sys; from softmax_cli.__main__ import main; main(sys.argv[1:]); "
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], HEAVY),
        (["--help"], HEAVY),
        (["softmax", "--help"], HEAVY),
        (["gradcheck", "--help"], HEAVY),
        (["softmax", "1", "2"], (*UNSEEN, "zstandard", "asyncio")),
    ],
    ids=" ".join,
)
def test_what_a_run_does_not_need_is_not_imported(
    arguments: list[str], absent: tuple[str, ...]
) -> None:
    loaded = _loaded(*arguments)
    assert "typer" in loaded
    assert not loaded & set(absent)


def test_the_library_is_lazy_and_complete() -> None:
    import softmax_cli

    assert all(callable(getattr(softmax_cli, name)) for name in softmax_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sigmoid'"):
        _ = softmax_cli.sigmoid
