"""The forms of gradcheck's report: JUnit, annotations, the summary of a job, more files."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from softmax_cli.commands.gradients.ci_reports import (
    MOST_ANNOTATIONS,
    MOST_ROWS,
    github_text,
    junit,
    markdown,
)
from softmax_cli.core.gradcheck.report import Check, Counts, Entry, Report, Verdict
from tests.running import run

pytestmark = pytest.mark.fast(4)

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "inconclusive", "vacuous")
HARD_NAMES = [
    "a\n::error::b",
    "::add-mask::x",
    "  ::stop-commands::x",
    "##[group]x",
    "a ##[error]x",
    "100% %0A",
    "a:b,c=d",
    "<b>&amp;</b>",
    "]]>",
    "nul \0 bell \a escape \x1b[31m",
    "return\rend\x85\u2028",
    "\U0001f600 é",
    "\udcff \ufffe",
    "a | b `c` \\| *d* _e_ [f](g) ~~h~~ $i$ @j #k",
    "\t",
]
FUNCTIONS = """
def energy(x): return (x**2).sum()
def gradient(x): return 2 * x
def flipped(x): return -2 * x
"""
PASS = "functions:energy --grad functions:gradient --at 1,2"
FAIL = "functions:energy --grad functions:flipped --at 1,2"
VACUOUS = "1000 0 --of softmax"


def _made(name: str = "f", verdict: Verdict = "fail", **facts: Any) -> Check:
    bad = verdict in ("fail", "inconclusive")
    check = Check(
        name=name,
        verdict=verdict,
        method="central",
        step=1e-6,
        dtype="float64",
        rtol=1e-6,
        counts=Counts(
            atol=1e-9,
            max_abs_error=0.5 if bad else 1e-12,
            max_rel_error=1.0 if bad else 1e-12,
            entries=4,
            over_tolerance=2 if bad else 0,
            points=1,
        ),
        worst=[Entry([1, 0], 2.0, -2.0, 4.0, 2.0, 1e-6)],
        diagnosis="a flipped sign" if verdict == "fail" else None,
        reproduce="softmax-cli gradcheck --seed 0 m:f --at '1,2'",
    )
    return replace(check, **facts)


def _report(checks: Sequence[Check]) -> Report:
    return Report(0, list(checks))


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("functions.py").write_text(FUNCTIONS)
    yield
    sys.modules.pop("functions", None)


# JUnit


def _suite(document: str | bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(document)
    SCHEMA.validate(root)
    (suite,) = root
    return suite


def _cases(document: str | bytes) -> list[ElementTree.Element]:
    return _suite(document).findall("testcase")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_junit_of_a_verdict(verdict: Verdict) -> None:
    check = _made(verdict=verdict, file="m.py", line=7)
    suite = _suite(junit(_report([check]), 1.5))
    (case,) = suite.findall("testcase")
    kinds = {"fail": ["failure"], "inconclusive": ["error"], "vacuous": ["error"], "pass": []}
    assert [found.tag for found in case] == kinds[verdict]
    counted = [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
    failures, errors = verdict == "fail", verdict in ("inconclusive", "vacuous")
    assert counted == ["1", str(int(failures)), str(int(errors)), "0"]
    assert (suite.get("time"), case.get("time")) == ("1.500", "1.500")
    for found in case:
        assert found.get("type") == verdict
        assert found.get("message") == check.headline
        body = found.text or ""
        parts = [
            check.headline,
            "in m.py:7",
            "rule: |a - n| <=",
            f"rtol {check.rtol:.3g}",
            check.how,
        ]
        parts += [*check.details(), f"repeat: {check.reproduce}"]
        assert [part for part in parts if part not in body] == []


def test_junit_of_no_checks() -> None:
    suite = _suite(junit(_report([])))
    assert suite.get("tests") == suite.get("errors") == "0"
    assert suite.findall("testcase") == []


def test_junit_of_hundreds_of_checks() -> None:
    checks = [_made(f"check {n}", VERDICTS[n % 4]) for n in range(400)]
    suite = _suite(junit(_report(checks), 8.0))
    counted = [suite.get(key) for key in ("tests", "failures", "errors")]
    assert counted == ["400", "100", "200"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [check.name for check in checks]
    assert {case.get("time") for case in cases} == {"0.020"}


@pytest.mark.parametrize("name", HARD_NAMES)
def test_junit_takes_any_name(name: str) -> None:
    check = _made(name, diagnosis=name, reproduce=name, file=name)
    (case,) = _cases(junit(_report([check])).encode())
    shown = case.get("name") or ""
    assert shown == name or "\\" in shown
    assert f"in {shown}" in (case[0].text or "")
    assert shown in (case[0].get("message") or "")


def test_the_schema_refuses_what_servers_refuse() -> None:
    document = junit(_report([_made()]))
    for old, new in {
        ' name="f"': "",
        ' failures="1"': "",
        'time="0.000"': 'time="0,1"',
        "<failure": "<skipped/><failure",
        'type="fail"': "",
        "<testcase": '<testcase file="m.py"',
        "<testsuites>": '<testsuites name="x">',
    }.items():
        assert old in document
        with pytest.raises(xmlschema.XMLSchemaValidationError):
            SCHEMA.validate(document.replace(old, new, 1))


@pytest.mark.parametrize("line", [PASS, FAIL, VACUOUS, "--of all"])
def test_junit_from_the_command_line(line: str) -> None:
    outcome = run(f"softmax-cli gradcheck {line} --format junit")
    plain = json.loads(run(f"softmax-cli gradcheck {line} --format json").out)
    assert [case.get("name") for case in _cases(outcome.out.encode())] == [
        check["name"] for check in plain["checks"]
    ]
    written = run(f"softmax-cli gradcheck {line} -o report.XML")
    assert (written.code, written.out) == (outcome.code, "")
    assert len(_cases(Path("report.XML").read_bytes())) == len(plain["checks"])


# Annotations


def _obeyed(text: str) -> list[str]:
    """Return the lines that the runner takes for commands, in the new or the old syntax."""
    return [line for line in text.split("\n") if re.match(r"\s*::", line) or "##[" in line]


def test_annotations_of_the_verdicts() -> None:
    checks = [_made(f"f{verdict}", verdict) for verdict in VERDICTS]
    obeyed = _obeyed(github_text(_report(checks)))
    assert [line.split(" ")[0] for line in obeyed] == ["::error", "::warning", "::warning"]
    assert obeyed[0] == (
        "::error title=gradcheck fail%3A ffail::fail, 2 of 4 entries over tolerance"
        "%0Ait looks like a flipped sign"
        "%0A[1, 0] 2, reference -2, error 4, allowed 1e-06"
        "%0Arepeat: softmax-cli gradcheck --seed 0 m:f --at '1,2'"
    )


@pytest.mark.parametrize(
    ("file", "line", "keys"),
    [
        (None, None, ""),
        (None, 3, ""),
        ("m.py", None, "file=m.py,"),
        ("m.py", 3, "file=m.py,line=3,"),
        ("a,b:c%.py", 3, "file=a%2Cb%3Ac%25.py,line=3,"),
    ],
)
def test_place_of_an_annotation(file: str | None, line: int | None, keys: str) -> None:
    (annotation,) = _obeyed(github_text(_report([_made(file=file, line=line)])))
    assert annotation.startswith(f"::error {keys}title=gradcheck fail%3A f::")


def test_place_is_relative_to_the_root_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    for file in ("m.py", str(tmp_path / "deep" / "m.py")):
        (annotation,) = _obeyed(github_text(_report([_made(file=file)])))
        assert annotation.startswith("::error file=deep/m.py,title")
    (annotation,) = _obeyed(github_text(_report([_made(file="/elsewhere/m.py")])))
    assert annotation.startswith("::error file=/elsewhere/m.py,title")


@pytest.mark.parametrize("name", HARD_NAMES)
@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_no_name_acts_as_a_command(name: str, verdict: Verdict) -> None:
    check = _made(name, verdict, diagnosis=name, reproduce=name, file=name)
    text = github_text(_report([check]))
    lines = text.split("\n")
    annotations = lines[:1] if verdict == "fail" else []
    assert _obeyed("\n".join(lines[len(annotations) :])) == []
    assert all(character == "\n" or character.isprintable() for character in text)
    for annotation in annotations:
        properties, message = annotation.removeprefix("::error ").split("::", 1)
        found = dict(pair.split("=", 1) for pair in properties.split(","))
        assert list(found) == ["file", "title"]
        assert not re.search("%(?!25|0A)", message)
        assert ":" not in properties
        if name.isprintable():
            assert f"repeat: {name}".replace("%", "%25") in message


@pytest.mark.parametrize("count", [1, 9, 10, 11, 300])
def test_at_most_ten_annotations(count: int) -> None:
    checks = [_made(f"f{n}", "vacuous" if n < count - 2 else "fail") for n in range(count)]
    obeyed = _obeyed(github_text(_report([_made("fine", "pass"), *checks])))
    assert len(obeyed) == min(count, MOST_ANNOTATIONS)
    fails = min(2, count)
    assert [line.startswith("::error") for line in obeyed[: fails + 1]][:fails] == [True] * fails
    assert all(line.startswith("::warning") for line in obeyed[fails:])
    assert (f"::and {count - 9} more checks" in obeyed[-1]) == (count > MOST_ANNOTATIONS)


def test_annotation_of_more_failures_is_an_error() -> None:
    obeyed = _obeyed(github_text(_report([_made(f"f{n}") for n in range(11)])))
    assert obeyed[-1].startswith("::error title=gradcheck::and 2 more checks")


def test_the_log_has_the_whole_report() -> None:
    report = _report([_made(f"f{n}") for n in range(20)])
    assert github_text(report).endswith(f"\n{report}\n")


@pytest.mark.parametrize(("line", "code"), [(PASS, 0), (FAIL, 1), (VACUOUS, 3)])
def test_annotations_from_the_command_line(line: str, code: int) -> None:
    outcome = run(f"softmax-cli gradcheck {line} --format github")
    assert outcome.code == code
    assert len(_obeyed(outcome.out)) == {0: 0, 1: 1, 3: 3}[code]
    assert "\nrule: " in outcome.out


# The summary of a job


def _table(text: str) -> list[list[str]]:
    """Return the cells as a reader of Markdown sees them."""
    rows = [line for line in text.split("\n") if line.startswith("|")]
    return [[html.unescape(cell.strip()) for cell in row.strip("|").split("|")] for row in rows]


def test_summary_of_the_verdicts() -> None:
    head, rule, *rows = _table(markdown(_report([_made(v, v) for v in VERDICTS])))
    assert len(head) == len(rule) == 8
    assert [row[:4] for row in rows] == [
        ["fail", "**fail**", "4", "2"],
        ["inconclusive", "**inconclusive**", "4", "2"],
        ["vacuous", "**vacuous**", "4", "0"],
        ["pass", "pass", "4", "0"],
    ]
    assert rows[0][4:] == ["0.5", "1", "a flipped sign", f"<code>{_made().reproduce}</code>"]
    assert rows[3][6:] == ["", ""]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_summary_takes_any_name(name: str) -> None:
    text = markdown(_report([_made(name, diagnosis=name, reproduce=name)]))
    row = text.split("\n")[5]
    assert len(_table(row)[0]) == 8
    without_references = re.sub(r"&#\d+;", "", row).replace("<code>", "").replace("</code>", "")
    assert not re.search(r"[\\`<>&~$@\[\]#_]", without_references.replace("**fail**", ""))
    if name.isprintable() and "|" not in name:
        assert _table(row)[0][0] == name.strip()


def test_summary_is_limited() -> None:
    checks = [_made(f"f{n}", reproduce="x" * 5000) for n in range(3000)]
    text = markdown(_report(checks))
    assert len(_table(text)) == 2 + MOST_ROWS
    assert f"and {3000 - MOST_ROWS} more checks" in text
    assert len(text) < 1 << 20


def test_summary_of_no_checks() -> None:
    assert "No check was made." in markdown(_report([]))


@pytest.mark.parametrize("form", ["table", "json", "junit", "github"])
def test_summary_is_appended(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("of another step")
    for line, code in ((PASS, 0), (FAIL, 1)):
        assert run(f"softmax-cli gradcheck {line} --format {form}").code == code
    first, *rest = Path("summary.md").read_text().split("\n### softmax-cli gradcheck: ")
    assert first == "of another step"
    assert [part.split("\n")[0] for part in rest] == ["pass", "fail"]
    assert [len(_table(part)) for part in rest] == [3, 3]


def test_no_summary_without_a_file_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    outcome = run(f"softmax-cli gradcheck {PASS}")
    assert (outcome.code, outcome.err) == (0, "")


def test_summary_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "absent/summary.md")
    outcome = run(f"softmax-cli gradcheck {PASS} --report report.json")
    assert outcome.code == 2
    assert outcome.err == (
        "softmax-cli: absent/summary.md: cannot be written: No such file or directory; "
        "unset GITHUB_STEP_SUMMARY, or name a file that can be written\n"
    )
    assert "verdict: pass" in outcome.out
    assert json.loads(Path("report.json").read_text())["verdict"] == "pass"


def test_wrong_input_leaves_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert run("softmax-cli gradcheck absent.npy").code == 2
    assert not Path("summary.md").exists()


# More files


@pytest.mark.parametrize(("line", "code"), [(PASS, 0), (FAIL, 1), (VACUOUS, 3)])
def test_reports_in_addition_to_the_output(line: str, code: int) -> None:
    shown = run(f"softmax-cli gradcheck {line} --seed 0")
    reports = "--report a.json --report b.xml --report=c.JSON"
    outcome = run(f"softmax-cli gradcheck {line} --seed 0 {reports} --quiet")
    assert outcome.code == shown.code == code
    assert outcome.out.split("\nrepeat:")[0] == shown.out.split("\nrepeat:")[0]
    assert Path("a.json").read_bytes() == Path("c.JSON").read_bytes()
    checks = json.loads(Path("a.json").read_text())["checks"]
    assert len(_cases(Path("b.xml").read_bytes())) == len(checks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--report report.csv",
            "--report: report.csv is not a report file; name a file .json or .xml",
        ),
        ("--report report", "--report: report is not a report file"),
        ("--report report.xml.gz", "--report: report.xml.gz is not a report file"),
        ("--report -", "--report: '-' is not a report file"),
        ("--report ''", "--report: '' is not a report file"),
        ("--report a.xml --report ./a.xml", "--report: ./a.xml is written twice"),
        ("--report a.xml --report link.xml", "--report: link.xml is written twice"),
        ("--report a.json -o a.json", "--report: a.json is written twice"),
        ("--report absent/a.json", "absent/a.json: cannot be written: No such file"),
        ("--report folder.json", "folder.json: cannot be written: Is a directory"),
        ("--format xml", "--format: no report is written as xml; use table, json, junit, github"),
        ("-o report.npy", "report.npy: no report is written as npy"),
    ],
)
def test_invalid_report_options(options: str, message: str) -> None:
    Path("link.xml").symlink_to("a.xml")
    Path("folder.json").mkdir()
    before = sorted(Path().rglob("*.*"))
    outcome = run(f"softmax-cli gradcheck {PASS} {options}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"softmax-cli: {message}")
    assert [path for path in sorted(Path().rglob("*.*")) if path.suffix != ".pyc"] == before


@pytest.mark.parametrize("in_place", ["", "--in-place"])
def test_report_does_not_overwrite_an_input(in_place: str) -> None:
    Path("x.json").write_text("[[1, 2, 3]]")
    outcome = run(
        f"softmax-cli gradcheck x.json --of all --report y.xml --report x.json {in_place}"
    )
    assert (outcome.code, outcome.out) == (2, "")
    assert "x.json: is also an input" in outcome.err
    assert Path("x.json").read_text() == "[[1, 2, 3]]"
    assert not Path("y.xml").exists()


def test_report_replaces_an_older_one_but_not_after_an_error() -> None:
    Path("a.json").write_text("old")
    assert run("softmax-cli gradcheck absent.npy --report a.json").code == 2
    assert Path("a.json").read_text() == "old"
    assert run(f"softmax-cli gradcheck {PASS} --report a.json").code == 0
    assert json.loads(Path("a.json").read_text())["verdict"] == "pass"


def test_every_form_takes_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from softmax_cli.commands.gradients import report as verdict
    from softmax_cli.commands.options.gradcheck import VerdictOptions

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    for name in HARD_NAMES:
        for form in ("json", "junit", "github", "table"):
            options = VerdictOptions(format=form, output=f"out.{form}", report=["a.json", "b.xml"])
            verdict.Reporting(options).send(_report([_made(name)]), [])
            Path(f"out.{form}").read_text(encoding="utf-8")
        assert json.loads(Path("a.json").read_text())["checks"][0]["name"] == name
    assert Path("summary.md").read_text().count("###") == 4 * len(HARD_NAMES)


def test_every_form_says_that_the_built_in_derivatives_were_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    about, verdict = "built-in derivatives, at your point", "pass (built-in derivatives)"
    lines = run("softmax-cli gradcheck 1 2 3 --of all --format github --save r.svg").out.split("\n")
    assert lines[:2] == [f"gradcheck: {verdict}", about]
    summary = Path("summary.md").read_text()
    assert f"### softmax-cli gradcheck: {verdict}\n\n{about}\n" in summary
    document = ElementTree.fromstring(
        run("softmax-cli gradcheck 1 2 3 --of all --format junit").out
    )
    properties = {each.get("name"): each.get("value") for each in document.iter("property")}
    assert properties["subject"] == "built-in"
    (text,) = document.iter("system-out")
    assert f"gradcheck: {verdict}\n{about}\n" in str(text.text)
    assert about in Path("r.svg").read_text().replace("&#160;", " ")


@pytest.mark.parametrize(
    ("line", "subject"),
    [(PASS, "function"), ("--logits 1,0 --labels 0 --grad 0,0", "gradient-file")],
)
def test_report_of_the_user_s_gradient_has_no_introduction(line: str, subject: str) -> None:
    report = json.loads(run(f"softmax-cli gradcheck {line} --format json").out)
    assert (report["subject"], report["checks"][0]["subject"]) == (subject, subject)
    assert report["checks"][0]["about"] is None
    assert "built-in" not in run(f"softmax-cli gradcheck {line}").out
