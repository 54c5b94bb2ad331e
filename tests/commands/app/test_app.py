"""Help, examples, completion and version: everything in them runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from softmax_cli import __version__
from softmax_cli.commands.app.app import EPILOG
from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.core.kernel.choice import name
from tests.running import ROOT, run

pytestmark = pytest.mark.fast(4)

EXAMPLES = [
    (name, example)
    for name in COMMANDS
    for example in import_module(f"softmax_cli.commands.{name}").EXAMPLES
]
ROOT_EXAMPLES = [line.strip() for line in EPILOG.splitlines() if line.startswith("  softmax-cli")]


@pytest.fixture(autouse=True)
def _with_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_of_the_help_runs(name: str, example: str) -> None:
    assert example.startswith(f"softmax-cli {name}")
    outcome = run(example)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out or " -o " in example or " --output-dir " in example


def test_every_command_has_examples() -> None:
    assert {name for name, _ in EXAMPLES} == set(COMMANDS)


@pytest.mark.parametrize("example", ROOT_EXAMPLES)
def test_an_example_of_the_program_runs(example: str) -> None:
    assert run(example).code == 0


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_shows_options_and_examples(name: str, flag: str) -> None:
    outcome = run(f"softmax-cli {name} {flag}")
    assert outcome.code == 0
    assert COMMANDS[name] in " ".join(outcome.out.split())
    for example in import_module(f"softmax_cli.commands.{name}").EXAMPLES:
        assert example in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    from softmax_cli.commands.app.app import load

    command = load(name)
    assert [option.name for option in command.params if not getattr(option, "help", "")] == []


def test_the_forms_of_a_report_are_its_own() -> None:
    assert "--format table|json|junit|github" in run("softmax-cli gradcheck --help").out
    assert "jsonl" in run("softmax-cli softmax --help").out


@pytest.mark.parametrize("name", ["softmax", "jacobian", "xent"])
def test_nothing_typed_at_a_terminal_shows_the_help(name: str) -> None:
    outcome = run(f"softmax-cli {name}", terminal=True)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"Usage: softmax-cli {name}" in outcome.err


def test_no_command_shows_the_help() -> None:
    outcome = run("softmax-cli")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: softmax-cli" in outcome.err


def test_version() -> None:
    assert run("softmax-cli --version").out == f"softmax-cli {__version__} ({name()})\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["softmax-cli", "gr"], "gradcheck"),
        (["softmax-cli", "softmax", "--temp"], "--temperature"),
        (["softmax-cli", "softmax", "-1", "--input-format", "np"], "npy"),
        (["softmax-cli", "jacobian", "1", "--of", "log"], "log-softmax"),
        (["softmax-cli", "jacobian", "1", "--format", "ts"], "tsv"),
        (["softmax-cli", "gradcheck", "1", "--format", "ju"], "junit"),
    ],
)
def test_completion(shell: str, typed: list[str], offered: str) -> None:
    environment = {
        **os.environ,
        "_SOFTMAX_CLI_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": " ".join(typed),
        "COMP_CWORD": str(len(typed) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(typed),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "softmax_cli"], env=environment, capture_output=True, text=True
    )
    assert offered in done.stdout, done.stderr


def test_what_follows_two_dashes_are_values() -> None:
    for line in ("-- -1 2", "--no-progress -- -1 2", "-1 -- 2"):
        assert run(f"softmax-cli softmax {line}").out == run("softmax-cli softmax -1 2").out
    assert "number" in run("softmax-cli softmax 1 -- --log").err
