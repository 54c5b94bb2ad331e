"""The checks of a configuration file: tables, errors, and the commands that repeat them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmax_cli.commands.app.app import load
from softmax_cli.commands.gradients.configuration import FILES, NOT_IN_TABLES, SETTINGS
from tests.running import program, run

pytestmark = pytest.mark.fast(4)

Z = np.array([[1.0, -2.0, 0.5], [0.25, 0.5, -1.0]])
_S = np.exp(Z) / np.exp(Z).sum(axis=-1, keepdims=True)
G = (_S - np.eye(3)[[2, 0]]) / 2
MODULE = """
def energy(x): return (x**2).sum()
def gradient(x): return 2 * x
def flipped(x): return -2 * x
def raises(x): raise ValueError("not today")
"""
TABLES = """
[project]
name = "of no interest"

[[tool.softmax-cli.gradcheck]]
name = "energy"
function = "checked_functions:energy"
grad = "checked_functions:gradient"
at = [[1, -2], [0.5, 3]]

[[tool.softmax-cli.gradcheck]]
name = "loss of files"
logits = "Z.npy"
labels = "2,0"
grad = "G.npy"
rtol = 1e-4
on_bad_row = "error"

[[tool.softmax-cli.gradcheck]]
name = "ours"
values = [1, -2.5, 3]
of = "softmax"
temperature = 2
"""
ENERGY = (
    '''function = "checked_functions:energy"\ngrad = "checked_functions:gradient"\nat = "1,2"'''
)


def _table(text: str, name: str = 'name = "f"') -> str:
    return f"[[tool.softmax-cli.gradcheck]]\n{name}\n{text}\n"


def _write_inputs(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    np.save(folder / "Z.npy", Z)
    np.save(folder / "G.npy", G)
    (folder / "checked_functions.py").write_text(MODULE)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("checked_functions", None)


def _report(line: str) -> tuple[int, Any]:
    outcome = run(f"softmax-cli gradcheck {line} --format json")
    assert outcome.err == ""
    return outcome.code, json.loads(outcome.out)


def _error(line: str) -> str:
    outcome = run(f"softmax-cli gradcheck {line}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    return outcome.err


OURS = ["ours: softmax jacobian", "ours: softmax jvp", "ours: softmax vjp"]


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        (".", "--config pyproject.toml"),
        (".", "--config=./pyproject.toml --quiet --no-progress --threads 1"),
        (".", ""),
        ("deep", "--config deep/pyproject.toml"),
    ],
)
def test_every_table_is_checked(folder: str, line: str) -> None:
    _write_inputs(Path(folder))
    Path(folder, "pyproject.toml").write_text(TABLES)
    code, report = _report(line)
    assert (code, report["verdict"]) == (0, "pass")
    checks = {check["name"]: check for check in report["checks"]}
    assert list(checks) == ["energy", "loss of files", *OURS]
    assert [check["entries"] for check in report["checks"][:2]] == [4, 6]
    assert checks["loss of files"]["rtol"] == 1e-4


def test_a_list_of_numbers_is_one_point() -> None:
    _write_inputs(Path())
    function = 'function = "checked_functions:energy"\ngrad = "checked_functions:gradient"'
    Path("pyproject.toml").write_text(_table(f"{function}\nat = [1, -2, 3]", 'name = "one"'))
    (check,) = _report("")[1]["checks"]
    assert (check["points"], check["entries"]) == (1, 3)
    assert check["reproduce"].endswith("--at 1,-2,3")


def test_command_that_repeats_a_check() -> None:
    _write_inputs(Path())
    Path("pyproject.toml").write_text(TABLES)
    repeats = [check["reproduce"] for check in _report("")[1]["checks"]]
    start = "softmax-cli gradcheck --seed 0"
    ours = f"{start} 1 -2.5 3 --of softmax --temperature 2"
    assert repeats == [
        f"{start} checked_functions:energy --grad checked_functions:gradient --at 1,-2 --at 0.5,3",
        f"{start} --logits Z.npy --labels 2,0 --grad G.npy --rtol 0.0001 --on-bad-row error",
        *[ours] * 3,
    ]


@pytest.mark.parametrize("folder", [".", "deep", "two words"])
@pytest.mark.slow
def test_repeating_a_check_gives_the_same_result(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin")), prepend=os.pathsep)
    _write_inputs(Path(folder))
    wrong = _table('logits = "Z.npy"\nlabels = "2,0"\ngrad = "Z.npy"', 'name = "wrong"')
    other = _table('of = "softmax"\nseed = 7\npoints = 2\nworst = 1', 'name = "other"')
    Path(folder, "pyproject.toml").write_text(TABLES + wrong + other)
    code, report = _report(f"--config '{folder}/pyproject.toml' --seed 5 --worst 2")
    assert code == 1
    for check in report["checks"]:
        line = f"{check['reproduce']} --format json"
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        again = json.loads(done.stdout)
        seed = 7 if check["name"].startswith("other") else 5
        assert again["seed"] == check["seed"] == seed
        (found,) = [
            one
            for one in again["checks"]
            if len(again["checks"]) == 1 or one["name"] in check["name"]
        ]
        alike = {"name": "", "reproduce": "", "about": ""}
        assert {**found, **alike} == {**check, **alike}
        assert (check["about"] or "").endswith(found["about"] or "")


def test_settings_of_the_command_line_apply_to_tables_without_their_own() -> None:
    Path("pyproject.toml").write_text(
        _table('of = "softmax"\npoints = 1', 'name = "a"')
        + _table('of = "softmax"\npoints = 1\nseed = 3\nworst = 0', 'name = "b"')
    )
    _, report = _report("--seed 4 --worst 2")
    assert report["seed"] == 4
    assert [check["seed"] for check in report["checks"]] == [4] * 3 + [3] * 3
    assert [len(check["worst"]) for check in report["checks"]] == [2] * 3 + [0] * 3
    text = run("softmax-cli gradcheck --seed 4").out
    assert "dtype float64; seed 4 (a: softmax jacobian, " in text
    assert "dtype float64; seed 3 (b: softmax jacobian, " in text


def test_values_of_every_kind() -> None:
    Path("rows.csv").write_text("skipped,a,b\nx,1,2\ny,3,4\n")
    Path("pyproject.toml").write_text(
        _table('values = "rows.csv"\nid-columns = ["skipped"]\nheader = true', 'name = "file"')
        + _table('values = ["1,2", "3,4"]\nheader = false\nof = "softmax"', 'name = "inline"')
        + _table("values = [[1, 2], [3, 4]]\nof = 'softmax'\nrtol = 1e-3", 'name = "rows"')
        + _table("", 'name = "all"')
    )
    # The error about a header of typed rows is that of the command line.
    assert "gradcheck 'inline': --no-header: there is no header line in typed numbers" in _error("")
    Path("pyproject.toml").write_text(
        Path("pyproject.toml").read_text().replace("= false", "= true")
    )
    assert "--header: there is no header line in typed numbers" in _error("")
    Path("pyproject.toml").write_text(
        Path("pyproject.toml").read_text().replace("header = true\nof", "of")
    )
    code, report = _report("")
    assert code == 0
    names = [check["name"] for check in report["checks"]]
    assert [
        sum(name.startswith(f"{table}: ") for name in names)
        for table in ("file", "inline", "rows", "all")
    ] == [8, 3, 3, 8]
    repeats = {check["name"].split(":")[0]: check["reproduce"] for check in report["checks"]}
    assert repeats["file"].endswith("--seed 0 rows.csv --id-columns skipped --header")
    assert repeats["all"] == "softmax-cli gradcheck --seed 0"


def test_paths_are_searched_in_the_folder_of_the_file_first() -> None:
    _write_inputs(Path("deep"))
    np.save("G.npy", -G)
    np.save("here.npy", G)
    table = 'logits = "Z.npy"\nlabels = "2,0"\ngrad = '
    config = Path("deep/pyproject.toml")
    config.write_text(_table(f'{table}"G.npy"', 'name = "a"') + _table(f'{table}"here.npy"'))
    code, report = _report(f"--config {config}")
    assert (code, len(report["checks"])) == (0, 2)
    config.write_text(_table(f'values = ["Z*.npy", "{Path("deep/Z.npy").resolve()}"]'))
    assert _report(f"--config {config}")[1]["checks"][0]["entries"] == 4 * 9


def test_modules_are_searched_in_the_folder_of_the_file_first() -> None:
    _write_inputs(Path("deep"))
    Path("checked_functions.py").write_text(MODULE.replace("2 * x", "3 * x"))
    Path("deep/pyproject.toml").write_text(_table(ENERGY))
    before = [*sys.path]
    assert _report("--config deep/pyproject.toml")[0] == 0
    assert sys.path == before


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize("victim", ["deep/checks.json", "deep/values.json"])
def test_inputs_of_tables_are_not_overwritten(option: str, victim: str) -> None:
    Path("deep").mkdir()
    Path("deep/values.json").write_text("[[1, 2]]")
    text = _table('values = "values.json"\nof = "softmax"')
    Path("deep/checks.json").write_text(text)
    assert "is also an input" in _error(f"--config deep/checks.json {option} {victim}")
    assert Path("deep/values.json").read_text() == "[[1, 2]]"
    assert Path("deep/checks.json").read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no check; write a table [[tool.softmax-cli.gradcheck]]"),
        ("[tool.softmax-cli]\ngradcheck = []", "holds no check"),
        ("tool = 3", "holds no check"),
        ("[tool.softmax-cli.gradcheck]\nname = 'f'", "tool.softmax-cli.gradcheck is not a list"),
        ("[tool.softmax-cli]\ngradcheck = [1]", "tool.softmax-cli.gradcheck is not a list"),
        ("[[tool.softmax-cli.gradcheck]", "is not TOML: "),
        ("a = \xff", "is not TOML: "),
        (f"a = {'[' * 9999}", "is not TOML: "),
        (_table("", ""), "gradcheck table 1: has no name; write name = "),
        (_table("", "name = 3"), "gradcheck table 1: its name is 3"),
        (_table("", "name = ' '"), "gradcheck table 1: its name is ' '"),
        (_table("") + _table(""), "gradcheck table 2: another table is called 'f'"),
        (_table("rtoll = 1"), "gradcheck 'f': rtoll: no such option; did you mean 'rtol'?"),
        (_table("'rtol=1' = 1"), "gradcheck 'f': rtol=1: no such option"),
        (_table("help = true"), "gradcheck 'f': help: no such option"),
        (_table("no-header = true"), "gradcheck 'f': no-header: no such option"),
        (_table("t = 1"), "gradcheck 'f': t: no such option"),
        (
            _table("on-bad-row = 'nan'\non_bad_row = 'nan'"),
            "gradcheck 'f': an option is given with",
        ),
        (_table("header = 'yes'"), "gradcheck 'f': header: is a flag; write header = true or"),
        (_table("rtol = true"), "gradcheck 'f': rtol: True is not a value"),
        (_table("rtol = 'small'"), "gradcheck 'f': --rtol: 'small' is not a valid float"),
        (_table("rtol = [1, 2]"), "gradcheck 'f': --rtol: '1,2' is not a valid float"),
        (_table("rtol = 1979-05-27"), "gradcheck 'f': rtol: datetime.date(1979, 5, 27) is not "),
        (_table("of = {a = 1}"), "gradcheck 'f': of: {'a': 1} is not a value"),
        (_table("of = 'tanh'"), "gradcheck 'f': --of: "),
        (_table("at = [[1], [[2]]]"), "gradcheck 'f': at: [[2]] is not a value"),
        (_table("at = [[]]"), "gradcheck 'f': at: [] is not a value"),
        (_table("points = 0"), "gradcheck 'f': --points: "),
        (_table("values = []"), "gradcheck 'f': values: [] is not a value"),
        (_table("values = ['a.npy']"), "gradcheck 'f': a.npy: no such file"),
        (_table("values = ['--help']"), "gradcheck 'f': --help: is not a value"),
        (_table("function = '--help'"), "gradcheck 'f': function: is not module:function"),
        (_table("grad = '--help'\nlogits = '--help'\nlabels = 'x'"), "gradcheck 'f': --logits: "),
        (_table("function = 'm:f'\nvalues = [1]"), "gradcheck 'f': values: a function takes no"),
        (_table("function = 'm:f'"), "gradcheck 'f': m:f: no point to check at"),
        (_table("labels = '1'"), "gradcheck 'f': --labels: "),
        (_table("function = 'nowhere:f'\nat = [1, 2]"), "gradcheck 'f': gradcheck: no module 'now"),
        (
            _table("", "name = 'a\\nb'").replace("'", '"') + "rtol = 'x'",
            r"gradcheck 'a\nb': --rtol",
        ),
    ],
)
def test_error_in_a_file(text: str, message: str) -> None:
    Path("checks.toml").write_bytes(text.encode("latin-1"))
    assert _error("--config checks.toml").startswith(f"softmax-cli: checks.toml: {message}")


def test_error_in_the_user_s_code_names_the_table() -> None:
    _write_inputs(Path())
    text = 'function = "checked_functions:energy"\ngrad = "checked_functions:raises"\nat = [1]'
    Path("pyproject.toml").write_text(_table(ENERGY, 'name = "fine"') + _table(text))
    place = "softmax-cli: pyproject.toml: gradcheck 'f': checked_functions:raises: "
    assert _error("").startswith(f"{place}raised ValueError: not today")


@pytest.mark.parametrize("name", sorted(NOT_IN_TABLES))
def test_options_that_are_not_part_of_a_check_are_refused(name: str) -> None:
    key = name.replace("_", "-")
    Path("checks.toml").write_text(_table(f"{name} = 'x'"))
    message = (
        f"softmax-cli: checks.toml: gradcheck 'f': {key}: is not part of a check; write --{key} on"
    )
    assert _error("--config checks.toml").startswith(message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("absent.toml", "absent.toml: no such file"),
        ("folder", "folder: is a directory"),
        ("''", ".: is a directory"),
    ],
)
def test_file_that_cannot_be_read(path: str, message: str) -> None:
    Path("folder").mkdir()
    assert _error(f"--config {path}").startswith(f"softmax-cli: {message}")


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("1 2", "1"),
        ("--of softmax", "--of"),
        ("--points 3", "--points"),
        ("--id-columns a", "--id-columns"),
        ("--no-header", "--header"),
    ],
)
def test_config_excludes_a_check_on_the_command_line(line: str, option: str) -> None:
    Path("checks.toml").write_text(_table(""))
    message = f"softmax-cli: {option}: does not go with --config; write it in the file\n"
    assert _error(f"{line} --config checks.toml") == message


# ./pyproject.toml


@pytest.mark.parametrize("line", ["", "--seed 0", "--worst 1", "--quiet --precision 3", "--debug"])
def test_tables_in_the_working_directory_are_found(line: str) -> None:
    _write_inputs(Path())
    Path("pyproject.toml").write_text(_table(ENERGY))
    assert [check["name"] for check in _report(line)[1]["checks"]] == ["f"]


@pytest.mark.parametrize("line", ["1 2", "--of softmax", "--points 3", "--method central"])
def test_a_check_on_the_command_line_comes_before_the_tables(line: str) -> None:
    Path("pyproject.toml").write_text(_table("rtol = 'broken'"))
    code, report = _report(line)
    assert code == 0
    assert "softmax jacobian" in [check["name"] for check in report["checks"]]


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'x'", "[tool.other]\nx = 1", "no TOML at all", None]
)
def test_builtins_are_checked_without_tables(text: str | None) -> None:
    if text is None:
        Path("pyproject.toml").mkdir()
    else:
        Path("pyproject.toml").write_text(text)
    code, report = _report("")
    assert (code, len(report["checks"])) == (0, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[tool.softmax-cli.gradcheck]\nname = 'f'", "pyproject.toml: is not TOML: "),
        ("keywords = ['softmax-cli'", "pyproject.toml: is not TOML: "),
        (_table("rtoll = 1"), "pyproject.toml: gradcheck 'f': rtoll: no such option"),
        ("[tool.softmax-cli]\ngradcheck = 1", "pyproject.toml: tool.softmax-cli.gradcheck is not"),
    ],
)
def test_invalid_tables_in_the_working_directory_are_an_error(text: str, message: str) -> None:
    Path("pyproject.toml").write_text(text)
    assert _error("").startswith(f"softmax-cli: {message}")


def test_named_options_exist() -> None:
    names = {parameter.name for parameter in load("gradcheck").params}
    assert NOT_IN_TABLES | set(SETTINGS) <= names
    assert {name.replace("-", "_") for name in FILES} - {"class_weights", "sample_weights"} <= names


@pytest.mark.parametrize(
    "table", ["tool.softmax-cli", "tool.softmax_cli", "tool.softmax_cli.gradcheck"]
)
def test_tables_under_a_wrong_name_are_an_error(table: str) -> None:
    # A build in which nothing of the project is checked must not be green.
    brackets = ("[[", "]]") if table.endswith("gradcheck") else ("[", "]")
    Path("pyproject.toml").write_text(f'{brackets[0]}{table}{brackets[1]}\nname = "x"\n')
    assert "holds no check; write [[tool.softmax-cli.gradcheck]]" in _error("")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a." * 70 + "b = 1", "has a key of more than 64 parts"),
        ("# " + "x" * (1 << 20), "is larger than 1 MiB"),
        ("\xff", "is not TOML"),
    ],
    ids=["deep", "large", "no text"],
)
def test_hostile_configuration(written: str, said: str) -> None:
    Path("p.toml").write_text(written, encoding="latin-1")
    outcome = run("softmax-cli gradcheck --config p.toml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("softmax-cli: p.toml: ")
    assert said in outcome.err


def test_decimal_points_are_not_a_deep_key() -> None:
    numbers = ",".join(["0.5"] * 100)
    Path("p.toml").write_text(f"[tool.other]\nat = [{numbers}]\nat2 = '{numbers}'\n")
    assert "64 parts" not in run("softmax-cli gradcheck --config p.toml").err


@pytest.mark.parametrize(
    "table",
    [
        'values = "G.npy"',
        'values = ["Z.npy", "G.npy"]',
        'values = "*.npy"',
        'values = "dlogits.csv"\nrtol = 1e-3',
    ],
)
def test_a_gradient_given_as_logits_in_a_table(table: str) -> None:
    _write_inputs(Path())
    Path("dlogits.csv").write_text("1,2,3\n")
    Path("pyproject.toml").write_text(TABLES + _table(table))
    message = _error("--config pyproject.toml")
    assert "pyproject.toml: gradcheck 'f': " in message
    assert "would be taken for logits" in message
    assert "--of all" in message
    Path("pyproject.toml").write_text(TABLES + _table(f"{table}\nof = 'softmax'"))
    assert _report("")[0] == 0


BUILDS = ["--format github", "--format junit", "--report r.xml", "--report r.json", "-o r.xml"]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("table", ["", "values = [1, 2]", 'values = "Z.npy"', "points = 2"])
def test_a_table_without_a_subject_in_a_build(build: str, table: str) -> None:
    _write_inputs(Path())
    Path("pyproject.toml").write_text(TABLES + _table(table))
    message = _error(f"--config pyproject.toml {build}")
    assert "pyproject.toml: gradcheck 'f': checks nothing of yours" in message
    assert 'give function, or logits, labels and grad, or of = "all"' in message
    assert not list(Path().glob("r.*"))
    assert run("softmax-cli gradcheck --config pyproject.toml").code == 0
    Path("pyproject.toml").write_text(TABLES + _table(f'{table}\nof = "all"'))
    assert run(f"softmax-cli gradcheck --config pyproject.toml {build}").code == 0


def test_report_says_what_each_table_checked() -> None:
    _write_inputs(Path())
    Path("pyproject.toml").write_text(TABLES)
    _, report = _report("")
    assert report["subject"] == "mixed"
    subjects = ["function", "gradient-file", *["built-in"] * 3]
    assert [check["subject"] for check in report["checks"]] == subjects
    lines = run("softmax-cli gradcheck").out.split("\n")
    assert lines[0] == "ours: built-in derivatives, at your point"
    assert "verdict: pass" in lines
    builtins = _table('of = "softmax"', 'name = "a"') + _table('values = "Z.npy"', 'name = "b"')
    Path("pyproject.toml").write_text(builtins)
    assert _report("")[1]["subject"] == "built-in"
    lines = run("softmax-cli gradcheck").out.split("\n")
    assert lines[:2] == [
        "a: built-in derivatives, at 8 seeded points",
        "b: built-in derivatives, at the 2 rows of Z.npy, taken as logits",
    ]
    assert "verdict: pass (built-in derivatives)" in lines
