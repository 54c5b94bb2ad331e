"""The options for the report of gradcheck: its form and its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shared import WriteOptions

FORMS = ("table", "json", "junit", "github")

_output = partial(Flag, panel="Output")


@dataclass(frozen=True)
class VerdictOptions(WriteOptions):
    """Output options of a report, whose forms differ from those of rows of numbers."""

    format: Annotated[
        str | None,
        _output(
            "Form of the report: a table, JSON, JUnit XML, or annotations for GitHub Actions. "
            "Default: from the suffix of -o; else a table.",
            "|".join(FORMS),
            choices=FORMS,
        ),
    ] = None
    output: Annotated[
        str | None,
        _output(
            "Write the report to a file: .txt, .json or .xml (JUnit); - is standard output.",
            "PATH",
            short="-o",
        ),
    ] = None
    report: Annotated[
        list[str],
        _output(
            "Write the report to this file as well: .json or .xml (JUnit). Repeatable.", "PATH"
        ),
    ] = field(default_factory=list)
