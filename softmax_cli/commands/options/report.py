"""The options that say where the report of gradcheck goes, and in which form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from softmax_cli.commands.options.shared import WriteOptions, completed

FORMS = ("table", "json", "junit", "github")


@dataclass(frozen=True)
class VerdictOptions(WriteOptions):
    """Where the report goes: a report has other forms than rows of numbers have."""

    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMS),
            help="Form of the report: a table, JSON, JUnit XML, or annotations for GitHub "
            "Actions. Default: from the suffix of -o; else a table.",
            autocompletion=completed(list(FORMS)),
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write the report to a file: .txt, .json or .xml (JUnit); - is standard output.",
        ),
    ] = None
    report: Annotated[
        list[str],
        typer.Option(
            "--report",
            metavar="PATH",
            help="Write the report to this file as well: .json or .xml (JUnit). Repeatable.",
        ),
    ] = field(default_factory=list)
