"""Reports for continuous integration: GitHub's annotations and summary, and JUnit XML.

Names of checks and files, and messages of the user's code, appear in them. None of it may act as a
command to GitHub's runner, nor as Markdown, HTML or XML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from softmax_cli import __version__
from softmax_cli.core.gradcheck.report import RULE, SERIOUSNESS, Check, Report
from softmax_cli.errors import OutputError, escape_unprintable

# A step shows ten errors and ten warnings, and silently drops the others.
MOST_ANNOTATIONS = 10
# A summary of more than a mebibyte is dropped as a whole.
MOST_ROWS = 200
LONGEST_COMMAND = 2000
SUMMARY = "GITHUB_STEP_SUMMARY"
SUITE = "softmax-cli.gradcheck"
# The headings of `counts_of`.
COUNTS = ("entries", "over", "abs error", "rel error")

_MARKUP = re.compile(r"[][\\`*_{}<>&|~$@#!]")


def github_text(report: Report) -> str:
    """Return at most ten annotations, failures first, and then the report for the log."""
    found = [check for check in _most_serious_first(report) if check.verdict != "pass"]
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    lines = [_annotation(check) for check in shown]
    if rest := found[len(shown) :]:
        more = f"and {len(rest)} more checks that did not pass; see the log of this step"
        lines.append(f"::{_level(rest[0])} title=gradcheck::{_message([more])}")
    return "\n".join([*lines, *map(_as_text, report.lines())]) + "\n"


def _annotation(check: Check) -> str:
    properties = {}
    if check.file is not None:
        properties["file"] = _from_workspace(check.file)
        if check.line is not None:
            properties["line"] = str(check.line)
    properties["title"] = f"gradcheck {check.verdict}: {check.name}"
    listed = ",".join(
        f"{key}={_message([value]).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    repeat = [f"repeat: {check.reproduce}"] if check.reproduce else []
    return f"::{_level(check)} {listed}::{_message([check.summary, *check.details(), *repeat])}"


def _level(check: Check) -> str:
    return "error" if check.verdict == "fail" else "warning"


def _from_workspace(file: str) -> str:
    """Return the path from the root of the checkout, if the file is in it."""
    root = os.environ.get("GITHUB_WORKSPACE")
    path = Path(os.path.abspath(file))  # noqa: PTH100 - removes `..`
    if root and path.is_relative_to(os.path.realpath(root)):
        return path.relative_to(os.path.realpath(root)).as_posix()
    return file


def _message(lines: list[str]) -> str:
    return "%0A".join(escape_unprintable(line).replace("%", "%25") for line in lines)


def _as_text(line: str) -> str:
    """Return a line that is no command to the runner: no `::` at its start, no `##[` anywhere."""
    line = escape_unprintable(line).replace("##[", "## [")
    return re.sub(r"^(\s*):(?=:)", r"\1: ", line)


def append_summary(report: Report) -> None:
    """Append the report to the summary of the job, if the runner names a file for it."""
    path = os.environ.get(SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(markdown(report))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        remedy = f"unset {SUMMARY}, or name a file that can be written"
        raise OutputError(f"cannot be written: {why}", remedy, path) from error


def markdown(report: Report) -> str:
    """Return the report as a short table in Markdown, the most serious verdicts first."""
    checks = _most_serious_first(report)
    lines = ["", f"### softmax-cli gradcheck: {report.labelled_verdict}", ""]
    for line in report.about:
        lines += [_escaped(line), ""]
    if checks:
        lines.append(_row(["check", "verdict", *COUNTS, "diagnosis", "repeat"]))
        lines.append(_row(["---"] * 2 + ["---:"] * 4 + ["---"] * 2))
        lines += map(_check_row, checks[:MOST_ROWS])
    else:
        lines.append("No check was made.")
    if len(checks) > MOST_ROWS:
        lines += ["", f"and {len(checks) - MOST_ROWS} more checks"]
    return "\n".join([*lines, "", ""])


def _check_row(check: Check) -> str:
    passed = check.verdict == "pass"
    verdict = check.verdict if passed else f"**{check.verdict}**"
    is_shown = check.reproduce and not passed and len(check.reproduce) <= LONGEST_COMMAND
    repeat = f"<code>{_escaped(check.reproduce)}</code>" if is_shown else ""
    diagnosis = _escaped(check.diagnosis or "")
    return _row([_escaped(check.name), verdict, *counts_of(check), diagnosis, repeat])


def counts_of(check: Check) -> tuple[str, ...]:
    """Return the counts and the largest errors as the cells of a table."""
    counts = check.counts
    errors = (f"{error:.2g}" for error in (counts.max_abs_error, counts.max_rel_error))
    return (str(counts.entries), str(counts.over_tolerance), *errors)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Return the text with every character that Markdown or HTML interprets as a reference."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", escape_unprintable(text))


def _most_serious_first(report: Report) -> list[Check]:
    return sorted(report.checks, key=lambda check: SERIOUSNESS.index(check.verdict))


def junit(report: Report, seconds: float = 0.0) -> str:
    """Return the report as a JUnit document, one test case per check.

    A wrong gradient is a failure. An unproven one is an error, which no server shows as green.
    The checks are made together, so each counts an equal share of the seconds. The elements, their
    order and their attributes are those that Jenkins, GitLab and Ant all accept.
    """
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    verdicts = [check.verdict for check in report.checks]
    failures = verdicts.count("fail")
    root = Element("testsuites")
    suite = SubElement(
        root,
        "testsuite",
        name=SUITE,
        package=SUITE,
        id="0",
        # The file may be public: it must not name the machine.
        hostname="localhost",
        timestamp=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
        time=f"{seconds:.3f}",
        tests=str(len(verdicts)),
        failures=str(failures),
        errors=str(len(verdicts) - failures - verdicts.count("pass")),
        skipped="0",
    )
    properties = SubElement(suite, "properties")
    for name, value in (
        ("version", __version__),
        ("verdict", report.verdict),
        ("subject", report.subject or "none"),
        ("seed", str(report.seed)),
        ("rule", RULE),
    ):
        SubElement(properties, "property", name=name, value=value)
    share = f"{seconds / max(1, len(verdicts)):.3f}"
    for check in report.checks:
        name, message = escape_unprintable(check.name), escape_unprintable(check.headline)
        case = SubElement(suite, "testcase", name=name, classname=SUITE, time=share)
        if check.verdict != "pass":
            kind = "failure" if check.verdict == "fail" else "error"
            found = SubElement(case, kind, type=check.verdict, message=message)
            file, line = check.file, check.line
            where = [] if file is None else [f"in {file}:{line or ''}".rstrip(":")]
            found.text = _printable([message, *where, *Report(report.seed, [check]).lines()[1:]])
    SubElement(suite, "system-out").text = _printable(report.lines())
    SubElement(suite, "system-err")
    indent(root)
    document = tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{document}\n"


def _printable(lines: list[str]) -> str:
    return "\n".join(map(escape_unprintable, lines))
