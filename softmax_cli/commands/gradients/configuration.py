"""The checks of a configuration file: each table becomes a command line of gradcheck."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from softmax_cli.commands.gradients.report import Reporting
from softmax_cli.commands.options.flag import PROGRAM, CommandLine, is_option, option_name
from softmax_cli.commands.options.gradcheck import VerdictOptions
from softmax_cli.core.gradcheck.report import Check, Report
from softmax_cli.errors import InputError, SoftmaxCliError, UsageError, did_you_mean, shorten
from softmax_cli.formats.opening.source import input_paths
from softmax_cli.storage.filesystem import Location
from softmax_cli.storage.input import open_input, read_whole
from softmax_cli.storage.limits import LARGEST_CONFIGURATION

DEFAULT_CONFIG = "pyproject.toml"
COMMAND = "gradcheck"
TABLES = f"[[tool.{PROGRAM}.{COMMAND}]]"
# tomllib needs n^2 steps for a key of n parts.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++\s*+\.\s*+){64}""")

# Options that the command line may add to the tables of a file.
SETTINGS = ("seed", "worst")
NOT_IN_TABLES = {*(option.name for option in fields(VerdictOptions)), "config"}
# Options whose value may be a file, which may be in the folder of the configuration.
FILES = (
    "logits",
    "labels",
    "targets",
    "upstream",
    "grad",
    "jacobian",
    "at",
    "class-weights",
    "sample-weights",
)


def tables_asked_for(line: CommandLine, config: str | None) -> dict[str, list[str]]:
    """Return the command line of each table of `--config` or ./pyproject.toml, by its name.

    The latter is read only if the command line has no check of its own. Without tables, the
    built-in derivatives are checked. They must not pass in place of the user's checks: a
    pyproject.toml that is not TOML is an error if it names this program.
    """
    path = Path(DEFAULT_CONFIG if config is None else config)
    checks = [name for name in line.typed if name not in (*NOT_IN_TABLES, *SETTINGS)]
    if config is None and (checks or not path.is_file()):
        return {}
    if checks:
        name = checks[0]
        option = line.parameters[name][0] if name == "values" else option_name(name)
        raise UsageError("does not go with --config", "write it in the file", option)
    try:
        document = _parsed(path)
    except InputError:
        if config is None and PROGRAM.encode() not in path.read_bytes():
            return {}
        raise
    tables = _tables_in(path, document, line)
    if config is not None and not tables:
        raise InputError("holds no check", f"write a table {TABLES}", config)
    return tables


def check_tables(
    line: CommandLine, tables: Mapping[str, list[str]], reporting: Reporting
) -> tuple[Report, list[Location]]:
    """Check every table; return one report of all checks, and the files that were read."""
    config, seed = Path(line.parameters["config"] or DEFAULT_CONFIG), line.parameters["seed"]
    write, folder = reporting.write, config.parent
    settings = [*["--quiet"] * write.quiet, *["--no-progress"] * write.no_progress]
    if write.threads is not None:
        settings += ["--threads", str(write.threads)]
    checks: list[Check] = []
    inputs: list[Location] = [config]
    path_before = [*sys.path]
    # Modules are found in the folder of the configuration, then in the working directory.
    sys.path[:0] = dict.fromkeys([str(folder.resolve()), str(Path.cwd())])
    try:
        for name, arguments in tables.items():
            with _errors_in(f"{config}: {COMMAND} {name!r}"):
                report, read = line.rerun(settings, arguments, reporting)
            inputs += read
            is_function = any(re.fullmatch(r"[\w.]+:\w+", token) for token in arguments)
            is_elsewhere = folder.resolve() != Path.cwd()
            variable = f"PYTHONPATH={shlex.quote(str(folder))} " * is_function * is_elsewhere
            for check in report.checks:
                about = check.about and f"{name}: {check.about}"
                own_seed = None if report.seed == seed else report.seed
                renamed = replace(
                    check,
                    name=f"{name}: {check.name}" if report.checks[1:] else name,
                    reproduce=variable + check.reproduce,
                    about=about,
                    seed=own_seed,
                )
                checks.append(renamed)
    finally:
        sys.path[:] = path_before
    return Report(seed, checks), inputs


@contextmanager
def _errors_in(place: str) -> Iterator[None]:
    """Put a place before the place that an error names."""
    try:
        yield
    except SoftmaxCliError as error:
        error.place = f"{place}: {error.place}" if error.place else place
        raise


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib

    def check_size(_: bytes, held: int) -> None:
        if held > LARGEST_CONFIGURATION:
            problem = f"is larger than {LARGEST_CONFIGURATION >> 20} MiB"
            raise InputError(problem, "name a configuration file", str(path))

    with closing(open_input(str(path))) as source:
        content = read_whole(source, check_size)
    try:
        text = content.decode()
        if key := _DEEP_KEY.search(text):
            problem = f"has a key of more than 64 parts, {shorten(key[0])}"
            raise InputError(problem, "shorten it", str(path))
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Bytes that are not text are a ValueError too.
        raise InputError(f"is not TOML: {error}", "correct it", str(path)) from None


def _tables_in(path: Path, document: dict[str, Any], line: CommandLine) -> dict[str, list[str]]:
    tools = document.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    ours = tools.get(PROGRAM)
    tables = ours.get(COMMAND, {}) if isinstance(ours, dict) else {}
    if tables == {}:
        # Checks in a table of a wrong name would not be made, and must not pass.
        for name in (PROGRAM, PROGRAM.replace("-", "_")):
            if tools.get(name):
                raise InputError(f"[tool.{name}] holds no check", f"write {TABLES}", str(path))
    elif not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem = f"tool.{PROGRAM}.{COMMAND} is not a list"
        raise InputError(problem, f"write {TABLES}", str(path))
    found: dict[str, list[str]] = {}
    for number, table in enumerate(tables, 1):
        name, place = table.get("name"), f"{path}: {COMMAND} table {number}"
        if not isinstance(name, str) or not name.strip():
            problem = "has no name" if name is None else f"its name is {name!r}"
            raise InputError(problem, 'write name = "..."', place)
        if name in found:
            raise InputError(f"another table is called {name!r}", "rename one", place)
        with _errors_in(f"{path}: {COMMAND} {name!r}"):
            found[name] = _arguments(table, path.parent, line)
    return found


def _arguments(table: dict[str, Any], folder: Path, line: CommandLine) -> list[str]:
    """Return the command line that stands for a table."""
    given = {key.replace("_", "-"): value for key, value in table.items()}
    if len(given) < len(table):
        raise InputError("an option is given with - and with _", "leave one out")
    if ":" not in str(given.get("function", ":")):
        raise InputError("is not module:function", 'write "package.module:name"', "function")
    if "function" in given and "values" in given:
        raise InputError("a function takes no values", "write at = ...", "values")
    settings: list[str] = []
    values: list[str] = []
    options: list[str] = []
    for name in SETTINGS:
        if name not in given and name in line.typed:
            settings += [f"--{name}", str(line.parameters[name])]
    for key, value in given.items():
        if key in ("function", "values"):
            values = [_in_folder(_text(token, key), folder) for token in _listed(value) or [value]]
        elif key != "name":
            options += _option(key, value, folder, line)
    if taken := [token for token in values if is_option(token)]:
        raise UsageError("is not a value", "write options as keys of the table", taken[0])
    return [*settings, *values, *options]


def _option(key: str, value: Any, folder: Path, line: CommandLine) -> list[str]:
    flag = f"--{key}"
    option = line.options.get(flag)
    if option is None:
        keys = (name[2:] for name in line.options if name[:2] == "--")
        remedy = did_you_mean(key, keys, f"see '{PROGRAM} {COMMAND} --help'")
        raise UsageError("no such option", remedy, key)
    if option.name in NOT_IN_TABLES:
        raise UsageError("is not part of a check", f"write {flag} on the command line", key)
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError("is a flag", f"write {key} = true or false", key)
        return [flag] if value else [option.negative or flag][: option.negative is not None]
    is_list = option.is_repeatable and not (key == "at" and _is_row(value))
    texts = [_text(each, key) for each in (_listed(value) if is_list else [value])]
    if key in FILES:
        texts = [_in_folder(text, folder) for text in texts]
    return [token for text in texts for token in (flag, text)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_row(value: Any) -> bool:
    numbers = value if isinstance(value, list) else []
    return bool(numbers) and all(type(number) in (int, float) for number in numbers)


def _text(value: Any, key: str) -> str:
    """Return a value as it is typed; a list of numbers is a row.

    >>> _text("G.npy", "grad"), _text([1, -2.5], "at")
    ('G.npy', '1,-2.5')
    """
    if isinstance(value, str):
        return value
    if not _is_row(_listed(value)):
        raise InputError(f"{value!r} is not a value", "write a string or a number", key)
    return ",".join(map(repr, _listed(value)))


def _in_folder(text: str, folder: Path) -> str:
    """Return the path of a file in the folder of the configuration; any other text as it is."""
    joined = os.path.join(folder, text)  # noqa: PTH118 - keeps what is no path as it is
    exists = text not in ("", "-") and folder != Path() and input_paths([joined])
    return joined if exists else text
