"""The gradcheck tables of a configuration file, each as the command line that it spells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from softmax_cli.commands.options.flag import PROGRAM, CommandLine, is_option
from softmax_cli.commands.options.report import VerdictOptions
from softmax_cli.errors import InputError, SoftmaxCliError, UsageError, shorten
from softmax_cli.formats.opening.source import input_paths
from softmax_cli.storage.input import open_input, read_whole
from softmax_cli.storage.limits import LARGEST_CONFIGURATION

COMMAND = "gradcheck"
TABLES = f"[[tool.{PROGRAM}.{COMMAND}]]"
# To read a key of n parts takes tomllib n^2 steps.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++\s*+\.\s*+){64}""")

# What the command line may add to the checks of a file.
SETTINGS = ("seed", "worst")
NO_CHECK = {*(option.name for option in fields(VerdictOptions)), "config"}
# The options whose value may be a file, which is then sought beside the configuration.
FILES = (
    *("logits", "labels", "targets", "upstream", "grad", "jacobian", "at"),
    *("class-weights", "sample-weights"),
)


@dataclass(frozen=True)
class Table:
    """One table of the file: its place for errors, its name, and the command line it spells."""

    place: str
    name: str
    arguments: list[str]


@contextmanager
def told(place: str) -> Iterator[None]:
    """Let an error name the table before its own place."""
    try:
        yield
    except SoftmaxCliError as error:
        error.place = f"{place}: {error.place}" if error.place else place
        raise


def parsed_configuration(path: Path) -> dict[str, Any]:
    import tomllib

    def check(_: bytes, held: int) -> None:
        if held > LARGEST_CONFIGURATION:
            problem = f"is larger than {LARGEST_CONFIGURATION >> 20} MiB"
            raise InputError(problem, "name a configuration", str(path))

    source = open_input(str(path))
    try:
        text = read_whole(source, check).decode()
        if key := _DEEP_KEY.search(text):
            problem = f"has a key of more than 64 parts, {shorten(key[0])}"
            raise InputError(problem, "mend it", str(path))
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # That the bytes are no text is a ValueError too.
        raise InputError(f"is not TOML: {error}", "mend it", str(path)) from None
    finally:
        source.close()


def tables_in(path: Path, document: dict[str, Any], line: CommandLine) -> list[Table]:
    ours: Any = document
    for key in ("tool", PROGRAM, COMMAND):
        ours = ours.get(key, {}) if isinstance(ours, dict) else {}
    if ours == {}:
        _refuse_misspelt(path, document)
        return []
    if not isinstance(ours, list) or not all(isinstance(table, dict) for table in ours):
        raise InputError(f"tool.{PROGRAM}.{COMMAND} is no list", f"write {TABLES}", str(path))
    found: list[Table] = []
    for number, table in enumerate(ours, 1):
        name = table.get("name")
        place = f"{path}: {COMMAND} table {number}"
        if not isinstance(name, str) or not name.strip():
            problem = "has no name" if name is None else f"its name is {name!r}"
            raise InputError(problem, 'write name = "..."', place)
        if any(name == other.name for other in found):
            raise InputError(f"{name!r} is the name of two", "every check has its own", place)
        place = f"{path}: {COMMAND} {name!r}"
        with told(place):
            arguments = _arguments(table, path.parent, line)
        found.append(Table(place, name, arguments))
    return found


def _refuse_misspelt(path: Path, document: dict[str, Any]) -> None:
    """Refuse tables under a name that is almost ours: not to be checked is not to pass."""
    tools = document.get("tool", {})
    if not isinstance(tools, dict):
        return
    for name in (PROGRAM, PROGRAM.replace("-", "_")):
        if tools.get(name):
            raise InputError(f"[tool.{name}] holds no check", f"write {TABLES}", str(path))


def _arguments(table: dict[str, Any], folder: Path, line: CommandLine) -> list[str]:
    """Return the command line that a table spells."""
    keys = {key.replace("_", "-"): key for key in table}
    settings = [
        token
        for name in SETTINGS
        if name not in keys and name in line.typed
        for token in (f"--{name}", str(line.parameters[name]))
    ]
    if len(keys) < len(table):
        raise InputError("an option is spelt in two ways", "leave one out")
    if "function" in keys and ":" not in str(table[keys["function"]]):
        raise InputError("is no module:function", 'write "package.module:name"', "function")
    if "function" in keys and "values" in keys:
        raise InputError("a function takes no values", "write at = ...", "values")
    values: list[str] = []
    options: list[str] = []
    for key, written in keys.items():
        value = table[written]
        if key in ("function", "values"):
            values = [_beside(_text(token, key), folder) for token in _listed(value) or [value]]
        elif key != "name":
            options += _option(key, value, folder, line)
    if taken := [token for token in values if is_option(token)]:
        raise UsageError("is no value", "write options as keys of the table", taken[0])
    return [*settings, *values, *options]


def _option(key: str, value: Any, folder: Path, line: CommandLine) -> list[str]:
    flag = f"--{key}"
    option = line.options.get(flag)
    if option is None:
        names = [spelt(name) for name in line.options if name.startswith("--")]
        close = get_close_matches(key, names)
        remedy = f"did you mean {close[0]}?" if close else f"see '{PROGRAM} {COMMAND} --help'"
        raise UsageError("no such option", remedy, key)
    if option.name in NO_CHECK:
        raise UsageError("is no part of a check", f"write --{key} on the command line", key)
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError("is a flag", f"write {key} = true or false", key)
        return [flag] if value else [option.negative or flag][: option.negative is not None]
    several = option.is_repeatable and not (key == "at" and _is_row(value))
    texts = [_text(each, key) for each in (_listed(value) if several else [value])]
    if key in FILES:
        texts = [_beside(text, folder) for text in texts]
    return [token for text in texts for token in (flag, text)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_row(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(number) in (int, float) for number in value)
    )


def _text(value: Any, key: str) -> str:
    """Return a value as it is typed; a list of numbers is a row.

    >>> _text("G.npy", "grad"), _text([1, -2.5], "at")
    ('G.npy', '1,-2.5')
    """
    if isinstance(value, str):
        return value
    if not _is_row(_listed(value)):
        raise InputError(f"{value!r} is no value of it", "write a string or a number", key)
    return ",".join(map(repr, _listed(value)))


def _beside(text: str, folder: Path) -> str:
    """Return the path of a file that is in the folder of the configuration; others as they are."""
    joined = os.path.join(folder, text)  # noqa: PTH118 - keeps what is no path as it is
    there = text not in ("", "-") and folder != Path() and input_paths([joined])
    return joined if there else text


def spelt(name: str) -> str:
    """Return the name of a parameter or an option as it is spelt after the dashes."""
    return name.strip("-_").replace("_", "-")
