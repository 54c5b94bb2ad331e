"""Opens files and standard input, and joins several into one source of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from threading import Lock

from softmax_cli.errors import InputError, UsageError
from softmax_cli.formats.columns.selection import column_choice
from softmax_cli.formats.columns.suspects import warn_of_suspects
from softmax_cli.formats.columns.table_options import refuse_table_options
from softmax_cli.formats.model.blocks import Block, Chunk, Source, opening_pipe
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions
from softmax_cli.formats.opening.file_key import file_of, one_key, split_key
from softmax_cli.formats.opening.foreign import open_data
from softmax_cli.formats.registry import detected_format, named_format
from softmax_cli.storage.filesystem import Location, location, path_of
from softmax_cli.storage.input import STANDARD_INPUT, standard_input_bytes

# Formats whose lists may differ in length.
_OF_LISTS = ("json", "jsonl", "parquet", "arrow")


def open_files(paths: Sequence[str], options: ReadOptions, request: ColumnRequest) -> Source:
    """Open paths, or `-` for standard input, as one source with warnings of odd columns."""
    waiting = opening_pipe.get() if "-" in paths else lambda *_: nullcontext()
    with waiting(STANDARD_INPUT, standard_input_bytes):
        return warn_of_suspects(_open_each(paths, options, request))


def open_file(path: str, options: ReadOptions, request: ColumnRequest = ColumnRequest()) -> Source:
    """Open one file, or one array of `FILE[KEY]`.

    Its format is that of `--input-format`, its suffix or its first bytes.
    """
    path, key = split_key(path)
    if key is not None:
        options = replace(options, key=one_key(path, key, options.key))
    source = open_data(path, options.input_format)
    try:
        if options.input_format is None:
            form = detected_format(path, source, options.decimal)
        else:
            form = named_format(options.input_format, "--input-format", reads=True)
        if form.holds != "table" and not form.records:
            refuse_table_options(f"an array ({form.name})", options, request)
        if form.holds != "arrays" and options.key is not None:
            remedy = "leave it out"
            if form.holds == "table":
                remedy = column_choice(options.key)
            raise UsageError(f"{form.name} has no named arrays", remedy, "--key")
        opened: Source
        paths = () if source.path is None else (source.path,)
        reader = form.load_reader()
        source = form.seekable(source)
        if request.entries and form.holds != "table":
            request = request._replace(one_column=True)
        if request.entries and form.name in _OF_LISTS:
            opened = reader.read_entries(source, form.name, options)
        else:
            opened = reader.read(source, form.name, options, request)
    except BaseException:
        source.close()
        raise
    files = ((0, opened.place),)
    return replace(opened, paths=paths, files=files, arrived=source.arrived, close=source.close)


def _open_each(paths: Sequence[str], options: ReadOptions, request: ColumnRequest) -> Source:
    first = open_file(paths[0], options, request)
    if len(paths) == 1:
        return first
    from softmax_cli.core.exact.bfloat16 import limits_of

    reopen = partial(open_file, options=options, request=request)
    rest: list[str | Source] = []
    dtypes, sizes = {first.dtype}, [_size_of(first)]
    with ExitStack() as on_error:
        on_error.callback(first.close)
        for path in paths[1:]:
            source = reopen(path)
            on_error.callback(source.close)
            _check_alike(first, source, any_dtype=options.dtype is not None)
            dtypes.add(source.dtype)
            sizes.append(_size_of(source))
            if path_of(file_of(path)).is_file():
                # There may be more files than can be open at once.
                source.close()
                rest.append(path)
            else:
                rest.append(source)
        on_error.pop_all()
    locations = [location(file_of(path)) for path in paths if path != "-"]
    joined = _concatenate(first, rest, reopen, locations)
    known = [size for size in sizes if size is not None]
    size = sum(known) if len(known) == len(sizes) else None
    return replace(joined, size=size, stored=max(dtypes, key=lambda dtype: limits_of(dtype)[0]))


def _concatenate(
    first: Source,
    rest: Sequence[Source | str],
    open_path: Callable[[str], Source],
    paths: Sequence[Location],
) -> Source:
    """Return the rows of all sources, in order; a path is opened when its turn comes."""
    # Sources with a chunk yet to be read, to close after an error.
    unfinished: set[_OpenSource] = set()
    later: list[Callable[[], list[str]]] = []
    files: list[tuple[int, str]] = []

    def chunks() -> Iterator[Chunk]:
        start = 0
        for item in (first, *rest):
            source = open_path(item) if isinstance(item, str) else item
            if source is not first:
                later.extend(source.warnings)
            opened = _OpenSource(source, unfinished)
            try:
                _check_alike(first, source, any_dtype=True)
                first_row = start
                files.append((start, source.place))
                for chunk in source.chunks():
                    yield opened.until_read(chunk, first_row)
                    start += chunk.rows
            finally:
                opened.end()

    def close() -> None:
        first.close()
        for opened in list(unfinished):
            opened.close()

    return replace(
        first,
        place=f"{first.place} and {len(rest)} more",
        chunks=chunks,
        rows=None,
        leading=None,
        arrived=None,
        paths=tuple(paths),
        files=files,
        warnings=(*first.warnings, lambda: list(chain.from_iterable(each() for each in later))),
        close=close,
    )


class _OpenSource:
    """Keeps a source open until its last chunk is read, in any thread."""

    def __init__(self, source: Source, unfinished: set[_OpenSource]) -> None:
        self._source, self._unfinished = source, unfinished
        self._left = 1
        self._lock = Lock()
        unfinished.add(self)

    def close(self) -> None:
        self._unfinished.discard(self)
        self._source.close()

    def until_read(self, chunk: Chunk, first_row: int) -> Chunk:
        """Return the chunk, numbered from the first row of the source; reading it may close it."""
        with self._lock:
            self._left += 1

        def read() -> Block:
            try:
                block = chunk.read()
                return replace(block, start=first_row + block.start)
            finally:
                self.end()

        return chunk._replace(read=read, size=chunk.size or chunk.rows * _row_bytes(self._source))

    def end(self) -> None:
        """Close the source if no chunk is left to read."""
        with self._lock:
            self._left -= 1
            is_over = not self._left
        if is_over:
            self.close()


def _row_bytes(source: Source) -> int:
    return source.classes * source.dtype.itemsize


def _size_of(source: Source) -> int | None:
    """Return the size of a source for progress: of its file, or of the numbers of its rows."""
    if source.size is None and source.rows is not None:
        return source.rows * _row_bytes(source)
    return source.size


def _check_alike(first: Source, other: Source, *, any_dtype: bool) -> None:
    if other.classes != first.classes:
        problem = f"{other.classes} columns, and {first.place} has {first.classes}"
        raise InputError(problem, "all files need the same columns", other.place)
    names = [(each.class_names, each.id_names, each.list_name) for each in (first, other)]
    if names[0] != names[1]:
        problem = f"its header differs from that of {first.place}"
        raise InputError(problem, "all files need the same columns in the same order", other.place)
    if other.dtype != first.dtype and not any_dtype:
        problem = f"holds {other.dtype}, and {first.place} holds {first.dtype}"
        raise InputError(problem, "choose the type of the result with --dtype", other.place)
