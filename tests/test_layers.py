"""The house: imports go one way, heavy packages are imported late, rich and Typer in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "softmax_cli"
CORE = ("core.kernel", "core.exact", "core.softmax", "core.loss", "core.gradcheck")
ROWS = ("formats.model", "formats.text", "formats.columns")
OPENED = ("formats", *ROWS, "formats.arrays", "formats.opening", "formats.table")
BELOW = ("storage", "display", "display.rich", "errors")
# Every room, and the rooms that it may import besides itself.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "runtime": ("errors",),
    "storage": ("runtime", "errors"),
    "display": ("errors",),
    "display.rich": ("display", "errors"),
    "core": (),
    "core.kernel": ("errors",),
    "core.exact": ("core.kernel", "errors"),
    "core.softmax": ("core.kernel", "core.exact", "errors"),
    "core.loss": ("core.kernel", "core.exact", "core.softmax", "errors"),
    "core.gradcheck.numerical": ("errors",),
    "core.gradcheck": (*CORE, "core.gradcheck.numerical", "errors"),
    "formats.model": ("display", "formats.text", "errors"),
    "formats.text": ("storage", "errors"),
    "formats.columns": (*ROWS, "core.exact", "storage", "errors"),
    "formats.arrays": (*ROWS, "core.exact", "storage", "errors"),
    "formats.delimited": (*ROWS, "storage", "errors"),
    "formats.json": (*ROWS, "formats.arrays", "storage", "errors"),
    "formats.columnar": (*ROWS, "formats.arrays", "core.exact", "storage", "runtime", "errors"),
    "formats.table": (*ROWS, *BELOW),
    "formats": ("formats.model", "formats.text", "storage", "runtime", "errors"),
    "formats.opening": (*OPENED, "core.exact", "storage", "display", "display.rich", "errors"),
    "pipeline": ("formats.model", "core.exact", "display.rich", "errors"),
    "losses": (*OPENED, *CORE, "storage", "errors"),
    "explain": ("formats.model", *CORE, "display", "errors"),
    "shards": (*OPENED, "pipeline", "storage", "errors"),
    "shards.dask": ("__init__", "core.kernel", "shards", "pipeline", "formats.model", "errors"),
    "commands.options": (*OPENED, "core.exact", "explain", *BELOW),
    "commands.inputs": ("commands.options", *OPENED, *CORE, "losses", "pipeline", *BELOW),
    "commands.loss": (
        *("commands.options", "commands.inputs", "losses", "explain", "pipeline"),
        *(*OPENED, *CORE, *BELOW),
    ),
    "commands.gradients": (
        *("__init__", "commands.options", "commands.inputs", "losses", "pipeline"),
        *(*OPENED, *CORE, *BELOW),
    ),
    "commands.many_files": (
        *("__init__", "commands.options", "commands.inputs", "commands.loss"),
        *("commands.gradients", "shards", "shards.dask", "losses", "pipeline"),
        *(*OPENED, *CORE, *BELOW),
    ),
    "commands": (
        *("commands.options", "commands.inputs", "commands.loss", "commands.gradients"),
        *("commands.many_files", "explain", "pipeline", *OPENED, *CORE, *BELOW),
    ),
    "commands.app": (
        *("__init__", "commands.options", "core.kernel", "pipeline"),
        *("formats.model", "formats.text", "errors"),
    ),
    "__main__": ("commands.app", "runtime", "errors"),
    "__init__": (*CORE,),
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


def _name(path: Path) -> str:
    """Return a file's module name within the package; a room's `__init__` is named as the room."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[1:] and parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in FILES}


def _imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, at its top or in a function.

    Imports for type checkers alone do not count: they are not run.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix("softmax_cli.") in MODULES
                found.add(full if is_module else str(node.module))
    return found


def _our_imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, without the package's name."""
    found = {name for name in _imports(MODULES[module]) if name.split(".")[0] == "softmax_cli"}
    return {name.partition(".")[2] or "__init__" for name in found}


def _room(module: str) -> str:
    """Return the room that a module is in."""
    return next(
        room
        for room in sorted(MAY_IMPORT, key=len, reverse=True)
        if module == room or module.startswith(f"{room}.")
    )


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    room = _room(module)
    assert {_room(name) for name in _our_imports(module)} <= {room, *MAY_IMPORT[room]}


def test_every_folder_is_a_room_and_says_what_it_is_for() -> None:
    folders = [path.parent for path in FILES if path.name == "__init__.py"]
    rooms = [_name(folder / "__init__.py") for folder in folders if folder != PACKAGE]
    assert set(rooms) <= set(MAY_IMPORT)
    for room in rooms:
        docstring = ast.get_docstring(ast.parse(MODULES[room].read_text()))
        assert docstring, room
        assert docstring.endswith("."), room
        assert "\n" not in docstring, room


def test_of_the_mathematics_formats_know_a_number_type_alone() -> None:
    found = {
        name
        for module in MODULES
        if _room(module).startswith("formats")
        for name in _our_imports(module)
    }
    assert {name for name in found if name.startswith("core")} == {"core.exact.bfloat16"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    below = {module: _with_packages(_our_imports(module)) - {module} for module in MODULES}
    left = dict(below)
    while done := [module for module in left if not left[module] & left.keys()]:
        for module in done:
            del left[module]
    assert not left, "these import each other"


def _with_packages(modules: set[str]) -> set[str]:
    """Return the modules and the packages around them, which are imported first."""
    return {
        ".".join(parts[: end + 1])
        for parts in (module.split(".") for module in modules)
        for end in range(len(parts))
    }


def test_files_and_folders_are_small() -> None:
    assert [
        name for name, path in MODULES.items() if len(path.read_text().splitlines()) > 300
    ] == []
    for folder in {path.parent for path in FILES}:
        entries = [path for path in folder.iterdir() if path.name != "__pycache__"]
        assert len(entries) <= 15, folder


@pytest.mark.parametrize(
    ("package", "home"), [("rich", ["display/rich/"]), ("typer", ["commands/app/"])]
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
        (["-h"], HEAVY),
        (["--help"], HEAVY),
        (["softmax", "-h"], HEAVY),
        (["softmax", "--help"], HEAVY),
        (["gradcheck", "--help"], HEAVY),
        (
            ["softmax", "1", "2"],
            (*UNSEEN, "zstandard", "asyncio", "json", "tempfile", "numpy.typing"),
        ),
    ],
    ids=" ".join,
)
def test_what_a_run_does_not_need_is_not_imported(
    arguments: list[str], absent: tuple[str, ...]
) -> None:
    loaded = _loaded(*arguments)
    assert "typer" in loaded
    assert not loaded & set(absent)


@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("--version", 13),
        ("-h", 13),
        ("softmax -h", 21),
        ("softmax 1 2 3", 53),
        ("softmax 1 2 3 --format table", 56),
        ("jacobian 1 2 3", 59),
        ("xent 1 2 3 --labels 2", 74),
    ],
)
def test_a_start_loads_few_of_our_modules(line: str, most: int) -> None:
    files = {f"softmax_cli.{name}" for name, path in MODULES.items() if path.stem != "__init__"}
    assert len(_loaded(*line.split()) & files) <= most


def test_the_library_is_lazy_and_complete() -> None:
    import softmax_cli

    assert all(callable(getattr(softmax_cli, name)) for name in softmax_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sigmoid'"):
        _ = softmax_cli.sigmoid


@pytest.mark.parametrize("module", MODULES)
def test_the_code_map_names_every_file(module: str) -> None:
    path = MODULES[module].relative_to(PACKAGE)
    room = f"`{path.parent.as_posix()}/`" if path.parent.name else f"`{path.name}`"
    page = (PACKAGE.parent / "ARCHITECTURE.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|") and room in line]
    if path.name != "__init__.py":
        assert any(f"`{path.name}`" in row for row in rows)


def test_the_code_map_names_no_file_that_is_gone() -> None:
    page = (PACKAGE.parent / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| `((?:\w+/)+)` \| (.*) \|$", page, re.MULTILINE)
    named = [f"{room}{name}" for room, text in rows for name in re.findall(r"`(\w+\.py)`", text)]
    assert named
    assert [name for name in named if not (PACKAGE / name).is_file()] == []
