"""The table of formats; finds that of a file by name, suffix or first bytes."""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.model.options import WriteOptions
from softmax_cli.runtime.fork_guard import fork_guard
from softmax_cli.storage.compression import COMPRESSIONS

if TYPE_CHECKING:
    from softmax_cli.formats.model.sinks import Result, Sink
    from softmax_cli.storage.input import Input
    from softmax_cli.storage.output import Target


class Format(NamedTuple):
    """A file format: one row of the table below.

    reader   module with read(source, form, options, request) -> Source; none if empty
    sink     what makes its Sink of (result, form, target, options); in `reader` unless it names one
    text     can be written compressed, and to a terminal
    holds    a table, an array or arrays by name
    records  it may hold records instead, which are a table
    guarded  its library may crash
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    sink: str
    text: bool = True
    holds: Literal["table", "array", "arrays"] = "table"
    records: bool = False
    guarded: bool = False

    def load_reader(self) -> ModuleType:
        """Return the module that reads, in a child process if its library may crash."""
        if self.guarded:
            fork_guard()
        return import_module(f"softmax_cli.formats.{self.reader}")

    def seekable(self, source: Input) -> Input:
        """Return the source; or a copy of a pipe in a file, if the format is read from its end."""
        is_pipe = source.size is None and source.compressed is None
        if is_pipe and self.guarded and source.head().startswith((b"PAR1", b"ARROW1")):
            from softmax_cli.storage.input import copied

            return copied(source)
        return source

    def open_sink(self, result: Result, target: Target, options: WriteOptions) -> Sink:
        """Return a sink that writes a result into a target."""
        module, _, name = self.sink.rpartition(".")
        sink = getattr(import_module(f"softmax_cli.formats.{module or self.reader}"), name)
        opened: Sink = sink(result, self.name, target, options)
        return opened


_delimited = partial(Format, reader="delimited.reader", sink="delimited.writer.DelimitedSink")
_columnar = partial(
    Format, reader="columnar.reader", sink="columnar.writer.ColumnarSink", text=False, guarded=True
)
_arrays = partial(Format, text=False, holds="arrays")

FORMATS = (
    _delimited("csv", (".csv",)),
    _delimited("tsv", (".tsv",)),
    _delimited("txt", (".txt",)),
    Format("json", (".json",), "json.document", "JsonSink", holds="arrays", records=True),
    Format("jsonl", (".jsonl", ".ndjson"), "json.lines", "JsonLinesSink"),
    Format("npy", (".npy",), "arrays.npy", "NpySink", text=False, holds="array"),
    _arrays("npz", (".npz",), "arrays.npz", "NpzSink"),
    _arrays("safetensors", (".safetensors",), "arrays.safetensors", "SafetensorsSink"),
    _columnar("parquet", (".parquet",)),
    _columnar("arrow", (".arrow", ".feather")),
    Format("table", (), "", "table.sink.open_table"),
)

BY_NAME = {form.name: form for form in FORMATS}
_BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}
_STARTS = {
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "npz",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
}


def suffix_format(path: str) -> Format | None:
    """Return the format of a path's suffix, ignoring `.gz` and `.zst`; None if it is unknown.

    >>> suffix_format("logits.csv.gz").name
    'csv'
    """
    name = Path(path)
    if name.suffix.lower() in COMPRESSIONS:
        name = name.with_suffix("")
    return _BY_SUFFIX.get(name.suffix.lower())


def format_names(*, reads: bool = False) -> list[str]:
    """Return the names of all formats, or only of those that are read."""
    return [form.name for form in FORMATS if form.reader or not reads]


def named_format(name: str, option: str, *, reads: bool = False) -> Format:
    """Return the format that an option names; refuse one that the option cannot take."""
    choices = format_names(reads=reads)
    if name not in choices:
        raise UsageError(f"no format {name!r}", "one of " + ", ".join(choices), option)
    return BY_NAME[name]


def output_format(options: WriteOptions) -> Format:
    """Return the format of the result: `--format`, or else the suffix of `-o`.

    Standard output is a table on a terminal and CSV in a pipe.
    """
    path = options.output
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    if path == "":
        raise UsageError("an empty name", "name a file, or - for standard output", "--output")
    if options.in_place and path in (None, "-"):
        raise UsageError("there is no file to replace", "name it with -o", "--in-place")
    if options.format is not None:
        form = named_format(options.format, "--format")
    elif path is not None and path != "-":
        suffixed = suffix_format(path)
        if suffixed is None:
            known = " ".join(_BY_SUFFIX)
            raise UsageError("no format has this suffix", f"use --format, or one of {known}", path)
        form = suffixed
    else:
        form = BY_NAME["table" if is_terminal else "csv"]
    if not form.text and is_terminal and path in (None, "-"):
        problem = f"{form.name} is binary, and standard output is a terminal"
        raise UsageError(problem, "name a file with -o, or pipe it into a program", "--format")
    if path is not None and not form.text and path.lower().endswith(COMPRESSIONS):
        raise UsageError(f"{form.name} is not written compressed", "leave the suffix out", path)
    return form


def detected_format(path: str, source: Input, decimal: str = ".") -> Format:
    """Return the format of the suffix; for standard input or another suffix, of the first bytes."""
    named = None if path == "-" else suffix_format(path)
    if named is None:
        return BY_NAME[_format_of_bytes(source, decimal)]
    if named.name in ("json", "jsonl"):
        return BY_NAME[_kind_of_json(source.head(), named.name)]
    return named


def _format_of_bytes(source: Input, decimal: str) -> str:
    head = source.head()
    if not head:
        raise InputError("is empty", "give numbers, CSV, JSON or NPY", source.place)
    for start, form in _STARTS.items():
        if head.startswith(start):
            return form
    # The size of a header, below 2^40, and its first bytes.
    if head[5:8] == b"\0\0\0" and head[8:9] == b"{":
        return "safetensors"
    text = head.removeprefix(BOM_UTF8).lstrip()
    if text.startswith((b"[", b"{")):
        return _kind_of_json(text)
    from softmax_cli.formats.text.delimiter import format_of_text

    return format_of_text(text, decimal)


def _kind_of_json(head: bytes, named: str = "json") -> str:
    """Return jsonl if the first line is a whole row: another follows, or it is a flat object.

    An array of arrays or of objects is a document, also in a file named .jsonl.
    """
    import json

    text = head.removeprefix(BOM_UTF8).lstrip()
    if text[:1] == b"[" and text[1:].lstrip()[:1] in (b"[", b"{"):
        return "json"
    if named == "jsonl":
        return named
    line, _, rest = text.partition(b"\n")
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return "json"
    is_flat = (
        isinstance(first, dict)
        and len(first) > 0
        and not any(isinstance(value, (list, dict)) for value in first.values())
    )
    return "jsonl" if rest.strip() or is_flat else "json"
