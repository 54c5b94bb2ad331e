"""Writes the report of gradcheck: a table for people, other forms for programs and servers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic

from softmax_cli.commands.gradients.ci_reports import (
    COUNTS,
    append_summary,
    counts_of,
    github_text,
    junit,
)
from softmax_cli.commands.options.gradcheck import REPORT_FORMS, VerdictOptions
from softmax_cli.core.gradcheck.report import Check, Report
from softmax_cli.display.alignment import DEFAULT_PRECISION, align_columns
from softmax_cli.display.parts import Line, Part, Table
from softmax_cli.display.rich.console import render_text
from softmax_cli.display.rich.names import cut_name
from softmax_cli.errors import ExitCode, UsageError
from softmax_cli.formats.opening.sink import open_picture, picture_form
from softmax_cli.formats.registry import output_format
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.storage.filesystem import Location, refuse_the_same
from softmax_cli.storage.open_target import open_target

# A yellow that is legible on white.
_UNPROVEN = "bold #af8700"
_STYLES = {"pass": "bold green", "fail": "bold red"}
_STYLES |= {"inconclusive": _UNPROVEN, "vacuous": _UNPROVEN}
_EXIT_CODES = {"pass": ExitCode.DONE, "fail": ExitCode.GRADIENT_DISAGREES}


class Reporting:
    """Writes a report to all its destinations, each in its form."""

    def __init__(self, write: VerdictOptions) -> None:
        """Check the destinations and start the clock, before any work."""
        self.write = write
        self._form = _report_form(write)
        self._files = [(path, _file_form(path)) for path in write.report]
        paths = [*write.report, write.output or "-"]
        if write.save is not None:
            picture_form(write.save)
            paths.append(write.save)
        outputs = [("--report", path) for path in paths]
        refuse_the_same(outputs, "{path} is written twice", "name different files")
        self._started = monotonic()

    @property
    def is_for_a_build(self) -> bool:
        """Whether a server, or a later step of a build, reads the report."""
        return bool(self._files) or self._form in ("github", "junit")

    def send(self, report: Report, inputs: Sequence[Location]) -> ExitCode:
        """Write the report everywhere; return the exit code of its verdict."""
        write = self.write
        opened = partial(open_target, inputs=inputs, sync=not write.no_sync)
        contexts = [(opened(path, in_place=None), form) for path, form in self._files]
        shown = opened(write.output or "-", in_place=write.in_place)
        # All are open before one is written, and none appears before all are written.
        with ExitStack() as stack:
            targets = [
                (stack.enter_context(context), form)
                for context, form in [*contexts, (shown, self._form)]
            ]
            save = stack.enter_context(open_picture(write, inputs))
            for target, form in targets:
                if form == "table":
                    parts = self._parts(report)
                    target.write(render_text(parts, write.color, terminal=target.is_terminal))
                else:
                    # Names of files may hold bytes that are not text.
                    target.write(self._text(report, form).encode("utf-8", "backslashreplace"))
            if save is not None:
                save(self._parts(report))
        # Last: its errors must not lose the other reports.
        append_summary(report)
        return _EXIT_CODES.get(report.verdict, ExitCode.NOTHING_PROVEN)

    def _text(self, report: Report, form: str) -> str:
        if form == "json":
            return json_report(report.as_dict(), self.write.precision) + "\n"
        if form == "github":
            return github_text(report)
        return junit(report, monotonic() - self._started)

    def _parts(self, report: Report) -> list[Part]:
        rows = [(cut_name(check.name), check.verdict, *counts_of(check)) for check in report.checks]
        parts: list[Part] = [*map(Line, report.about), *[Line()] * bool(report.about)]
        parts.append(Table(("check", "verdict", *COUNTS), rows, styles=_STYLES))
        for check in report.checks:
            partly_vacuous = 0 < check.counts.vacuous < check.counts.points
            if check.verdict in ("fail", "inconclusive") or partly_vacuous:
                parts += _details(check, self.write.precision or DEFAULT_PRECISION)
        parts += [Line(), Line(f"verdict: {report.labelled_verdict}")]
        # A command to copy must not be broken into lines.
        return parts + [Line(line, whole=line.startswith("repeat:")) for line in report.settings()]


def _report_form(write: VerdictOptions) -> str:
    """Return the form of the report: `--format`, or by the suffix of `-o`, or a table."""
    if write.format is not None:
        form = write.format
    elif write.output is None or write.output == "-":
        form = "table"
    elif write.output.lower().endswith(".xml"):
        form = "junit"
    else:
        name = output_format(write).name
        form = "table" if name == "txt" else name
    if form not in REPORT_FORMS:
        option = "--format" if write.format is not None else str(write.output)
        problem = f"no report is written as {form}"
        raise UsageError(problem, f"use {', '.join(REPORT_FORMS)}", option)
    return form


def _file_form(path: str) -> str:
    form = {".json": "json", ".xml": "junit"}.get(Path(path).suffix.lower())
    if form is None:
        given = repr(path) if path in ("", "-") else path
        problem = f"{given} is not a report file"
        raise UsageError(problem, "name a file .json or .xml (JUnit)", "--report")
    return form


def _details(check: Check, digits: int) -> list[Part]:
    """Return what a wrong gradient looks like, and its worst entries."""
    parts: list[Part] = [Line(), Line(f"{check.name}: {check.summary}")]
    if check.method == "exact" and check.dtype == "float64" and not check.diagnosis:
        hint = "text is read as float64: add --dtype float32 if it was computed in float32"
        parts.append(Line(hint, indent=2))
    if check.diagnosis is not None:
        parts.append(Line(f"it looks like {check.diagnosis}", indent=2))
    if entries := check.shown_entries:
        numbers = align_columns(
            [(f"{one.analytic:.{digits}g}", f"{one.reference:.{digits}g}") for one in entries]
        )
        rows = [
            (str(entry.index), *pair, f"{entry.abs_error:.2g}", f"{entry.allowed:.2g}")
            for entry, pair in zip(entries, numbers, strict=True)
        ]
        parts.append(Table(("worst", "gradient", "reference", "error", "allowed"), rows, indent=2))
    return parts
