"""Opens typed numbers, files and standard input as one source of rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from softmax_cli.errors import OutputError, UsageError
from softmax_cli.formats.columns.table_options import refuse_table_options
from softmax_cli.formats.model.blocks import Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import file_of, matches, refuse_key, split_key
from softmax_cli.formats.opening.inline import read_inline, unknown_token
from softmax_cli.formats.registry import suffix_format
from softmax_cli.storage.filesystem import Location, identity, location, path_of


def open_source(
    tokens: Sequence[str],
    options: ReadOptions,
    request: ColumnRequest = ColumnRequest(),
    *,
    place: str = "arguments",
) -> Source:
    """Open tokens: numbers, rows of numbers, paths, globs, or `-` for standard input.

    Only headers are read. Errors in typed numbers name `place`.
    """
    source = read_inline(tokens, place)
    if source is not None:
        refuse_table_options("typed numbers", options, request, "leave it out")
        for option, is_given, problem in (
            ("--input-format", options.input_format is not None, "have no format"),
            ("--key", options.key is not None, "have no name"),
            ("--decimal", options.decimal != ".", "have decimal points"),
        ):
            if is_given:
                raise UsageError(f"typed numbers {problem}", "leave it out", option)
    else:
        from softmax_cli.formats.opening.files import open_files

        paths = [path for token in tokens for path in _expand_glob(token, place)]
        source = open_files(paths, options, request)
    if options.na_values:
        from softmax_cli.formats.columns.missing_values import mask_na_values

        source = mask_na_values(source, options)
    if options.axis == -1:
        return source
    from softmax_cli.formats.arrays.array import along_axis

    try:
        return along_axis(source, options.axis)
    except BaseException:
        source.close()
        raise


def _expand_glob(token: str, place: str) -> list[str]:
    if token == "-" or path_of(file_of(token)).exists():
        return [token]
    if found := matches(token):
        return found
    refuse_key(token)
    raise unknown_token(token, place)


def input_paths(tokens: Sequence[str]) -> list[Location]:
    """Return the files that the tokens name; no output may overwrite them."""
    files = [file_of(name) for token in tokens for name in (token, *matches(token))]
    plain = [file for file in files if file != "-" and path_of(file).exists()]
    return [location(name) for name in (*plain, *(["/dev/stdin"] if "-" in tokens else []))]


def refuse_lost_arrays(
    tokens: Sequence[str | None], key: str | None, outputs: Collection[str | None]
) -> None:
    """Refuse outputs that replace an input of which one array is read, by `--key` or FILE[KEY]."""
    for token in filter(None, tokens):
        for path, named in map(split_key, (token, *matches(token))):
            form = suffix_format(path)
            holds_arrays = form is not None and form.holds == "arrays"
            if named is None and (key is None or not holds_arrays):
                continue
            for output in outputs:
                if output and output != "-" and identity(output) == identity(path):
                    problem = "--in-place would lose the other arrays of the file"
                    raise OutputError(problem, "name another file", output)
