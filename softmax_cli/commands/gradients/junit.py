"""A report as JUnit XML, which continuous-integration servers read."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from softmax_cli import __version__
from softmax_cli.core.gradcheck.report import RULE, Check, Report
from softmax_cli.errors import escape_unprintable

SUITE = "softmax-cli.gradcheck"


def junit(report: Report, seconds: float = 0.0) -> str:
    """Return the report as a JUnit document: a test case a check.

    What disagrees is a failure. What proves nothing is an error, so that no server shows it green.
    The checks are made together: each counts an equal share of the seconds that all of them took.
    The elements, their order and their attributes are those that Jenkins, GitLab and Ant all take.
    """
    verdicts = [check.verdict for check in report.checks]
    failures = verdicts.count("fail")
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": SUITE,
            "package": SUITE,
            "id": "0",
            # No machine is named in a file that may be public.
            "hostname": "localhost",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
            "time": f"{seconds:.3f}",
            "tests": str(len(verdicts)),
            "failures": str(failures),
            "errors": str(len(verdicts) - failures - verdicts.count("pass")),
            "skipped": "0",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    facts = {
        "version": __version__,
        "verdict": report.verdict,
        "subject": report.subject or "none",
        "seed": report.seed,
        "rule": RULE,
    }
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": str(value)})
    for check in report.checks:
        _add_case(suite, report, check, seconds / len(report.checks))
    ElementTree.SubElement(suite, "system-out").text = _text(report.lines())
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    document = ElementTree.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{document}\n"


def _add_case(suite: ElementTree.Element, report: Report, check: Check, seconds: float) -> None:
    facts = {"name": escape_unprintable(check.name), "classname": SUITE, "time": f"{seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", facts)
    if check.verdict == "pass":
        return
    message = escape_unprintable(check.headline)
    kind = "failure" if check.verdict == "fail" else "error"
    found = ElementTree.SubElement(case, kind, {"type": check.verdict, "message": message})
    file, line = check.origin.file, check.origin.line
    where = [] if file is None else [f"in {file}:{line or ''}".rstrip(":")]
    found.text = _text([message, *where, *Report(report.seed, [check]).lines()[1:]])


def _text(lines: list[str]) -> str:
    """Return the lines without the characters that XML has not; the others are escaped later."""
    return "\n".join(map(escape_unprintable, lines))
