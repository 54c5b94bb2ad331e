"""The report of gradcheck: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from softmax_cli.core.report import Check, Report
from softmax_cli.errors import UsageError
from softmax_cli.formats import output_format
from softmax_cli.formats.blocks import WriteOptions
from softmax_cli.formats.json_text import json_report
from softmax_cli.formats.table import DEFAULT_PRECISION, print_table
from softmax_cli.formats.target import Target

STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "inconclusive": "bold yellow",
    "vacuous": "bold yellow",
}
LONGEST_NAME = 28
HEADINGS = ("check", "verdict", "entries", "over", "abs error", "rel error")


def report_form(write: WriteOptions) -> str:
    """Return the form of the report: `--format`, else the suffix of `-o`, else a table."""
    if write.format is not None:
        form = write.format
    elif write.output in (None, "-"):
        form = "table"
    else:
        form = output_format(write).name
        form = "table" if form == "txt" else form
    if form not in ("table", "json"):
        option = "--format" if write.format is not None else str(write.output)
        raise UsageError(f"a report has no form in {form}", "table or json", option)
    return form


def write_report(report: Report, form: str, write: WriteOptions, inputs: Sequence[Path]) -> None:
    """Write the report to the output that was asked for."""
    with Target(write.output or "-", inputs, in_place=write.in_place) as target:
        if form == "json":
            target.write((json_report(report.as_dict(), write.precision) + "\n").encode())
        else:
            digits = write.precision or DEFAULT_PRECISION
            rows = [_line(check) for check in report.checks]
            print_table(HEADINGS, rows, target, write, styles=STYLES, notes=_notes(report, digits))


def _line(check: Check) -> tuple[str, ...]:
    name = check.name if len(check.name) <= LONGEST_NAME else f"…{check.name[1 - LONGEST_NAME :]}"
    return (
        name,
        check.verdict,
        str(check.entries),
        str(check.over_tolerance),
        f"{check.max_abs_error:.2g}",
        f"{check.max_rel_error:.2g}",
    )


def _notes(report: Report, digits: int) -> list[str]:
    notes = []
    for check in report.checks:
        if check.verdict in ("fail", "inconclusive"):
            notes += ["", f"{check.name}: {check.summary}"]
            if check.method == "exact" and check.dtype == "float64" and not check.diagnosis:
                notes.append("  text is taken for float64: --dtype float32 if it was computed so")
            notes += [f"  {line}" for line in check.details(digits)]
    return [*notes, "", f"verdict: {report.verdict}", *report.settings()]
