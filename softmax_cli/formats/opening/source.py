"""Opens typed numbers, files and standard input as one source of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from softmax_cli.errors import UsageError
from softmax_cli.formats.columns.layout import mask_na_values
from softmax_cli.formats.columns.selection import refuse_table_options
from softmax_cli.formats.columns.suspects import warn_of_suspects
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.detection import detected_format, refuse_pickle
from softmax_cli.formats.opening.inline import read_inline, unknown_token
from softmax_cli.formats.registry import named_format
from softmax_cli.storage.filesystem import Location, location, path_of
from softmax_cli.storage.input import open_input

NO_REQUEST = ColumnRequest()


def open_source(
    tokens: Sequence[str],
    options: ReadOptions,
    request: ColumnRequest = NO_REQUEST,
    *,
    place: str = "arguments",
) -> Source:
    """Open what was typed: numbers, rows of numbers, paths, globs, or `-` for standard input.

    Headers are read, rows are not. Errors in typed numbers name `place`.
    """
    source = read_inline(tokens, place)
    if source is not None:
        refuse_table_options("typed", options, request)
        if options.input_format is not None:
            raise UsageError("typed numbers have no format", "it goes with files", "--input-format")
    else:
        paths = [path for token in tokens for path in _expanded(token, place)]
        source = warn_of_suspects(_opened_files(paths, options, request))
    if options.na_values:
        source = mask_na_values(source, options)
    if options.axis == -1:
        return source
    from softmax_cli.formats.arrays.array import along_axis

    try:
        return along_axis(source, options.axis)
    except BaseException:
        source.close()
        raise


def _opened_files(paths: Sequence[str], options: ReadOptions, request: ColumnRequest) -> Source:
    first = open_file(paths[0], options, request)
    if len(paths) == 1:
        return first
    from softmax_cli.core.exact.bfloat16 import limits_of
    from softmax_cli.formats.opening.concatenated import check_alike, concatenated

    rest: list[Callable[[], Source]] = []
    opened = [first]
    try:
        for path in paths[1:]:
            source = open_file(path, options, request)
            opened.append(source)
            check_alike(first, source, any_dtype=options.dtype is not None)
            if path_of(path).is_file():
                # There may be more files than can be open at once.
                source.close()
                rest.append(partial(open_file, path, options, request))
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


def open_file(path: str, options: ReadOptions, request: ColumnRequest = NO_REQUEST) -> Source:
    """Open one file, in the format of `--input-format`, its suffix or its first bytes."""
    refuse_pickle(path)
    source = open_input(path)
    try:
        if options.input_format is None:
            form = detected_format(path, source)
        else:
            form = named_format(options.input_format, "--input-format", reads=True)
        if not form.keyed and options.key is not None:
            raise UsageError(f"{form.name} holds no arrays by name", "leave it out", "--key")
        opened: Source = form.load_reader().read(source, form.name, options, request)
    except BaseException:
        source.close()
        raise
    paths = () if source.path is None else (source.path,)
    return replace(opened, paths=paths, close=source.close)


def _expanded(token: str, place: str) -> list[str]:
    if token == "-" or path_of(token).exists():
        return [token]
    if any(character in token for character in "*?[") and (found := path_of(token).glob()):
        return found
    raise unknown_token(token, place)


def input_paths(tokens: Sequence[str]) -> list[Location]:
    """Return the files that tokens name, which no output may overwrite."""
    found = [name for token in tokens for name in path_of(token).glob()]
    plain = [token for token in tokens if token != "-" and path_of(token).exists()]
    return [location(name) for name in (*found, *plain, *(["/dev/stdin"] if "-" in tokens else []))]
