"""A report for GitHub Actions: annotations beside the code, and the summary of a job.

Names of checks, files and what a user's code says end up in these lines. None of it may become a
command to the runner, nor Markdown or HTML.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from softmax_cli.core.gradcheck.report import SERIOUSNESS, Check, Report
from softmax_cli.errors import OutputError, escape_unprintable

# A step shows ten errors and ten warnings; what comes after is lost without a word.
MOST_ANNOTATIONS = 10
# A summary of more than a mebibyte is thrown away as a whole.
MOST_ROWS = 200
LONGEST_COMMAND = 2000
SUMMARY = "GITHUB_STEP_SUMMARY"

_HEADINGS = ("check", "verdict", "entries", "over", "abs error", "rel error", "diagnosis", "repeat")
_MARKUP = re.compile(r"[][\\`*_{}<>&|~$@#!]")


def github_text(report: Report) -> str:
    """Return the annotations of what did not pass, and then the report to read in the log."""
    return "\n".join([*annotated(report), *map(_no_command, report.lines())]) + "\n"


def annotated(report: Report) -> list[str]:
    """Return at most ten annotations, failures first; the last says how many more there are."""
    found = [check for check in _most_serious_first(report) if check.verdict != "pass"]
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    lines = [_annotation(check) for check in shown]
    if rest := found[len(shown) :]:
        title = _property("gradcheck")
        more = f"and {len(rest)} more checks that did not pass; the log of this step has them"
        lines.append(f"::{_level(rest[0])} title={title}::{_message([more])}")
    return lines


def _annotation(check: Check) -> str:
    properties = {}
    if check.origin.file is not None:
        properties["file"] = _from_the_workspace(check.origin.file)
        if check.origin.line is not None:
            properties["line"] = str(check.origin.line)
    properties["title"] = f"gradcheck {check.verdict}: {check.name}"
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    repeat = [f"repeat: {check.reproduce}"] if check.reproduce else []
    return f"::{_level(check)} {listed}::{_message([check.summary, *check.details(), *repeat])}"


def _level(check: Check) -> str:
    return "error" if check.verdict == "fail" else "warning"


def _from_the_workspace(file: str) -> str:
    """Return the path as annotations want it, from the root of the checkout if it is in there."""
    root = os.environ.get("GITHUB_WORKSPACE")
    path = Path(os.path.abspath(file))  # noqa: PTH100 - takes `..` out
    if root and path.is_relative_to(os.path.realpath(root)):
        return path.relative_to(os.path.realpath(root)).as_posix()
    return file


def _message(lines: list[str]) -> str:
    return "%0A".join(escape_unprintable(line).replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return _message([text]).replace(":", "%3A").replace(",", "%2C")


def _no_command(line: str) -> str:
    """Return the line so that the runner takes it for text.

    It obeys `::` at the start, after blanks, and the older `##[` anywhere.
    """
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
        raise OutputError(
            f"cannot be written: {why}", f"{SUMMARY} names it: unset that, or mend it", path
        ) from error


def markdown(report: Report) -> str:
    """Return the report as a short table in Markdown, what did not pass first."""
    checks = _most_serious_first(report)
    lines = ["", f"### softmax-cli gradcheck: {report.labelled_verdict}", ""]
    for line in report.about:
        lines += [_escaped(line), ""]
    if checks:
        lines += [_row(_HEADINGS), _row(["---"] * 2 + ["---:"] * 4 + ["---"] * 2)]
        lines += [_row(_cells(check)) for check in checks[:MOST_ROWS]]
    else:
        lines.append("No check was made.")
    if len(checks) > MOST_ROWS:
        lines += ["", f"and {len(checks) - MOST_ROWS} more checks"]
    return "\n".join([*lines, "", ""])


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(check: Check) -> list[str]:
    passed = check.verdict == "pass"
    verdict = check.verdict if passed else f"**{check.verdict}**"
    repeat = "" if passed or len(check.reproduce) > LONGEST_COMMAND else check.reproduce
    return [
        _escaped(check.name),
        verdict,
        str(check.counts.entries),
        str(check.counts.over_tolerance),
        f"{check.counts.max_abs_error:.2g}",
        f"{check.counts.max_rel_error:.2g}",
        _escaped(check.diagnosis or ""),
        f"<code>{_escaped(repeat)}</code>" if repeat else "",
    ]


def _escaped(text: str) -> str:
    """Return the text as references to its characters, wherever Markdown or HTML has a meaning."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", escape_unprintable(text))


def _most_serious_first(report: Report) -> list[Check]:
    return sorted(report.checks, key=lambda check: SERIOUSNESS.index(check.verdict))
