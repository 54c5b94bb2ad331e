"""The README's commands run and print what it says; run as a module, it writes them anew."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from softmax_cli.commands import COMMANDS
from softmax_cli.formats import FORMATS
from tests.running import ROOT, cases, run, same

README = ROOT / "README.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CASES = [case for block in _BLOCK.findall(README.read_text()) for case in cases(block)]


def _shown(line: str) -> str:
    """Return what a person sees at a terminal of 80 columns, without colour."""
    outcome = run(line, terminal=True)
    return (outcome.out + outcome.err).rstrip("\n")


def _prepare(folder: Path) -> None:
    shutil.copytree(ROOT / "samples", folder / "samples")
    os.environ.update({"COLUMNS": "80", "TERM": "dumb"})
    os.chdir(folder)


@pytest.fixture(autouse=True)
def _as_a_newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.mark.parametrize(("line", "printed"), CASES, ids=[line for line, _ in CASES])
def test_a_command_prints_what_the_readme_says(line: str, printed: str) -> None:
    shown = _shown(line)
    assert same(shown, printed), f"{shown}\n--- README ---\n{printed}"


def test_the_library_example_holds() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert (failed, tried > 4) == (0, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_shown(name: str) -> None:
    assert any(f"softmax-cli {name} " in line for line, _ in CASES)


@pytest.mark.parametrize("form", [form for form in FORMATS if form.suffixes])
def test_every_format_is_named(form: object) -> None:
    names = {"txt": "text", "jsonl": "JSON lines", "parquet": "Parquet", "arrow": "Arrow"}
    names["safetensors"] = "safetensors"
    name = getattr(form, "name", "")
    assert names.get(name, name.upper()) in README.read_text()


def test_the_first_screen_has_the_two_commands() -> None:
    commands = [line for line in README.read_text().splitlines() if line.startswith("python3 -m")]
    assert len(commands) == 2
    assert "samples/" in commands[0]
    assert "pytest" in commands[1]
    assert README.read_text().index(commands[1]) < 900


def _rewrite() -> None:
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))

        def printed(block: re.Match[str]) -> str:
            lines = []
            for line, _ in cases(block[1]):
                lines += [f"$ {line}", *([_shown(line)] if _shown(line) else [])]
            return "```console\n" + "\n".join(lines) + "\n```"

        README.write_text(_BLOCK.sub(printed, text))


if __name__ == "__main__":
    _rewrite()
