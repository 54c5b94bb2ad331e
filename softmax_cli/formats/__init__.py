"""Bytes <-> blocks of rows; one file a format; no mathematics."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from softmax_cli.errors import InputError, UsageError, shorten_token
from softmax_cli.formats.columns.suspects import warn_of_suspects
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, PartOptions, ReadOptions, WriteOptions
from softmax_cli.formats.model.sinks import Result, Sink, Sinks
from softmax_cli.formats.opening.pickles import refuse_pickle, refuse_table_options
from softmax_cli.formats.table.picture_file import open_picture
from softmax_cli.runtime.fork_guard import fork_guard
from softmax_cli.storage.compression import COMPRESSIONS
from softmax_cli.storage.filesystem import Location, exists, is_file, is_remote, location, matching
from softmax_cli.storage.input import Input, open_input
from softmax_cli.storage.open_target import open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["FORMATS", "Format", "open_file", "open_sink", "open_source", "output_format"]


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

NO_REQUEST = ColumnRequest()
_BY_NAME = {form.name: form for form in FORMATS}
_BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}


def open_source(
    tokens: Sequence[str],
    options: ReadOptions,
    keep: ColumnRequest = NO_REQUEST,
    *,
    place: str = "arguments",
) -> Source:
    """Open what was typed: numbers, rows of numbers, paths, globs, or `-` for standard input.

    Headers are read, rows are not. Errors in typed numbers name `place`.
    """
    from softmax_cli.formats.opening.inline import read_inline

    source = read_inline(tokens, place)
    if source is not None:
        refuse_table_options("typed", options, keep)
        if options.input_format is not None:
            raise UsageError("typed numbers have no format", "it goes with files", "--input-format")
    else:
        paths = [path for token in tokens for path in _expanded(token, place)]
        source = warn_of_suspects(_opened_files(paths, options, keep))
    if options.na_values:
        from softmax_cli.formats.columns.na_values import mask_na_values

        source = mask_na_values(source, options)
    if options.axis == -1:
        return source
    from softmax_cli.formats.arrays.array import along_axis

    try:
        return along_axis(source, options.axis)
    except BaseException:
        source.close()
        raise


def _opened_files(paths: Sequence[str], options: ReadOptions, keep: ColumnRequest) -> Source:
    first = open_file(paths[0], options, keep)
    if len(paths) == 1:
        return first
    from softmax_cli.core.exact.bfloat16 import limits_of
    from softmax_cli.formats.opening.concatenated import check_alike, concatenated

    rest: list[Callable[[], Source]] = []
    opened = [first]
    try:
        for path in paths[1:]:
            source = open_file(path, options, keep)
            opened.append(source)
            check_alike(first, source, any_dtype=options.dtype is not None)
            if is_file(path):
                # There may be more files than can be open at once.
                source.close()
                rest.append(partial(open_file, path, options, keep))
            else:
                rest.append(partial(_the_same, source))
    except BaseException:
        for source in opened:
            source.close()
        raise
    joined = concatenated(first, rest, [location(path) for path in paths if path != "-"])
    least_exact = max((source.dtype for source in opened), key=lambda dtype: limits_of(dtype)[0])
    return replace(joined, stored=least_exact)


def _the_same(source: Source) -> Source:
    return source


def open_file(path: str, options: ReadOptions, keep: ColumnRequest = NO_REQUEST) -> Source:
    """Open one file in its format: `--input-format`, its suffix, or what its first bytes say."""
    refuse_pickle(path)
    source = open_input(path)
    try:
        form = _input_format(path, source, options)
        if not form.keyed and options.key is not None:
            raise UsageError(f"{form.name} holds no arrays by name", "leave it out", "--key")
        reader = form.reader()
        opened: Source = reader.read(source, form.name, options, keep)
    except BaseException:
        source.close()
        raise
    paths = () if source.path is None else (source.path,)
    return replace(opened, paths=paths, close=source.close)


def _expanded(token: str, place: str) -> list[str]:
    if token == "-" or exists(token):
        return [token]
    if any(character in token for character in "*?[") and (found := matching(token)):
        return found
    raise unknown_token(token, place)


def input_paths(tokens: Sequence[str]) -> list[Location]:
    """Return the files that tokens stand for, so that none of them is written onto."""
    found = [name for token in tokens for name in matching(token)]
    plain = [token for token in tokens if token != "-" and exists(token)]
    return [location(name) for name in (*found, *plain, *(["/dev/stdin"] if "-" in tokens else []))]


def unknown_token(token: str, place: str) -> InputError:
    """Return the error for what is neither a number nor a file, with the option it was given to."""
    shown = shorten_token(token)
    if is_remote(token):
        return InputError("no such file", "check the spelling", shown)
    return InputError(
        "neither a number nor a file that exists",
        "check the spelling of the number or path",
        f"{place}: {shown}" if place.startswith("--") else shown or "''",
    )


def suffix_format(path: str) -> Format | None:
    """Return the format that a path's suffix names, below `.gz` and `.zst`; None if it names none.

    >>> suffix_format("logits.csv.gz").name
    'csv'
    """
    name = Path(path)
    if name.suffix.lower() in COMPRESSIONS:
        name = name.with_suffix("")
    return _BY_SUFFIX.get(name.suffix.lower())


def _input_format(path: str, source: Input, options: ReadOptions) -> Format:
    if options.input_format is not None:
        return named_format(options.input_format, "--input-format", reads=True)
    if path != "-" and (form := suffix_format(path)):
        return form
    from softmax_cli.formats.opening.detection import detected_format

    return _BY_NAME[detected_format(source)]


def format_names(*, reads: bool = False, text: bool = False) -> list[str]:
    """Return the names of all formats, or of those that are read, or are text."""
    return [form.name for form in FORMATS if (form.reads or not reads) and (form.text or not text)]


def named_format(name: str, option: str, *, reads: bool = False, text: bool = False) -> Format:
    """Return the format of that name, if the option that names it can take it."""
    choices = format_names(reads=reads, text=text)
    if name not in choices:
        raise UsageError(f"no format {name!r}", "one of " + ", ".join(choices), option)
    return _BY_NAME[name]


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
        import sys

        form = _BY_NAME["table" if sys.stdout is not None and sys.stdout.isatty() else "csv"]
    if path is not None and not form.text and path.lower().endswith(COMPRESSIONS):
        raise UsageError(f"{form.name} is not written compressed", "leave the suffix out", path)
    return form


@contextmanager
def open_sink(
    result: Result, options: WriteOptions, inputs: Sequence[Location] = ()
) -> Iterator[Sink]:
    """Open where the result goes, and the picture of it; files appear when the block is left.

    None does if it is left by an error.
    """
    form = output_format(options)
    writer = import_module(f"softmax_cli.formats.{form.writer or form.module}")
    part = options.part if isinstance(options, PartOptions) else None
    with (
        open_target(options.output or "-", inputs, in_place=options.in_place, part=part) as target,
        open_picture(options, inputs) as save,
    ):
        opened = [lambda shaped: writer.write(shaped, form.name, target, options)]
        if save is not None:
            from softmax_cli.formats.table.sink import TableSink

            opened.append(lambda shaped: TableSink(shaped, save, options))
        sinks = [_along_axis(result, open_inner) for open_inner in opened]
        yield Sinks(sinks) if len(sinks) > 1 else sinks[0]
        for sink in sinks:
            sink.finish()


def _along_axis(result: Result, open_inner: Callable[[Result], Sink]) -> Sink:
    if result.axis == -1:
        return open_inner(result)
    from softmax_cli.formats.arrays.array import AlongAxisSink

    return AlongAxisSink(result, open_inner)
