"""The commands of the README and of docs/ run and print what the pages say.

Run as a module, it writes what they print, and the pictures, anew.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

import pytest

from softmax_cli.commands.app.app import load
from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.formats.registry import FORMATS
from tests.running import ROOT, cases, run, same

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"^(softmax-cli .* --save docs/pictures/(\S+))$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
CASES = [
    pytest.param(line, printed, id=f"{page.name}: {line}")
    for page in PAGES
    for block in _BLOCK.findall(page.read_text())
    for line, printed in cases(block)
]
PICTURES = {name: line for page in PAGES for line, name in _PICTURE.findall(page.read_text())}


def _shown(line: str) -> str:
    """Return what a person sees at a terminal of 80 columns, without colour."""
    outcome = run(line, terminal=True)
    return (outcome.out + outcome.err).rstrip("\n")


def _prepare(folder: Path) -> None:
    shutil.copytree(ROOT / "samples", folder / "samples")
    (folder / "docs" / "pictures").mkdir(parents=True)
    os.environ.update({"COLUMNS": "80", "TERM": "dumb"})
    os.chdir(folder)


@pytest.fixture(autouse=True)
def _as_a_newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    _prepare(tmp_path)


@pytest.mark.parametrize(("line", "printed"), CASES)
def test_a_command_prints_what_the_page_says(line: str, printed: str) -> None:
    shown = _shown(line)
    assert same(shown, printed), f"{shown}\n--- the page ---\n{printed}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_its_command_shows(name: str) -> None:
    run(PICTURES[name])
    made, kept = (folder / "docs" / "pictures" / name for folder in (Path(), ROOT))
    # The last digits depend on the processor, and the rest on the version of rich.
    assert same(*(" ".join(_texts(path.read_text())) for path in (made, kept)))


def _texts(svg: str) -> list[str]:
    return [each.replace("&#160;", " ") for each in re.findall(r"<text [^>]*>([^<]*)<", svg)]


def test_every_picture_is_shown_and_made_by_a_command() -> None:
    kept = {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    shown = {
        Path(target).name
        for page in PAGES
        for target in _LINK.findall(page.read_text())
        if target.endswith(".svg")
    }
    assert kept == shown == set(PICTURES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text())
    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    linked = {(ROOT / target).resolve() for target in _LINK.findall(README.read_text())}
    assert {page.resolve() for page in PAGES[1:]} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_library_examples_hold(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert failed == 0
    assert (tried > 4) == (page.name == "library.md")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_shown(name: str) -> None:
    assert f"\n$ softmax-cli {name} " in README.read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_the_page_of_its_command(name: str) -> None:
    pages = [ROOT / "docs" / page for page in (f"{name}.md", "files.md", "cluster.md")]
    text = "".join(page.read_text() for page in pages)
    options = {option for parameter in load(name).params for option in parameter.opts}
    wanted = {option for option in options if option.startswith("--")} - {"--help"}
    assert {option for option in wanted if f"`{option}" not in text} == set()
    for heading in ("\n## Options\n", "\n## Traps\n", "```console\n"):
        assert heading in pages[0].read_text()


@pytest.mark.parametrize("form", [form for form in FORMATS if form.suffixes])
def test_every_format_is_named(form: object) -> None:
    names = {"txt": "text", "jsonl": "JSON lines", "parquet": "Parquet", "arrow": "Arrow"}
    names["safetensors"] = "safetensors"
    name = getattr(form, "name", "")
    for page in (README, ROOT / "docs" / "files.md"):
        assert names.get(name, name.upper()) in page.read_text()


def test_the_first_screen_has_the_two_commands() -> None:
    commands = [line for line in README.read_text().splitlines() if line.startswith("python3 -m")]
    assert len(commands) == 2
    assert "samples/" in commands[0]
    assert "pytest" in commands[1]
    assert README.read_text().index(commands[1]) < 900


def _rewrite() -> None:
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder))
            page.write_text(_BLOCK.sub(_rewritten, page.read_text()))
            os.chdir(ROOT)
    for line in PICTURES.values():
        run(shlex.join(shlex.split(line)))


def _rewritten(block: re.Match[str]) -> str:
    lines = []
    for line, _ in cases(block[1]):
        shown = _shown(line)
        lines += [f"$ {line}", *([shown] if shown else [])]
    return "```console\n" + "\n".join(lines) + "\n```"


if __name__ == "__main__":
    _rewrite()
