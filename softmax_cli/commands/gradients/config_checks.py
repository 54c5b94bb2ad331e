"""The checks of a configuration file: its `[[tool.softmax-cli.gradcheck]]` tables.

A table is a command line of gradcheck in another spelling, and the command's own parser reads it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from softmax_cli.commands.gradients.config_tables import (
    NO_CHECK,
    SETTINGS,
    TABLES,
    Table,
    parsed_configuration,
    spelt,
    tables_in,
    told,
)
from softmax_cli.commands.options.flag import PROGRAM, CommandLine
from softmax_cli.commands.options.report import VerdictOptions
from softmax_cli.core.gradcheck.report import Check, Report
from softmax_cli.errors import InputError, UsageError
from softmax_cli.storage.filesystem import Location

FOUND = "pyproject.toml"


@dataclass
class Collected:
    """What the checks of one table came to; the command leaves it here, unwritten.

    for_a_build  whether a report was asked for that a build reads
    """

    for_a_build: bool = False
    report: Report = field(default_factory=lambda: Report(0, []))
    inputs: Sequence[Location] = ()


def tables_asked_for(line: CommandLine, config: str | None) -> list[Table] | None:
    """Return the tables to check: those of `--config`, or of the pyproject.toml that is here.

    The file that is here is looked at when the command line holds no check of its own. None means
    that it holds one, or that there are no tables; the built-in derivatives are checked then.

    A file that is here and is no TOML is an error, if the name of this program stands in it: the
    checks that were meant to run could not be known, and a run of others would pass in their place.
    """
    chosen = [
        name
        for name in line.parameters
        if name not in NO_CHECK and name not in SETTINGS and name in line.typed
    ]
    if config is not None:
        if chosen:
            name = chosen[0]
            option = line.parameters[name][0] if name == "values" else f"--{spelt(name)}"
            raise UsageError("does not go with --config", "write it in the file", option)
        found = tables_in(Path(config), parsed_configuration(Path(config)), line)
        if not found:
            raise InputError("holds no check", f"write a table {TABLES}", config)
        return found
    path = Path(FOUND)
    if chosen or not path.is_file():
        return None
    try:
        document = parsed_configuration(path)
    except InputError:
        if PROGRAM.encode() in path.read_bytes():
            raise
        return None
    return tables_in(path, document, line) or None


def check_tables(
    line: CommandLine, tables: Sequence[Table], write: VerdictOptions, *, for_a_build: bool
) -> tuple[Report, list[Location]]:
    """Check every table; return one report of them all, and the files that they read."""
    config = Path(line.parameters["config"] or FOUND)
    typed = [*["--quiet"] * write.quiet, *["--no-progress"] * write.no_progress]
    if write.threads is not None:
        typed += ["--threads", str(write.threads)]
    checks: list[Check] = []
    inputs: list[Location] = [config]
    with _importing_from(config.parent):
        for table in tables:
            with told(table.place):
                collected = Collected(for_a_build)
                line.rerun(typed, table.arguments, collected)
            seed = collected.report.seed
            several = len(collected.report.checks) > 1
            checks += [
                replace(
                    check,
                    name=f"{table.name}: {check.name}" if several else table.name,
                    reproduce=_from_here(check.reproduce, table, config.parent),
                    origin=replace(
                        check.origin,
                        about=check.origin.about and f"{table.name}: {check.origin.about}",
                        seed=None if seed == line.parameters["seed"] else seed,
                    ),
                )
                for check in collected.report.checks
            ]
            inputs += collected.inputs
    return Report(line.parameters["seed"], checks), inputs


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let modules be found in the folder of the configuration, and after it in this one."""
    before = [*sys.path]
    sys.path[:0] = dict.fromkeys([str(folder.resolve()), str(Path.cwd())])
    try:
        yield
    finally:
        sys.path[:] = before


def _from_here(reproduce: str, table: Table, folder: Path) -> str:
    """Return the command with what it takes to find the module from this folder."""
    is_function = any(re.fullmatch(r"[\w.]+:\w+", token) for token in table.arguments)
    if not is_function or folder.resolve() == Path.cwd():
        return reproduce
    return f"PYTHONPATH={shlex.quote(str(folder))} {reproduce}"
