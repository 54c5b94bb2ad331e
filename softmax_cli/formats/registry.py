"""The table of formats: how each is named, which module reads and writes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.runtime.fork_guard import fork_guard
from softmax_cli.storage.compression import COMPRESSIONS


@dataclass(frozen=True, eq=False)
class Format:
    """A format of files: one line of the table below, one module that reads and writes it.

    The module has read(source, form, options, keep) -> Source, and
    write(result, form, target, options) -> Sink, with `form` the name of the format; `writer`
    is the module that writes, if it is another. A `keyed` format holds arrays by name.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    writer: str = ""
    reads: bool = True
    text: bool = True
    keyed: bool = False
    guarded: bool = False

    def reader(self) -> ModuleType:
        """Return the module that reads; one whose library may end the process does so in a copy."""
        if self.guarded:
            fork_guard()
        return import_module(f"softmax_cli.formats.{self.module}")


FORMATS = (
    Format("csv", (".csv",), "delimited.reader", "delimited.writer"),
    Format("tsv", (".tsv",), "delimited.reader", "delimited.writer"),
    Format("txt", (".txt",), "delimited.reader", "delimited.writer"),
    Format("json", (".json",), "json.document", keyed=True),
    Format("jsonl", (".jsonl", ".ndjson"), "json.lines"),
    Format("npy", (".npy",), "arrays.npy", text=False),
    Format("npz", (".npz",), "arrays.npz", text=False, keyed=True),
    Format("safetensors", (".safetensors",), "arrays.safetensors", text=False, keyed=True),
    Format("parquet", (".parquet",), "columnar.reader", text=False, guarded=True),
    Format("arrow", (".arrow", ".feather"), "columnar.reader", text=False, guarded=True),
    Format("table", (), "table.sink", reads=False),
)

BY_NAME = {form.name: form for form in FORMATS}
_BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}


def suffix_format(path: str) -> Format | None:
    """Return the format that a path's suffix names, below `.gz` and `.zst`; None if it names none.

    >>> suffix_format("logits.csv.gz").name
    'csv'
    """
    name = Path(path)
    if name.suffix.lower() in COMPRESSIONS:
        name = name.with_suffix("")
    return _BY_SUFFIX.get(name.suffix.lower())


def format_names(*, reads: bool = False, text: bool = False) -> list[str]:
    """Return the names of all formats, or of those that are read, or are text."""
    return [form.name for form in FORMATS if (form.reads or not reads) and (form.text or not text)]


def named_format(name: str, option: str, *, reads: bool = False, text: bool = False) -> Format:
    """Return the format of that name, if the option that names it can take it."""
    choices = format_names(reads=reads, text=text)
    if name not in choices:
        raise UsageError(f"no format {name!r}", "one of " + ", ".join(choices), option)
    return BY_NAME[name]


def output_format(options: WriteOptions) -> Format:
    """Return the format of the result: `--format`, the suffix of `-o`, or what standard output is.

    A person at a terminal gets a table, a pipe gets CSV.
    """
    path = options.output
    if path == "":
        raise UsageError("an empty name", "name a file, or - for standard output", "--output")
    if options.in_place and path in (None, "-"):
        raise UsageError("there is no file to replace", "name it with -o", "--in-place")
    if options.format is not None:
        form = named_format(options.format, "--format", text=True)
    elif path is not None and path != "-":
        suffixed = suffix_format(path)
        if suffixed is None:
            known = " ".join(_BY_SUFFIX)
            raise UsageError("no format has this suffix", f"use --format, or one of {known}", path)
        form = suffixed
    else:
        form = BY_NAME["table" if sys.stdout is not None and sys.stdout.isatty() else "csv"]
    if path is not None and not form.text and path.lower().endswith(COMPRESSIONS):
        raise UsageError(f"{form.name} is not written compressed", "leave the suffix out", path)
    return form
