"""The distribution is `softmax-xent`; on the package index, `softmax-cli` is a stranger's."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

# In two parts, so that this file does not tell it either.
STRANGER = "softmax" + "-cli"
# Of a path or an address it is the end, or one of its folders, and of a longer name a part.
_TYPED = r"(?<![\w./-])softmax[-_.]cli(?![\w/-])"
# With an underscore it is also the package, which others may list.
_NAME = _TYPED.replace("-_.", "-.")
_EXTRAS = r"(?:\[[^\]\n]*\])"
_TOOLS = r"(?:pip[x3]?|uvx?|poetry|pdm|hatch|rye|pixi|(?:micro)?mamba|conda|easy_install)"
_LISTS = r"(?:dependencies|requires|requirements|packages)"
# What stands between the words of one command.
_BETWEEN = r"[^\n`;&|]"
_VERSION = r"(?:[=<>~!]=|[<>@;]|=\d|#|$)"
TELLS = [
    re.compile(rule, re.IGNORECASE | re.MULTILINE)
    for rule in (
        # pip install -U NAME, and words: "install NAME there"
        rf"\binstall(?:s|ed|ing)?\b\s+{_BETWEEN}{{0,60}}?{_TYPED}",
        # uvx NAME, poetry add NAME, uv run --with NAME
        rf"\b{_TOOLS}\b {_BETWEEN}{{0,80}}?{_TYPED}",
        # a line of requirements.txt, or of a list in YAML
        rf"^\s*(?:- )?[\"']?{_NAME}{_EXTRAS}?[\"']?,?\s*{_VERSION}",
        # dependencies = ["NAME"], additional_dependencies: [NAME]
        rf"{_LISTS}[\"']?\s*[=:]\s*\[[^\]]*?{_NAME}",
        # NAME = "^0.1", as Poetry writes it
        rf"^\s*{_NAME}\s*=\s*(?:[\"'][\^~<>=*\d]|\{{)",
        # extras and versions, wherever they stand
        rf"{_NAME}{_EXTRAS}?\s*(?:[=~!<>]=\s*\d|@\s*\w+[+:])|{_NAME}{_EXTRAS}",
    )
]
_AWAY = re.compile(r"\b(?:uninstall|remove)\b", re.I)


def told(text: str) -> list[str]:
    """Return what in a text tells its reader to install the stranger's distribution."""
    # A command may go on in the next line.
    joined = re.sub(r"\\\n\s*", " ", text)
    found = [match[0] for rule in TELLS for match in rule.finditer(joined)]
    return [each for each in found if not _AWAY.search(each)]


def _files() -> Iterator[Path]:
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        )
        yield from (ROOT / name for name in listed.stdout.split("\0") if name)
        return
    # A checkout without history: what begins with a dot is its own, or an environment.
    kept = {".ci", ".gitignore", ".pre-commit-hooks.yaml"}
    for top in ROOT.iterdir():
        if not top.name.startswith(".") or top.name in kept:
            yield from [top] if top.is_file() else top.rglob("*")


def test_no_file_tells_anyone_to_install_a_stranger() -> None:
    found = {}
    count = 0
    for path in _files():
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        count += 1
        if said := told(text):
            found[path.relative_to(ROOT).as_posix()] = said
    assert count > 200
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "pip install NAME",
        "pip install -U --quiet NAME",
        "pip install 'NAME[dask]'",
        'pip install "NAME[dask,cloud]>=0.1"',
        "      - run: pip install NAME",
        "python3 -m pip install \\\n    NAME==0.1.0",
        "pip install numpy NAME",
        "pip install N_AME",
        "pip install N.AME",
        "pip download NAME",
        "pipx install NAME",
        "pipx run NAME softmax 1 2",
        "uv pip install NAME~=0.1",
        "uv tool install NAME",
        "uv tool run NAME",
        "uv add NAME",
        "uv run --with NAME python",
        "uvx NAME softmax 1 2",
        "uvx --from 'NAME[dask]' NAME",
        "poetry add NAME",
        "pdm add NAME",
        "conda install -c conda-forge NAME",
        "mamba install NAME=0.1",
        "install NAME 0.1.0 there",
        "It needs Dask; install\nNAME with it.",
        "Needs NAME[dask].",
        "numpy>=2\nNAME\n",
        "NAME>=0.1  # the program\n",
        "NAME[cloud]==0.1.0; python_version > '3.10'\n",
        "dependencies:\n  - python\n  - NAME=0.1\n",
        'dependencies = ["numpy", "NAME"]',
        'dependencies = [\n    "numpy",\n    "NAME>=0.1",\n]',
        "        additional_dependencies: [NAME]",
        "        additional_dependencies:\n          - NAME\n",
        "[tool.poetry.dependencies]\nNAME = '^0.1'\n",
        "NAME = { version = '0.1', extras = ['dask'] }\n",
        "NAME @ https://example.org/NAME.whl",
    ],
)
def test_what_tells_so_is_found(text: str) -> None:
    for name, spelt in (("NAME", "-"), ("N_AME", "_"), ("N.AME", ".")):
        text = text.replace(name, STRANGER.replace("-", spelt))
    assert told(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip uninstall NAME",
        "run `pip uninstall -y NAME` first",
        "pip install 'softmax-xent[dask] @ git+https://github.com/OWNER/NAME'",
        "pip install git+https://github.com/OWNER/NAME@main",
        "pip install . && .venv/bin/NAME softmax 1 2",
        "pip install '.[dask]'\nNAME softmax 1 2\n",
        "  - repo: https://github.com/OWNER/NAME\n",
        "  - uses: OWNER/NAME@main\n",
        "      - id: NAME-gradcheck\n",
        'NAME = "softmax_cli.__main__:main"',
        "[[tool.NAME.gradcheck]]",
        "`NAME --install-completion` teaches the shell to complete it",
        "NAME softmax 1 2 > out.csv",
        "$ NAME softmax 'part-[12].npy'",
        "`NAME` on the package index is another project",
    ],
)
def test_what_tells_nothing_of_the_kind_is_left_alone(text: str) -> None:
    assert told(text.replace("NAME", STRANGER)) == []


def test_the_distribution_has_a_name_of_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "softmax-xent"
    assert list(project["scripts"]) == [STRANGER]


def test_the_changelog_says_what_to_uninstall() -> None:
    newest = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert f"`pip uninstall {STRANGER}`" in newest
    for word in ("gradient file", "`--format junit`", "`--format github`", "--report`"):
        assert word in newest


def test_one_page_says_where_to_install_from() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "samples" / "README.md"]
    explain = [page.name for page in pages if "package index yet" in page.read_text()]
    assert explain == ["README.md"]
    for page in ("ci", "cluster", "files"):
        assert "(../README.md#install)" in (ROOT / "docs" / f"{page}.md").read_text()
