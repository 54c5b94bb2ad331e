"""The report of gradcheck: a table for people, other forms for programs and servers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from softmax_cli.commands.gradients.github import append_summary, github_text
from softmax_cli.commands.options.report import FORMS, VerdictOptions
from softmax_cli.core.gradcheck.report import Check, Entry, Report
from softmax_cli.display.alignment import DEFAULT_PRECISION, align_numbers
from softmax_cli.display.parts import Line, Part, Table
from softmax_cli.display.rich.console import render_text
from softmax_cli.display.rich.names import cut_name
from softmax_cli.errors import ExitCode, UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.formats.registry import output_format
from softmax_cli.formats.table.picture_file import open_picture, picture_form
from softmax_cli.formats.text.json_values import json_report
from softmax_cli.storage.filesystem import Location, refuse_the_same
from softmax_cli.storage.open_target import open_target
from softmax_cli.storage.output import Target

STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    # Yellow that reads on white as well.
    "inconclusive": "bold #af8700",
    "vacuous": "bold #af8700",
}
EXIT_CODES = {
    "pass": ExitCode.DONE,
    "fail": ExitCode.GRADIENT_DISAGREES,
    "inconclusive": ExitCode.NOTHING_PROVEN,
    "vacuous": ExitCode.NOTHING_PROVEN,
}
# What `-o` may be without naming a file.
NOWHERE = (None, "-")
HEADINGS = ("check", "verdict", "entries", "over", "abs error", "rel error")


class Reporting:
    """Where the report goes and in which forms; what cannot be is refused before any work."""

    def __init__(self, write: VerdictOptions) -> None:
        """Check what was asked for, and start the clock."""
        self._write = write
        self._form = report_form(write)
        self._files = [(path, _file_form(path)) for path in write.report]
        paths = [*write.report, write.output or "-"]
        if write.save is not None:
            picture_form(write.save)
            paths.append(write.save)
        named = [("--report", path) for path in paths]
        refuse_the_same(named, "{path} is written twice", "name different files")
        self._started = monotonic()

    @property
    def is_for_a_build(self) -> bool:
        """Whether a server or a later step of a build reads the report."""
        return bool(self._files) or self._form in ("github", "junit")

    def send(self, report: Report, inputs: Sequence[Location]) -> ExitCode:
        """Write the report everywhere; return the exit code of its verdict.

        The summary of a job comes last: that it cannot be written takes nothing from the others.
        """
        files = [(open_target(path, inputs), form) for path, form in self._files]
        shown = open_target(self._write.output or "-", inputs, in_place=self._write.in_place)
        # All are open before one is written, and none appears before all are.
        with ExitStack() as stack:
            targets = [
                (stack.enter_context(target), form)
                for target, form in [*files, (shown, self._form)]
            ]
            save = stack.enter_context(open_picture(self._write, inputs))
            for target, form in targets:
                self._send(report, form, target)
            if save is not None:
                save(self._parts(report))
        append_summary(report)
        return EXIT_CODES[report.verdict]

    def _send(self, report: Report, form: str, target: Target) -> None:
        write = self._write
        if form == "table":
            shown = render_text(self._parts(report), write.color, terminal=target.is_terminal)
            target.write(shown)
            return
        if form == "json":
            text = json_report(report.as_dict(), write.precision) + "\n"
        elif form == "junit":
            from softmax_cli.commands.gradients.junit import junit

            text = junit(report, monotonic() - self._started)
        else:
            text = github_text(report)
        # What is no character, as a file's name may hold, is spelt as JSON spells it.
        target.write(text.encode("utf-8", "backslashreplace"))

    def _parts(self, report: Report) -> list[Part]:
        rows = [_line(check) for check in report.checks]
        about = report.about
        parts: list[Part] = [*map(Line, about), *[Line()] * bool(about)]
        parts.append(Table(HEADINGS, rows, styles=STYLES))
        for check in report.checks:
            if (
                check.verdict in ("fail", "inconclusive")
                or 0 < check.counts.vacuous < check.counts.points
            ):
                parts += _found(check, self._write.precision or DEFAULT_PRECISION)
        parts += [Line(), Line(f"verdict: {report.labelled_verdict}")]
        # A command to copy must not be broken into lines.
        return parts + [Line(line, whole=line.startswith("repeat:")) for line in report.settings()]


def report_form(write: WriteOptions) -> str:
    """Return the form of the report: `--format`, else the suffix of `-o`, else a table."""
    if write.format is not None:
        form = write.format
    elif write.output in NOWHERE:
        form = "table"
    elif (write.output or "").lower().endswith(".xml"):
        form = "junit"
    else:
        form = output_format(write).name
        form = "table" if form == "txt" else form
    if form not in FORMS:
        option = "--format" if write.format is not None else str(write.output)
        raise UsageError(f"a report has no form in {form}", f"one of {', '.join(FORMS)}", option)
    return form


def _file_form(path: str) -> str:
    form = {".json": "json", ".xml": "junit"}.get(Path(path).suffix.lower())
    if form is None:
        given = repr(path) if path in ("", "-") else path
        raise UsageError(f"{given} has no form", "name a file .json or .xml (JUnit)", "--report")
    return form


def _line(check: Check) -> tuple[str, ...]:
    return (
        cut_name(check.name),
        check.verdict,
        str(check.counts.entries),
        str(check.counts.over_tolerance),
        f"{check.counts.max_abs_error:.2g}",
        f"{check.counts.max_rel_error:.2g}",
    )


def _found(check: Check, digits: int) -> list[Part]:
    """Return what is known of a difference: what it looks like, and the worst entries."""
    parts: list[Part] = [Line(), Line(f"{check.name}: {check.summary}")]
    if check.setup.method == "exact" and check.setup.dtype == "float64" and not check.diagnosis:
        hint = "text is taken for float64: --dtype float32 if it was computed so"
        parts.append(Line(hint, indent=2))
    if check.diagnosis is not None:
        parts.append(Line(f"it looks like {check.diagnosis}", indent=2))
    if entries := check.shown_entries:
        parts.append(_entries(entries, digits))
    return parts


def _entries(entries: Sequence[Entry], digits: int) -> Table:
    columns = [
        [f"[{', '.join(map(str, entry.index))}]" for entry in entries],
        align_numbers([f"{entry.analytic:.{digits}g}" for entry in entries]),
        align_numbers([f"{entry.reference:.{digits}g}" for entry in entries]),
        [f"{entry.abs_error:.2g}" for entry in entries],
        [f"{entry.allowed:.2g}" for entry in entries],
    ]
    headings = ("worst", "gradient", "reference", "error", "allowed")
    return Table(headings, list(zip(*columns, strict=True)), indent=2)
