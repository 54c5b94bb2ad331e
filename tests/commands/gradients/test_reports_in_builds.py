"""The snippets of docs/ci.md, the action and the hook: parsed, and run as far as possible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import yaml

from softmax_cli import __version__
from tests.running import ROOT, program, run

pytestmark = pytest.mark.fast(1)

PAGE = (ROOT / "docs" / "ci.md").read_text()
BLOCKS: list[Any] = [
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
]
WORKFLOW, ACTION_USED, PRE_COMMIT, GITLAB = BLOCKS
ACTION: Any = yaml.safe_load((ROOT / "action.yml").read_text())
UNPROVEN = """
[[tool.softmax-cli.gradcheck]]
name = "unproven, 100%"
values = [1000, 0]
of = "softmax"
"""
NO_SUBJECT = """
[[tool.softmax-cli.gradcheck]]
name = "a gradient, as was thought"
values = "digits_logits.npy"
"""
FAILS = """
[[tool.softmax-cli.gradcheck]]
name = "not at all"
function = "logistic:loss"
grad = "logistic:loss"
at = [1]
"""
SAMPLES = ("digits_logits.npy", "digits_labels.npy", "digits_gradient.npy", "logistic.py")


@pytest.fixture(autouse=True)
def _a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a project whose tables are those of the sample, and the program on the PATH."""
    project = tmp_path / "project"
    project.mkdir()
    for name in SAMPLES:
        shutil.copy(ROOT / "samples" / name, project)
    shutil.copy(ROOT / "samples" / "checks.toml", project / "pyproject.toml")
    monkeypatch.chdir(project)
    folder = program(tmp_path / "bin")
    (folder / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("COLUMNS", "80")


def _ran(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the service does, and stricter."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )


def _scripts(steps: list[Any]) -> list[str]:
    return [step["run"] for step in steps if "run" in step and "pip install" not in step["run"]]


def test_the_tables_of_the_page_are_those_of_the_sample() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
    assert block == (ROOT / "samples" / "checks.toml").read_text()


@pytest.mark.parametrize(("tables", "code"), [("", 0), (UNPROVEN, 3)])
def test_the_workflow(tables: str, code: int, tmp_path: Path) -> None:
    Path("pyproject.toml").write_text(Path("pyproject.toml").read_text() + tables)
    steps = WORKFLOW["jobs"]["gradcheck"]["steps"]
    (script,) = _scripts(steps)
    done = _ran(script)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith("::warning" if code else "gradcheck: pass\n")
    assert "### softmax-cli gradcheck: " in (tmp_path / "summary.md").read_text()
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    report = Path(upload["with"]["path"])
    xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd"))).validate(str(report))
    assert WORKFLOW["permissions"] == {"contents": "read"}


@pytest.mark.slow
def test_a_build_without_tables_does_not_pass() -> None:
    Path("pyproject.toml").write_text("")
    assert _ran("softmax-cli gradcheck").returncode == 0
    scripts = [
        *_scripts(WORKFLOW["jobs"]["gradcheck"]["steps"]),
        *(line for line in GITLAB["gradcheck"]["script"] if "pip install" not in line),
    ]
    for done in (*map(_ran, scripts), _act(ACTION["inputs"]["args"]["default"])):
        assert done.returncode == 2
        assert "holds no check" in done.stderr


def test_a_build_that_checks_nothing_of_the_user_does_not_pass() -> None:
    """Neither a table of points alone, nor a file without tables, is enough."""
    scripts = [
        *_scripts(WORKFLOW["jobs"]["gradcheck"]["steps"]),
        *(line for line in GITLAB["gradcheck"]["script"] if "pip install" not in line),
    ]
    Path("pyproject.toml").write_text(Path("pyproject.toml").read_text() + NO_SUBJECT)
    for done in (*map(_ran, scripts), _act(ACTION["inputs"]["args"]["default"]), _act("")):
        assert done.returncode == 2
        assert "gradcheck 'a gradient, as was thought': checks nothing of yours" in done.stderr
    Path("pyproject.toml").write_text("")
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for args in ("", "  \n", "--seed 0", "1 2 3", "digits_logits.npy"):
        for done in (_act(args), _ran(f"{hook['entry']} {args}")):
            assert (done.returncode, done.stdout) == (2, "")
            assert "gradcheck: checks nothing of yours" in done.stderr
    assert _act("--of all").returncode == 0


def test_example_reports_name_what_is_checked() -> None:
    """A line that asks for a report names what is checked."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *(ROOT / "softmax_cli").rglob("*.py")]
    lines = [
        line
        for text in texts
        for line in text.read_text().split("\n")
        if re.search(r"softmax-cli gradcheck.*(--report|--format (github|junit))", line)
    ]
    assert len(lines) > 2
    assert all(re.search(r"--(config|logits|of)|\w:\w", line) for line in lines), lines


def test_the_job_on_gitlab() -> None:
    (script,) = [line for line in GITLAB["gradcheck"]["script"] if "pip install" not in line]
    assert _ran(script).returncode == 0
    artifacts = GITLAB["gradcheck"]["artifacts"]
    assert Path(artifacts["reports"]["junit"]).exists()
    assert artifacts["when"] == "always"


@pytest.mark.parametrize(
    ("tables", "passes"),
    [("", True), (UNPROVEN, True), ("[", False), (f"{UNPROVEN}grad = 1", False), (FAILS, False)],
)
@pytest.mark.slow
def test_the_line_that_accepts_unproven_gradients(tables: str, passes: bool) -> None:
    Path("pyproject.toml").write_text(Path("pyproject.toml").read_text() + tables)
    (line,) = re.findall(r"`(softmax-cli gradcheck [^`]* \|\| .*)`", PAGE)
    assert (_ran(line).returncode == 0) == passes


def _act(args: str) -> subprocess.CompletedProcess[str]:
    (script,) = _scripts(ACTION["runs"]["steps"])
    return _ran(script, ARGS=args)


def test_inputs_are_never_part_of_a_script() -> None:
    steps = ACTION["runs"]["steps"]
    assert ACTION["runs"]["using"] == "composite"
    for step in steps:
        assert "${{" not in step.get("run", "")
        assert ("run" in step) == (step.get("shell") == "bash")
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    assert set(ACTION_USED["steps"][1]["with"]) <= used
    assert {"default", "description"} == set().union(*map(set, ACTION["inputs"].values()))
    (install,) = [step for step in steps if "pip install" in step.get("run", "")]
    assert install["env"] == {"SOURCE": "${{ github.action_path }}"}


def test_the_action_as_the_readme_uses_it(tmp_path: Path) -> None:
    done = _act(ACTION_USED["steps"][1]["with"]["args"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gradcheck: pass\ndigits, from training: pass")
    assert Path("gradcheck.xml").exists()
    assert (tmp_path / "summary.md").exists()


@pytest.mark.parametrize("args", ["", "  \n ", "--seed\n0", ACTION["inputs"]["args"]["default"]])
def test_the_action_without_a_check_of_its_own(args: str) -> None:
    done = _act(args)
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits, from training: pass" in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("'' x", ["", "x"]),
        ("$(touch hacked) `touch hacked` ; touch hacked", None),
        ("--labels=$HOME * ~ && touch hacked", None),
        ("'line\nline' -n -e", ["line\nline", "-n", "-e"]),
    ],
)
def test_the_words_of_the_action(args: str, words: list[str] | None, tmp_path: Path) -> None:
    shown = tmp_path / "bin" / "softmax-cli"
    shown.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    done = _act(args)
    expected = args.split() if words is None else words
    assert done.stdout == "".join(
        f"<{word}>" for word in ("gradcheck", "--format", "github", *expected)
    )
    assert not Path("hacked").exists()


def test_unclosed_quotation() -> None:
    done = _act("--config 'pyproject.toml")
    assert (done.returncode, done.stdout) == (2, "::error::args: a quotation is not closed\n")


@pytest.mark.parametrize(("args", "code"), [("1000 0 --of softmax", 3), ("absent.npy", 2)])
def test_the_exit_code_of_the_action(args: str, code: int) -> None:
    assert _act(args).returncode == code


@pytest.mark.slow
def test_a_local_module_does_not_shadow_those_of_the_action() -> None:
    Path("shlex.py").write_text("raise SystemExit(9)")
    assert _act("--seed 0").returncode == 0


def test_the_hook() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    (used,) = PRE_COMMIT["repos"][0]["hooks"]
    assert used["id"] == hook["id"]
    assert hook["args"] == used["args"]
    outcome = run(" ".join([hook["entry"], *used["args"]]))
    assert (outcome.code, outcome.err) == (0, "")
    shown = run(f"{hook['entry'].split()[0]} --version").out
    assert shown.startswith(f"softmax-cli {__version__} (")
